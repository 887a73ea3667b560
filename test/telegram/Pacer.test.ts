import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import fc from "fast-check"
import { ChatId, defaultApp, defaultTenant } from "../../src/domain/Ids.ts"
import * as Pace from "../../src/telegram/PaceRules.ts"
import { Pacer } from "../../src/telegram/Pacer.ts"

const bot = { tenant: defaultTenant, app: defaultApp }
const chats = [1, 2, 3, -4].map((id) => ChatId.make(id))

interface Wish {
  readonly after: number
  readonly chat: ChatId
  readonly urgency: Pace.Urgency
}
const wishes: fc.Arbitrary<ReadonlyArray<Wish>> = fc.array(
  fc.record({
    after: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 900 }), fc.integer({ min: 0, max: 20_000 })),
    chat: fc.constantFrom(...chats),
    urgency: fc.constantFrom<Pace.Urgency>("interactive", "broadcast")
  }),
  { maxLength: 120 }
)

/** What was let through, by an arrival after the other, with the Pacer's own clock standing in for time. */
const through = (all: ReadonlyArray<Wish>) =>
  Effect.gen(function* () {
    const pacer = yield* Pacer
    const sent: Array<{ readonly at: number; readonly chat: ChatId; readonly urgency: Pace.Urgency }> = []
    for (const { after, chat, urgency } of all) {
      yield* TestClock.adjust(after)
      const place = yield* pacer.take(bot, { chat, urgency })
      if (place._tag === "Taken") sent.push({ at: yield* Clock.currentTimeMillis, chat, urgency })
    }
    return sent
  }).pipe(Effect.provide(Pacer.layer))

const most = (times: ReadonlyArray<number>, window: number) =>
  Math.max(0, ...times.map((start) => times.filter((at) => at >= start && at < start + window).length))

const property = <A>(arbitrary: fc.Arbitrary<A>, check: (value: A) => Effect.Effect<void>) =>
  Effect.promise(() =>
    fc.assert(
      fc.asyncProperty(arbitrary, (value) =>
        Effect.runPromise(check(value).pipe(Effect.provide(TestClock.layer()), Effect.scoped))
      ),
      { numRuns: 150 }
    )
  )

describe("Pacer", () => {
  it.live("never lets more into a chat than three and one a second", () =>
    property(wishes, (all) =>
      Effect.map(through(all), (sent) => {
        for (const chat of chats) {
          const times = sent.filter((one) => one.chat === chat).map(({ at }) => at)
          for (const seconds of [1, 2, 5, 30]) assert.isAtMost(most(times, seconds * 1_000), 2 + seconds)
        }
      })
    )
  )

  it.live("never lets more than twenty a minute into a group", () =>
    property(fc.array(fc.integer({ min: 0, max: 2_500 }), { minLength: 30, maxLength: 120 }), (gaps) =>
      Effect.map(
        through(gaps.map((after) => ({ after, chat: chats[3]!, urgency: "interactive" }))),
        (sent) => {
          assert.isAtMost(
            most(
              sent.map(({ at }) => at),
              60_000
            ),
            20
          )
        }
      )
    )
  )

  it.live("never lets unsolicited messages push a bot over 28 a second, and lets replies pass them", () =>
    property(fc.array(fc.integer({ min: 0, max: 60 }), { minLength: 60, maxLength: 200 }), (gaps) =>
      Effect.gen(function* () {
        // A chat of its own for each: only the bot's budget counts.
        const all = gaps.map(
          (after, index): Wish => ({
            after,
            chat: ChatId.make(1_000 + index),
            urgency: index % 5 === 0 ? "interactive" : "broadcast"
          })
        )
        const sent = yield* through(all)
        const replies = all.filter(({ urgency }) => urgency === "interactive").length
        assert.strictEqual(sent.filter(({ urgency }) => urgency === "interactive").length, replies)
        sent.forEach(({ at, urgency }, index) => {
          const before = sent.slice(0, index).filter((other) => other.at > at - 1_000).length
          if (urgency === "broadcast") assert.isBelow(before, 28)
        })
      })
    )
  )

  it.live("decides for a chat as if the others were not there", () =>
    property(wishes, (all) =>
      Effect.gen(function* () {
        const replies = all.map((wish) => ({ ...wish, urgency: "interactive" as const }))
        const together = yield* through(replies)
        for (const chat of chats) {
          let waited = 0
          const alone: Array<Wish> = []
          for (const wish of replies) {
            waited += wish.after
            if (wish.chat !== chat) continue
            alone.push({ ...wish, after: waited })
            waited = 0
          }
          const count = (yield* through(alone)).length
          assert.strictEqual(together.filter((one) => one.chat === chat).length, count)
        }
      })
    )
  )

  it.live("always names a time at which there is a place, and no earlier one", () =>
    property(wishes, (all) =>
      Effect.gen(function* () {
        const pacer = yield* Pacer
        for (const { after, chat, urgency } of all) {
          yield* TestClock.adjust(after)
          const place = yield* pacer.take(bot, { chat, urgency })
          if (place._tag === "Taken") continue
          yield* TestClock.adjust(place.at - (yield* Clock.currentTimeMillis) - 1)
          assert.strictEqual((yield* pacer.take(bot, { chat, urgency }))._tag, "Later")
          yield* TestClock.adjust(1)
          assert.strictEqual((yield* pacer.take(bot, { chat, urgency }))._tag, "Taken")
        }
      }).pipe(Effect.provide(Pacer.layer))
    )
  )

  it.effect("keeps a parked chat silent until its deadline, and lets the others speak", () =>
    Effect.gen(function* () {
      const pacer = yield* Pacer
      const [one, two] = [chats[0]!, chats[1]!]
      const until = yield* pacer.park(bot, one, 7)
      assert.isAtLeast(until, 7_050)
      yield* TestClock.adjust(until - 1)
      assert.deepStrictEqual(yield* pacer.take(bot, { chat: one, urgency: "interactive" }), {
        _tag: "Later",
        at: until,
        because: "parked"
      })
      assert.strictEqual((yield* pacer.take(bot, { chat: two, urgency: "interactive" }))._tag, "Taken")
      yield* TestClock.adjust(1)
      assert.strictEqual((yield* pacer.take(bot, { chat: one, urgency: "interactive" }))._tag, "Taken")
    }).pipe(Effect.provide(Pacer.layer))
  )

  it.effect("combines parks by their latest deadline", () =>
    Effect.gen(function* () {
      const pacer = yield* Pacer
      const long = yield* pacer.park(bot, chats[0]!, 30)
      assert.strictEqual(yield* pacer.park(bot, chats[0]!, 1), long)
    }).pipe(Effect.provide(Pacer.layer))
  )

  it.effect("parks the bot when three chats are parked within two seconds, not when over a longer time", () =>
    Effect.gen(function* () {
      const pacer = yield* Pacer
      const other = chats[3]!
      for (const chat of chats.slice(0, 3)) {
        yield* pacer.park(bot, chat, 60)
        yield* TestClock.adjust("1 second")
      }
      // The first and the third are two seconds apart.
      assert.strictEqual((yield* pacer.take(bot, { chat: other, urgency: "interactive" }))._tag, "Taken")
      yield* TestClock.adjust("1 minute")
      const deadlines = yield* Effect.forEach(chats.slice(0, 3), (chat) => pacer.park(bot, chat, 5))
      const place = yield* pacer.take(bot, { chat: other, urgency: "interactive" })
      assert.deepStrictEqual(place, { _tag: "Later", at: Math.max(...deadlines), because: "parked" })
    }).pipe(Effect.provide(Pacer.layer))
  )

  it.effect("lets nobody wait until a clock that was set back shows the old time again", () =>
    Effect.gen(function* () {
      const pacer = yield* Pacer
      const [one, two] = [chats[0]!, chats[1]!]
      yield* TestClock.setTime(3_600_000)
      const take = (chat: ChatId) => pacer.take(bot, { chat, urgency: "interactive" })
      for (let taken = 0; taken < 3; taken++) yield* take(one)
      yield* pacer.park(bot, two, 5)
      while ((yield* pacer.repeat(bot)) === undefined);
      yield* TestClock.setTime(0)
      assert.deepStrictEqual(yield* take(one), { _tag: "Later", at: 1_000, because: "chat" })
      yield* TestClock.setTime(4_999)
      assert.strictEqual((yield* take(two))._tag, "Later")
      yield* TestClock.setTime(6_000)
      assert.strictEqual((yield* take(two))._tag, "Taken")
      assert.isUndefined(yield* pacer.repeat(bot))
    }).pipe(Effect.provide(Pacer.layer))
  )

  it.effect("waits for a place that comes soon and refuses a long wait at once", () =>
    Effect.gen(function* () {
      const pacer = yield* Pacer
      const chat = chats[0]!
      for (let sent = 0; sent < 3; sent++) yield* pacer.take(bot, { chat, urgency: "interactive" })
      const soon = yield* Effect.forkChild(pacer.wait(bot, { chat, urgency: "interactive" }, "5 seconds"), {
        startImmediately: true
      })
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* Fiber.join(soon))._tag, "Taken")
      yield* pacer.park(bot, chat, 60)
      assert.strictEqual(
        (yield* pacer.wait(bot, { chat, urgency: "interactive" }, "5 seconds"))._tag,
        "Later"
      )
    }).pipe(Effect.provide(Pacer.layer))
  )

  it.effect("forgets chats that are idle, and no others", () =>
    Effect.gen(function* () {
      const pacer = yield* Pacer
      for (let id = 1; id <= 5_000; id++)
        yield* pacer.take(bot, { chat: ChatId.make(id), urgency: "interactive" })
      yield* pacer.park(bot, ChatId.make(-7), 300)
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* pacer.size, 1)
      yield* TestClock.adjust("5 minutes")
      assert.strictEqual(yield* pacer.size, 0)
    }).pipe(Effect.provide(Pacer.layer))
  )

  it.effect("remembers nothing of 1,000,000 chats after a minute", () =>
    Effect.gen(function* () {
      const pacer = yield* Pacer
      for (let id = 1; id <= 1_000_000; id++)
        yield* pacer.claim(bot, { chat: ChatId.make(id % 2 === 0 ? id : -id), urgency: "interactive" })
      assert.isAbove(yield* pacer.size, 0)
      yield* TestClock.adjust("70 seconds")
      assert.strictEqual(yield* pacer.size, 0)
    }).pipe(Effect.provide(Pacer.layer))
  )

  it.effect("leaves progress edits a place only when it is not the last, and nobody waits for it", () =>
    Effect.gen(function* () {
      const pacer = yield* Pacer
      const chat = chats[0]!
      const taken = (urgency: Pace.Urgency) =>
        Effect.map(pacer.take(bot, { chat, urgency }), ({ _tag }) => _tag)
      assert.deepStrictEqual(
        [yield* taken("progress"), yield* taken("progress"), yield* taken("progress")],
        ["Taken", "Taken", "Later"]
      )
      assert.strictEqual(yield* taken("interactive"), "Taken")
      const place = yield* pacer.claim(bot, { chat, urgency: "interactive" })
      assert.deepInclude(place, { _tag: "Later", because: "chat" })
      // Two places are free by then, but one of the outbox comes for them.
      yield* TestClock.adjust("1950 millis")
      assert.strictEqual(yield* taken("progress"), "Later")
      yield* TestClock.adjust("50 millis")
      assert.strictEqual(yield* taken("interactive"), "Taken")
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* taken("progress"), "Taken")
    }).pipe(Effect.provide(Pacer.layer))
  )

  it.effect("takes a place for each item of an album, and waits for the whole burst", () =>
    Effect.gen(function* () {
      const pacer = yield* Pacer
      const group = chats[3]!
      const album = { chat: group, urgency: "interactive", cost: 10 } as const
      assert.strictEqual((yield* pacer.take(bot, album))._tag, "Taken")
      assert.deepInclude(yield* pacer.take(bot, album), { _tag: "Later", at: 10_000 })
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual((yield* pacer.take(bot, album))._tag, "Taken")
      // Twenty a minute.
      yield* TestClock.adjust("10 seconds")
      assert.deepInclude(yield* pacer.take(bot, { chat: group, urgency: "interactive" }), { at: 60_000 })
      assert.deepStrictEqual(yield* pacer.room(bot), { places: 28, at: 0 })
    }).pipe(Effect.provide(Pacer.layer))
  )

  it.effect("goes on where an earlier process ended, and counts nothing twice", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(1_000_000)
      const pacer = yield* Pacer
      const [one, two, three, group] = chats as [ChatId, ChatId, ChatId, ChatId]
      const past: Pace.Past = {
        sent: [
          ...Array.from({ length: 20 }, (_, nth) => ({ chat: group, at: 941_000 + nth * 2_000, cost: 1 })),
          ...[998_900, 999_900, 1_000_000].map((at) => ({ chat: one, at, cost: 1 }))
        ],
        parks: [
          { chat: two, at: 999_000, until: 1_030_000 },
          { chat: three, at: 999_500, until: 1_020_000 }
        ]
      }
      const at = (chat: ChatId) =>
        Effect.map(pacer.take(bot, { chat, urgency: "interactive" }), (place) =>
          place._tag === "Later" ? place.at : 0
        )
      yield* pacer.restore(bot, past)
      yield* pacer.restore(bot, past)
      assert.deepStrictEqual(
        [yield* at(group), yield* at(two), yield* at(three)],
        [1_001_000, 1_030_000, 1_020_000]
      )
      // One place of three is free: the first of the three sent is old.
      assert.deepStrictEqual([yield* at(one), yield* at(one)], [0, 1_000_900])
      const parks = [...past.parks, { chat: group, at: 1_000_000, until: 1_010_000 }]
      yield* pacer.restore(bot, { sent: [], parks })
      // Three in two seconds: it is the bot.
      assert.strictEqual(yield* at(ChatId.make(77)), 1_030_000)
    }).pipe(Effect.provide(Pacer.layer))
  )

  it("forgets nothing that would have changed a decision", () => {
    const pace = fc.record({
      clear: fc.integer({ min: 0, max: 100_000 }),
      sent: fc
        .uniqueArray(fc.integer({ min: 0, max: 100_000 }), { maxLength: 20 })
        .map((all) => all.sort((a, b) => a - b)),
      parkedUntil: fc.integer({ min: 0, max: 100_000 }),
      wantedUntil: fc.integer({ min: 0, max: 100_000 })
    })
    fc.assert(
      fc.property(pace, fc.integer({ min: 0, max: 200_000 }), (chat, now) => {
        if (!Pace.isIdle(chat, now)) return
        const forgotten = Pace.readyAt(Pace.freshBot, Pace.freshChat, "interactive")
        assert.isAtMost(Math.max(Pace.readyAt(Pace.freshBot, chat, "interactive"), forgotten), now)
      })
    )
  })
})
