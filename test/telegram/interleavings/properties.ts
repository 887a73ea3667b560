/** The two properties of delivery, played as often as asked. A failure tells the scenario and what Telegram saw of it. */
import { assert } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import fc from "fast-check"
import { ChatId } from "../../../src/domain/Ids.ts"
import type { JournalEntry } from "../../../src/sandbox/Views.ts"
import type { Signals } from "../../../src/store/Signals.ts"
import type { TenantScope } from "../../../src/store/TenantScope.ts"
import { freshBot, freshChat, isGroup, readyAt, spend } from "../../../src/telegram/PaceRules.ts"
import { TestDatabase } from "../../support/Postgres.ts"
import type { Happened, Row } from "./Evidence.ts"
import type { Place } from "./Places.ts"
import { anything, judge, onlyParks, parkedPlaces, play, type Scenario } from "./Scenario.ts"
import { inWorld, type World } from "./World.ts"

/** Plays each scenario in a world of its own; `check` returns what is wrong with what it left. */
const property = (
  scenarios: fc.Arbitrary<Scenario>,
  runs: number,
  check: (
    world: World,
    places: ReadonlyArray<Place>,
    judged: Effect.Success<ReturnType<typeof judge>>
  ) => ReadonlyArray<string>
) =>
  Effect.gen(function* () {
    const context = yield* Effect.context<TenantScope | Signals | Scope.Scope>()
    const run = (scenario: Scenario) =>
      inWorld((world, places) =>
        Effect.gen(function* () {
          yield* play(world, places, scenario)
          const judged = yield* judge(world)
          const problems = check(world, places, judged)
          assert.strictEqual(problems.length, 0, account(problems, scenario, world, judged.journal))
        })
      ).pipe(Effect.provideContext(context), Effect.runPromise)
    // A smaller scenario is rarely easier to read, and takes a hundred runs to find.
    const parameters = { numRuns: runs, endOnFailure: true }
    yield* Effect.promise(() => fc.assert(fc.asyncProperty(scenarios, run), parameters))
  }).pipe(Effect.provide(TestDatabase.layer), Effect.scoped)

const account = (
  problems: ReadonlyArray<string>,
  scenario: Scenario,
  world: World,
  journal: ReadonlyArray<JournalEntry>
) =>
  [
    ...problems,
    ...scenario.map(([after, step]) => `+${after} ${JSON.stringify(step)}`),
    ...world.endings.map(({ at, how }) => `${how} at ${at}`),
    ...journal.map(
      ({ seq, at, method, chat, status, processed, retryAfter = "" }) =>
        `#${seq} ${at} ${method} ${chat} ${status} ${retryAfter} ${processed ? "done" : "not done"}`
    )
  ].join("\n")

export const holds = ({ runs }: { readonly runs: number }) => {
  let happenings = 0
  return property(anything, runs, (_world, _places, { happened, problems }) => {
    happenings += happened.length
    return problems
    // Vacuous if hardly anything was said.
  }).pipe(Effect.tap(() => Effect.sync(() => assert.isAbove(happenings, runs * 5))))
}

/** Milliseconds a dispatcher may take to notice a row, should it miss its signal. */
const noticed = 6_000

/** Rows of one chat that came later than its own pace asks for. */
const late = (
  rows: ReadonlyArray<Row & { readonly created: number }>,
  happened: ReadonlyArray<Happened>
): ReadonlyArray<string> => {
  const at = new Map(happened.map((one) => [one.text, one.at]))
  let pace = freshChat
  return rows.flatMap((row) => {
    const due = Math.max(row.created, readyAt(freshBot, pace, "interactive"))
    pace = spend(freshBot, pace, { group: isGroup(ChatId.make(row.chat)), now: due }).chat
    const came = at.get(row.text) ?? Number.POSITIVE_INFINITY
    return came <= due + noticed ? [] : [`${row.key} to ${row.chat} came ${came - due} ms late`]
  })
}

export const delaysNobody = ({ runs }: { readonly runs: number }) =>
  property(onlyParks, runs, (world, places, { happened, problems, rows }) => {
    const parked = new Set(places.slice(0, parkedPlaces).map(({ address }): number => address.chat))
    const free = Map.groupBy(
      rows.filter(({ chat }) => !parked.has(chat)),
      ({ chat }) => chat
    )
    return [...problems, ...[...free.values()].flatMap((ofChat) => late(world.timed(ofChat), happened))]
  })
