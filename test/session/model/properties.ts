/** What holds on every walk, as many as are asked for. */
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { moves } from "../../../src/session/SessionState.ts"
import { stories } from "./stories.ts"
import { walked } from "./Walk.ts"

const wanted = new Set(moves.filter(({ kind }) => kind === "user").map(({ reason }) => reason))

export const lawful = ({ runs }: { readonly runs: number }) =>
  Effect.gen(function* () {
    const made = yield* walked(runs, stories)
    // Vacuous if hardly anything happened.
    assert.sameMembers([...new Set(made.map(({ reason }) => reason))], [...wanted])
  })
