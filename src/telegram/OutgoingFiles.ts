/** The bytes of files a bot sends: read as they are sent, from wherever the edge keeps them. */
import { Context, Effect, Layer, Stream } from "effect"
import type { BlobHash, TenantId } from "../domain/Ids.ts"
import { FileUnreadable } from "./BotError.ts"

export class OutgoingFiles extends Context.Service<
  OutgoingFiles,
  {
    /** Bytes of each file; those that are not kept are left out. */
    readonly sizes: (
      tenant: TenantId,
      hashes: ReadonlyArray<BlobHash>
    ) => Effect.Effect<ReadonlyMap<BlobHash, number>, FileUnreadable>
    /** In chunks: never the whole of a large file in memory. */
    readonly read: (tenant: TenantId, hash: BlobHash) => Stream.Stream<Uint8Array, FileUnreadable>
  }
>()("zapiska/telegram/OutgoingFiles") {
  /** These files and no others, the same for every tenant. */
  static readonly layerMemory = (files: ReadonlyMap<BlobHash, Uint8Array>): Layer.Layer<OutgoingFiles> =>
    Layer.succeed(OutgoingFiles, {
      sizes: (_tenant, hashes) =>
        Effect.succeed(
          new Map(
            hashes.flatMap((hash) => {
              const bytes = files.get(hash)
              return bytes === undefined ? [] : [[hash, bytes.length] as const]
            })
          )
        ),
      read: (_tenant, hash) => {
        const bytes = files.get(hash)
        return bytes === undefined
          ? Stream.fail(new FileUnreadable({ hash, reason: "it is not kept", again: "never" }))
          : Stream.make(bytes)
      }
    })
}
