import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, Queue, Tracer } from "effect"
import { TestClock } from "effect/testing"
import { BotId, defaultApp, defaultTenant } from "../../src/domain/Ids.ts"
import type { IncomingUpdate } from "../../src/domain/IncomingMessage.ts"
import { Lease, LockLost } from "../../src/lock/Locks.ts"
import { Chats } from "../../src/telegram/Chats.ts"
import {
  CallFailed,
  GrammyApi,
  type Method,
  type PayloadOf,
  type PollOptions,
  type ResultOf
} from "../../src/telegram/GrammyApi.ts"
import { type Hearing, Intake } from "../../src/telegram/Intake.ts"
import { Limits } from "../../src/telegram/Limits.ts"
import type { Outcome } from "../../src/telegram/Outcome.ts"
import { type Admission, Permission } from "../../src/telegram/Permission.ts"
import { allowedUpdates, Taking, UpdateNotStored, UpdateSink } from "../../src/telegram/Taking.ts"
import { conversationOf } from "../../src/telegram/UpdateDecoder.ts"
import { messageUpdate } from "./updates.ts"

const bot = { tenant: defaultTenant, app: defaultApp }
const botId = BotId.make(42)

const member: Admission = { _tag: "Admitted", role: "member", holdsCode: false }

type Answer = ReadonlyArray<unknown> | Outcome

interface Received {
  readonly raw: unknown
  readonly decoded: IncomingUpdate
}

/** Telegram answering from a script (then holding the poll open), and a store that is told how to behave. */
const world = Effect.fnUntraced(function* (options: {
  readonly receive?: (update: number, nth: number) => Effect.Effect<"stored" | "duplicate", UpdateNotStored>
  readonly admit?: (update: number) => Admission
  /** The updates that are over a limit. */
  readonly over?: ReadonlyArray<number>
  /** What is different about the lease on the bot. */
  readonly lease?: Partial<Lease["Service"]>
  /** What deleteWebhook comes to; nothing: it is done. */
  readonly remove?: Outcome
}) {
  const answers = yield* Queue.unbounded<Answer>()
  const polls: Array<PollOptions> = []
  const calls: Array<readonly [method: string, payload: unknown]> = []
  const aborted: Array<number> = []
  const received: Array<Received> = []
  const asked: Array<{ readonly updates: ReadonlyArray<number>; readonly since: number | undefined }> = []
  const tries = new Map<number, number>()
  const api = GrammyApi.of({
    call: <M extends Method>(_bot: unknown, method: M, payload: PayloadOf<M>) =>
      Effect.suspend(() => {
        calls.push([method, payload])
        return options.remove === undefined
          ? Effect.succeed(true as ResultOf<M>)
          : Effect.fail(new CallFailed({ method, outcome: options.remove }))
      }),
    introduce: () => Effect.die("not called"),
    file: () => {
      throw new Error("not called")
    },
    getUpdates: (_bot, asked) =>
      Effect.gen(function* () {
        polls.push(asked)
        const answer = yield* Queue.take(answers)
        if ("_tag" in answer) return yield* new CallFailed({ method: "getUpdates", outcome: answer })
        return answer
      }).pipe(Effect.onInterrupt(() => Effect.sync(() => void aborted.push(polls.length))))
  })
  /** The last one each conversation handed over, settled with whether it was stored. */
  const last = new Map<string, Deferred.Deferred<boolean>>()
  const sink = UpdateSink.of({
    receive: (_bot, _id, raw, decoded) =>
      Effect.gen(function* () {
        const conversation = String(conversationOf(decoded)?.chat.id)
        const before = last.get(conversation)
        const mine = yield* Deferred.make<boolean>()
        last.set(conversation, mine)
        return yield* Effect.gen(function* () {
          if (before !== undefined && !(yield* Deferred.await(before)))
            return yield* new UpdateNotStored({ reason: "behind one that was not" })
          const nth = tries.get(decoded.updateId) ?? 0
          tries.set(decoded.updateId, nth + 1)
          const outcome = yield* options.receive?.(decoded.updateId, nth) ?? Effect.succeed("stored" as const)
          received.push({ raw, decoded })
          return outcome
        }).pipe(
          Effect.onExit((exit) => {
            if (last.get(conversation) === mine) last.delete(conversation)
            return Deferred.succeed(mine, Exit.isSuccess(exit))
          })
        )
      })
  })
  const permission = Layer.mock(Permission, {
    heard: () => Effect.void,
    admit: (_bot, { updateId }) => Effect.succeed(options.admit?.(updateId) ?? member),
    role: () => Effect.succeedSome("member")
  })
  const limits = Layer.mock(Limits, {
    over: (_bot, updates, since) =>
      Effect.sync(() => {
        asked.push({ updates: updates.map(({ updateId }) => updateId), since })
        return new Set(updates.map(({ updateId }) => updateId).filter((id) => options.over?.includes(id)))
      })
  })
  const chats = Layer.mock(Chats, { heard: () => Effect.void })
  const layer = Intake.layer.pipe(
    Layer.provide(Taking.layer),
    Layer.provide([Layer.succeed(GrammyApi, api), Layer.succeed(UpdateSink, sink), permission, chats, limits])
  )
  const intake = yield* Effect.provide(Intake, layer)
  const heard: Array<Hearing> = []
  const told = (hearing: Hearing) => Effect.sync(() => void heard.push(hearing))
  const poller = yield* Effect.forkChild(
    Effect.provideService(intake.receive(bot, botId, told), Lease, { ...Lease.sole, ...options.lease })
  )
  return {
    intake,
    poller,
    polls,
    calls,
    aborted,
    received,
    asked,
    heard,
    ids: () => received.map(({ decoded }) => decoded.updateId as number),
    offsets: () => polls.map(({ offset }) => offset),
    answer: (...all: ReadonlyArray<Answer>) =>
      Effect.andThen(Queue.offerAll(answers, all), TestClock.adjust(0))
  }
})

const batch = (...ids: ReadonlyArray<number>) => ids.map((id) => messageUpdate(id))
const outage: Outcome = { _tag: "Retry", reason: "ECONNRESET", limit: 5, cause: "network" }

describe("polling", () => {
  it.effect("asks for what it understands, 100 at a time, and holds the poll open", () =>
    Effect.gen(function* () {
      const { polls, answer } = yield* world({})
      yield* answer()
      assert.deepInclude(polls[0], { limit: 100, allowedUpdates, connection: "shared" })
      assert.isFalse("offset" in polls[0]!)
    })
  )

  it.effect("the trace of an update begins with whose bot it came to", () =>
    Effect.gen(function* () {
      const spans: Array<Tracer.NativeSpan> = []
      const tracer = Tracer.make({
        span: (given) => {
          const span = new Tracer.NativeSpan(given)
          spans.push(span)
          return span
        }
      })
      const { answer } = yield* Effect.provideService(world({}), Tracer.Tracer, tracer)
      yield* answer(batch(10))
      const taken = spans.filter(({ name }) => name === "Taking.take")
      assert.deepStrictEqual(
        taken.map(({ attributes }) => Object.fromEntries(attributes)),
        [{ ...bot, "bot.id": botId, "update.id": 10, "update.kind": "Message" }]
      )
    })
  )

  it.effect("confirms a batch only when every update of it is stored", () =>
    Effect.gen(function* () {
      const stuck = yield* Deferred.make<"stored">()
      const { answer, offsets, ids } = yield* world({
        receive: (id) => (id === 11 ? Deferred.await(stuck) : Effect.succeed("stored"))
      })
      yield* answer([messageUpdate(10, {}, 1), messageUpdate(11, {}, 2), messageUpdate(12, {}, 3)])
      assert.deepStrictEqual(ids(), [10, 12])
      assert.deepStrictEqual(offsets(), [undefined])
      yield* Deferred.succeed(stuck, "stored")
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(offsets(), [undefined, 13])
    })
  )

  it.effect(
    "a store that fails, dies or is interrupted is asked again, and nothing is confirmed meanwhile",
    () =>
      Effect.gen(function* () {
        const failures = [new UpdateNotStored({ reason: "away" }), "defect", "interrupt"] as const
        const { answer, offsets, ids } = yield* world({
          receive: (id, nth) => {
            const failure = id === 10 ? failures[nth] : undefined
            if (failure === undefined) return Effect.succeed("stored")
            if (failure === "interrupt") return Effect.interrupt
            return failure === "defect" ? Effect.die("broken") : Effect.fail(failure)
          }
        })
        yield* answer(batch(10, 11))
        assert.deepStrictEqual(ids(), [])
        yield* TestClock.adjust("500 millis")
        assert.deepStrictEqual(offsets(), [undefined])
        yield* TestClock.adjust("10 seconds")
        assert.deepStrictEqual(ids(), [10, 11])
        assert.deepStrictEqual(offsets(), [undefined, 12])
      })
  )

  it.effect("keeps the order of one conversation, without making others wait", () =>
    Effect.gen(function* () {
      const slow = (id: number) => (id % 10 === 1 ? Effect.sleep("1 second") : Effect.void)
      const { answer, ids } = yield* world({ receive: (id) => Effect.as(slow(id), "stored") })
      yield* answer([
        messageUpdate(11, {}, 1),
        messageUpdate(12, {}, 1),
        messageUpdate(20, {}, 2),
        messageUpdate(31, {}, 3),
        messageUpdate(32, {}, 3)
      ])
      assert.deepStrictEqual(ids(), [20])
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(
        ids().filter((id) => id < 20),
        [11, 12]
      )
      assert.deepStrictEqual(
        ids().filter((id) => id > 30),
        [31, 32]
      )
    })
  )

  it.effect("duplicates, strangers' and unreadable updates are confirmed like all others", () =>
    Effect.gen(function* () {
      const { answer, offsets, ids } = yield* world({
        admit: (id) => (id === 11 ? { _tag: "Stranger" } : member),
        receive: () => Effect.succeed("duplicate")
      })
      yield* answer([...batch(10, 11), { update_id: 12, message: { text: 5 } }, { message: {} }, "odd"])
      assert.deepStrictEqual(ids(), [10, 12])
      assert.deepStrictEqual(offsets(), [undefined, 13])
    })
  )

  it.effect("what is over a limit is confirmed and not stored; each conversation is asked about once", () =>
    Effect.gen(function* () {
      let failures = 2
      const { answer, offsets, ids, asked } = yield* world({
        over: [11, 30],
        receive: (id) =>
          id === 10 && failures-- > 0
            ? Effect.fail(new UpdateNotStored({ reason: "away" }))
            : Effect.succeed("stored")
      })
      yield* answer([...batch(10, 11, 12), messageUpdate(20, {}, 2), messageUpdate(30, {}, 3)])
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(
        ids().sort((a, b) => a - b),
        [10, 12, 20]
      )
      assert.deepStrictEqual(offsets(), [undefined, 31])
      assert.deepStrictEqual(asked, [
        { updates: [10, 11, 12], since: 0 },
        { updates: [20], since: 0 },
        { updates: [30], since: 0 }
      ])
    })
  )

  it.effect("of a message that holds a code the code is not stored", () =>
    Effect.gen(function* () {
      const { answer, received } = yield* world({ admit: () => ({ ...member, holdsCode: true }) })
      yield* answer([messageUpdate(10, { text: "/start abcd-efgh" })])
      assert.notInclude(JSON.stringify(received), "abcd")
      assert.include(JSON.stringify(received[0]?.raw), `"text":"/start"`)
    })
  )

  it.effect("after an empty answer it asks without an offset, and not at once", () =>
    Effect.gen(function* () {
      const { answer, offsets } = yield* world({})
      yield* answer(batch(10), [])
      assert.deepStrictEqual(offsets(), [undefined, 11])
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(offsets(), [undefined, 11, undefined])
    })
  )

  it.effect("interrupting it aborts the poll under way", () =>
    Effect.gen(function* () {
      const { answer, poller, aborted } = yield* world({})
      yield* answer(batch(10))
      yield* Fiber.interrupt(poller)
      assert.deepStrictEqual(aborted, [2])
    })
  )

  it.effect("interrupting it while the store fails does not hang", () =>
    Effect.gen(function* () {
      const { answer, poller } = yield* world({
        receive: () => Effect.fail(new UpdateNotStored({ reason: "away" }))
      })
      yield* answer(batch(10))
      const exit = yield* Fiber.interrupt(poller).pipe(Effect.andThen(Fiber.await(poller)))
      assert.isTrue(Exit.hasInterrupts(exit))
    })
  )

  it.effect("a process that was frozen while its lease ran out asks Telegram for nothing more", () =>
    Effect.gen(function* () {
      let over = false
      const lost = new LockLost({ key: "bot", reason: "late" })
      const { answer, offsets } = yield* world({
        lease: { check: Effect.suspend(() => (over ? Effect.fail(lost) : Effect.void)) }
      })
      yield* answer(batch(1))
      assert.deepStrictEqual(offsets(), [undefined, 2])
      over = true
      yield* answer(batch(2))
      assert.deepStrictEqual(offsets(), [undefined, 2])
    })
  )

  it.effect("who polls here is told when Telegram has not answered for long, and nobody else", () =>
    Effect.gen(function* () {
      const { answer, intake, poller } = yield* world({})
      yield* TestClock.adjust("126 seconds")
      assert.include((yield* Effect.flip(intake.health(bot))).message, "for 126 s")
      yield* answer(outage)
      assert.include((yield* Effect.flip(intake.health(bot))).message, "for 126 s")
      yield* TestClock.adjust("1 second")
      yield* answer(batch(1))
      assert.isUndefined(yield* intake.health(bot))
      yield* TestClock.adjust("126 seconds")
      assert.include((yield* Effect.flip(intake.health(bot))).message, "for 126 s")
      yield* Fiber.interrupt(poller)
      assert.isUndefined(yield* intake.health(bot))
    })
  )
})

describe("a poll that fails", () => {
  it.effect("is repeated ever more slowly, and quickly again after a success", () =>
    Effect.gen(function* () {
      const { answer, polls, offsets } = yield* world({})
      yield* answer(batch(10))
      yield* answer(...Array.from({ length: 9 }, () => outage))
      yield* TestClock.adjust("5 minutes")
      assert.strictEqual(polls.length, 11)
      assert.isTrue(
        offsets()
          .slice(1)
          .every((offset) => offset === 11)
      )
      yield* answer(batch(11), outage)
      yield* TestClock.adjust("500 millis")
      assert.strictEqual(polls.length, 13)
    })
  )

  it.effect("a conflict waits longer each time, and asks on a fresh connection", () =>
    Effect.gen(function* () {
      const { answer, polls } = yield* world({})
      const conflict: Outcome = { _tag: "Conflict", by: "poller" }
      yield* answer(conflict, conflict, conflict, conflict, conflict, batch(1))
      for (const [index, wait] of [5, 10, 15, 30, 60].entries()) {
        yield* TestClock.adjust(`${wait - 1} seconds`)
        assert.strictEqual(polls.length, index + 1)
        yield* TestClock.adjust("1 second")
        assert.strictEqual(polls.length, index + (index === 4 ? 3 : 2))
      }
      assert.deepStrictEqual(
        polls.map(({ connection }) => connection),
        ["shared", "fresh", "fresh", "fresh", "fresh", "fresh", "shared"]
      )
    })
  )

  it.effect("another program that polls for a day is met no more than every five minutes", () =>
    Effect.gen(function* () {
      const { answer, intake, polls } = yield* world({})
      yield* answer(...Array.from({ length: 1_000 }, (): Outcome => ({ _tag: "Conflict", by: "poller" })))
      yield* TestClock.adjust("1 day")
      assert.isAtMost(polls.length, 7 + (24 * 60) / 5)
      assert.include((yield* Effect.flip(intake.health(bot))).reason, "Another program polls")
    })
  )

  it.effect("waits as long as Telegram asks", () =>
    Effect.gen(function* () {
      const { answer, polls } = yield* world({})
      yield* answer({ _tag: "Wait", seconds: 20 })
      yield* TestClock.adjust("19 seconds")
      assert.strictEqual(polls.length, 1)
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(polls.length, 2)
    })
  )

  it.effect("a webhook is removed, with what waits behind it kept, and the poll repeated at once", () =>
    Effect.gen(function* () {
      const { answer, calls, polls } = yield* world({})
      const conflict: Outcome = { _tag: "Conflict", by: "webhook" }
      yield* answer(conflict)
      assert.deepStrictEqual(calls, [["deleteWebhook", {}]])
      assert.strictEqual(polls.length, 2)
      // Set again by somebody: no loop without a pause.
      yield* answer(conflict, batch(1))
      assert.deepStrictEqual([calls.length, polls.length], [2, 2])
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual([calls.length, polls.length], [2, 4])
    })
  )

  it.effect("a webhook that cannot be removed is tried again after a pause", () =>
    Effect.gen(function* () {
      const { answer, calls, polls } = yield* world({ remove: outage })
      yield* answer({ _tag: "Conflict", by: "webhook" }, { _tag: "Conflict", by: "webhook" })
      assert.deepStrictEqual([calls.length, polls.length], [1, 1])
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual([calls.length, polls.length], [2, 2])
    })
  )

  it.effect("a refused token is asked about rarely, and one that is taken again polls as ever", () =>
    Effect.gen(function* () {
      const { answer, heard, polls } = yield* world({})
      yield* answer(...Array.from({ length: 8 }, (): Outcome => ({ _tag: "Unauthorized" })))
      yield* TestClock.adjust("47 seconds")
      assert.strictEqual(polls.length, 1)
      yield* TestClock.adjust("25 seconds")
      assert.strictEqual(polls.length, 2)
      yield* TestClock.adjust("1 day")
      assert.strictEqual(polls.length, 9)
      assert.deepStrictEqual(
        heard.map((hearing) => (hearing._tag === "Failed" ? `${hearing.failure._tag} ${hearing.nth}` : "")),
        Array.from({ length: 8 }, (_, nth) => `Unauthorized ${nth}`)
      )
      yield* answer(batch(1), { _tag: "Unauthorized" })
      assert.deepInclude(heard.at(-1), { _tag: "Failed", nth: 0 })
      yield* TestClock.adjust("72 seconds")
      assert.strictEqual(polls.length, 11)
    })
  )
})
