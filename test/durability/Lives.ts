/**
 * The lives of one assistant on one DATA_DIR: started, ended in some way while people go on writing, started
 * again, and in the end looked at.
 */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { Clock, Duration, Effect, Fiber, Queue, Random } from "effect"
import type { Failpoint } from "../../src/ops/Failpoint.ts"
import { BotApiEmulator } from "../../src/sandbox/Control.ts"
import { type Application, eventually, launch, ready } from "../support/Application.ts"
import { atRest, type Figures, type Inspected, inspect } from "./Inspect.ts"
import { makeTeller, people, type Step, steps } from "./Story.ts"

/** How one life of the process ends. Milliseconds. */
export type End =
  /** With -9, at the `count`th time it gets to this place. */
  | { readonly _tag: "Failpoint"; readonly name: Failpoint; readonly count: number }
  /** By a signal, this long after its launch or after it was ready. */
  | {
      readonly _tag: "Signal"
      readonly signal: "SIGKILL" | "SIGTERM"
      readonly from: "launch" | "ready"
      readonly after: number
    }
  /** It goes on; its PostgreSQL is killed with -9 so often, at these distances. */
  | { readonly _tag: "Postgres"; readonly after: ReadonlyArray<number> }

export interface Campaign extends Inspected {
  readonly seed: number
  readonly updates: number
  readonly places: number
  readonly ends: ReadonlyArray<End>
  /** How updates come; by polls unless said otherwise. */
  readonly by?: "webhook"
}

export interface Outcome {
  /** What is not as promised; empty when all is well. */
  readonly problems: ReadonlyArray<string>
  readonly figures: Figures & { readonly lives: number; readonly slowestExit: number }
}

/** The process id of the PostgreSQL of a DATA_DIR, if there is one. */
const postmaster = (dataDir: string): number | undefined => {
  try {
    return Number.parseInt(readFileSync(join(dataDir, "db", "data", "postmaster.pid"), "utf8"), 10)
  } catch {
    return undefined
  }
}

/** Kills it; true when there was one. */
const killPostgres = (dataDir: string): boolean => {
  const pid = postmaster(dataDir)
  if (pid === undefined || Number.isNaN(pid)) return false
  try {
    return process.kill(pid, "SIGKILL")
  } catch {
    return false
  }
}

/** The promise: a SIGTERM is obeyed within this long. Milliseconds. */
export const exitLimit = 5_000

export const environment = { NOTE_WINDOW: "1 second", NOTE_WINDOW_MAX: "4 seconds" }

/** Shares of a whole, as even as they can be. */
const share = <A>(all: ReadonlyArray<A>, parts: number, part: number): ReadonlyArray<A> =>
  all.slice(Math.floor((all.length * part) / parts), Math.floor((all.length * (part + 1)) / parts))

/**
 * Runs the lives of a campaign against the emulator in context and inspects what they left. People keep
 * writing through every downtime; the last life is let finish.
 */
export const live = (campaign: Campaign): Effect.Effect<Outcome, unknown, BotApiEmulator> =>
  Effect.gen(function* () {
    const { dataDir, ends } = campaign
    const telegram = yield* BotApiEmulator
    const places = yield* people(campaign.places)
    const { tell, told } = yield* makeTeller(places)
    const problems: Array<string> = []
    let slowestExit = 0
    let slowestStart = 0

    const { story, beyond } = yield* steps({ updates: campaign.updates, places: places.length })
    const queue = yield* Queue.unbounded<Step>()
    let waiting = 0
    const say = (all: ReadonlyArray<Step>) =>
      Effect.suspend(() => {
        waiting += all.length
        return Queue.offerAll(queue, all)
      })
    const speaker = yield* Effect.forkScoped(
      Effect.forever(
        Effect.gen(function* () {
          yield* tell(yield* Queue.take(queue))
          waiting -= 1
          yield* Effect.sleep(yield* Random.nextIntBetween(1, 60))
        })
      )
    )
    const everythingSaid = Effect.raceFirst(
      Fiber.join(speaker),
      eventually(
        "everything is said",
        Effect.sync(() => waiting === 0),
        { seconds: 300 }
      )
    )

    const begin = (failpoint?: { readonly name: string; readonly count: number }) =>
      launch({
        dataDir,
        emulator: telegram,
        env: environment,
        ...(campaign.by === undefined ? {} : { webhookSecret: "0123456789abcdef" }),
        ...(failpoint === undefined ? {} : { failpoint })
      })

    const started = Effect.fnUntraced(function* (application: Application) {
      const [duration] = yield* Effect.timed(ready(application))
      slowestStart = Math.max(slowestStart, Duration.toMillis(duration))
    })

    const stop = Effect.fnUntraced(function* (application: Application, when: string) {
      const { code, signal, millis } = yield* application.signal("SIGTERM")
      slowestExit = Math.max(slowestExit, millis)
      // A machine on which even a start takes longer is too busy to tell.
      if (millis > Math.max(exitLimit, slowestStart)) problems.push(`${when}: SIGTERM took ${millis} ms`)
      if (signal === "SIGKILL" || (code !== null && code !== 0 && code !== 130 && code !== 143)) {
        problems.push(`${when}: SIGTERM ended with ${code ?? signal}\n${application.output().slice(-2000)}`)
      }
    })

    const lifeOf = Effect.fnUntraced(function* (end: End, nth: number) {
      const when = `life ${nth}`
      switch (end._tag) {
        case "Failpoint": {
          const application = yield* begin(end)
          const urging = Effect.forever(
            Effect.gen(function* () {
              yield* Effect.sleep("1 second")
              if (waiting === 0) yield* say(beyond.splice(0, 1))
            })
          )
          const ended = yield* Effect.raceFirst(application.ended, urging).pipe(
            Effect.timeoutOrElse({ duration: "2 minutes", orElse: () => Effect.succeed(undefined) })
          )
          if (ended?.signal !== "SIGKILL") {
            problems.push(
              `${when}: never got to "${end.name}" ${end.count} times (${ended?.code})\n${application.output().slice(-2000)}`
            )
            yield* application.signal("SIGKILL")
          }
          return
        }
        case "Signal": {
          const application = yield* begin()
          if (end.from === "ready") yield* started(application)
          yield* Effect.sleep(end.after)
          if (end.signal === "SIGTERM") yield* stop(application, when)
          else yield* application.signal("SIGKILL")
          return
        }
        case "Postgres": {
          const application = yield* begin()
          yield* started(application)
          for (const after of end.after) {
            yield* Effect.sleep(after)
            yield* eventually(
              "there is a PostgreSQL to kill",
              Effect.sync(() => killPostgres(dataDir)),
              { detail: application.output }
            )
          }
          const survived = yield* Effect.raceFirst(
            Effect.as(application.ended, false),
            Effect.as(ready(application), true)
          )
          if (!survived) problems.push(`${when}: the process ended with its PostgreSQL`)
          else yield* stop(application, when)
          return
        }
      }
    })

    const begun = yield* Clock.currentTimeMillis
    for (const [nth, end] of ends.entries()) {
      yield* say(share(story, ends.length + 1, nth))
      yield* Effect.scoped(lifeOf(end, nth + 1))
    }
    yield* say(share(story, ends.length + 1, ends.length))

    const figures = yield* Effect.scoped(
      Effect.gen(function* () {
        const application = yield* begin()
        yield* started(application)
        yield* everythingSaid
        const left = yield* atRest(
          dataDir,
          Effect.map(telegram.pending({}), ({ count }) => count),
          told
        )
        if (left !== undefined)
          problems.push(`it never came to rest: ${left}\n${application.output().slice(-4000)}`)
        yield* stop(application, "the last life")
        const inspected = yield* inspect(campaign, places, told)
        problems.push(...inspected.problems)
        return inspected.figures
      })
    )
    const seconds = Math.round(((yield* Clock.currentTimeMillis) - begun) / 1000)
    return {
      problems: problems.map((problem) => `[seed ${campaign.seed}] ${problem}`),
      figures: { ...figures, lives: ends.length + 1, slowestExit, seconds }
    }
  }).pipe(Effect.scoped, Random.withSeed(campaign.seed))
