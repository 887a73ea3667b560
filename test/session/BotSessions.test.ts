import { randomBytes } from "node:crypto"
import { assert, it } from "@effect/vitest"
import { Effect, Layer, Logger, Metric, Redacted } from "effect"
import { AppId, BotId, TenantId } from "../../src/domain/Ids.ts"
import { Fences } from "../../src/lock/Fences.ts"
import { Lease } from "../../src/lock/Locks.ts"
import * as LocksMemory from "../../src/lock/LocksMemory.ts"
import { Health } from "../../src/ops/Health.ts"
import { Scrubber } from "../../src/ops/Scrub.ts"
import { BotApiEmulator } from "../../src/sandbox/Control.ts"
import { Apps } from "../../src/session/Apps.ts"
import { BotFleet } from "../../src/session/BotFleet.ts"
import { BotRunner, leaseOf } from "../../src/session/BotRunner.ts"
import { BotSessions } from "../../src/session/BotSessions.ts"
import { Replicas } from "../../src/session/Replicas.ts"
import { SessionEvents } from "../../src/session/SessionEvents.ts"
import { SessionStore } from "../../src/session/SessionStore.ts"
import * as StoredBots from "../../src/session/StoredBots.ts"
import { Vault } from "../../src/session/Vault.ts"
import { Audit } from "../../src/store/Audit.ts"
import { Directory } from "../../src/store/Directory.ts"
import { Tenants } from "../../src/store/Tenants.ts"
import { TaskManager } from "../../src/task/TaskManager.ts"
import { BotPort } from "../../src/telegram/BotPort.ts"
import { Bots } from "../../src/telegram/Bots.ts"
import { GrammyApi } from "../../src/telegram/GrammyApi.ts"
import { type Hearing, Intake } from "../../src/telegram/Intake.ts"
import { Outbox } from "../../src/telegram/Outbox.ts"
import type { PollFailure } from "../../src/telegram/PollRules.ts"
import { Taking } from "../../src/telegram/Taking.ts"
import { eventually } from "../support/Application.ts"
import { emulatorLayer } from "../support/emulator.ts"
import { TestDatabase } from "../support/Postgres.ts"

const acme = TenantId.make("acme")
const bot = { tenant: acme, app: AppId.make("helper") }

const kept = Layer.mergeAll(
  Tenants.layer.pipe(Layer.provideMerge(Audit.layer)),
  Vault.layer({ masterKey: Redacted.make(new Uint8Array(randomBytes(32))) }),
  SessionStore.layer({ replica: "one" }),
  SessionEvents.layer
).pipe(
  Layer.provideMerge(Layer.mergeAll(TestDatabase.layer, Scrubber.layer, emulatorLayer(), Logger.layer([])))
)

const apps = Layer.unwrap(BotApiEmulator.useSync(({ apiRoot }) => Apps.layer({ apiRoot }))).pipe(
  Layer.provideMerge(GrammyApi.layer)
)

/** Bots that operators add, run against the emulator; nothing they hear is kept. */
const world = BotFleet.layer.pipe(
  Layer.provide(BotRunner.layer),
  Layer.provide(BotSessions.layer),
  Layer.provide(Intake.layer),
  Layer.provideMerge(apps),
  Layer.provideMerge(Layer.unwrap(BotApiEmulator.useSync(({ apiRoot }) => StoredBots.layer({ apiRoot })))),
  Layer.provide(Bots.layer([])),
  Layer.provideMerge(Directory.layer),
  Layer.provideMerge(
    Layer.mergeAll(
      BotPort.layerRecording,
      Layer.mock(Outbox, { dispatch: () => Effect.never }),
      Layer.mock(Taking, { batch: () => Effect.succeed(undefined) }),
      LocksMemory.layer.pipe(Layer.provide(Fences.layer)),
      Replicas.layerSole,
      Health.layer,
      TaskManager.layer
    )
  ),
  Layer.provideMerge(kept)
)

const added = Effect.gen(function* () {
  yield* Tenants.use(({ add }) => add({ id: acme }, "admin"))
  const { id, token } = yield* BotApiEmulator.use(({ createBot }) =>
    createBot({ username: "helper_bot", name: "Helper" })
  )
  yield* Apps.use(({ add }) => add({ ...bot, token: Redacted.make(token) }, "admin"))
  return { id, token }
})

/** A poll that is held open is answered when there is something to say. */
const writes = (id: number) =>
  BotApiEmulator.use(({ createUser, start }) =>
    Effect.flatMap(createUser({ firstName: "Ann" }), (person) => start({ bot: id, user: person.id }))
  )

const session = SessionStore.use(({ get }) => get(bot))
/** Oldest first. */
const told = Effect.map(
  SessionStore.use(({ history }) => history(bot, 100)),
  (moves) => moves.toReversed().map(({ actor, from, reason, to }) => `${actor}: ${from} ${reason} ${to}`)
)
const becomes = (state: string) =>
  eventually(
    `the session is ${state}`,
    Effect.map(session, (row) => row.state === state)
  )

it.live("an operator's bot has a session, from the day it is added to the day it is removed", () =>
  Effect.gen(function* () {
    const emulator = yield* BotApiEmulator
    const { disable, enable, remove, rotate } = yield* Apps
    const { id } = yield* added
    assert.deepInclude(yield* session, { kind: "bot", state: "ABSENT" })
    yield* Effect.forkScoped((yield* BotFleet).follow([]))
    yield* becomes("AUTHORIZED")
    assert.deepInclude(yield* session, { owner: "one", failures: 0 })
    assert.isNumber((yield* session).lastActivity)
    // Whoever revokes a token at @BotFather gets another.
    const { token } = yield* emulator.revokeToken({ bot: id })
    yield* writes(id)
    yield* becomes("REVOKED")
    assert.include((yield* session).lastError, "refuses the bot's token")
    assert.isNumber((yield* session).nextTry)
    yield* rotate(bot, Redacted.make(token), "admin")
    yield* becomes("AUTHORIZED")
    assert.notProperty(yield* session, "lastError")
    yield* disable(bot, "admin")
    assert.strictEqual((yield* session).state, "REVOKED")
    // At once: whoever runs it may not have noticed.
    yield* enable(bot, "admin")
    yield* writes(id)
    yield* becomes("AUTHORIZED")
    assert.deepStrictEqual(yield* told, [
      "system: ABSENT authorization_success AUTHORIZED",
      "system: AUTHORIZED token_refused REVOKED",
      "system: REVOKED authorization_success AUTHORIZED",
      "admin: AUTHORIZED manual_revoke REVOKED",
      "system: REVOKED authorization_success AUTHORIZED"
    ])
    yield* remove(bot, "admin")
    assert.strictEqual((yield* Effect.flip(session))._tag, "SessionUnknown")
  }).pipe(Effect.scoped, Effect.provide(world))
)

it.live("a second poller is told once, with what to do, and the bot goes on when it has gone", () =>
  Effect.gen(function* () {
    const emulator = yield* BotApiEmulator
    const { id } = yield* added
    yield* emulator.addFault({
      bot: id,
      method: "getUpdates",
      times: 2,
      effect: { _tag: "Refuse", code: 409, description: "Conflict: terminated by other getUpdates request" }
    })
    yield* Effect.forkScoped((yield* BotFleet).follow([]))
    yield* becomes("STALE")
    const { lastError, nextTry } = yield* session
    assert.match(
      lastError ?? "",
      /Another program polls.*Stop the other one, or revoke the token with @BotFather/
    )
    assert.isNumber(nextTry)
    yield* writes(id)
    yield* becomes("AUTHORIZED")
    assert.deepStrictEqual(yield* told, [
      "system: ABSENT polled_elsewhere STALE",
      "system: STALE validation_success AUTHORIZED"
    ])
    const polls = yield* emulator.journal({ bot: id, method: "getUpdates" })
    assert.isAtMost(polls.length, 4)
  }).pipe(Effect.scoped, Effect.provide(world))
)

const failed = (failure: PollFailure, nth: number): Hearing => ({ _tag: "Failed", failure, nth, wait: 1_000 })
const outage: PollFailure = { _tag: "Outage", reason: "ECONNREFUSED" }

const under = (fence: number) =>
  Effect.gen(function* () {
    const account = yield* Effect.map(added, ({ token }) => ({ ...bot, token: Redacted.make(token) }))
    return yield* heardUnder(fence, account)
  })
const heardUnder = (fence: number, account: { readonly token: Redacted.Redacted } & typeof bot) =>
  BotSessions.use(({ watch }) => watch({ ...account, origin: "stored" })).pipe(
    Effect.provideService(Lease, { ...Lease.sole, key: leaseOf(acme, BotId.make(7)), fence }),
    Effect.map(
      (heard) =>
        (...all: ReadonlyArray<Hearing>) =>
          Effect.forEach(all, heard, { discard: true })
    )
  )
const rows = BotSessions.layer.pipe(
  Layer.provideMerge(apps),
  Layer.provide(Bots.layer([])),
  Layer.provideMerge(kept)
)

it.live("what goes on for long is one move there and one back, and counted once each", () =>
  Effect.gen(function* () {
    const heard = yield* under(1)
    yield* heard({ _tag: "Answered" }, { _tag: "Answered" })
    // A line that is cut for a moment is nothing.
    yield* heard(failed(outage, 0), failed(outage, 1), { _tag: "Answered" })
    yield* heard(...Array.from({ length: 20 }, (_, nth) => failed(outage, nth)))
    assert.deepInclude(yield* session, { state: "STALE", nextTryBecause: "trouble", failures: 1 })
    yield* heard({ _tag: "Answered" }, { _tag: "Answered" })
    yield* heard(failed({ _tag: "Wait", seconds: 9 }, 0), failed({ _tag: "Wait", seconds: 9 }, 1))
    assert.deepInclude(yield* session, { state: "STALE", nextTryBecause: "flood" })
    // Another trouble of a session in doubt is no move, but known.
    yield* heard(failed(outage, 5))
    assert.include((yield* session).lastError, "ECONNREFUSED")
    yield* heard({ _tag: "Answered" })
    assert.deepStrictEqual(yield* told, [
      "system: ABSENT authorization_success AUTHORIZED",
      "system: AUTHORIZED api_error STALE",
      "system: STALE validation_success AUTHORIZED",
      "system: AUTHORIZED flood_wait STALE",
      "system: STALE validation_success AUTHORIZED"
    ])
    const counted = (yield* Metric.snapshot).flatMap(({ attributes, id, state }) =>
      id === "session_state_transitions_total" && attributes?.kind === "bot" ? [state] : []
    )
    assert.deepInclude(counted, { count: 2, incremental: true })
  }).pipe(Effect.provide(rows), Effect.provideService(Metric.MetricRegistry, new Map()))
)

it.live(
  "a former holder of the bot writes nothing, and one of another bot by that name is not below it",
  () =>
    Effect.gen(function* () {
      const former = yield* under(6)
      yield* former({ _tag: "Answered" })
      const account = { ...bot, token: Redacted.make("7:secret") }
      const newer = yield* heardUnder(7, account)
      yield* newer(failed({ _tag: "Unauthorized" }, 0))
      assert.strictEqual((yield* session).state, "REVOKED")
      yield* former({ _tag: "Answered" }, failed(outage, 9), { _tag: "Answered" })
      assert.strictEqual((yield* session).state, "REVOKED")
      yield* Apps.use(({ remove }) => remove(bot, "admin"))
      // Removed: nothing brings the row back.
      yield* newer({ _tag: "Answered" }, { _tag: "Answered" })
      assert.strictEqual((yield* Effect.flip(session))._tag, "SessionUnknown")
      const { token } = yield* BotApiEmulator.use(({ createBot }) =>
        createBot({ username: "other_bot", name: "Other" })
      )
      yield* Apps.use(({ add }) => add({ ...bot, token: Redacted.make(token) }, "admin"))
      const heard = yield* BotSessions.use(({ watch }) =>
        watch({ ...bot, origin: "stored", token: Redacted.make(token) })
      ).pipe(Effect.provideService(Lease, { ...Lease.sole, key: leaseOf(acme, BotId.make(8)), fence: 1 }))
      yield* heard({ _tag: "Answered" })
      assert.strictEqual((yield* session).state, "AUTHORIZED")
    }).pipe(Effect.provide(rows))
)

it.live("a bot that was disabled does not come back by an answer that was under way", () =>
  Effect.gen(function* () {
    const heard = yield* under(1)
    const { disable, enable } = yield* Apps
    yield* heard(failed({ _tag: "Unauthorized" }, 0))
    yield* disable(bot, "admin")
    yield* heard({ _tag: "Answered" })
    assert.strictEqual((yield* session).state, "REVOKED")
    yield* enable(bot, "admin")
    yield* heard({ _tag: "Answered" })
    assert.strictEqual((yield* session).state, "AUTHORIZED")
  }).pipe(Effect.provide(rows))
)
