/** Content-addressed bytes of a tenant: note texts and media. */
import { createHash } from "node:crypto"
import { Context, Effect, Layer, Option, Schema, Stream } from "effect"
import type { SqlClient, SqlError } from "effect/sql"
import { BlobHash, type TenantId } from "../domain/Ids.ts"
import { TenantScope } from "../store/TenantScope.ts"
import { decoded, Int8 } from "./Rows.ts"

export class Blobs extends Context.Service<
  Blobs,
  {
    /** Stores the bytes under their SHA-256; storing them again changes nothing. Joins a transaction. */
    readonly put: (tenant: TenantId, bytes: Uint8Array) => Effect.Effect<BlobHash, SqlError.SqlError>
    /** As `put`, for several small ones in one statement; the hashes in the same order. */
    readonly putAll: (
      tenant: TenantId,
      all: ReadonlyArray<Uint8Array>
    ) => Effect.Effect<ReadonlyArray<BlobHash>, SqlError.SqlError>
    /** Missing blobs are left out of the map. */
    readonly get: (
      tenant: TenantId,
      hashes: ReadonlyArray<BlobHash>
    ) => Effect.Effect<ReadonlyMap<BlobHash, Uint8Array>, SqlError.SqlError>
    /** Bytes of each; missing blobs are left out of the map. */
    readonly sizes: (
      tenant: TenantId,
      hashes: ReadonlyArray<BlobHash>
    ) => Effect.Effect<ReadonlyMap<BlobHash, number>, SqlError.SqlError>
    /** The bytes in chunks, each read when it is asked for; none of a blob that is missing. */
    readonly read: (tenant: TenantId, hash: BlobHash) => Stream.Stream<Uint8Array, SqlError.SqlError>
  }
>()("zapiska/knowledge/Blobs") {
  static readonly layer: Layer.Layer<Blobs, never, TenantScope> = Layer.effect(
    Blobs,
    Effect.suspend(() => make)
  )
}

export const hashOf = (bytes: Uint8Array): BlobHash =>
  BlobHash.make(createHash("sha256").update(bytes).digest("hex"))

/** Bytes fetched at once: the driver refuses rows over 16 MiB. */
const piece = 4 * 1024 * 1024

/** Bytes of a chunk of a blob that is read as a stream. */
const chunk = 1024 * 1024

const measure = decoded(Schema.Struct({ hash: BlobHash, size: Int8 }))
const whole = decoded(Schema.Struct({ hash: BlobHash, size: Int8, bytes: Schema.NullOr(Schema.Uint8Array) }))
const part = decoded(Schema.Struct({ bytes: Schema.Uint8Array }))

const make = Effect.gen(function* () {
  const scope = yield* TenantScope

  const large = (sql: SqlClient.SqlClient, tenant: TenantId, hash: BlobHash, size: number) =>
    Effect.map(
      Effect.forEach(
        Array.from({ length: Math.ceil(size / piece) }, (_, index) => index * piece + 1),
        (from) =>
          part(sql`
            SELECT substring(bytes FROM ${from} FOR ${piece}) AS bytes FROM blobs
            WHERE tenant_id = ${tenant} AND hash = ${hash}`)
      ),
      (pieces): Uint8Array => Buffer.concat(pieces.flat().map((one) => one.bytes))
    )

  const chunkFrom = (tenant: TenantId, hash: BlobHash, from: number) =>
    scope.transaction(tenant, (sql) =>
      Effect.map(
        part(sql`
          SELECT substring(bytes FROM ${from} FOR ${chunk}) AS bytes FROM blobs
          WHERE tenant_id = ${tenant} AND hash = ${hash}`),
        ([row]) => row?.bytes ?? new Uint8Array()
      )
    )

  return Blobs.of({
    put: Effect.fn("Blobs.put")(function* (tenant, bytes) {
      const hash = hashOf(bytes)
      yield* scope.transaction(
        tenant,
        (sql) => sql`
          INSERT INTO blobs (tenant_id, hash, bytes) VALUES (${tenant}, ${hash}, ${bytes})
          ON CONFLICT DO NOTHING`
      )
      return hash
    }),
    putAll: Effect.fn("Blobs.putAll")(function* (tenant, all) {
      const hashes = all.map(hashOf)
      const rows = all.map((bytes, index) => ({
        hash: hashes[index],
        bytes: Buffer.from(bytes).toString("base64")
      }))
      yield* scope.transaction(
        tenant,
        (sql) => sql`
          INSERT INTO blobs (tenant_id, hash, bytes)
          SELECT ${tenant}, b.hash, decode(b.bytes, 'base64')
          FROM jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) AS b(hash text, bytes text)
          ON CONFLICT DO NOTHING`
      )
      return hashes
    }),
    get: Effect.fn("Blobs.get")(function* (tenant, hashes) {
      const found = new Map<BlobHash, Uint8Array>()
      if (hashes.length === 0) return found
      yield* scope.transaction(tenant, (sql) =>
        Effect.gen(function* () {
          const rows = yield* whole(sql`
            SELECT hash, length(bytes)::bigint AS size,
              CASE WHEN length(bytes) <= ${piece} THEN bytes END AS bytes
            FROM blobs WHERE tenant_id = ${tenant} AND hash = ANY(${hashes}::text[])`)
          for (const { hash, size, bytes } of rows)
            found.set(hash, bytes ?? (yield* large(sql, tenant, hash, size)))
        })
      )
      return found
    }),
    sizes: Effect.fn("Blobs.sizes")(function* (tenant, hashes) {
      if (hashes.length === 0) return new Map()
      const rows = yield* scope.transaction(tenant, (sql) =>
        measure(sql`
          SELECT hash, length(bytes)::bigint AS size FROM blobs
          WHERE tenant_id = ${tenant} AND hash = ANY(${hashes}::text[])`)
      )
      return new Map(rows.map(({ hash, size }) => [hash, size]))
    }),
    read: (tenant, hash) =>
      Stream.paginate(1, (from) =>
        Effect.map(chunkFrom(tenant, hash, from), (bytes) => [
          bytes.length === 0 ? [] : [bytes],
          bytes.length < chunk ? Option.none() : Option.some(from + chunk)
        ])
      )
  })
})
