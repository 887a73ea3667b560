import { PgConnection } from "@effect/sql-pg"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Fiber, Layer } from "effect"
import type { SqlClient } from "effect/sql"
import { ChatId, MessageId } from "../../src/domain/Ids.ts"
import { TenantScope } from "../../src/store/TenantScope.ts"
import { BotPort, BotRecorder, RateLimited, Unavailable } from "../../src/telegram/BotPort.ts"
import { width } from "../../src/telegram/Claiming.ts"
import { Outbox, type OutboxAction, type OutboxEntry } from "../../src/telegram/Outbox.ts"
import { claim, due, past } from "../../src/telegram/OutboxClaims.ts"
import { settle } from "../../src/telegram/OutboxRows.ts"
import { Pacer } from "../../src/telegram/Pacer.ts"
import { enough } from "../../src/telegram/Settlement.ts"
import { eventually } from "../support/Application.ts"
import { TestDatabase } from "../support/Postgres.ts"
import {
  become,
  bot,
  botId,
  dispatching,
  enqueue,
  entry,
  resolve,
  row,
  rows,
  text
} from "./support/OutboxRows.ts"

const recording = Outbox.layer.pipe(
  Layer.provideMerge(BotPort.layerRecording),
  Layer.provideMerge(Pacer.layer),
  Layer.provideMerge(TestDatabase.layer)
)

/** Keys in the order they left. */
const left = Effect.map(
  BotRecorder.use(({ calls }) => calls),
  (calls) =>
    calls.flatMap((call) =>
      (call.method === "send" || call.method === "edit") && call.content._tag === "Text"
        ? [call.content.text.text]
        : []
    )
)
const broadcast = (key: string, chat: number) => entry(key, { chat, urgency: "broadcast" })
const count = (values: ReadonlyArray<string>, prefix: string) =>
  values.filter((value) => value.startsWith(prefix)).length
const inTransaction = <A, E>(body: (sql: SqlClient.SqlClient) => Effect.Effect<A, E>) =>
  TenantScope.use((scope) => scope.transaction(bot.tenant, body))

describe("the order of the outbox", () => {
  it.live("serves messages to people first, then what ends one, then broadcasts", () =>
    Effect.gen(function* () {
      const recorder = yield* BotRecorder
      let now = 0
      let most = 0
      yield* recorder.before(
        "send",
        Effect.gen(function* () {
          now++
          most = Math.max(most, now)
          yield* Effect.sleep("20 millis")
          now--
        })
      )
      const many = (prefix: string, from: number, one: (key: string, chat: number) => OutboxEntry) =>
        Array.from({ length: 40 }, (_, nth) => one(`${prefix}${nth}`, from + nth))
      yield* enqueue(
        ...many("b", 100, broadcast),
        ...many("r", 200, (key, chat) => entry(key, { chat, action: resolve(`none ${key}`, key) })),
        ...many("s", 300, (key, chat) => entry(key, { chat }))
      )
      const fiber = yield* dispatching
      yield* become(Object.fromEntries(Array.from({ length: 40 }, (_, nth) => [`r${nth}`, "sent"])))
      const order = yield* left
      // What goes together leaves in any order: the first of those that wait are the most urgent.
      assert.strictEqual(count(order.slice(0, width.whole), "s"), width.whole)
      assert.strictEqual(order.slice(0, 45).filter((key) => key.startsWith("b")).length, 0)
      assert.isAtMost(most, width.whole)
      yield* Fiber.interrupt(fiber)
    }).pipe(Effect.provide(recording))
  )

  it.live("begins a broadcast with the groups, which take it slowest", () =>
    Effect.gen(function* () {
      yield* enqueue(
        ...Array.from({ length: 20 }, (_, nth) => broadcast(`person${nth}`, 1 + nth)),
        ...Array.from({ length: 2 }, (_, nth) => broadcast(`group${nth}`, -5 - nth))
      )
      const fiber = yield* dispatching
      yield* become({ group0: "sent", group1: "sent", person19: "sent" })
      const order = yield* left
      assert.isBelow(Math.max(order.indexOf("group0"), order.indexOf("group1")), width.broadcast)
      yield* Fiber.interrupt(fiber)
    }).pipe(Effect.provide(recording))
  )

  it.live("lets a reply pass a broadcast of 10,000, which leaves it room in the air", () =>
    Effect.gen(function* () {
      const recorder = yield* BotRecorder
      let flying = 0
      let most = 0
      yield* recorder.before(
        "send",
        Effect.gen(function* () {
          flying++
          most = Math.max(most, flying)
          yield* Effect.sleep("5 millis")
          flying--
        })
      )
      for (let from = 0; from < 10_000; from += 2_000)
        yield* enqueue(
          ...Array.from({ length: 2_000 }, (_, nth) => broadcast(`b${from + nth}`, 1_000 + from + nth))
        )
      const fiber = yield* dispatching
      while (count(yield* left, "b") < 10) yield* Effect.sleep("10 millis")
      for (let nth = 0; nth < 10; nth++) {
        yield* enqueue(entry(`reply${nth}`, { chat: nth }))
        yield* become({ [`reply${nth}`]: "sent" })
      }
      const order = yield* left
      assert.strictEqual(count(order, "reply"), 10)
      // However slow the machine is: none of them waited for more than a small part of it.
      assert.isBelow(count(order, "b"), 10_000 / 10)
      assert.isAtMost(most, width.broadcast + 1)
      yield* Fiber.interrupt(fiber)
    }).pipe(Effect.provide(recording))
  )

  it.live("sends a broadcast a reply waits behind as urgently as the reply: the order of a lane holds", () =>
    Effect.gen(function* () {
      const pacer = yield* Pacer
      // The bot's budget is spent for a second.
      for (let nth = 0; nth < 28; nth++)
        yield* pacer.take(bot, { chat: ChatId.make(9_000 + nth), urgency: "broadcast" })
      yield* enqueue(broadcast("other", 7), broadcast("first", 5), entry("second", { chat: 5 }))
      const fiber = yield* dispatching
      yield* become({ second: "sent", other: "sent" })
      // Were it a broadcast still, it would go after the older one.
      const order = yield* left
      assert.strictEqual(order[0], "first")
      assert.sameMembers(order, ["first", "second", "other"])
      yield* Fiber.interrupt(fiber)
    }).pipe(Effect.provide(recording))
  )

  it.live(
    "touches in the database what goes, not all that waits, whether or not the planner knows the table",
    () =>
      Effect.gen(function* () {
        const all = Array.from({ length: 3_000 }, (_, nth) => nth)
        yield* enqueue(...all.map((nth) => broadcast(`b${nth}`, 1_000 + nth)))
        yield* enqueue(...all.map((nth) => entry(`s${nth}`, { chat: 10_000 + nth })))
        const owned = { ...bot, botId }
        const wanted = { blocked: [], interactive: 32, broadcast: 8 }
        /** Rows read in one round of the dispatcher. */
        const round = inTransaction((sql) =>
          Effect.gen(function* () {
            const now = yield* Clock.currentTimeMillis
            const found = yield* due(sql, owned, { ...wanted, now })
            assert.strictEqual(found.length, 40)
            const ids = found.map((one) => one.row.id)
            assert.strictEqual((yield* claim(sql, owned, ids)).size, 40)
            const settlement = { _tag: "Sent", messageId: MessageId.make(1) } as const
            yield* settle(
              sql,
              owned,
              found.map((one) => ({ row: one.row, settlement })),
              now
            )
            const [stats] = yield* sql<{ readonly tuples: number }>`
            SELECT (seq_tup_read + idx_tup_fetch)::float8 AS tuples
            FROM pg_stat_xact_user_tables WHERE relname = 'outbox'`
            return stats!.tuples
          })
        )
        assert.isBelow(yield* round, 1_000)
        const { owner } = yield* TestDatabase
        const connection = yield* PgConnection.make(owner)
        yield* connection.query("ANALYZE zapiska.outbox")
        assert.isBelow(yield* round, 1_000)
      }).pipe(Effect.scoped, Effect.provide(recording))
  )

  it.live(
    "writes a park to all that waits for the chat, in all its topics, and takes the latest deadline",
    () =>
      Effect.gen(function* () {
        const recorder = yield* BotRecorder
        const pacer = yield* Pacer
        yield* recorder.before(
          "send",
          Effect.suspend(() =>
            Effect.flatMap(pacer.park(bot, ChatId.make(-5), 60), (until) =>
              Effect.fail(new RateLimited({ method: "sendMessage", until }))
            )
          )
        )
        yield* enqueue(
          entry("a", { chat: -5 }),
          entry("b", { chat: -5 }),
          entry("topic", { chat: -5, thread: 7 })
        )
        const fiber = yield* dispatching
        while ((yield* rows).some(({ notBefore }) => notBefore === null)) yield* Effect.sleep("20 millis")
        const deadline = (yield* row("a")).notBefore!
        assert.isAbove(deadline, (yield* Clock.currentTimeMillis) + 50_000)
        for (const key of ["b", "topic"]) assert.isAtLeast((yield* row(key)).notBefore!, deadline)
        // What is said later learns of it too.
        yield* enqueue(entry("late", { chat: -5, thread: 9 }))
        while ((yield* row("late")).notBefore === null) yield* Effect.sleep("20 millis")
        yield* Fiber.interrupt(fiber)
        assert.strictEqual((yield* left).length, 2)
      }).pipe(Effect.provide(recording))
  )

  it.live("begins with the budget its predecessor spent and the parks it met", () =>
    Effect.gen(function* () {
      const recorder = yield* BotRecorder
      const first = yield* dispatching
      yield* enqueue(entry("a"), entry("b"), entry("parked", { chat: 2 }))
      yield* become({ a: "sent", b: "sent", parked: "sent" })
      yield* Fiber.interrupt(first)
      yield* enqueue(entry("c", { chat: 2 }), entry("d", { chat: 3 }))
      yield* inTransaction((sql) => sql`UPDATE outbox SET state = 'sending' WHERE key = 'd'`)
      yield* inTransaction(
        (sql) =>
          sql`UPDATE outbox SET not_before = now() + interval '1 minute', parked_at = now() WHERE key = 'c'`
      )
      const now = yield* Clock.currentTimeMillis
      const seen = yield* inTransaction((sql) => past(sql, { ...bot, botId }, now))
      assert.deepStrictEqual(seen.sent.map(({ chat }): number => chat).sort(), [1, 1, 2, 3])
      assert.deepStrictEqual(
        seen.parks.map(({ chat, until }) => [chat as number, Math.round((until - now) / 60_000)]),
        [[2, 1]]
      )
      assert.isAbove((yield* recorder.calls).length, 0)
    }).pipe(Effect.provide(recording))
  )

  it.live("lets no row wait until a clock that was set back shows the old time again", () =>
    Effect.gen(function* () {
      const clock = yield* Clock.Clock
      let ahead = 3_600_000
      const shifted: Clock.Clock = Object.create(clock, {
        currentTimeMillisUnsafe: { value: () => clock.currentTimeMillisUnsafe() + ahead },
        currentTimeMillis: { value: Effect.sync(() => clock.currentTimeMillisUnsafe() + ahead) }
      })
      const recorder = yield* BotRecorder
      const until = Math.ceil(shifted.currentTimeMillisUnsafe()) + 1_000
      yield* recorder.before("send", Effect.fail(new RateLimited({ method: "sendMessage", until })))
      yield* enqueue(entry("parked"))
      yield* Effect.provideService(dispatching, Clock.Clock, shifted)
      yield* eventually(
        "it is parked",
        Effect.map(row("parked"), ({ notBefore }) => notBefore !== null)
      )
      yield* recorder.before("send", Effect.void)
      ahead = 0
      yield* enqueue(entry("other", { chat: 2 }))
      yield* become({ other: "sent", parked: "sent" })
    }).pipe(Effect.provide(recording))
  )

  it.live("ends a message Telegram fails at for ever while it does all else, and the lane goes on", () =>
    Effect.gen(function* () {
      const recorder = yield* BotRecorder
      const poison: OutboxAction = { _tag: "Send", content: text("poison") }
      yield* recorder.before(
        "send",
        Effect.flatMap(Effect.provideService(left, BotRecorder, recorder), (texts) =>
          texts.at(-1) === "poison"
            ? Effect.fail(new Unavailable({ method: "sendMessage", reason: "500 Internal Server Error" }))
            : Effect.void
        )
      )
      yield* enqueue(entry("poison", { action: poison }), entry("behind"))
      yield* inTransaction(
        (sql) => sql`UPDATE outbox SET attempts = ${enough.tries - 2}::int WHERE key = 'poison'`
      )
      const fiber = yield* dispatching
      while ((yield* row("poison")).attempts < enough.tries - 1) yield* Effect.sleep("20 millis")
      // Others are served in between.
      yield* enqueue(entry("other", { chat: 2 }))
      yield* become({ other: "sent" })
      yield* inTransaction((sql) => sql`UPDATE outbox SET not_before = NULL WHERE key = 'poison'`)
      yield* become({ poison: "dead", behind: "sent" })
      assert.include((yield* row("poison")).error, "given up after 20 tries")
      yield* Fiber.interrupt(fiber)
    }).pipe(Effect.provide(recording))
  )
})
