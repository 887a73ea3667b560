import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { Address } from "../../src/domain/Address.ts"
import { ChatId, TenantId } from "../../src/domain/Ids.ts"
import { TenantScope } from "../../src/store/TenantScope.ts"
import { BotRecorder, Migrated, Unreachable } from "../../src/telegram/BotPort.ts"
import { Outbox } from "../../src/telegram/Outbox.ts"
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
import { recording, said } from "./support/OutboxRuns.ts"

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
