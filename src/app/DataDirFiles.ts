/** Where things are in DATA_DIR, for the process that runs on it and the commands given to that. */
import { join } from "node:path"

/** The bearer of the admin API, when it was generated. */
export const adminTokenFile = (dataDir: string): string => join(dataDir, "admin.token")
/** The address of the admin API, as long as the process listens. */
export const adminUrlFile = (dataDir: string): string => join(dataDir, "admin.url")
/** The knowledge bases: a folder for each tenant. */
export const repositoriesIn = (dataDir: string): string => join(dataDir, "kb")
