/** What the outbox does when Telegram, its connection, its database or its process fails. */
import { PgConnection } from "@effect/sql-pg"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { MessageId } from "../../src/domain/Ids.ts"
import { BotRecorder } from "../../src/telegram/BotPort.ts"
import type { OutboxAction } from "../../src/telegram/Outbox.ts"
import { eventually } from "../support/Application.ts"
import { TestDatabase } from "../support/Postgres.ts"
import * as Faulty from "./support/FaultyServer.ts"
import { become, dispatching, enqueue, entry, resolve, row, set, states, text } from "./support/OutboxRows.ts"
import { recording, said, texts, withServer } from "./support/OutboxRuns.ts"

describe("Outbox in trouble", () => {
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
        yield* eventually(
          "it has met the outage",
          Effect.map(row("first"), ({ attempts }) => attempts > 0)
        )
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
        yield* eventually(
          "it was refused",
          Effect.map(row("a"), ({ error }) => error !== null)
        )
        yield* enqueue(entry("b", { chat: 2 }))
        yield* Effect.sleep("500 millis")
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
        const slow = Faulty.held()
        server.rules.push(({ payload }) =>
          payload.text === "slow"
            ? slow.step
            : payload.text === "parked"
              ? Faulty.refuse(500, "x")
              : undefined
        )
        yield* enqueue(entry("slow"), entry("behind"), entry("parked", { chat: 2 }))
        const fiber = yield* dispatching
        while (server.calls.length < 2) yield* Effect.sleep("5 millis")
        const ending = yield* Effect.forkChild(Fiber.interrupt(fiber), { startImmediately: true })
        yield* slow.letGo
        yield* Fiber.join(ending)
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
})
