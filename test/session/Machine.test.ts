import { it } from "@effect/vitest"
import { lawful } from "./model/properties.ts"

it.live(
  "a session makes moves of the table alone, each recorded and told once, and can be logged in from wherever it is",
  () => lawful({ runs: 12 }),
  600_000
)
