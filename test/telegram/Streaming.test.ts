import { assert, describe, it } from "@effect/vitest"
import { type Duration, Effect, Fiber, Layer, Queue, Stream } from "effect"
import { TestClock } from "effect/testing"
import fc from "fast-check"
import { compose, type FormattedText, plain } from "../../src/domain/FormattedText.ts"
import { BotId } from "../../src/domain/Ids.ts"
import { Lease } from "../../src/lock/Locks.ts"
import { BotApiEmulator } from "../../src/sandbox/Control.ts"
import { TenantScope } from "../../src/store/TenantScope.ts"
import { BotPort, BotRecorder, RateLimited, Unavailable } from "../../src/telegram/BotPort.ts"
import { problemsOf } from "../../src/telegram/ContentLimits.ts"
import { Outbox } from "../../src/telegram/Outbox.ts"
import {
  draftIdOf,
  finalEntry,
  nextPause,
  pauses,
  preview,
  Streaming,
  type Turn
} from "../../src/telegram/Streaming.ts"
import { eventually } from "../support/Application.ts"
import { TestDatabase } from "../support/Postgres.ts"
import { addressOf, bot, layer as emulated, person } from "./support/EmulatedBot.ts"

const botId = BotId.make(7_000_001)
const turnIn = (chat: number, more: Partial<Turn> = {}): Turn => ({
  address: addressOf(chat),
  botId,
  key: "answer:1",
  placeholder: plain("One moment"),
  ...more
})

/** Each text a while after the one before. */
const paced = (texts: ReadonlyArray<string>, pause: Duration.Input) =>
  Stream.fromIterable(texts).pipe(Stream.mapEffect((text) => Effect.as(Effect.sleep(pause), plain(text))))

const growing = (count: number) =>
  Array.from({ length: count }, (_, index) => "word ".repeat(index + 1).trim())

describe("drafts", () => {
  const layer = Streaming.layer.pipe(
    Layer.provide(Layer.mock(Outbox, {})),
    Layer.provide(Layer.mock(TenantScope, {})),
    Layer.provideMerge(BotPort.layerRecording)
  )
  const drafts = Effect.gen(function* () {
    const calls = yield* BotRecorder.use((recorder) => recorder.calls)
    return calls.map((call) => (call.method === "draft" ? call.text.text : call.method))
  })
  const turn = turnIn(42)

  it.effect(
    "say first that the bot thinks, then only ever the latest, never faster than every half second",
    () =>
      Effect.gen(function* () {
        const streaming = yield* Streaming
        const texts = growing(100)
        const shown = yield* Effect.forkChild(streaming.show(turn, paced(texts, 100)), {
          startImmediately: true
        })
        yield* TestClock.adjust("10 seconds")
        assert.deepStrictEqual(yield* Fiber.join(shown), { text: plain(texts.at(-1)!), ended: "whole" })
        const seen = yield* drafts
        assert.strictEqual(seen[0], "")
        assert.isAtLeast(seen.length, 6)
        assert.isAtMost(seen.length, 20)
        for (const [index, text] of seen.entries())
          assert.isTrue(index === 0 || text.startsWith(seen[index - 1]!))
        yield* TestClock.adjust("1 minute")
        assert.lengthOf(yield* drafts, seen.length)
      }).pipe(Effect.provide(layer))
  )

  it.effect("are shown again before they are gone, and otherwise only when they change", () =>
    Effect.gen(function* () {
      const streaming = yield* Streaming
      yield* Effect.forkChild(streaming.show(turn, paced(["thought", "never"], "65 seconds")), {
        startImmediately: true
      })
      yield* TestClock.adjust("64 seconds")
      assert.deepStrictEqual(yield* drafts, ["", "", "", ""])
    }).pipe(Effect.provide(layer))
  )

  it.effect("wait as long as Telegram asks, and go on with the latest", () =>
    Effect.gen(function* () {
      const streaming = yield* Streaming
      const recorder = yield* BotRecorder
      yield* recorder.before(
        "draft",
        Effect.fail(new RateLimited({ method: "sendMessageDraft", until: 9_000 }))
      )
      const shown = yield* Effect.forkChild(streaming.show(turn, paced(growing(200), 100)), {
        startImmediately: true
      })
      yield* TestClock.adjust("5 seconds")
      yield* recorder.before("draft", Effect.void)
      assert.lengthOf(yield* drafts, 1)
      yield* TestClock.adjust("4 seconds")
      assert.lengthOf(yield* drafts, 1)
      yield* TestClock.adjust("3 seconds")
      assert.isAtLeast((yield* drafts).length, 2)
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual((yield* Fiber.join(shown)).ended, "whole")
    }).pipe(Effect.provide(layer))
  )

  it.effect("that fail for a moment fail nothing", () =>
    Effect.gen(function* () {
      const streaming = yield* Streaming
      const recorder = yield* BotRecorder
      const down = new Unavailable({ method: "sendMessageDraft", reason: "ECONNREFUSED" })
      yield* recorder.before("draft", Effect.fail(down))
      const shown = yield* Effect.forkChild(streaming.show(turn, paced(growing(50), 100)), {
        startImmediately: true
      })
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual((yield* Fiber.join(shown)).ended, "whole")
    }).pipe(Effect.provide(layer))
  )

  it.effect("end at once when somebody stops them, with what there was", () =>
    Effect.gen(function* () {
      const streaming = yield* Streaming
      const shown = yield* Effect.forkChild(streaming.show(turn, paced(growing(1_000), 100)), {
        startImmediately: true
      })
      yield* TestClock.adjust("1050 millis")
      const draftId = draftIdOf(turn.key)
      assert.isFalse(yield* streaming.stop(bot, "answer:2"))
      assert.isFalse(yield* streaming.stopDraft(bot, addressOf(43).chat, draftId))
      assert.isTrue(yield* streaming.stopDraft(bot, turn.address.chat, draftId))
      assert.deepStrictEqual(yield* Fiber.join(shown), { text: plain(growing(10).at(-1)!), ended: "stopped" })
      assert.isFalse(yield* streaming.stop(bot, turn.key))
    }).pipe(Effect.provide(layer))
  )

  it.effect("under way at the end are waited for, but not for long: none comes after the answer", () =>
    Effect.gen(function* () {
      const streaming = yield* Streaming
      const recorder = yield* BotRecorder
      const ending = (taken: Duration.Input) =>
        Effect.gen(function* () {
          const landed: Array<string> = []
          yield* recorder.before(
            "draft",
            Effect.sleep(taken).pipe(
              Effect.tap(() => Effect.sync(() => landed.push("landed"))),
              Effect.onInterrupt(() => Effect.sync(() => landed.push("given up")))
            )
          )
          const shown = yield* Effect.forkChild(streaming.show(turn, paced(["a"], "200 millis")), {
            startImmediately: true
          })
          yield* TestClock.adjust("900 millis")
          assert.isUndefined(shown.pollUnsafe())
          yield* TestClock.adjust("1300 millis")
          yield* Fiber.join(shown)
          return landed
        })
      assert.deepStrictEqual(yield* ending("1 second"), ["landed"])
      assert.deepStrictEqual(yield* ending("1 hour"), ["given up"])
    }).pipe(Effect.provide(layer))
  )

  it.effect("hand on what the answer itself fails with", () =>
    Effect.gen(function* () {
      const streaming = yield* Streaming
      const failing = Stream.concat(Stream.make(plain("a")), Stream.fail("the model is away"))
      assert.strictEqual(yield* Effect.flip(streaming.show(turn, failing)), "the model is away")
    }).pipe(Effect.provide(layer))
  )

  it("have an id that is never 0 and the same for the same turn", () => {
    fc.assert(
      fc.property(fc.string(), (key) => {
        assert.strictEqual(draftIdOf(key), draftIdOf(key))
        assert.isAbove(draftIdOf(key), 0)
        assert.isTrue(Number.isSafeInteger(draftIdOf(key)))
      })
    )
  })
})

describe("what is shown", () => {
  it("is the end of a text too long for a message, with its entities where they were", () => {
    const bold = compose("a".repeat(5_000), { type: "bold", text: "bold" }, "!")
    const shown = preview(bold)
    assert.strictEqual(shown.text.length, 4_096)
    const [entity] = shown.entities
    assert.strictEqual(shown.text.slice(entity!.offset, entity!.offset + entity!.length), "bold")
    assert.strictEqual(preview(plain("short")).text, "short")
    for (const text of ["🙂".repeat(3_000), `x${"🙂".repeat(3_000)}`]) {
      assert.isAtMost(preview(plain(text)).text.length, 4_096)
      assert.isTrue(preview(plain(text)).text.isWellFormed())
    }
  })

  it("is no more formatted than a message may be: the last formats stay", () => {
    const words = Array.from({ length: 150 }, (_, index) => ({ type: "bold" as const, text: `word${index}` }))
    for (const text of [compose(...words), compose("a".repeat(5_000), ...words)]) {
      const shown = preview(text)
      assert.deepStrictEqual(problemsOf("editMessageText", { _tag: "Text", text: shown }, new Map()), [])
      const { offset, length } = shown.entities.at(-1)!
      assert.strictEqual(shown.text.slice(offset, offset + length), "word149")
    }
  })

  it("slows down from one second to three, at once when Telegram finds it too much", () => {
    let pause: number = pauses.edit.least
    for (let shown = 0; shown < 12; shown++) pause = nextPause("edit", pause, "shown")
    assert.strictEqual(pause, 3_000)
    assert.strictEqual(nextPause("edit", 1_000, "limited"), 3_000)
  })
})

describe("a streamed answer", () => {
  const layer = Streaming.layer.pipe(
    Layer.provideMerge(Outbox.layer),
    Layer.provideMerge(emulated()),
    Layer.provideMerge(TestDatabase.layer)
  )
  /** Grows until it has been shown so often. */
  const shown = (method: string, chat: number, times: number) =>
    Effect.map(BotApiEmulator, (emulator) =>
      Stream.tick("100 millis").pipe(
        Stream.zipWithIndex,
        Stream.map(([, index]) => plain("word ".repeat(index + 1).trim())),
        Stream.interruptWhen(
          eventually(
            `${method} ${times} times`,
            Effect.map(emulator.journal({ chat, method }), ({ length }) => length >= times)
          )
        )
      )
    ).pipe(Stream.unwrap)
  const answer = (turn: Turn, text: FormattedText) =>
    Outbox.use((outbox) => outbox.enqueue(turn.address.tenant, [finalEntry(turn, { _tag: "Text", text })]))
  const dispatching = Effect.flatMap(Outbox, (outbox) =>
    Effect.forkScoped(Effect.provideService(outbox.dispatch(bot, botId), Lease, Lease.sole))
  )

  it.live("in a private chat is drafts, then one message of its own", () =>
    Effect.gen(function* () {
      const { emulator, chat } = yield* person
      yield* dispatching
      const turn = turnIn(chat)
      const events = yield* Queue.unbounded<string>()
      yield* emulator.events.pipe(
        Stream.runForEach((event) =>
          event._tag === "Draft"
            ? Queue.offer(events, `draft ${event.text}`)
            : event._tag === "MessageSent"
              ? Queue.offer(events, `message ${event.message.text}`)
              : Effect.void
        ),
        Effect.forkScoped({ startImmediately: true })
      )
      yield* Effect.sleep("100 millis")
      const { text } = yield* Streaming.use((streaming) =>
        streaming.show(turn, shown("sendMessageDraft", chat, 4))
      )
      yield* answer(turn, text)
      const seen: Array<string> = []
      while (!seen.at(-1)?.startsWith("message")) seen.push(yield* Queue.take(events))
      assert.isAbove(seen.length, 4)
      assert.strictEqual(seen[0], "draft ")
      assert.strictEqual(seen.at(-1), `message ${text.text}`)
      assert.isTrue(seen.slice(0, -1).every((one) => one.startsWith("draft")))
      assert.lengthOf(yield* emulator.messages({ chat }), 2)
    }).pipe(Effect.scoped, Effect.provide(layer), Effect.timeout("50 seconds"))
  )

  const edited = (turn: Turn, chat: number) =>
    Effect.gen(function* () {
      const emulator = yield* BotApiEmulator
      const before = (yield* emulator.messages({ chat })).length
      const { text } = yield* Streaming.use((streaming) =>
        streaming.show(turn, shown("editMessageText", chat, 3))
      )
      const [message] = yield* emulator.messages({ chat, limit: 1 })
      assert.include(text.text, message?.text ?? "no message")
      assert.deepStrictEqual(message?.buttons, turn.stop === undefined ? [] : [[turn.stop]])
      const edits = yield* emulator.journal({ chat, method: "editMessageText" })
      for (const [index, { at }] of edits.entries())
        if (index > 0) assert.isAtLeast(at - edits[index - 1]!.endedAt, 990)
      yield* answer(turn, plain("the answer"))
      yield* eventually(
        "it is the answer",
        Effect.map(
          emulator.message({ chat, messageId: message!.id }),
          ({ buttons, text }) => text === "the answer" && buttons.length === 0
        )
      )
      assert.lengthOf(yield* emulator.messages({ chat }), before + 1)
    })

  it.live("in a group is edits of a placeholder with a button to stop it, which becomes the answer", () =>
    Effect.gen(function* () {
      const { emulator, chat } = yield* person
      const group = yield* emulator.createGroup({ title: "Team", members: [chat] })
      yield* dispatching
      yield* edited(turnIn(group.id, { stop: { text: "Stop", data: "token" } }), group.id)
    }).pipe(Effect.scoped, Effect.provide(layer), Effect.timeout("50 seconds"))
  )

  it.live("where the server knows no drafts is edits in a private chat, too", () =>
    Effect.gen(function* () {
      const { emulator, chat } = yield* person
      const unknown = { code: 404, description: "Not Found: method not found" }
      yield* emulator.addFault({ method: "sendMessageDraft", effect: { _tag: "Refuse", ...unknown } })
      yield* dispatching
      yield* edited(turnIn(chat), chat)
    }).pipe(Effect.scoped, Effect.provide(layer), Effect.timeout("50 seconds"))
  )

  it.live("done again after a crash shows itself in the same placeholder and says it once", () =>
    Effect.gen(function* () {
      const { emulator, chat } = yield* person
      const group = yield* emulator.createGroup({ title: "Team", members: [chat] })
      yield* dispatching
      const turn = turnIn(group.id)
      const streaming = yield* Streaming
      const before = (yield* emulator.messages({ chat: group.id })).length
      const killed = yield* Effect.forkChild(streaming.show(turn, paced(growing(100), 100)))
      yield* Effect.sleep("1500 millis")
      yield* Fiber.interrupt(killed)
      yield* streaming.show(turn, paced(growing(12), 100))
      yield* answer(turn, plain("the answer"))
      yield* answer(turn, plain("the answer"))
      yield* eventually(
        "it is the answer",
        Effect.map(emulator.messages({ chat: group.id }), ([last]) => last?.text === "the answer")
      )
      assert.lengthOf(yield* emulator.messages({ chat: group.id }), before + 1)
    }).pipe(Effect.scoped, Effect.provide(layer), Effect.timeout("50 seconds"))
  )
})
