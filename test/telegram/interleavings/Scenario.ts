/**
 * Anything that may happen while the bot speaks: what is said, what Telegram and the network do to it, and how
 * dispatchers end. Made by fast-check, played in a world, judged by what was left.
 */
import { Effect } from "effect"
import fc from "fast-check"
import { type Failpoint, failpoints } from "../../../src/ops/Failpoint.ts"
import type { FaultEffect } from "../../../src/sandbox/Fault.ts"
import { checkLimits, checkOrder, checkParks, checkRounds, checkRows } from "./Evidence.ts"
import { edit, type Place, resolve, said, send } from "./Places.ts"
import type { World } from "./World.ts"

const placeCount = 6
/** The first of them are parked where nothing else goes wrong. */
export const parkedPlaces = 2

export type Step =
  | {
      readonly _tag: "Say"
      readonly place: number
      readonly count: number
      readonly delivery: "result" | "chatter"
      readonly urgency: "interactive" | "broadcast"
    }
  /** A status message, and its result so many milliseconds later. */
  | { readonly _tag: "Status"; readonly place: number; readonly later: number }
  | { readonly _tag: "Edit"; readonly place: number }
  | { readonly _tag: "Progress"; readonly place: number }
  | { readonly _tag: "Typing"; readonly place: number }
  | { readonly _tag: "React"; readonly place: number }
  /** `place` absent: wherever the next call goes. */
  | { readonly _tag: "Fault"; readonly place?: number; readonly effect: FaultEffect; readonly times: number }
  | { readonly _tag: "Interrupt"; readonly rest: number }
  | { readonly _tag: "Kill"; readonly rest: number }
  | { readonly _tag: "KillAt"; readonly name: Failpoint; readonly count: number; readonly rest: number }

/** After so many milliseconds. */
export type Moment = readonly [after: number, step: Step]
export type Scenario = ReadonlyArray<Moment>

const place = fc.nat(placeCount - 1)
const rest = fc.integer({ min: 60, max: 4_000 })
const flag = fc.boolean()

const limited = fc
  .integer({ min: 1, max: 40 })
  .map((retryAfter): FaultEffect => ({ _tag: "Refuse", code: 429, retryAfter }))
const trouble: fc.Arbitrary<FaultEffect> = fc.oneof(
  fc.constant<FaultEffect>({ _tag: "Refuse", code: 500 }),
  flag.map((processed): FaultEffect => ({ _tag: "Html", status: 502, processed })),
  fc.constant<FaultEffect>({ _tag: "DropBefore" }),
  fc.constant<FaultEffect>({ _tag: "DropAfter" }),
  flag.map((processed): FaultEffect => ({ _tag: "Reset", processed })),
  fc.constant<FaultEffect>({ _tag: "Truncate" }),
  flag.map((processed): FaultEffect => ({ _tag: "HalfClose", processed })),
  flag.map((processed): FaultEffect => ({ _tag: "Hang", processed })),
  fc.integer({ min: 100, max: 6_000 }).map((millis): FaultEffect => ({ _tag: "Delay", millis }))
)

const say = fc.record({
  _tag: fc.constant("Say" as const),
  place,
  count: fc.integer({ min: 1, max: 6 }),
  delivery: fc.constantFrom("result" as const, "result" as const, "chatter" as const),
  urgency: fc.constantFrom("interactive" as const, "interactive" as const, "broadcast" as const)
})
const small = (tag: "Edit" | "Progress" | "Typing" | "React") =>
  place.map((at): Step => ({ _tag: tag, place: at }))
const park = fc
  .tuple(place, limited, fc.integer({ min: 1, max: 2 }))
  .map(([at, effect, times]): Step => ({ _tag: "Fault", place: at, effect, times }))

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: say },
  {
    weight: 3,
    arbitrary: fc
      .tuple(place, fc.integer({ min: 0, max: 3_000 }))
      .map(([at, later]): Step => ({ _tag: "Status", place: at, later }))
  },
  { weight: 1, arbitrary: small("Edit") },
  { weight: 1, arbitrary: small("Progress") },
  { weight: 1, arbitrary: small("Typing") },
  { weight: 1, arbitrary: small("React") },
  { weight: 3, arbitrary: park },
  {
    weight: 1,
    arbitrary: fc
      .tuple(limited, fc.integer({ min: 3, max: 6 }))
      .map(([effect, times]): Step => ({ _tag: "Fault", effect, times }))
  },
  {
    weight: 4,
    arbitrary: fc.tuple(fc.option(place, { nil: undefined }), trouble, fc.integer({ min: 1, max: 3 })).map(
      ([at, effect, times]): Step => ({
        _tag: "Fault",
        ...(at === undefined ? {} : { place: at }),
        effect,
        times
      })
    )
  },
  { weight: 1, arbitrary: rest.map((millis): Step => ({ _tag: "Interrupt", rest: millis })) },
  { weight: 1, arbitrary: rest.map((millis): Step => ({ _tag: "Kill", rest: millis })) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(
        fc.constantFrom(...failpoints.filter((name) => ["claimed", "sent", "settled"].includes(name))),
        fc.integer({ min: 1, max: 5 }),
        rest
      )
      .map(([name, count, millis]): Step => ({ _tag: "KillAt", name, count, rest: millis }))
  }
)

const after = fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 300 }), fc.integer({ min: 300, max: 8_000 }))

const moments = (one: fc.Arbitrary<Step>) =>
  fc.array(fc.tuple(after, one) as fc.Arbitrary<Moment>, { minLength: 3, maxLength: 24 })

/** Everything at once. */
export const anything: fc.Arbitrary<Scenario> = moments(step)

/** Two chats are parked again and again, for long; nothing else goes wrong, and nothing is said out of turn. */
export const onlyParks: fc.Arbitrary<Scenario> = moments(
  fc.oneof(
    { weight: 3, arbitrary: say.map((one): Step => ({ ...one, urgency: "interactive" })) },
    {
      weight: 2,
      arbitrary: fc.tuple(fc.nat(parkedPlaces - 1), fc.integer({ min: 20, max: 120 })).map(
        ([at, retryAfter]): Step => ({
          _tag: "Fault",
          place: at,
          effect: { _tag: "Refuse", code: 429, retryAfter },
          times: 1
        })
      )
    }
  )
)

/** Plays it in a world until nothing is left to send. Returns what went on being open, if anything did. */
export const play = Effect.fnUntraced(function* (
  world: World,
  places: ReadonlyArray<Place>,
  scenario: Scenario
) {
  const { emulator } = world
  let names = 0
  const key = (word: string) => `${word} ${++names}`

  const act = Effect.fnUntraced(function* (one: Step) {
    const at = "place" in one && one.place !== undefined ? places[one.place]! : undefined
    switch (one._tag) {
      case "Say":
        return yield* world.say(
          Array.from({ length: one.count }, () => {
            const name = key(one.delivery)
            const { delivery, urgency } = one
            return { address: at!.address, key: name, delivery, urgency, action: send(name) }
          })
        )
      case "Status": {
        const status = key("status")
        const { address } = at!
        yield* world.say([{ address, key: status, delivery: "chatter", action: send(status) }])
        yield* Effect.sleep(one.later)
        const result = key("resolve")
        return yield* world.say([
          { address, key: result, delivery: "result", action: resolve(status, result) }
        ])
      }
      case "Edit": {
        const name = key("edit")
        const { address, placeholder } = at!
        return yield* world.say([{ address, key: name, delivery: "result", action: edit(placeholder, name) }])
      }
      case "Progress":
        return yield* world.aside((port) =>
          port.edit(at!.address, at!.placeholder, said(key("progress")), { urgency: "progress" })
        )
      case "Typing":
        return yield* world.aside((port) => port.typing(at!.address))
      case "React":
        return yield* world.aside((port) => port.react(at!.address, at!.placeholder, "👍"))
      case "Fault":
        return yield* Effect.orDie(
          emulator.addFault({
            effect: one.effect,
            times: one.times,
            ...(at === undefined ? {} : { chat: at.address.chat })
          })
        )
      case "Interrupt":
        return yield* world.ended("interrupted", one.rest)
      case "Kill":
        return yield* world.ended("killed", one.rest)
      case "KillAt":
        return yield* world.arm(one.name, one.count, one.rest)
    }
  })

  yield* world.begin
  for (const [delay, one] of scenario) {
    yield* Effect.sleep(delay)
    yield* act(one)
  }
  yield* world.disarm
  yield* Effect.orDie(emulator.clearFaults({}))
  yield* world.finished
})

/** Everything that is wrong with what was left. */
export const judge = Effect.fnUntraced(function* (world: World) {
  const rows = yield* world.rows
  const journal = yield* world.journal
  const happened = world.happened(journal)
  return {
    rows,
    journal,
    happened,
    problems: [
      ...checkRows(rows, happened, world),
      ...checkOrder(rows, happened),
      ...checkParks(journal, world.endings),
      ...checkLimits(journal),
      ...checkRounds(world.rounds(), journal)
    ]
  }
})
