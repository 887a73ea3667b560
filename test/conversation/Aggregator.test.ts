import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, FiberMap, Scope } from "effect"
import { TestClock } from "effect/testing"
import fc from "fast-check"
import * as Aggregator from "../../src/conversation/Aggregator.ts"
import {
  belongs,
  closesAt,
  opened,
  type WindowMember,
  type WindowRules
} from "../../src/conversation/Window.ts"
import { plain } from "../../src/domain/FormattedText.ts"
import { ChatId, MessageId, UpdateId } from "../../src/domain/Ids.ts"
import { IncomingMessage } from "../../src/domain/IncomingMessage.ts"

const rules: WindowRules = { quiet: 30_000, max: 300_000, settle: 1000 }

const member = (
  id: number,
  date: number,
  extra: {
    readonly albumId?: string
    readonly forwarded?: boolean
    readonly receivedAt?: number
    readonly edited?: number
  } = {}
): WindowMember => ({
  updateId: UpdateId.make(id),
  receivedAt: extra.receivedAt ?? date * 1000,
  message: new IncomingMessage({
    messageId: MessageId.make(id),
    chat: { id: ChatId.make(1), kind: "private" },
    sender: { id: 1, kind: "user", name: "Ann" },
    date,
    text: plain(`message ${id}`),
    attachments: [],
    ...(extra.albumId === undefined ? {} : { albumId: extra.albumId }),
    ...(extra.edited === undefined ? {} : { editDate: extra.edited }),
    ...(extra.forwarded === true ? { origin: { _tag: "HiddenUser" as const, date, name: "Bob" } } : {})
  })
})

describe("Window", () => {
  const table: ReadonlyArray<readonly [string, WindowMember, WindowMember, boolean]> = [
    ["a message within the quiet time", member(1, 0), member(2, 30), true],
    ["a message after it", member(1, 0), member(2, 32), false],
    ["an earlier message that came late", member(5, 100), member(4, 90), true],
    [
      "the rest of an album, however late",
      member(1, 0, { albumId: "a" }),
      member(2, 900, { albumId: "a" }),
      true
    ],
    [
      "another album after the quiet time",
      member(1, 0, { albumId: "a" }),
      member(2, 900, { albumId: "b" }),
      false
    ]
  ]
  it.each(table)("%s joins or not as the rules say", (_, first, second, joins) => {
    assert.strictEqual(belongs(opened(first, 0), second, rules), joins)
  })

  it("keeps a burst of forwards together in the short window of a chat", () => {
    const chat: WindowRules = { quiet: 500, max: 1000, settle: 500 }
    const first = opened(member(1, 0, { forwarded: true }), 0)
    assert.isTrue(belongs(first, member(2, 2, { forwarded: true }), chat))
    assert.isFalse(belongs(first, member(2, 2), chat))
  })

  it("closes an overdue window only after its siblings had time to be delivered", () => {
    const state = opened(member(1, 0), 1_000_000)
    assert.strictEqual(closesAt(state, rules), 1_001_000)
  })
})

/** An aggregator on the test clock, with everything that came out of it. */
const harness = (process: (unit: Aggregator.Unit) => Effect.Effect<void> = () => Effect.void) =>
  Effect.gen(function* () {
    const units: Array<Aggregator.Unit> = []
    const scope = yield* Effect.scope
    const fibers = yield* FiberMap.make<number>()
    const aggregator = Aggregator.make<never>({
      rules,
      onOpen: () => Effect.void,
      fork: (first, fiber) => Effect.asVoid(FiberMap.run(fibers, first.updateId, fiber)),
      process: (unit) =>
        process(unit).pipe(
          Effect.andThen(Effect.sync(() => units.push(unit))),
          Effect.as<Aggregator.Outcome>("finished")
        )
    })
    /** As the conversation does: a message whose window was stopped is offered again. */
    const offer = (one: WindowMember): Effect.Effect<Fiber.Fiber<void>> =>
      Effect.gen(function* () {
        const loop = (wait: Effect.Effect<Aggregator.Outcome>): Effect.Effect<void> =>
          Effect.flatMap(wait, (outcome) =>
            outcome === "finished"
              ? Effect.void
              : Effect.flatMap(Effect.delay(aggregator.offer(one), rules.quiet), loop)
          )
        return yield* Effect.forkIn(loop(yield* aggregator.offer(one)), scope)
      })
    return { aggregator, units, fibers, offer }
  })

const ids = (unit: Aggregator.Unit): Array<number> => unit.members.map((one) => one.updateId)

describe("Aggregator", () => {
  it.effect("makes one unit of messages that come within the quiet time", () =>
    Effect.gen(function* () {
      const { offer, units } = yield* harness()
      yield* offer(member(1, 0))
      yield* TestClock.adjust("20 seconds")
      yield* offer(member(2, 20))
      yield* TestClock.adjust("29 seconds")
      assert.deepStrictEqual(units, [])
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(units.map(ids), [[1, 2]])
      assert.strictEqual(units[0]?.closedAt, 50_000)
    }).pipe(Effect.scoped)
  )

  it.effect("closes a window that never falls quiet at its maximum", () =>
    Effect.gen(function* () {
      const { offer, units } = yield* harness()
      for (let at = 0; at < 320; at += 20) {
        yield* offer(member(at + 1, at))
        yield* TestClock.adjust("20 seconds")
      }
      assert.strictEqual(units[0]?.closedAt, 300_000)
      assert.strictEqual(units[0]?.members.length, 15)
    }).pipe(Effect.scoped)
  )

  it.effect("splits a backlog as it would have been live", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(10_000_000)
      const { offer, units } = yield* harness()
      for (const [id, date] of [
        [1, 0],
        [2, 10],
        [3, 100],
        [4, 105]
      ] as const) {
        yield* offer(member(id, date, { receivedAt: 10_000_000 }))
      }
      yield* TestClock.adjust("30 seconds")
      assert.deepStrictEqual(units.map(ids), [
        [1, 2],
        [3, 4]
      ])
    }).pipe(Effect.scoped)
  )

  it.effect("puts messages in the order they were sent, whatever the order of their updates", () =>
    Effect.gen(function* () {
      const { offer, units } = yield* harness()
      for (const id of [3, 1, 2]) yield* offer(member(id, id))
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(units.map(ids), [[1, 2, 3]])
    }).pipe(Effect.scoped)
  )

  it.effect("closes at once when told to, and the next message opens a new window", () =>
    Effect.gen(function* () {
      const { aggregator, offer, units } = yield* harness()
      yield* offer(member(1, 0))
      yield* aggregator.closeNow
      yield* offer(member(2, 1))
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(units.map(ids), [[1]])
      yield* TestClock.adjust("40 seconds")
      assert.deepStrictEqual(units.map(ids), [[1], [2]])
    }).pipe(Effect.scoped)
  )

  it.effect("an edit in an open window changes the message; after closing it is not there", () =>
    Effect.gen(function* () {
      const { aggregator, offer, units } = yield* harness()
      yield* offer(member(1, 0))
      const edited = { updateId: UpdateId.make(9), message: member(1, 0, { edited: 5 }).message }
      assert.isDefined(aggregator.merge(edited))
      yield* TestClock.adjust("31 seconds")
      assert.strictEqual(units[0]?.members[0]?.message.editDate, 5)
      assert.deepStrictEqual(units[0]?.absorbed, [edited.updateId])
      assert.isUndefined(aggregator.merge(edited))
    }).pipe(Effect.scoped)
  )

  it.effect("an edit that comes before its message is the message, once", () =>
    Effect.gen(function* () {
      const { offer, units } = yield* harness()
      yield* offer(member(1, 0, { edited: 5 }))
      yield* offer({ ...member(1, 0), updateId: UpdateId.make(2) })
      yield* TestClock.adjust("31 seconds")
      assert.deepStrictEqual(units.map(ids), [[1]])
      assert.strictEqual(units[0]?.members[0]?.message.editDate, 5)
      assert.deepStrictEqual(units[0]?.absorbed, [UpdateId.make(2)])
    }).pipe(Effect.scoped)
  )

  it.effect("other work waits for the units closed before it, not for an open window", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const { aggregator, offer, units } = yield* harness(() => Deferred.await(gate))
      const log: Array<string> = []
      yield* offer(member(1, 0))
      yield* aggregator.inTurn(Effect.sync(() => log.push("while open")))
      assert.deepStrictEqual(log, ["while open"])
      yield* aggregator.closeNow
      yield* Effect.forkChild(aggregator.inTurn(Effect.sync(() => log.push(`after ${units.length} unit`))))
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(log, ["while open"])
      yield* Deferred.succeed(gate, undefined)
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(log, ["while open", "after 1 unit"])
    }).pipe(Effect.scoped)
  )

  it.effect("interrupting a window only reopens it: its messages come back in one unit", () =>
    Effect.gen(function* () {
      const { fibers, offer, units } = yield* harness()
      yield* offer(member(1, 0))
      yield* offer(member(2, 1))
      yield* FiberMap.remove(fibers, 1)
      yield* TestClock.adjust("10 minutes")
      assert.deepStrictEqual(units.map(ids), [[1, 2]])
    }).pipe(Effect.scoped)
  )

  type Step =
    | { readonly _tag: "message"; readonly albumId?: string; readonly forwarded?: boolean }
    | { readonly _tag: "wait"; readonly seconds: number }
    | { readonly _tag: "done" }
    | { readonly _tag: "interrupt" }
    | { readonly _tag: "command" }
  const step: fc.Arbitrary<Step> = fc.oneof(
    { weight: 6, arbitrary: fc.constant<Step>({ _tag: "message" }) },
    {
      weight: 2,
      arbitrary: fc.constantFrom("a", "b").map((albumId): Step => ({ _tag: "message", albumId }))
    },
    { weight: 2, arbitrary: fc.constant<Step>({ _tag: "message", forwarded: true }) },
    { weight: 5, arbitrary: fc.nat(70).map((seconds): Step => ({ _tag: "wait", seconds })) },
    { weight: 1, arbitrary: fc.constant<Step>({ _tag: "done" }) },
    { weight: 1, arbitrary: fc.constant<Step>({ _tag: "interrupt" }) },
    { weight: 1, arbitrary: fc.constant<Step>({ _tag: "command" }) }
  )

  it("any interleaving: each message ends in exactly one unit, in order, and windows close on time", () =>
    fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), (steps) =>
        Effect.runPromise(
          Effect.gen(function* () {
            const scope = yield* Scope.make()
            const { aggregator, fibers, offer, units } = yield* harness().pipe(Scope.provide(scope))
            const waiting: Array<Fiber.Fiber<void>> = []
            let commands = 0
            let sent = 0
            let now = 0
            let interrupted = false
            for (const one of steps) {
              if (one._tag === "message") waiting.push(yield* offer(member(++sent, now, one)))
              if (one._tag === "wait") {
                yield* TestClock.adjust(one.seconds * 1000)
                now += one.seconds
              }
              if (one._tag === "done") yield* aggregator.closeNow
              if (one._tag === "interrupt") {
                yield* FiberMap.clear(fibers)
                interrupted = true
              }
              if (one._tag === "command") {
                commands++
                waiting.push(yield* Effect.forkChild(aggregator.inTurn(Effect.sync(() => void commands--))))
              }
            }
            yield* TestClock.adjust("1 hour")
            for (const fiber of waiting) assert.isTrue(Exit.isSuccess(yield* Fiber.await(fiber)))
            assert.strictEqual(commands, 0)
            const all = units.flatMap(ids)
            assert.deepStrictEqual(
              [...all].sort((a, b) => a - b),
              Array.from({ length: sent }, (_, i) => i + 1)
            )
            for (const unit of units)
              assert.deepStrictEqual(
                ids(unit),
                [...ids(unit)].sort((a, b) => a - b)
              )
            if (!interrupted) {
              assert.deepStrictEqual(
                all,
                [...all].sort((a, b) => a - b)
              )
              for (const unit of units) {
                const latest = Math.max(...unit.members.map((m) => m.receivedAt))
                const due = Math.min(latest + rules.quiet, unit.members[0]!.receivedAt + rules.max)
                const overdue = unit.members.some((m) => m.message.albumId !== undefined)
                assert.isTrue(unit.closedAt <= due || overdue, `${unit.closedAt} > ${due}`)
              }
            }
            yield* Scope.close(scope, Exit.void)
          }).pipe(Effect.provide(TestClock.layer()))
        )
      ),
      { numRuns: 300 }
    ))
})
