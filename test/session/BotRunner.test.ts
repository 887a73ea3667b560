import { assert, describe, it } from "@effect/vitest"
import {
  Cause,
  Deferred,
  Effect,
  Fiber,
  Layer,
  Logger,
  Option,
  Queue,
  Redacted,
  SubscriptionRef
} from "effect"
import { TestClock } from "effect/testing"
import { BotId, defaultApp, defaultTenant } from "../../src/domain/Ids.ts"
import { Fences } from "../../src/lock/Fences.ts"
import { type LockStore, makeLocks } from "../../src/lock/Leasing.ts"
import { Locks, LocksUnavailable } from "../../src/lock/Locks.ts"
import { makeMemoryStore } from "../../src/lock/LocksMemory.ts"
import { leasePlan } from "../../src/lock/Renewal.ts"
import { Health } from "../../src/ops/Health.ts"
import { BotFleet } from "../../src/session/BotFleet.ts"
import { BotRunner, leaseOf } from "../../src/session/BotRunner.ts"
import { BotSessions } from "../../src/session/BotSessions.ts"
import { preferred, Replicas } from "../../src/session/Replicas.ts"
import { UnservedBots } from "../../src/session/StoredBots.ts"
import { TaskManager } from "../../src/task/TaskManager.ts"
import { BotPort, BotRecorder, Unauthorized } from "../../src/telegram/BotPort.ts"
import { Bots, botName } from "../../src/telegram/Bots.ts"
import { type Hearing, Intake } from "../../src/telegram/Intake.ts"
import { Outbox } from "../../src/telegram/Outbox.ts"

const bot = { tenant: defaultTenant, app: defaultApp }
const menus = [{ commands: [{ command: "help", description: "Help" }] }]

const bots = Bots.layer([{ ...bot, token: Redacted.make("7:secret") }])
const allServed = Layer.succeed(UnservedBots, { list: Effect.succeed([]) })
let outboxes = 0
const outbox = Layer.mock(Outbox, {
  dispatch: () =>
    Effect.andThen(
      Effect.sync(() => outboxes++),
      Effect.never
    )
})
const intake = (poll: Intake["Service"]["receive"]) =>
  Layer.succeed(Intake, { receive: poll, health: () => Effect.succeed(undefined) })

/** Locks of a process of its own; `change` puts something in the way of their store. */
const locks = (change: (store: LockStore) => Partial<LockStore> = () => ({}), shared?: LockStore) =>
  Layer.effect(
    Locks,
    Effect.gen(function* () {
      const store = shared ?? (yield* makeMemoryStore)
      let fence = 0
      return yield* makeLocks(
        { ...store, ...change(store) },
        Fences.of({ next: () => Effect.sync(() => ++fence) })
      )
    })
  )

/** What is below the runner in the process: `below` closes after it. */
const runner = (
  poll: Intake["Service"]["receive"],
  below: Layer.Layer<never> = Layer.empty,
  leases: Layer.Layer<Locks> = locks(),
  replicas: Layer.Layer<Replicas> = Replicas.layerSole
) =>
  BotRunner.layer.pipe(
    Layer.provideMerge(below),
    Layer.provideMerge(
      Layer.mergeAll(
        intake(poll),
        outbox,
        bots,
        BotPort.layerRecording,
        BotSessions.layerNone,
        leases,
        replicas
      )
    ),
    Layer.provideMerge(TaskManager.layer)
  )

/** A bot that runs, how many poll it, and whether the place of its lock is away. */
interface Outages {
  away: boolean
  pollers: number
}
const outages = (body: (world: Outages) => Effect.Effect<void>) =>
  Effect.suspend(() => {
    const world: Outages = { away: false, pollers: 0 }
    const poll = () =>
      Effect.sync(() => world.pollers++).pipe(
        Effect.andThen(Effect.never),
        Effect.ensuring(Effect.sync(() => world.pollers--))
      )
    const unreachable = Effect.fail(new LocksUnavailable({ key: "bot", reason: "away" }))
    const leases = locks((store) => ({
      acquire: (...args) => Effect.suspend(() => (world.away ? unreachable : store.acquire(...args))),
      renew: (...args) => Effect.suspend(() => (world.away ? unreachable : store.renew(...args)))
    }))
    return BotRunner.use((service) => service.start(bot, menus)).pipe(
      Effect.andThen(body(world)),
      Effect.provide(runner(poll, Layer.empty, leases))
    )
  })

/** Processes with one lock store between them, of which no two may poll at a time. */
const processes = Effect.fnUntraced(function* (replicas: (name: string) => Layer.Layer<Replicas>) {
  const running: Array<string> = []
  const store = yield* makeMemoryStore
  const poll = (name: string) => () =>
    Effect.sync(() => {
      assert.isEmpty(running)
      running.push(name)
    }).pipe(
      Effect.andThen(Effect.never),
      Effect.ensuring(Effect.sync(() => running.splice(running.indexOf(name), 1)))
    )
  const started = (name: string) =>
    Effect.gen(function* () {
      yield* (yield* BotRunner).start(bot, menus)
      return yield* Effect.never
    }).pipe(
      Effect.provide(
        runner(poll(name), Layer.empty, locks(undefined, { ...store, owner: name }), replicas(name)),
        { local: true }
      ),
      Effect.forkChild({ startImmediately: true })
    )
  return { running, started }
})

describe("BotRunner", () => {
  it.effect("its pollers have ended before what it was built on closes", () =>
    Effect.gen(function* () {
      const order: Array<string> = []
      const polling = yield* Deferred.make<void>()
      const poll = () =>
        Deferred.succeed(polling, undefined).pipe(
          Effect.andThen(Effect.never),
          Effect.ensuring(Effect.sync(() => order.push("poller")))
        )
      const below = Layer.effectDiscard(Effect.addFinalizer(() => Effect.sync(() => order.push("engine"))))
      yield* Effect.gen(function* () {
        const { start } = yield* BotRunner
        yield* start(bot, menus)
        yield* Deferred.await(polling)
      }).pipe(Effect.provide(runner(poll, below)))
      assert.deepStrictEqual(order, ["poller", "engine"])
    })
  )

  it.effect(
    "a refused token is told once as a sentence and makes us not ready, until Telegram takes it again",
    () => {
      const hearings = Effect.runSync(Queue.unbounded<Hearing>())
      const polling: Intake["Service"]["receive"] = (_bot, _id, told = () => Effect.void) =>
        Effect.forever(Effect.flatMap(Queue.take(hearings), told))
      const refused: Hearing = { _tag: "Failed", failure: { _tag: "Unauthorized" }, nth: 0, wait: 60_000 }
      const said: Array<unknown> = []
      const logger = Logger.make(({ cause, logLevel, message }) => {
        if (logLevel === "Error") said.push(message, cause)
      })
      return Effect.gen(function* () {
        const health = yield* Health
        const { follow } = yield* BotFleet
        const { refusal } = yield* BotRunner
        const recorder = yield* BotRecorder
        assert.isTrue(Option.isNone(yield* refusal(bot)))
        yield* recorder.before("setCommands", Effect.fail(new Unauthorized({ method: "setMyCommands" })))
        yield* Effect.forkChild(follow(menus))
        yield* Queue.offerAll(hearings, [refused, refused])
        yield* TestClock.adjust("1 second")
        const reason = Option.getOrThrow(yield* refusal(bot)).message
        assert.match(reason, /Telegram refuses the bot's token/)
        assert.deepStrictEqual(said, [[reason], Cause.empty])
        const { checks } = yield* health.ready
        assert.deepInclude(checks, { name: "telegram/default/default", ready: false, reason })
        const before = outboxes
        yield* recorder.before("setCommands", Effect.void)
        yield* Queue.offer(hearings, { _tag: "Answered" })
        yield* TestClock.adjust("1 second")
        assert.isTrue(Option.isNone(yield* refusal(bot)))
        assert.deepInclude((yield* health.ready).checks, { name: "telegram/default/default", ready: true })
        // What the refusal ended begins anew, once.
        yield* Queue.offer(hearings, { _tag: "Answered" })
        yield* TestClock.adjust("1 second")
        assert.strictEqual(outboxes, before + 1)
        assert.lengthOf(yield* recorder.calls, 2)
      }).pipe(
        Effect.provide(
          BotFleet.layer.pipe(
            Layer.provideMerge(runner(polling)),
            Layer.provideMerge(Layer.merge(Health.layer, allServed)),
            Layer.provideMerge(Logger.layer([logger]))
          )
        )
      )
    }
  )

  it.effect("a bot that is stopped has ended all it did, and another process can have it at once", () =>
    Effect.gen(function* () {
      const ended: Array<string> = []
      const held = (what: string) =>
        Effect.onInterrupt(Effect.never, () => Effect.sync(() => void ended.push(what)))
      const store = yield* makeMemoryStore
      yield* Effect.gen(function* () {
        const { start, stop } = yield* BotRunner
        const tasks = yield* TaskManager
        const { tryLease } = yield* Locks
        yield* start(bot, menus)
        yield* TestClock.adjust("1 second")
        const lease = tryLease(leaseOf(bot.tenant, BotId.make(7)))(Effect.void)
        assert.strictEqual((yield* Effect.flip(lease))._tag, "LockHeld")
        yield* stop(bot)
        assert.deepStrictEqual(ended, ["poller"])
        assert.deepStrictEqual(
          (yield* tasks.list).filter(({ status }) => status === "running" || status === "waiting"),
          []
        )
        yield* lease
        // Stopping what does not run is no matter, and it can be started again.
        yield* stop(bot)
        yield* start(bot, menus)
        yield* TestClock.adjust("1 second")
        assert.strictEqual((yield* Effect.flip(lease))._tag, "LockHeld")
      }).pipe(Effect.provide(runner(() => held("poller"), Layer.empty, locks(undefined, store))))
    })
  )

  it.effect("of two processes one runs the bot, and the other when that has ended", () =>
    Effect.gen(function* () {
      const { running, started } = yield* processes(() => Replicas.layerSole)
      const first = yield* started("first")
      yield* TestClock.adjust("1 second")
      yield* started("second")
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(running, ["first"])
      yield* Fiber.interrupt(first)
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(running, ["second"])
    })
  )

  it.effect("a replica that comes is given its bots, and never are two of them running one", () =>
    Effect.gen(function* () {
      const live = yield* SubscriptionRef.make<ReadonlyArray<string>>(["first"])
      const { running, started } = yield* processes((name) => Layer.succeed(Replicas, { self: name, live }))
      for (const name of ["first", "second", "third"]) yield* started(name)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(running, ["first"])
      for (const all of [
        ["first", "second", "third"],
        ["second"],
        ["third"],
        ["second", "third"],
        ["first"]
      ]) {
        yield* SubscriptionRef.set(live, all)
        yield* TestClock.adjust("4 seconds")
        assert.deepStrictEqual(running, [preferred(botName(bot), all)])
      }
    })
  )

  it.effect("a bot whose lease is lost stops in time, and goes on when it is had again", () =>
    outages((world) =>
      Effect.gen(function* () {
        yield* TestClock.adjust("1 second")
        assert.strictEqual(world.pollers, 1)
        world.away = true
        yield* TestClock.adjust(leasePlan(15_000).trustedFor + leasePlan(15_000).renewEvery)
        assert.strictEqual(world.pollers, 0)
        world.away = false
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(world.pollers, 1)
      })
    )
  )

  it.effect("a short outage costs two seconds after it is over, however many there were before", () =>
    outages((world) =>
      Effect.gen(function* () {
        for (let outage = 0; outage < 8; outage++) {
          world.away = true
          yield* TestClock.adjust("1 minute")
          assert.strictEqual(world.pollers, 0)
          world.away = false
          // What the process has not given back runs out within the lease.
          yield* TestClock.adjust("3 seconds")
          assert.strictEqual(world.pollers, 1)
        }
      })
    )
  )
})
