import { PgConnection } from "@effect/sql-pg"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer } from "effect"
import { Address } from "../../src/domain/Address.ts"
import { ChatId, MessageId, TenantId } from "../../src/domain/Ids.ts"
import { TenantScope } from "../../src/store/TenantScope.ts"
import {
  BotPort,
  BotRecorder,
  Migrated,
  type OutgoingContent,
  type RecordedCall,
  Unreachable
} from "../../src/telegram/BotPort.ts"
import { GrammyApi } from "../../src/telegram/GrammyApi.ts"
import { GrammyBot } from "../../src/telegram/GrammyBot.ts"
import { Outbox, type OutboxAction } from "../../src/telegram/Outbox.ts"
import { OutgoingFiles } from "../../src/telegram/OutgoingFiles.ts"
import { Pacer } from "../../src/telegram/Pacer.ts"
import { TestDatabase } from "../support/Postgres.ts"
import * as Faulty from "./support/FaultyServer.ts"
import {
  become,
  bot,
  dispatching,
  enqueue,
  entry,
  resolve,
  rows,
  set,
  states,
  text
} from "./support/OutboxRows.ts"

const { faultyServer } = Faulty

const recording = Outbox.layer.pipe(
  Layer.provideMerge(BotPort.layerRecording),
  Layer.provideMerge(Pacer.layer),
  Layer.provideMerge(TestDatabase.layer)
)
const over = (server: Faulty.FaultyServer) =>
  Outbox.layer.pipe(
    Layer.provideMerge(GrammyBot.layer({ timeout: "5 seconds" })),
    Layer.provideMerge(Pacer.layer),
    Layer.provide(OutgoingFiles.layerMemory(new Map())),
    Layer.provide(GrammyApi.layer),
    Layer.provide(server.layer),
    Layer.provideMerge(TestDatabase.layer)
  )

/** Runs a body against a misbehaving server. */
const withServer = <A, E>(
  body: (server: Faulty.FaultyServer) => Effect.Effect<A, E, Outbox | TenantScope | TestDatabase>
): Effect.Effect<A, E> =>
  Effect.scoped(Effect.flatMap(faultyServer, (server) => body(server).pipe(Effect.provide(over(server)))))

const texts = (calls: ReadonlyArray<Faulty.Call>) => calls.map(({ payload }) => String(payload.text))
const wordsOf = (content: OutgoingContent) => (content._tag === "Text" ? content.text.text : content._tag)
const said = (calls: ReadonlyArray<RecordedCall>) =>
  calls.flatMap((call) =>
    call.method === "send"
      ? [`send ${wordsOf(call.content)}`]
      : call.method === "edit"
        ? [`edit ${call.message} ${wordsOf(call.content)}`]
        : []
  )

describe("Outbox", () => {
  it.live("sends what was decided, once, and remembers the message", () =>
    Effect.gen(function* () {
      yield* dispatching
      yield* enqueue(entry("a"), entry("b"))
      yield* enqueue(entry("a"), entry("c"))
      yield* become({ a: "sent", b: "sent", c: "sent" })
      const recorder = yield* BotRecorder
      assert.deepStrictEqual(said(yield* recorder.calls), ["send a", "send b", "send c"])
      assert.deepStrictEqual(
        (yield* rows).map(({ message }) => message),
        [1, 2, 3]
      )
    }).pipe(Effect.provide(recording))
  )

  it.live("says nothing of a decision that was rolled back", () =>
    Effect.gen(function* () {
      yield* dispatching
      const scope = yield* TenantScope
      yield* scope
        .transaction(bot.tenant, () => Effect.andThen(enqueue(entry("a")), Effect.fail("changed my mind")))
        .pipe(Effect.ignore)
      yield* enqueue(entry("b"))
      yield* become({ b: "sent" })
      assert.deepStrictEqual(yield* states, { b: "sent" })
    }).pipe(Effect.provide(recording))
  )

  it.live(
    "what cannot be kept for a tenant that was removed fails alone: what others say beside it is kept",
    () =>
      Effect.gen(function* () {
        const { enqueueAlone } = yield* Outbox
        const gone = TenantId.make("gone")
        const ofGone = (key: string) => {
          const { address, ...rest } = entry(key)
          return Effect.exit(
            enqueueAlone(gone, { ...rest, address: new Address({ ...address, tenant: gone }) })
          )
        }
        const exits = yield* Effect.all(
          [
            ofGone("a"),
            Effect.exit(enqueueAlone(bot.tenant, entry("b"))),
            ofGone("c"),
            Effect.exit(enqueueAlone(bot.tenant, entry("d")))
          ],
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual(
          exits.map(({ _tag }) => _tag),
          ["Failure", "Success", "Failure", "Success"]
        )
        assert.deepStrictEqual(yield* states, { b: "pending", d: "pending" })
      }).pipe(Effect.provide(recording))
  )

  it.live("edits the status message to the result", () =>
    Effect.gen(function* () {
      yield* dispatching
      yield* enqueue(entry("status", { delivery: "chatter" }))
      yield* become({ status: "sent" })
      yield* enqueue(entry("result", { action: resolve("status", "done") }))
      yield* become({ result: "sent" })
      yield* enqueue(entry("more", { action: resolve("result", "undone") }))
      yield* become({ more: "sent" })
      const recorder = yield* BotRecorder
      assert.deepStrictEqual(said(yield* recorder.calls), ["send status", "edit 1 done", "edit 1 undone"])
    }).pipe(Effect.provide(recording))
  )

  it.live("lets the result take the place of a status message that was not sent yet", () =>
    Effect.gen(function* () {
      yield* enqueue(entry("status", { delivery: "chatter" }))
      yield* enqueue(entry("result", { action: resolve("status", "done") }))
      yield* dispatching
      yield* become({ status: "dead", result: "sent" })
      const recorder = yield* BotRecorder
      assert.deepStrictEqual(said(yield* recorder.calls), ["send done"])
    }).pipe(Effect.provide(recording))
  )

  it.live.each(["unknown", "dead"])("sends the result anew when its status message is %s", (state) =>
    Effect.gen(function* () {
      yield* enqueue(entry("status", { delivery: "chatter" }))
      yield* set("status", state)
      yield* enqueue(
        entry("result", { action: resolve("status", "done") }),
        entry("other", { action: resolve("never", "!") })
      )
      yield* dispatching
      yield* become({ result: "sent", other: "sent" })
      const recorder = yield* BotRecorder
      assert.deepStrictEqual(said(yield* recorder.calls), ["send done", "send !"])
    }).pipe(Effect.provide(recording))
  )

  it.live("ends all rows of a chat nobody can be written to in", () =>
    Effect.gen(function* () {
      const recorder = yield* BotRecorder
      yield* recorder.before(
        "send",
        Effect.fail(new Unreachable({ method: "sendMessage", reason: "blocked" }))
      )
      yield* enqueue(entry("a"), entry("b"), entry("c", { thread: 5 }))
      yield* dispatching
      yield* become({ a: "dead", b: "dead", c: "dead" })
      assert.include((yield* rows)[1]?.error, "blocked")
    }).pipe(Effect.provide(recording))
  )

  it.live("follows a group to its new id with everything that waits", () =>
    Effect.gen(function* () {
      const recorder = yield* BotRecorder
      yield* enqueue(entry("a", { chat: -5 }), entry("b", { chat: -5 }), entry("else", { chat: 9 }))
      let moved = false
      yield* recorder.before(
        "send",
        Effect.suspend(() => {
          if (moved) return Effect.void
          moved = true
          return Effect.fail(new Migrated({ method: "sendMessage", to: ChatId.make(-100_5) }))
        })
      )
      yield* dispatching
      yield* become({ a: "sent", b: "sent", else: "sent" })
      assert.deepStrictEqual(
        (yield* rows).map(({ chat }) => chat),
        [-100_5, -100_5, 9]
      )
    }).pipe(Effect.provide(recording))
  )

  it.live("keeps the order of a lane through failures, and other lanes do not wait", () =>
    withServer((server) =>
      Effect.gen(function* () {
        let refusals = 2
        server.rules.push(({ payload }) =>
          payload.text === "a1" && refusals-- > 0
            ? Faulty.refuse(429, "Too Many Requests: retry after 6", { retry_after: refusals > 0 ? 1 : 6 })
            : undefined
        )
        yield* dispatching
        yield* enqueue(
          entry("a1"),
          entry("a2"),
          entry("a3"),
          entry("b1", { chat: 2 }),
          entry("b2", { chat: 2 })
        )
        yield* become({ b1: "sent", b2: "sent", a2: "pending", a3: "pending" })
        yield* become({ a1: "sent", a2: "sent", a3: "sent" })
        const lane = (chat: number) =>
          texts(server.accepted.filter(({ payload }) => payload.chat_id === chat))
        assert.deepStrictEqual(lane(1), ["a1", "a2", "a3"])
        assert.deepStrictEqual(lane(2), ["b1", "b2"])
        const tries = server.calls.filter(({ payload }) => payload.text === "a1").map(({ at }) => at)
        assert.isAtLeast(tries[1]! - tries[0]!, 1_000)
        assert.isAtLeast(tries[2]! - tries[1]!, 6_000)
      })
    )
  )

  it.live("loses and doubles nothing through connections cut before processing, 500s and 502 pages", () =>
    withServer((server) =>
      Effect.gen(function* () {
        const faults = [Faulty.cut("before"), Faulty.page(502), Faulty.refuse(500, "Internal Server Error")]
        const met = new Set<unknown>()
        server.rules.push(({ method, payload }) => {
          if (method !== "sendMessage" || met.has(payload.text)) return undefined
          met.add(payload.text)
          // Half of them: a bot that fails at everything is not let to repeat it all.
          return met.size % 2 === 0 ? faults[(met.size / 2) % faults.length] : undefined
        })
        const keys = Array.from({ length: 30 }, (_, index) => `m${index}`)
        yield* enqueue(...keys.map((key, index) => entry(key, { chat: 1 + (index % 10) })))
        yield* dispatching
        yield* become(Object.fromEntries(keys.map((key) => [key, "sent"])))
        assert.deepStrictEqual(
          texts(server.accepted.filter(({ method }) => method === "sendMessage")).sort(),
          keys.sort()
        )
      })
    )
  )

  it.live("repeats a result whose answer was lost at most once, and chatter never", () =>
    withServer((server) =>
      Effect.gen(function* () {
        server.rules.push(({ payload }) =>
          payload.text === "result" || payload.text === "chatter" ? Faulty.cut("after") : undefined
        )
        yield* enqueue(entry("result"), entry("chatter", { chat: 2, delivery: "chatter" }), entry("next"))
        yield* dispatching
        yield* become({ result: "unknown", chatter: "unknown", next: "sent" })
        const count = (value: string) => texts(server.accepted).filter((found) => found === value).length
        assert.deepStrictEqual([count("result"), count("chatter"), count("next")], [2, 1, 1])
      })
    )
  )

  it.live("repeats an edit until it is done, and sends anew when its message is gone", () =>
    withServer((server) =>
      Effect.gen(function* () {
        server.script.push(Faulty.cut("after"))
        yield* enqueue(
          entry("edit", { action: { _tag: "Edit", message: MessageId.make(5), content: text("new") } })
        )
        yield* dispatching
        yield* become({ edit: "sent" })
        server.script.push(Faulty.refuse(400, "Bad Request: message to edit not found"))
        yield* enqueue(
          entry("gone", { action: { _tag: "Edit", message: MessageId.make(6), content: text("gone") } })
        )
        yield* become({ gone: "sent" })
        assert.deepStrictEqual(
          server.calls.map(({ method }) => method),
          ["editMessageText", "getMe", "editMessageText", "editMessageText", "sendMessage"]
        )
      })
    )
  )

  it.live("asks nothing more of Telegram during an outage than whether it is over", () =>
    withServer((server) =>
      Effect.gen(function* () {
        let down = true
        server.rules.push(() => (down ? Faulty.page(502) : undefined))
        const keys = Array.from({ length: 40 }, (_, index) => `m${index}`)
        yield* enqueue(entry("first"))
        const fiber = yield* dispatching
        yield* Effect.sleep("200 millis")
        yield* enqueue(...keys.map((key, index) => entry(key, { chat: 10 + index })))
        yield* Effect.sleep("3 seconds")
        assert.deepStrictEqual(texts(server.calls.filter(({ method }) => method === "sendMessage")), [
          "first"
        ])
        assert.isBelow(server.calls.length, 30)
        down = false
        yield* become(Object.fromEntries(["first", ...keys].map((key) => [key, "sent"])))
        yield* Fiber.interrupt(fiber)
      })
    )
  )

  it.live("stops when the token is refused, and keeps its rows", () =>
    withServer((server) =>
      Effect.gen(function* () {
        server.rules.push(() => Faulty.refuse(401, "Unauthorized"))
        yield* enqueue(entry("a"))
        yield* dispatching
        yield* Effect.sleep("500 millis")
        yield* enqueue(entry("b", { chat: 2 }))
        yield* Effect.sleep("300 millis")
        assert.deepStrictEqual(yield* states, { a: "pending", b: "pending" })
        assert.strictEqual(server.calls.length, 1)
      })
    )
  )

  it.live("after a kill in sending repeats results and edits, chatter never", () =>
    Effect.gen(function* () {
      const edit: OutboxAction = { _tag: "Edit", message: MessageId.make(5), content: text("edited") }
      yield* enqueue(
        entry("result"),
        entry("chatter", { chat: 2, delivery: "chatter" }),
        entry("edit", { chat: 3, delivery: "chatter", action: edit }),
        entry("behind", { chat: 2 })
      )
      for (const key of ["result", "chatter", "edit"]) yield* set(key, "sending")
      const first = yield* dispatching
      yield* become({ result: "sent", chatter: "unknown", edit: "sent", behind: "sent" })
      yield* Fiber.interrupt(first)
      const recorder = yield* BotRecorder
      assert.sameMembers(said(yield* recorder.calls), ["send result", "edit 5 edited", "send behind"])
      // Two kills in a row can both come before anything left.
      yield* set("result", "sending")
      const second = yield* dispatching
      yield* become({ result: "sent" })
      assert.deepStrictEqual(said(yield* recorder.calls).slice(3), ["send result"])
      yield* Fiber.interrupt(second)
    }).pipe(Effect.provide(recording))
  )

  it.live("after a kill while a status message was being sent says its result anew, once", () =>
    Effect.gen(function* () {
      yield* enqueue(entry("status", { delivery: "chatter" }))
      yield* set("status", "sending")
      yield* enqueue(entry("result", { action: resolve("status", "done") }))
      yield* dispatching
      yield* become({ status: "unknown", result: "sent" })
      const recorder = yield* BotRecorder
      assert.deepStrictEqual(said(yield* recorder.calls), ["send done"])
    }).pipe(Effect.provide(recording))
  )

  it.live("interrupted, waits for what is in flight and gives the rest back", () =>
    withServer((server) =>
      Effect.gen(function* () {
        server.rules.push(({ payload }) =>
          payload.text === "slow"
            ? Faulty.late(200)
            : payload.text === "parked"
              ? Faulty.refuse(500, "x")
              : undefined
        )
        yield* enqueue(entry("slow"), entry("behind"), entry("parked", { chat: 2 }))
        const fiber = yield* dispatching
        while (server.calls.length < 2) yield* Effect.sleep("5 millis")
        yield* Fiber.interrupt(fiber)
        assert.deepStrictEqual(yield* states, { slow: "sent", behind: "pending", parked: "pending" })
      })
    )
  )

  it.live("interrupted, does not repeat what Telegram left without an answer", () =>
    Effect.gen(function* () {
      const recorder = yield* BotRecorder
      yield* recorder.before("send", Effect.never)
      yield* enqueue(entry("silent"))
      const fiber = yield* dispatching
      yield* recorder.next
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(yield* states, { silent: "unknown" })
      yield* recorder.before("send", Effect.void)
      const second = yield* dispatching
      yield* enqueue(entry("later"))
      yield* become({ later: "sent", silent: "unknown" })
      yield* Fiber.interrupt(second)
    }).pipe(Effect.provide(recording))
  )

  it.live("says everything once while its database connections are cut again and again", () =>
    withServer((server) =>
      Effect.gen(function* () {
        server.rules.push(() => Faulty.late(15))
        const keys = Array.from({ length: 120 }, (_, index) => `m${index}`)
        yield* enqueue(...keys.map((key, index) => entry(key, { chat: 1 + (index % 60) })))
        yield* dispatching
        const { superuser } = yield* TestDatabase
        const connection = yield* PgConnection.make(superuser)
        const cut = connection
          .query(
            `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid()`
          )
          .pipe(Effect.delay("40 millis"))
        yield* Effect.repeat(cut, { times: 12 })
        yield* become(Object.fromEntries(keys.map((key) => [key, "sent"])))
        assert.sameMembers(texts(server.accepted), keys)
      }).pipe(Effect.scoped)
    )
  )

  it.live("ends a row it cannot read and goes on", () =>
    Effect.gen(function* () {
      yield* enqueue(entry("odd"), entry("next"))
      const scope = yield* TenantScope
      yield* scope.transaction(
        bot.tenant,
        (sql) => sql`UPDATE outbox SET action = '{"_tag":"Sing"}' WHERE key = 'odd'`
      )
      yield* dispatching
      yield* become({ odd: "dead", next: "sent" })
    }).pipe(Effect.provide(recording))
  )

  it.live("takes a text with NUL and lone surrogates", () =>
    Effect.gen(function* () {
      const odd = "a\u0000b\ud800c"
      yield* enqueue(entry("odd", { action: { _tag: "Send", content: text(odd) } }))
      yield* dispatching
      yield* become({ odd: "sent" })
      const recorder = yield* BotRecorder
      assert.deepStrictEqual(said(yield* recorder.calls), [`send ${odd}`])
    }).pipe(Effect.provide(recording))
  )

  it.live("removes what was settled long ago, and nothing else", () =>
    Effect.gen(function* () {
      const fiber = yield* dispatching
      yield* enqueue(entry("old"), entry("new"))
      yield* become({ old: "sent", new: "sent" })
      yield* Fiber.interrupt(fiber)
      yield* enqueue(entry("waiting"))
      const scope = yield* TenantScope
      yield* scope.transaction(
        bot.tenant,
        (sql) => sql`UPDATE outbox SET settled_at = now() - interval '8 days' WHERE key = 'old'`
      )
      yield* Outbox.use((outbox) => outbox.purge(bot.tenant, "7 days"))
      assert.deepStrictEqual(yield* states, { new: "sent", waiting: "pending" })
    }).pipe(Effect.provide(recording))
  )
})
