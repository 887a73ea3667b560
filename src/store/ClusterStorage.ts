/**
 * The engine's message storage with its two hot statements batched: storing a request and storing its reply
 * cost one commit a batch instead of one each. Tables, schema and every other statement are the engine's.
 */
import { Context, Effect, Layer, Schedule } from "effect"
import {
  ClusterError,
  type Envelope,
  MessageStorage,
  type Reply,
  ShardId,
  Snowflake,
  SqlMessageStorage
} from "effect/cluster"
import { SqlClient } from "effect/sql"
import * as EngineTables from "./EngineTables.ts"
import * as GroupCommit from "./GroupCommit.ts"
import { ShardLocks } from "./ShardLocks.ts"
import { Shutdown } from "./Shutdown.ts"

type Save = Parameters<MessageStorage.Encoded["saveEnvelope"]>[0]

/**
 * The primary keys of requests that were stored a second time. The engine keeps that to itself; whoever sent
 * the request takes its key out again.
 */
export class Duplicates extends Context.Service<Duplicates, Set<string>>()("zapiska/store/Duplicates") {
  static readonly layer = Layer.sync(Duplicates, () => new Set<string>())
}

/** Nobody takes out the keys of other parts of the engine. */
const remembered = 10_000
const remember = (duplicates: Set<string>, key: string) => {
  duplicates.add(key)
  const [oldest] = duplicates
  if (duplicates.size > remembered && oldest !== undefined) duplicates.delete(oldest)
}

const limits = {
  /** The engine hands messages out in the order of their rows. */
  requests: { batch: 200, parallel: "in order" },
  /** Nobody waits for them: a message whose reply is lost comes again and is found handled. */
  replies: { batch: 200, parallel: 1, linger: "20 millis" }
} as const

/** Longer keys are digested by the engine before they are stored. */
const keyLimit = 255

/** The engine gives a reply up after a second; a database that restarts takes longer. */
const throughOutage = Schedule.min([Schedule.exponential("200 millis"), Schedule.spaced("5 seconds")]).pipe(
  Schedule.jittered,
  Schedule.upTo({ duration: "10 minutes" })
)

const requestRow = ({ envelope, primaryKey, deliverAt }: Save) =>
  envelope._tag !== "Request" || primaryKey === null || primaryKey.length > keyLimit
    ? undefined
    : {
        id: envelope.requestId,
        message_id: primaryKey,
        shard_id: ShardId.toString(envelope.address.shardId),
        entity_type: envelope.address.entityType,
        entity_id: envelope.address.entityId,
        tag: envelope.tag,
        payload: JSON.stringify(envelope.payload),
        headers: JSON.stringify(envelope.headers),
        trace_id: envelope.traceId ?? null,
        span_id: envelope.spanId ?? null,
        sampled: envelope.sampled ?? null,
        deliver_at: deliverAt
      }
const idOf = (envelope: Envelope.Encoded) => (envelope._tag === "Request" ? envelope.requestId : envelope.id)
type RequestRow = NonNullable<ReturnType<typeof requestRow>>

const make = Effect.gen(function* () {
  const sql = (yield* SqlClient.SqlClient).withoutTransforms()
  const engine = yield* SqlMessageStorage.makeEncodedStorage()
  const duplicates = yield* Duplicates
  const locks = yield* ShardLocks
  const shutdown = yield* Shutdown

  /** The ids of the requests that were not there before, in one statement. */
  const saveRequest = yield* GroupCommit.make({
    ...limits.requests,
    write: (rows: ReadonlyArray<RequestRow>) =>
      sql<{ id: bigint }>`
        INSERT INTO cluster_messages
          (id, message_id, shard_id, entity_type, entity_id, kind, tag, payload, headers,
           trace_id, span_id, sampled, request_id, deliver_at)
        SELECT id, message_id, shard_id, entity_type, entity_id, 0, tag, payload, headers,
               trace_id, span_id, sampled, id, deliver_at
        FROM jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) AS row(
          id bigint, message_id text, shard_id text, entity_type text, entity_id text, tag text,
          payload text, headers text, trace_id text, span_id text, sampled boolean, deliver_at bigint)
        ON CONFLICT (message_id) DO NOTHING
        RETURNING id`.pipe(
        Effect.map((stored) => {
          const ids = new Set(stored.map(({ id }) => String(id)))
          return rows.map(({ id }) => ids.has(id))
        })
      )
  })

  // Written again after a commit whose answer was lost, it changes nothing.
  const writeExits = (replies: ReadonlyArray<Reply.WithExitEncoded>) =>
    sql`
      WITH reply AS (
        SELECT * FROM jsonb_to_recordset(${JSON.stringify(
          replies.map(({ id, requestId, exit }) => ({
            id,
            request_id: requestId,
            payload: JSON.stringify(exit)
          }))
        )}::jsonb) AS row(id bigint, request_id bigint, payload text)
      ), processed AS (
        UPDATE cluster_messages m SET processed = TRUE, last_reply_id = reply.id
        FROM reply WHERE m.request_id = reply.request_id
      )
      INSERT INTO cluster_replies (id, kind, request_id, payload) SELECT id, 0, request_id, payload FROM reply
      ON CONFLICT DO NOTHING`.pipe(Effect.as(replies.map(() => undefined)))

  const saveExit = yield* GroupCommit.make({ ...limits.replies, write: writeExits })

  /**
   * A process that was frozen reads for shards that others have by now, and the engine keeps what was read from
   * its owner for ten minutes.
   */
  const giveBack = (messages: ReadonlyArray<{ readonly envelope: Envelope.Encoded }>) =>
    engine
      .resetRequests(messages.map(({ envelope }) => Snowflake.Snowflake(idOf(envelope))))
      .pipe(
        Effect.andThen(
          Effect.fail(
            new ClusterError.PersistenceError({ cause: "whether the shards are ours still is not known" })
          )
        )
      )

  /** Inside a transaction of the engine the statement must be part of it. */
  const batchable = Effect.map(Effect.context<never>(), (context) => {
    const connection = Context.getOption(context, sql.transactionService)
    return connection._tag === "None"
  })

  return yield* MessageStorage.makeEncoded({
    ...engine,
    unprocessedMessages: (...read) =>
      Effect.tap(engine.unprocessedMessages(...read), (messages) =>
        Effect.flatMap(locks.trusted, (trusted) =>
          trusted || messages.length === 0 ? Effect.void : giveBack(messages)
        )
      ),
    saveEnvelope: (save) => {
      const row = requestRow(save)
      if (row === undefined) return engine.saveEnvelope(save)
      return Effect.flatMap(batchable, (alone) =>
        alone
          ? saveRequest(row).pipe(
              ClusterError.PersistenceError.refail,
              Effect.withTracerEnabled(false),
              // The engine's own statement tells what became of the one that was there before.
              Effect.flatMap((stored) =>
                stored
                  ? Effect.succeed(MessageStorage.SaveResultEncoded.Success())
                  : Effect.tap(engine.saveEnvelope(save), () =>
                      Effect.sync(() => remember(duplicates, row.message_id))
                    )
              )
            )
          : engine.saveEnvelope(save)
      )
    },
    saveReply: (reply) =>
      Effect.flatMap(batchable, (alone) => {
        if (reply._tag !== "WithExit" || !alone) return engine.saveReply(reply)
        const attempt = saveExit(reply).pipe(
          // One bad reply must not take the others of its batch with it.
          Effect.catch(() => writeExits([reply])),
          Effect.asVoid,
          ClusterError.PersistenceError.refail,
          Effect.withTracerEnabled(false)
        )
        // A process that stops does not wait for its database: the row stays and is delivered again.
        const last = Effect.timeoutOrElse(attempt, {
          duration: "1 second",
          orElse: () => Effect.fail(new ClusterError.PersistenceError({ cause: "the process is stopping" }))
        })
        return Effect.raceFirst(Effect.retry(attempt, throughOutage), Effect.andThen(shutdown.begun, last))
      })
  })
})

export const layer = Layer.effect(MessageStorage.MessageStorage, make).pipe(
  Layer.provide(EngineTables.layer),
  Layer.provideMerge(Duplicates.layer),
  Layer.provide(Snowflake.layerGenerator)
)
