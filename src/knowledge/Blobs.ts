/** Content-addressed bytes of a tenant: note texts and media. */
import { Context, type Effect } from "effect"
import type { SqlError } from "effect/sql"
import type { BlobHash, TenantId } from "../domain/Ids.ts"

export class Blobs extends Context.Service<
  Blobs,
  {
    /** Stores the bytes under their SHA-256; storing them again changes nothing. Joins a transaction. */
    readonly put: (tenant: TenantId, bytes: Uint8Array) => Effect.Effect<BlobHash, SqlError.SqlError>
    /** Missing blobs are left out of the map. */
    readonly get: (
      tenant: TenantId,
      hashes: ReadonlyArray<BlobHash>
    ) => Effect.Effect<ReadonlyMap<BlobHash, Uint8Array>, SqlError.SqlError>
  }
>()("zapiska/knowledge/Blobs") {}
