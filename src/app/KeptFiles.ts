/** The files a bot sends are the blobs of the tenant. */
import { Effect, Layer, Stream } from "effect"
import type { SqlError } from "effect/sql"
import type { BlobHash } from "../domain/Ids.ts"
import { Blobs } from "../knowledge/Blobs.ts"
import { FileUnreadable, OutgoingFiles } from "../telegram/OutgoingFiles.ts"

const unreadable = (hash: BlobHash, error: SqlError.SqlError) =>
  new FileUnreadable({ hash, reason: error.reason._tag })

export const layer: Layer.Layer<OutgoingFiles, never, Blobs> = Layer.effect(
  OutgoingFiles,
  Effect.map(Blobs, (blobs) => ({
    sizes: (tenant, hashes) =>
      Effect.mapError(blobs.sizes(tenant, hashes), (error) => unreadable(hashes[0]!, error)),
    read: (tenant, hash) => Stream.mapError(blobs.read(tenant, hash), (error) => unreadable(hash, error))
  }))
)
