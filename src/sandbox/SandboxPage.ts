/** The chat page at `/sandbox`: its files, what it asks of the emulator, and the knowledge base beside it. */
import { Layer } from "effect"
import * as KnowledgePages from "./KnowledgePages.ts"
import * as PageAssets from "./PageAssets.ts"
import * as SandboxApi from "./SandboxApi.ts"

/** Routes under `/sandbox`, over `BotApiEmulator` and `SandboxKnowledge`. Mounted on loopback only. */
export const layer = Layer.mergeAll(PageAssets.layer, SandboxApi.layer, KnowledgePages.layer)
