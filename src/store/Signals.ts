/**
 * Wake-up calls between those who write rows and those who follow them (`LISTEN`/`NOTIFY`), on any replica.
 * A signal carries no data worth keeping: whoever listens also looks at the rows now and then.
 */
import { PgConnection } from "@effect/sql-pg"
import { Context, Deferred, Effect, PubSub, Queue, Schedule, Stream } from "effect"
import type { SqlClient, SqlError, Statement } from "effect/sql"
import type { Connection } from "./DatabaseOwner.ts"

/** `zapiska_directory`: a tenant or an app of it (the payload names the tenant) came, went or changed. `zapiska_people`: its members. `zapiska_follows`: the chats a session follows. */
const channels = [
  "zapiska_outbox",
  "zapiska_revisions",
  "zapiska_directory",
  "zapiska_people",
  "zapiska_sessions",
  "zapiska_sessions_wanted",
  "zapiska_logins_cancelled",
  "zapiska_follows"
] as const

export type SignalChannel = (typeof channels)[number]

export class Signals extends Context.Service<
  Signals,
  {
    /** Sent when the surrounding transaction commits; dropped when it does not. `payload` under 8,000 bytes. */
    readonly notify: (
      sql: SqlClient.SqlClient,
      channel: SignalChannel,
      payload: string
    ) => Effect.Effect<void, SqlError.SqlError>
    /** Payloads as they come. Reconnects by itself; signals missed meanwhile are not repeated. */
    readonly listen: (channel: SignalChannel) => Stream.Stream<string>
    /** Each time the connection is there again: signals may have been missed. */
    readonly resumed: Stream.Stream<void>
  }
>()("zapiska/store/Signals") {}

/** `notify` as an expression, for a statement that returns it for each row it writes. */
export const notifying = (
  sql: SqlClient.SqlClient,
  channel: SignalChannel,
  payload: Statement.Fragment
): Statement.Fragment => sql`pg_notify(${channel}, ${payload})`

/**
 * One connection listens for everybody. Ready when it does; from then on it is renewed for as long as the scope
 * lasts, however often it breaks.
 */
export const makeSignals = Effect.fnUntraced(function* (
  connection: Connection & { readonly applicationName: string }
) {
  const received = yield* PubSub.sliding<{ readonly channel: string; readonly payload: string }>(4096)
  const resumptions = yield* PubSub.sliding<void>(1)
  const listening = yield* Deferred.make<void>()

  const session = Effect.scoped(
    Effect.gen(function* () {
      const pinned = yield* Effect.flatMap(PgConnection.make(connection), (opened) => opened.pin)
      const queues = yield* Effect.forEach(channels, (channel) => pinned.listen(channel))
      const first = yield* Deferred.succeed(listening, undefined)
      if (!first) yield* PubSub.publish(resumptions, undefined)
      return yield* Effect.raceAllFirst(
        queues.map((queue) =>
          Effect.forever(Effect.flatMap(Queue.take(queue), (signal) => PubSub.publish(received, signal)))
        )
      )
    })
  )
  yield* Effect.forkScoped(
    session.pipe(
      Effect.tapError((error) =>
        Effect.logWarning(`Signals lost their connection (${error.message}); connecting again`)
      ),
      Effect.retry(Schedule.spaced("250 millis").pipe(Schedule.jittered))
    )
  )
  yield* Deferred.await(listening)

  return Signals.of({
    notify: (sql, channel, payload) => Effect.asVoid(sql`SELECT pg_notify(${channel}, ${payload})`),
    listen: (channel) =>
      Stream.fromPubSub(received).pipe(
        Stream.filter((signal) => signal.channel === channel),
        Stream.map((signal) => signal.payload)
      ),
    resumed: Stream.fromPubSub(resumptions)
  })
})
