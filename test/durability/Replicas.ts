/**
 * Three replicas under load, of which one after the other is killed, frozen or restarted, and what must be true of
 * it whatever is done to them.
 */
import { NodeServices } from "@effect/platform-node"
import { assert } from "@effect/vitest"
import { Console, Effect, Fiber, Layer, Random } from "effect"
import { Blobs } from "../../src/knowledge/Blobs.ts"
import { GitProjection } from "../../src/knowledge/GitProjection.ts"
import { RevisionLog } from "../../src/knowledge/RevisionLog.ts"
import { BotApiEmulator } from "../../src/sandbox/Control.ts"
import { eventually } from "../support/Application.ts"
import { emulatorLayer } from "../support/emulator.ts"
import { TestDatabase } from "../support/Postgres.ts"
import { TestRedis } from "../support/redis.ts"
import { cluster, type Replica, type Way, watchLocks } from "./replicas/Cluster.ts"
import * as Evidence from "./replicas/Evidence.ts"
import { fleet } from "./replicas/Fleet.ts"

export interface Campaign {
  readonly seed: number
  readonly people: number
  readonly bots: number
  /** How often one is killed with -9, frozen for some seconds, frozen for longer than any lease lives. */
  readonly kills: number
  readonly naps: number
  readonly comas: number
}

interface Blow {
  readonly way: Way
  /** Of those that are up then. */
  readonly victim: number
  /** Milliseconds until it is had back, and until the next blow. */
  readonly down: number
  readonly pause: number
}

const between = (least: number, most: number) => Random.nextIntBetween(least, most)

const blowsOf = Effect.fnUntraced(function* ({ comas, kills, naps }: Campaign) {
  const several = (count: number, way: Way, least: number, most: number) =>
    Effect.forEach(Array.from({ length: count }), () =>
      Effect.gen(function* () {
        return {
          way,
          victim: yield* between(0, 100),
          down: yield* between(least, most),
          pause: yield* between(2_500, 6_000)
        } satisfies Blow
      })
    )
  const [longest, ...longer] = yield* several(comas, "SIGSTOP", 18_000, 22_000)
  const others = [
    ...longer,
    ...(yield* several(kills, "SIGKILL", 0, 4_000)),
    ...(yield* several(naps, "SIGSTOP", 500, 9_000))
  ]
  // While the first lies there the others are struck.
  return [...(longest === undefined ? [] : [longest]), ...(yield* Random.shuffle(others))]
})

const play = Effect.fnUntraced(function* (campaign: Campaign) {
  const emulator = yield* BotApiEmulator
  const ask = yield* Evidence.asking
  const people = yield* Effect.forEach(Array.from({ length: campaign.people }), (_, index) =>
    emulator.createUser({ firstName: `Person ${index}` })
  )
  const all = yield* fleet(
    campaign.bots - 1,
    people.map(({ id }) => id)
  )
  const blows = yield* blowsOf(campaign)
  const { polls, replicas } = yield* cluster(3)
  const held = yield* watchLocks(all)
  const output = () => replicas.map(({ lives }) => lives.at(-1)?.output().slice(-3_000)).join("\n---\n")

  const told = new Map(all.map(({ tenant }) => [tenant, new Set<string>()]))
  let updates = 0
  const say = Effect.gen(function* () {
    const bot = all[yield* between(0, all.length - 1)]!
    const { id: chat } = people[yield* between(0, people.length - 1)]!
    const words = Array.from({ length: yield* between(1, 3) }, () => `w${updates++}x`)
    yield* emulator.sendTexts({ messages: words.map((text) => ({ bot: bot.id, chat, text })) })
    for (const word of words) told.get(bot.tenant)!.add(word)
    yield* Effect.sleep(yield* between(60, 240))
  })
  const speaking = yield* Effect.forkScoped(Effect.forever(say))

  const up = (one: Replica) => one.state() === "running"
  for (const blow of blows) {
    const standing = replicas.filter(up)
    const victim = standing[blow.victim % standing.length]!
    yield* victim.strike(blow.way)
    yield* Effect.forkScoped(Effect.andThen(Effect.delay(victim.revive, blow.down), victim.ready))
    yield* Effect.sleep(blow.pause)
    // Somebody is always left to take over.
    yield* eventually(
      "two are up",
      Effect.sync(() => replicas.filter(up).length > 1),
      { detail: output }
    )
  }
  const allReady = eventually(
    "all are up",
    Effect.sync(() => replicas.every(up)),
    { detail: output }
  ).pipe(Effect.andThen(Effect.forEach(replicas, ({ ready }) => ready)))
  yield* allReady
  // As an operator brings a new version: one after the other, while people go on writing.
  for (const one of replicas) {
    yield* one.strike("SIGTERM")
    yield* one.revive
    yield* one.ready
  }
  yield* Fiber.interrupt(speaking)

  const pending = Effect.map(
    Effect.forEach(all, ({ id }) => emulator.pending({ bot: id })),
    (counts) => counts.reduce((sum, { count }) => sum + count, 0)
  )
  let open: string | undefined
  yield* eventually(
    "everything is done",
    Effect.map(
      Effect.flatMap(pending, (count) => Evidence.left(ask, count)),
      (found) => {
        open = found
        return found === undefined
      }
    ),
    { seconds: 120, detail: () => `${open}\n${output()}` }
  )
  const units = Evidence.unitsOf(replicas)
  for (const one of replicas) yield* one.strike("SIGTERM")

  const notes = yield* Effect.forEach(told, ([tenant, markers]) => Evidence.checkNotes(tenant, markers))
  const made = notes.reduce((sum, one) => sum + one.notes, 0)
  const waits = yield* Evidence.waits(ask)
  return {
    problems: [
      ...notes.flatMap((one) => one.problems),
      ...(yield* Evidence.checkRows(ask, updates, made)),
      ...Evidence.checkPolls(polls, held, replicas)
    ],
    figures: {
      blows: blows.length,
      updates,
      notes: made,
      units,
      moves: Evidence.moves(polls),
      polls: polls.length,
      slowestMessages: waits.slice(0, 3),
      longestSilences: Evidence.silences(polls).slice(0, 3)
    }
  }
})

const knowledge = GitProjection.layer({ directory: "/nonexistent" }).pipe(
  Layer.provide([RevisionLog.layer, Blobs.layer])
)

/** Fails with everything that is not as promised. */
export const prove = (campaign: Campaign): Effect.Effect<void, unknown> =>
  Effect.gen(function* () {
    yield* Console.log(`replicas: DURABILITY_SEED=${campaign.seed}`)
    const { problems, figures } = yield* Random.withSeed(play(campaign), campaign.seed)
    yield* Console.log(`replicas: ${JSON.stringify(figures)}`)
    assert.deepStrictEqual(problems, [], `seed ${campaign.seed}`)
    // Vacuous with less: each has worked, and bots have gone from one to another.
    for (const count of figures.units) assert.isAbove(count, figures.notes / 20)
    assert.isAbove(figures.moves, campaign.bots)
  }).pipe(
    Effect.provide(
      knowledge.pipe(
        Layer.provideMerge(Layer.mergeAll(TestDatabase.layer, TestRedis.layer, emulatorLayer())),
        Layer.provideMerge(NodeServices.layer)
      )
    ),
    Effect.scoped
  )
