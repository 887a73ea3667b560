import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import { defaultTenant } from "../../src/domain/Ids.ts"
import { Blobs, hashOf } from "../../src/knowledge/Blobs.ts"
import { TenantScope } from "../../src/store/TenantScope.ts"
import { TestDatabase } from "../support/Postgres.ts"

const layer = Blobs.layer.pipe(Layer.provideMerge(TestDatabase.layer))

const pieces = Effect.flatMap(TenantScope, ({ transaction }) =>
  transaction(defaultTenant, (sql) =>
    Effect.map(sql<{ n: number }>`SELECT count(*)::int AS n FROM blob_pieces`, ([row]) => row!.n)
  )
)

/** 11 MB that are different everywhere, in chunks of an odd size. */
const whole = Buffer.alloc(11 * 1024 * 1024)
for (let at = 0; at + 4 <= whole.length; at += 4) whole.writeUInt32LE((at * 2_654_435_761) >>> 0, at)
const chunks = Array.from({ length: Math.ceil(whole.length / 70_001) }, (_, nth) =>
  whole.subarray(nth * 70_001, (nth + 1) * 70_001)
)

describe("a blob from a stream", () => {
  it.live("is the same as one that was put, whatever its size, and leaves nothing beside it", () =>
    Effect.gen(function* () {
      const blobs = yield* Blobs
      for (const bytes of [
        whole,
        whole.subarray(0, 4 * 1024 * 1024),
        whole.subarray(0, 5),
        Buffer.alloc(0)
      ]) {
        const hash = yield* blobs.putStream(
          defaultTenant,
          Stream.fromIterable(
            chunks.map((chunk, nth) => chunk.subarray(0, Math.max(0, bytes.length - nth * 70_001)))
          )
        )
        assert.strictEqual(hash, hashOf(bytes))
        const read = yield* Stream.runCollect(blobs.read(defaultTenant, hash))
        assert.isTrue(Buffer.concat(read).equals(bytes))
        // Storing it again changes nothing.
        assert.strictEqual(yield* blobs.putStream(defaultTenant, Stream.make(bytes)), hash)
      }
      assert.strictEqual(yield* pieces, 0)
    }).pipe(Effect.provide(layer))
  )

  it.live("that broke off leaves nothing; what a crash left is removed when it is old", () =>
    Effect.gen(function* () {
      const blobs = yield* Blobs
      const broken = Stream.concat(Stream.fromIterable(chunks), Stream.fail("broken off" as const))
      assert.strictEqual(yield* Effect.flip(blobs.putStream(defaultTenant, broken)), "broken off")
      assert.strictEqual(yield* pieces, 0)
      assert.strictEqual((yield* blobs.sizes(defaultTenant, [hashOf(whole)])).size, 0)
      yield* Effect.flatMap(TenantScope, ({ transaction }) =>
        transaction(
          defaultTenant,
          (sql) => sql`INSERT INTO blob_pieces (tenant_id, upload, nth, bytes, stored_at) VALUES
            (${defaultTenant}, 'old', 0, '\\x00', now() - interval '2 days'),
            (${defaultTenant}, 'new', 0, '\\x00', now())`
        )
      )
      yield* blobs.purge(defaultTenant, "1 day")
      assert.strictEqual(yield* pieces, 1)
    }).pipe(Effect.provide(layer))
  )
})
