/** Content-addressed bytes of a tenant: note texts and media. */
import { createHash, randomUUID } from "node:crypto"
import { Clock, Context, Duration, Effect, Layer, Option, Schema, Stream } from "effect"
import type { SqlClient, SqlError } from "effect/sql"
import { BlobHash, type TenantId } from "../domain/Ids.ts"
import { TenantScope } from "../store/TenantScope.ts"
import { decoded, Int8 } from "./Rows.ts"

export class Blobs extends Context.Service<
  Blobs,
  {
    /** Stores the bytes under their SHA-256; storing them again changes nothing. Joins a transaction. */
    readonly put: (tenant: TenantId, bytes: Uint8Array) => Effect.Effect<BlobHash, SqlError.SqlError>
    /** As `put`, holding no more than a few megabytes of it. Not in a transaction: the bytes may take their time. */
    readonly putStream: <E>(
      tenant: TenantId,
      bytes: Stream.Stream<Uint8Array, E>
    ) => Effect.Effect<BlobHash, E | SqlError.SqlError>
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
    /** Removes what is left of streams that broke off longer ago than `age`. */
    readonly purge: (tenant: TenantId, age: Duration.Input) => Effect.Effect<void, SqlError.SqlError>
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

  const put = Effect.fn("Blobs.put")(function* (tenant: TenantId, bytes: Uint8Array) {
    const hash = hashOf(bytes)
    yield* scope.transaction(
      tenant,
      (sql) => sql`
        INSERT INTO blobs (tenant_id, hash, bytes) VALUES (${tenant}, ${hash}, ${bytes})
        ON CONFLICT DO NOTHING`
    )
    return hash
  })

  const putPiece = (tenant: TenantId, upload: string, nth: number, bytes: Uint8Array) =>
    scope.transaction(
      tenant,
      (sql) => sql`
        INSERT INTO blob_pieces (tenant_id, upload, nth, bytes) VALUES (${tenant}, ${upload}, ${nth}::int, ${bytes})`
    )
  const forget = (tenant: TenantId, upload: string) =>
    scope.transaction(
      tenant,
      (sql) => sql`DELETE FROM blob_pieces WHERE tenant_id = ${tenant} AND upload = ${upload}`
    )
  const join = (tenant: TenantId, upload: string, hash: BlobHash) =>
    scope.transaction(
      tenant,
      (sql) => sql`
        INSERT INTO blobs (tenant_id, hash, bytes)
        SELECT ${tenant}, ${hash}, string_agg(bytes, ''::bytea ORDER BY nth)
        FROM blob_pieces WHERE tenant_id = ${tenant} AND upload = ${upload}
        ON CONFLICT DO NOTHING`
    )

  /** What fits into one piece is put as it is; of what does not the database keeps the pieces until it ends. */
  const putStream = Effect.fn("Blobs.putStream")(function* <E>(
    tenant: TenantId,
    bytes: Stream.Stream<Uint8Array, E>
  ) {
    const upload = randomUUID()
    const hash = createHash("sha256")
    let waiting: Array<Uint8Array> = []
    let length = 0
    let pieces = 0
    const flush = Effect.suspend(() => {
      const whole = Buffer.concat(waiting)
      waiting = []
      length = 0
      return putPiece(tenant, upload, pieces++, whole)
    })
    const stored = Effect.gen(function* () {
      yield* Stream.runForEach(bytes, (some) =>
        Effect.suspend(() => {
          hash.update(some)
          waiting.push(some)
          length += some.length
          return length < piece ? Effect.void : Effect.asVoid(flush)
        })
      )
      if (pieces === 0) return yield* put(tenant, Buffer.concat(waiting))
      if (length > 0) yield* flush
      const name = BlobHash.make(hash.digest("hex"))
      yield* join(tenant, upload, name)
      return name
    })
    return yield* Effect.onExit(stored, () =>
      pieces === 0
        ? Effect.void
        : Effect.catch(forget(tenant, upload), (error) =>
            Effect.logDebug(
              `Pieces of a file stay until they are removed with what crashes leave: ${error.message}`
            )
          )
    )
  })

  return Blobs.of({
    put,
    putStream,
    purge: Effect.fn("Blobs.purge")(function* (tenant, age) {
      const before = (yield* Clock.currentTimeMillis) - Duration.toMillis(Duration.fromInputUnsafe(age))
      yield* scope.transaction(
        tenant,
        (sql) => sql`
          DELETE FROM blob_pieces
          WHERE tenant_id = ${tenant} AND stored_at < to_timestamp(${before}::float8 / 1000)`
      )
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
