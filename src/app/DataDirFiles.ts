/** What a command finds in DATA_DIR of the process that runs on it. */
import { join } from "node:path"

/** The bearer of the admin API, when it was generated. */
export const adminTokenFile = (dataDir: string): string => join(dataDir, "admin.token")
/** The address of the admin API, as long as the process listens. */
export const adminUrlFile = (dataDir: string): string => join(dataDir, "admin.url")
