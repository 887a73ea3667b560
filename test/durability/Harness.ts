/**
 * What the durability tests share: an emulator that outlives the assistant, a DATA_DIR, and campaigns made of a
 * seed. A failure names the seed; `DURABILITY_SEED=<seed>` plays the same story and the same ends again.
 */
import { assert } from "@effect/vitest"
import { Clock, Console, Effect, Random } from "effect"
import { temporaryDirectory } from "../support/Application.ts"
import { emulatorLayer } from "../support/emulator.ts"
import { usualSeed } from "../support/seed.ts"
import { type Campaign, type End, live } from "./Lives.ts"

/** The one asked for; else always the same, so that a change is to blame for a failure; the soak one of its own. */
export const chosenSeed = Effect.suspend(() => {
  const asked = process.env.DURABILITY_SEED ?? process.env.SEED ?? usualSeed
  return asked === "random"
    ? Effect.map(Clock.currentTimeMillis, (now) => now % 1_000_000)
    : Effect.succeed(Number(asked))
})

const between = (least: number, most: number) => Random.nextIntBetween(least, most)

/** Random instants: mostly of a running assistant, sometimes of one that is still starting. */
export const signals = (signal: "SIGKILL" | "SIGTERM", count: number) =>
  Effect.forEach(Array.from({ length: count }), () =>
    Effect.gen(function* () {
      const starting = (yield* between(0, 99)) < 20
      return {
        _tag: "Signal",
        signal,
        from: starting ? "launch" : "ready",
        after: yield* between(0, starting ? 1500 : 2500)
      } satisfies End
    })
  )

/** One life in which PostgreSQL is killed so often. */
export const postgresKills = (count: number) =>
  Effect.map(
    Effect.forEach(Array.from({ length: count }), () => between(100, 3000)),
    (after): ReadonlyArray<End> => [{ _tag: "Postgres", after }]
  )

export interface Settings extends Omit<Campaign, "dataDir" | "ends"> {
  /** Made with the campaign's seed. */
  readonly ends: Effect.Effect<ReadonlyArray<End>>
}

/** Plays a campaign and fails with everything that is not as promised. */
export const prove = Effect.fnUntraced(
  function* (name: string, settings: Settings) {
    const dataDir = yield* temporaryDirectory
    const ends = yield* Random.withSeed(settings.ends, settings.seed)
    // Said first: a campaign that hangs or dies can be played again too.
    yield* Console.log(`${name}: DURABILITY_SEED=${settings.seed}`)
    const { figures, problems } = yield* live({ ...settings, ends, dataDir })
    yield* Console.log(`${name}: ${JSON.stringify(figures)}`)
    assert.deepStrictEqual(problems, [], `seed ${settings.seed}`)
    return figures
  },
  Effect.provide(emulatorLayer()),
  Effect.scoped
)
