/** The durability tests, each in the size it is asked for: small with every change, large in the soak. */
import { assert, it } from "@effect/vitest"
import { Effect, Random } from "effect"
import { failpoints } from "../../src/ops/Failpoint.ts"
import { noRedis } from "../support/redis.ts"
import { chosenSeed, postgresKills, prove, signals } from "./Harness.ts"
import type { End } from "./Lives.ts"
import * as Replicas from "./Replicas.ts"

interface Size {
  readonly updates: number
  readonly places: number
  /** How often it is ended at a random instant. */
  readonly ends: number
  /** Vacuous with fewer: nothing was under way. */
  readonly notes: number
  readonly minutes: number
}

const minutes = (count: number) => count * 60_000

/** `hits`: how often a named place is passed before the kill, at the most. */
export const killed = (size: Size & { readonly hits: number; readonly messages: number }) =>
  it.live(
    "killed with -9 at each named place and at random instants: every message in one note, every result once",
    () =>
      Effect.gen(function* () {
        const figures = yield* prove("killed", {
          seed: yield* chosenSeed,
          updates: size.updates,
          places: size.places,
          doubts: "allowed",
          ends: Effect.gen(function* () {
            const named = yield* Effect.forEach(failpoints, (name) =>
              Effect.map(
                Random.nextIntBetween(1, size.hits),
                (count) => ({ _tag: "Failpoint", name, count }) satisfies End
              )
            )
            return yield* Random.shuffle<End>([...named, ...(yield* signals("SIGKILL", size.ends))])
          })
        })
        assert.isAbove(figures.notes, size.notes)
        assert.isAbove(figures.messages, size.messages)
      }),
    minutes(size.minutes)
  )

/** The places at which Telegram has not yet heard of what is stored, or hears that nothing is. */
export const delivered = (size: Size) =>
  it.live(
    "with updates delivered to its webhook: killed, terminated and its PostgreSQL killed, every message is in one note",
    () =>
      Effect.gen(function* () {
        const figures = yield* prove("delivered", {
          seed: yield* chosenSeed,
          by: "webhook",
          updates: size.updates,
          places: size.places,
          doubts: "allowed",
          ends: Effect.gen(function* () {
            const named = yield* Effect.forEach(["stored", "stored", "committed"] as const, (name) =>
              Effect.map(
                Random.nextIntBetween(1, 12),
                (count) => ({ _tag: "Failpoint", name, count }) satisfies End
              )
            )
            return yield* Random.shuffle<End>([
              ...named,
              ...(yield* signals("SIGKILL", size.ends)),
              ...(yield* signals("SIGTERM", size.ends)),
              ...(yield* postgresKills(size.ends))
            ])
          })
        })
        assert.isAbove(figures.notes, size.notes)
      }),
    minutes(size.minutes)
  )

export const terminated = (size: Size) =>
  it.live(
    "interrupted by SIGTERM it exits within five seconds, and nobody sees anything twice",
    () =>
      Effect.gen(function* () {
        const figures = yield* prove("terminated", {
          seed: yield* chosenSeed,
          updates: size.updates,
          places: size.places,
          doubts: "none",
          ends: signals("SIGTERM", size.ends)
        })
        assert.isAbove(figures.notes, size.notes)
      }),
    minutes(size.minutes)
  )

export const postgresKilled = (size: Size) =>
  it.live(
    "its PostgreSQL killed with -9, it goes on, loses nothing, and says nothing twice",
    () =>
      Effect.gen(function* () {
        const figures = yield* prove("postgres killed", {
          seed: yield* chosenSeed,
          updates: size.updates,
          places: size.places,
          doubts: "none",
          ends: postgresKills(size.ends)
        })
        assert.isAbove(figures.notes, size.notes)
      }),
    minutes(size.minutes)
  )

export const replicas = ({
  minutes: most,
  ...size
}: Omit<Replicas.Campaign, "seed"> & { readonly minutes: number }) =>
  it.live.skipIf(noRedis !== undefined)(
    "of three replicas killed, frozen and restarted under load, every message is in one note, and each bot has one poller",
    () => Effect.flatMap(chosenSeed, (seed) => Replicas.prove({ seed, ...size })),
    minutes(most)
  )
