/** The two properties of delivery, played as often as asked. */
import { assert } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import fc from "fast-check"
import type { Signals } from "../../../src/store/Signals.ts"
import type { TenantScope } from "../../../src/store/TenantScope.ts"
import { freshBot, freshChat, isGroup, readyAt, spend } from "../../../src/telegram/PaceRules.ts"
import { TestDatabase } from "../../support/Postgres.ts"
import type { Happened, Row } from "./Evidence.ts"
import { anything, judge, onlyParks, parkedPlaces, play, type Scenario } from "./Scenario.ts"
import { inWorld, type Place, type World } from "./World.ts"

const property = (
  scenarios: fc.Arbitrary<Scenario>,
  runs: number,
  check: (world: World, places: ReadonlyArray<Place>, scenario: Scenario) => Effect.Effect<void>
) =>
  Effect.gen(function* () {
    const context = yield* Effect.context<TenantScope | Signals | Scope.Scope>()
    yield* Effect.promise(() =>
      fc.assert(
        fc.asyncProperty(scenarios, (scenario) =>
          Effect.runPromise(
            inWorld((world, places) => check(world, places, scenario)).pipe(Effect.provideContext(context))
          )
        ),
        { numRuns: runs, endOnFailure: process.env.SHRINK === undefined }
      )
    )
  }).pipe(Effect.provide(TestDatabase.layer), Effect.scoped)

const broken = (problems: ReadonlyArray<string>, scenario: Scenario, world: World, told: string) =>
  problems.length === 0
    ? undefined
    : [
        ...problems,
        ...scenario.map(([after, step]) => `+${after} ${JSON.stringify(step)}`),
        JSON.stringify(world.endings),
        told
      ].join("\n")

export const holds = ({ runs }: { readonly runs: number }) => {
  let effects = 0
  return property(anything, runs, (world, places, scenario) =>
    Effect.gen(function* () {
      yield* play(world, places, scenario)
      const { happened, journal, problems } = yield* judge(world)
      effects += happened.length
      const told = journal
        .map(
          ({ seq, at, method, chat, status, processed, retryAfter }) =>
            `#${seq} ${at % 10_000_000} ${method} ${chat} ${status} ${processed} ${retryAfter ?? ""}`
        )
        .join("\n")
      assert.isUndefined(broken(problems, scenario, world, told))
    })
  ).pipe(
    // Vacuous if hardly anything was said.
    Effect.tap(() => Effect.sync(() => assert.isAbove(effects, runs * 5)))
  )
}

/** What the pace of a chat alone allows, and a little for the dispatcher to notice. Milliseconds. */
const noticed = 6_000

const late = (rows: ReadonlyArray<Row & { readonly created: number }>, happened: ReadonlyArray<Happened>) => {
  const at = new Map(happened.map((one) => [one.text, one.at]))
  let pace = freshChat
  return rows.flatMap((row) => {
    const due = Math.max(row.created, readyAt(freshBot, pace, "interactive"))
    pace = spend(freshBot, pace, { group: isGroup(row.chat as never), now: due }).chat
    const came = at.get(row.text) ?? Number.POSITIVE_INFINITY
    return came <= due + noticed ? [] : [`${row.key} to ${row.chat} came ${came - due} ms late`]
  })
}

export const delaysNobody = ({ runs }: { readonly runs: number }) =>
  property(onlyParks, runs, (world, places, scenario) =>
    Effect.gen(function* () {
      yield* play(world, places, scenario)
      const { happened, journal, problems, rows } = yield* judge(world)
      const parked = new Set(places.slice(0, parkedPlaces).map(({ address }): number => address.chat))
      const free = Map.groupBy(
        rows.filter(({ chat }) => !parked.has(chat)),
        ({ chat }) => chat
      )
      const told = journal.map(
        ({ seq, at, method, chat, status }) => `#${seq} ${at} ${method} ${chat} ${status}`
      )
      const all = [
        ...problems,
        ...[...free.values()].flatMap((ofChat) => late(world.timed(ofChat), happened))
      ]
      assert.isUndefined(broken(all, scenario, world, told.join("\n")))
    })
  )
