import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Layer } from "effect"
import { MessageStorage, Reply, ShardId, ShardingConfig, Snowflake } from "effect/cluster"
import { Digest } from "effect/crypto"
import { Rpc } from "effect/rpc"
import * as ClusterStorage from "../../src/store/ClusterStorage.ts"
import { EngineSql } from "../../src/store/EngineSql.ts"
import { ShardLocks } from "../../src/store/ShardLocks.ts"
import { Shutdown } from "../../src/store/Shutdown.ts"
import { TestDatabase } from "../support/Postgres.ts"

const layerOf = (locks: Layer.Layer<ShardLocks>) =>
  ClusterStorage.layer.pipe(
    Layer.provide(EngineSql.layerSqlClient),
    Layer.provide(Digest.layerWebCrypto),
    Layer.provide([ShardingConfig.layer({}), locks]),
    Layer.provideMerge(Shutdown.layer),
    Layer.provideMerge(TestDatabase.layer)
  )

const layer = layerOf(ShardLocks.layerSole)

const done = new Reply.ReplyWithContext({
  rpc: Rpc.make("Receive"),
  context: Context.empty() as Context.Context<never>,
  reply: new Reply.WithExit({
    requestId: Snowflake.Snowflake("1"),
    id: Snowflake.Snowflake("99"),
    exit: Exit.void as Exit.Exit<never>
  })
})

const request = Effect.flatMap(
  EngineSql,
  ({ client: sql }) => sql`
    INSERT INTO cluster_messages
      (id, message_id, shard_id, entity_type, entity_id, kind, tag, payload, headers, request_id)
    VALUES (1, 'a', 'default:1', 'Conversation', 'e', 0, 'Receive', '{}', '{}', 1)`
)

const processed = Effect.flatMap(EngineSql, ({ client: sql }) =>
  Effect.map(
    sql<{ processed: boolean }>`SELECT processed FROM cluster_messages WHERE id = 1`,
    (rows) => rows[0]?.processed
  )
)

describe("ClusterStorage", () => {
  it.live("what a thawed process reads of shards that may be another's by now is left to that one", () => {
    let trusted = true
    const locks = Layer.succeed(ShardLocks, { trusted: Effect.sync(() => trusted) })
    return Effect.gen(function* () {
      const storage = yield* MessageStorage.MessageStorage
      const { client: sql } = yield* EngineSql
      const read = Effect.exit(storage.unprocessedMessages([ShardId.make("default", 1)]))
      const claimed = Effect.map(
        sql<{ claimed: boolean }>`SELECT last_read IS NOT NULL AS claimed FROM cluster_messages`,
        (rows) => rows[0]?.claimed
      )
      yield* request
      trusted = false
      assert.isTrue(Exit.isFailure(yield* read))
      assert.isFalse(yield* claimed)
      trusted = true
      assert.isTrue(Exit.isSuccess(yield* read))
      assert.isTrue(yield* claimed)
    }).pipe(Effect.provide(layerOf(locks)))
  })

  it.live("a reply whose commit was done but never acknowledged can be written again", () =>
    Effect.gen(function* () {
      const storage = yield* MessageStorage.MessageStorage
      yield* request
      yield* storage.saveReply(done)
      yield* storage.saveReply(done)
      assert.strictEqual(yield* processed, true)
    }).pipe(Effect.provide(layer))
  )

  it.live("a process that stops does not wait for a database that is away", () =>
    Effect.gen(function* () {
      const storage = yield* MessageStorage.MessageStorage
      const { client: sql } = yield* EngineSql
      yield* request
      yield* sql`DROP TABLE cluster_replies`
      yield* Effect.flatMap(Shutdown, ({ begin }) => begin)
      assert.isTrue(Exit.isFailure(yield* Effect.exit(storage.saveReply(done))))
      assert.strictEqual(yield* processed, false)
    }).pipe(Effect.provide(layer))
  )
})
