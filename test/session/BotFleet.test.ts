import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Layer, Option, Redacted, type Stream, SubscriptionRef } from "effect"
import { TestClock } from "effect/testing"
import * as fc from "fast-check"
import { AppId, TenantId } from "../../src/domain/Ids.ts"
import { Health, NotReady } from "../../src/ops/Health.ts"
import { BotFleet, unsettled } from "../../src/session/BotFleet.ts"
import { BotRunner } from "../../src/session/BotRunner.ts"
import { UnservedBots } from "../../src/session/StoredBots.ts"
import { Unauthorized } from "../../src/telegram/BotPort.ts"
import { type BotAccount, Bots, botName } from "../../src/telegram/Bots.ts"
import { Intake } from "../../src/telegram/Intake.ts"

const tenant = TenantId.make("acme")
const account = (app: string, more: Partial<BotAccount> = {}): BotAccount => ({
  tenant,
  app: AppId.make(app),
  token: Redacted.make("7:secret"),
  ...more
})
const menus = [{ commands: [{ command: "help", description: "Help" }] }]

/** A fleet over bots that are what the test says, and a runner that notes what it is told. */
const world = Effect.fnUntraced(function* (first: ReadonlyArray<BotAccount>) {
  const accounts = yield* SubscriptionRef.make(first)
  const done: Array<string> = []
  const refusals = new Map<string, Unauthorized>()
  let deaf = Option.none<NotReady>()
  const hanging = new Map<string, Effect.Effect<void>>()
  let failing = false
  const layer = BotFleet.layer.pipe(
    Layer.provide(
      Layer.mock(Bots, {
        changes: SubscriptionRef.changes(accounts) as Stream.Stream<ReadonlyArray<BotAccount>>
      })
    ),
    Layer.provide(
      Layer.succeed(BotRunner, {
        start: (bot, given) =>
          Effect.sync(() => {
            assert.strictEqual(given, menus)
            if (failing) throw new Error("it does not start")
            done.push(`start ${bot.app}`)
          }),
        stop: (bot) =>
          Effect.andThen(
            hanging.get(bot.app) ?? Effect.void,
            Effect.sync(() => void done.push(`stop ${bot.app}`))
          ),
        refusal: (bot) => Effect.sync(() => Option.fromNullishOr(refusals.get(botName(bot))))
      })
    ),
    Layer.provide(
      Layer.mock(Intake, {
        health: () =>
          Effect.suspend(() =>
            Option.match(deaf, { onNone: () => Effect.succeed(undefined), onSome: Effect.fail })
          )
      })
    ),
    Layer.provide(
      Layer.succeed(UnservedBots, {
        list: Effect.succeed([{ tenant, app: AppId.make("locked"), reason: "its token does not open" }])
      })
    ),
    Layer.provideMerge(Health.layer)
  )
  return {
    layer,
    done,
    now: (...all: ReadonlyArray<BotAccount>) =>
      Effect.andThen(SubscriptionRef.set(accounts, all), TestClock.adjust("1 second")),
    refuse: (bot: BotAccount) => refusals.set(botName(bot), new Unauthorized({ method: "getUpdates" })),
    fail: (now: boolean) => {
      failing = now
    },
    /** Its next stop takes until somebody says so. */
    hang: (app: string) =>
      Effect.map(Deferred.make<void>(), (until) => {
        hanging.set(app, Deferred.await(until))
        return until
      }),
    deafen: () => {
      deaf = Option.some(new NotReady({ reason: "nothing heard" }))
    }
  }
})

const following = Effect.gen(function* () {
  yield* Effect.forkChild((yield* BotFleet).follow(menus), { startImmediately: true })
  yield* TestClock.adjust("1 second")
})

const checked = Effect.map(
  Health.use(({ ready }) => ready),
  ({ checks }) => new Map(checks.map(({ name, ...report }) => [name, report]))
)

describe("BotFleet", () => {
  it.effect(
    "starts what comes, stops what goes, restarts what has another token and leaves the rest alone",
    () =>
      Effect.gen(function* () {
        const [a, b, c] = [account("a"), account("b"), account("c")]
        const { layer, done, now } = yield* world([a, b])
        yield* Effect.gen(function* () {
          yield* following
          assert.deepStrictEqual(done.splice(0), ["start a", "start b"])
          yield* now(a, b, c)
          assert.deepStrictEqual(done.splice(0), ["start c"])
          yield* now(a, c)
          assert.deepStrictEqual(done.splice(0), ["stop b"])
          const rotated = account("a")
          yield* now(rotated, c)
          assert.deepStrictEqual(done.splice(0), ["stop a", "start a"])
          yield* now(rotated, c, b)
          assert.deepStrictEqual(done.splice(0), ["start b"])
          yield* now()
          assert.deepStrictEqual(done.splice(0).toSorted(), ["stop a", "stop b", "stop c"])
        }).pipe(Effect.provide(layer))
      })
  )

  it.effect("one that did not start is started when the bots are followed again", () =>
    Effect.gen(function* () {
      const { layer, done, fail } = yield* world([account("a")])
      yield* Effect.gen(function* () {
        fail(true)
        assert.isTrue(Exit.isFailure(yield* Effect.exit((yield* BotFleet).follow(menus))))
        assert.isFalse((yield* checked).has("telegram/acme/a"))
        fail(false)
        yield* following
        assert.deepStrictEqual(done, ["start a"])
      }).pipe(Effect.provide(layer))
    })
  )

  it.effect("a bot's check of health comes and goes with it", () =>
    Effect.gen(function* () {
      const a = account("a")
      const { layer, now } = yield* world([a])
      yield* Effect.gen(function* () {
        yield* following
        assert.deepStrictEqual((yield* checked).get("telegram/acme/a"), { ready: true })
        yield* now(account("b"))
        const checks = yield* checked
        assert.isFalse(checks.has("telegram/acme/a"))
        assert.isTrue(checks.has("telegram/acme/b"))
        yield* now(a)
        assert.isTrue((yield* checked).has("telegram/acme/a"))
      }).pipe(Effect.provide(layer))
    })
  )

  it.effect(
    "the trouble of a tenant's bot is told and sends nobody away, that of the configured one does",
    () =>
      Effect.gen(function* () {
        const configured = account("configured")
        const stored = account("stored", { origin: "stored" })
        const { layer, deafen, refuse } = yield* world([configured, stored])
        yield* Effect.gen(function* () {
          yield* following
          const locked = { ready: true, reason: "acme/locked is not served: its token does not open" }
          assert.deepStrictEqual((yield* checked).get("bots"), locked)
          refuse(stored)
          const report = (yield* checked).get("telegram/acme/stored")
          assert.isTrue(report?.ready)
          assert.match(report?.reason ?? "", /refuses the bot's token/)
          assert.isTrue((yield* Health.use(({ ready }) => ready)).ready)
          deafen()
          assert.deepStrictEqual((yield* checked).get("telegram/acme/configured"), {
            ready: false,
            reason: "nothing heard"
          })
          assert.isFalse((yield* Health.use(({ ready }) => ready)).ready)
        }).pipe(Effect.provide(layer))
      })
  )

  it.effect("one that takes long to stop holds up no other, and is then what is wanted by that time", () =>
    Effect.gen(function* () {
      const [a, b, c] = [account("a"), account("b"), account("c")]
      const { layer, done, hang, now } = yield* world([a, b])
      yield* Effect.gen(function* () {
        yield* following
        const stopped = yield* hang("a")
        yield* now(b, c)
        assert.deepStrictEqual(done.splice(0), ["start a", "start b", "start c"])
        yield* now(c)
        assert.deepStrictEqual(done.splice(0), ["stop b"])
        yield* now(account("a"), c)
        const last = account("a")
        yield* now(last, c)
        assert.deepStrictEqual(done.splice(0), [])
        yield* Deferred.succeed(stopped, undefined)
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(done.splice(0), ["stop a", "start a"])
        yield* now(last, c)
        assert.deepStrictEqual(done, [])
      }).pipe(Effect.provide(layer))
    })
  )

  it("what is not as it is wanted is all that changes", () => {
    const some = fc.subarray(["a", "b", "c", "d"].flatMap((app) => [account(app), account(app)]))
    const unique = some.map((all) => new Map(all.map((one) => [botName(one), one])))
    fc.assert(
      fc.property(unique, unique, (before, wanted) => {
        const names = unsettled(before, wanted)
        const after = new Map(before)
        for (const name of names) {
          const next = wanted.get(name)
          if (next === undefined) after.delete(name)
          else after.set(name, next)
        }
        assert.sameDeepMembers([...after], [...wanted])
        assert.strictEqual(new Set(names).size, names.length)
        for (const [name, one] of before) if (wanted.get(name) === one) assert.notInclude(names, name)
      })
    )
  })
})
