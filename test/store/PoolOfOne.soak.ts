import { it } from "@effect/vitest"
import { Console, Effect } from "effect"
import { seed } from "../support/seed.ts"
import { interleaved } from "./isolation/PoolOfOne.ts"

it.live(
  "ten thousand checkouts of the one connection: no tenant meets another",
  () =>
    Effect.gen(function* () {
      yield* Console.log(`pool of one: SEED=${seed} ${JSON.stringify(yield* interleaved(10_000, seed))}`)
    }),
  900_000
)
