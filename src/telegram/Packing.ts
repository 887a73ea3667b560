/** Makes a content ready to leave: its limits checked, its files at hand as uploads. */
import { Effect } from "effect"
import type { TenantId } from "../domain/Ids.ts"
import { partsOf } from "./BotPayload.ts"
import type { BotPortError, OutgoingContent } from "./BotPort.ts"
import { problemsOf } from "./ContentLimits.ts"
import { OutgoingFiles } from "./OutgoingFiles.ts"
import type { Upload } from "./Upload.ts"

/** The first thing Telegram would refuse, or the files to send along. */
export const makePacking = Effect.map(OutgoingFiles, (files) =>
  Effect.fnUntraced(function* (
    tenant: TenantId,
    method: string,
    content: OutgoingContent
  ): Effect.fn.Return<ReadonlyArray<Upload>, BotPortError> {
    const parts = partsOf(content)
    const hashes = [...new Set(parts.map(({ file }) => file.hash))]
    const sizes = hashes.length === 0 ? new Map<never, number>() : yield* files.sizes(tenant, hashes)
    const problem = problemsOf(method, content, sizes)[0]
    if (problem !== undefined) return yield* problem
    return parts.map(({ part, file }) => ({
      part,
      filename: file.name,
      ...(file.mime === undefined ? {} : { mime: file.mime }),
      size: sizes.get(file.hash) ?? 0,
      bytes: files.read(tenant, file.hash)
    }))
  })
)
