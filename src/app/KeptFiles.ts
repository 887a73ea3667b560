/** The files a bot sends are the blobs of the tenant. */
import { Effect, Layer, Stream } from "effect"
import type { SqlError } from "effect/sql"
import type { BlobHash } from "../domain/Ids.ts"
import { Blobs } from "../knowledge/Blobs.ts"
import { FileUnreadable } from "../telegram/BotPort.ts"
import { OutgoingFiles } from "../telegram/OutgoingFiles.ts"

/** A database that shuts down says so in words the driver does not know. */
const unreadable = (hash: BlobHash, { isRetryable, reason: { _tag: reason } }: SqlError.SqlError) =>
  new FileUnreadable({ hash, reason, again: isRetryable || reason === "UnknownError" ? "later" : "never" })

export const layer: Layer.Layer<OutgoingFiles, never, Blobs> = Layer.effect(
  OutgoingFiles,
  Effect.map(Blobs, (blobs) => ({
    sizes: (tenant, hashes) =>
      Effect.mapError(blobs.sizes(tenant, hashes), (error) => unreadable(hashes[0]!, error)),
    read: (tenant, hash) => Stream.mapError(blobs.read(tenant, hash), (error) => unreadable(hash, error))
  }))
)
