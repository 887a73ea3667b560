/** When idle sessions are looked at: processes on a clock of the test's own, over rows and locks in memory. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Context, Effect, Layer, Logger, Option, Redacted, type Scope, Stream } from "effect"
import fc from "fast-check"
import { AppId, defaultTenant, UserId } from "../../src/domain/Ids.ts"
import { Fences } from "../../src/lock/Fences.ts"
import { makeLocks } from "../../src/lock/Leasing.ts"
import { Locks } from "../../src/lock/Locks.ts"
import { makeMemoryStore } from "../../src/lock/LocksMemory.ts"
import { FollowStore } from "../../src/session/FollowStore.ts"
import { type SessionKey, sessionName } from "../../src/session/SessionEvents.ts"
import { leaseOf } from "../../src/session/SessionLife.ts"
import { SessionManager } from "../../src/session/SessionManager.ts"
import { answered, failed, moved, type SessionRow } from "../../src/session/SessionRow.ts"
import { SessionSecrets } from "../../src/session/SessionSecrets.ts"
import { next, type SessionState } from "../../src/session/SessionState.ts"
import { SessionStore, SessionUnknown } from "../../src/session/SessionStore.ts"
import { backoff, isDue } from "../../src/session/Trouble.ts"
import { spreadOf } from "../../src/session/Watching.ts"
import { Signals } from "../../src/store/Signals.ts"
import { TenantScope } from "../../src/store/TenantScope.ts"
import { TaskManager } from "../../src/task/TaskManager.ts"
import { NetworkDown, UserClient } from "../../src/telegram/UserClient.ts"
import { makeVirtualClock } from "../support/VirtualClock.ts"
import { code, makeFakeTelegram } from "./FakeTelegram.ts"

const begin = 1_900_000_000_000
const minute = 60_000
/** The longest between two looks: fifteen seconds and a fifth. */
const look = 18_000
const dueAfter = (app: string) => 5 * minute * (0.8 + 0.4 * spreadOf(`${defaultTenant}/${app}`))
const keyOf = (app: string): SessionKey => ({ tenant: defaultTenant, app: AppId.make(app) })

/** What became of a row, and when. */
interface Noted {
  readonly app: string
  readonly at: number
  readonly reason: string
}

/** Sessions that were all used at `begin`, and the processes that look after them. */
const makeWorld = Effect.fnUntraced(function* (
  apps: ReadonlyArray<string>,
  options: { readonly processes: number; readonly state?: SessionState }
) {
  const { clock, pass } = makeVirtualClock(begin)
  const onClock = Effect.provideService(Clock.Clock, clock)
  const { layer, world: telegram } = makeFakeTelegram(
    apps.map((name, nth) => ({ id: nth + 1, name, phone: `+${nth}` }))
  )
  const rows = new Map<string, SessionRow>()
  const sessions = new Map<string, Redacted.Redacted<string>>()
  const noted: Array<Noted> = []
  const { connect } = yield* UserClient.pipe(Effect.provide(layer))
  for (const [nth, app] of apps.entries()) {
    const key = keyOf(app)
    const session = yield* connect({
      account: key,
      apiId: 1,
      apiHash: Redacted.make(""),
      kept: Option.none(),
      mayWrite: Effect.void
    })
    yield* session.sendCode(Redacted.make(`+${nth}`))
    const account = yield* session.signIn(Redacted.make(code))
    sessions.set(sessionName(key), yield* session.exportSession)
    rows.set(sessionName(key), {
      ...key,
      kind: "user",
      state: options.state ?? "AUTHORIZED",
      account: { id: UserId.make(account.id), name: account.name },
      apiKeyAlias: "main",
      moves: 2,
      failures: 0,
      lastActivity: begin,
      changed: begin
    })
  }

  const get = (key: SessionKey) =>
    Effect.suspend(() => {
      const row = rows.get(sessionName(key))
      return row === undefined ? Effect.fail(new SessionUnknown(key)) : Effect.succeed(row)
    })
  const put = (row: SessionRow, at: number, reason: string) => {
    rows.set(sessionName(row), row)
    noted.push({ app: row.app, at: at - begin, reason })
    return row
  }
  const store = Layer.mock(SessionStore, {
    get,
    list: () => Effect.sync(() => [...rows.values()]),
    move: (key, reason, _by, learned = {}, along = Effect.void) =>
      Effect.gen(function* () {
        const now = yield* Clock.currentTimeMillis
        const row = yield* get(key)
        const to = yield* Effect.fromResult(next(row, reason))
        yield* along
        return put(moved(row, to, learned, now), now, reason)
      }),
    note: (key, _by, learned) =>
      Effect.gen(function* () {
        const now = yield* Clock.currentTimeMillis
        const row = yield* get(key)
        return learned.error === undefined
          ? put(answered(row, learned, now), now, "answered")
          : put(failed(row, learned), now, "failed")
      })
  })
  const secrets = Layer.mock(SessionSecrets, {
    credentials: () => Effect.succeed({ apiId: 1, apiHash: Redacted.make("") }),
    kept: (key) => Effect.sync(() => ({ session: sessions.get(sessionName(key))! })),
    destroy: () => Effect.void
  })
  let fence = 0
  const base = yield* onClock(makeMemoryStore)
  const locksOf = (owner: string) =>
    Layer.effect(Locks, makeLocks({ ...base, owner }, Fences.of({ next: () => Effect.sync(() => ++fence) })))
  const process = (nth: number) =>
    SessionManager.layer({ tenants: Effect.succeed([defaultTenant]) }).pipe(
      Layer.provide(
        Layer.mergeAll(
          store,
          secrets,
          layer,
          locksOf(`process ${nth}`),
          TaskManager.layer,
          Layer.mock(FollowStore, {}),
          Layer.mock(Signals, { listen: () => Stream.never }),
          Layer.mock(TenantScope, {})
        )
      ),
      Layer.fresh,
      Layer.build,
      Effect.map(Context.get(SessionManager)),
      onClock
    )
  const managers = yield* Effect.forEach(Array.from({ length: options.processes }), (_, nth) => process(nth))
  return {
    telegram,
    managers,
    onClock,
    pass,
    noted,
    row: (app: string) => rows.get(sessionName(keyOf(app)))!,
    locks: yield* Effect.map(onClock(Layer.build(locksOf("another"))), Context.get(Locks))
  }
})

const test = <E>(name: string, body: Effect.Effect<void, E, Scope.Scope>) =>
  it.live(name, () => body.pipe(Effect.scoped, Effect.provide(Logger.layer([]))))

const gapsOf = (times: ReadonlyArray<number>) => times.map((at, nth) => at - (times[nth - 1] ?? 0))

/** Never before it is due, and at the first look after. */
const assertRhythm = (noted: ReadonlyArray<Noted>, app: string) => {
  const times = noted.filter((one) => one.app === app).map(({ at }) => at)
  for (const gap of gapsOf(times)) {
    assert.isAtLeast(gap, dueAfter(app), app)
    assert.isAtMost(gap, dueAfter(app) + look, app)
  }
  return times
}

/** Names whose turns are more than a look apart. */
const apart: Array<string> = []
for (const app of Array.from({ length: 50 }, (_, nth) => `app-${nth}`))
  if (apart.every((other) => Math.abs(dueAfter(app) - dueAfter(other)) > look)) apart.push(app)

describe("idle sessions", () => {
  test(
    "are looked at every five minutes, each in a rhythm of its own, by one of the processes",
    Effect.gen(function* () {
      assert.isAtLeast(apart.length, 3)
      const { noted, pass, telegram } = yield* makeWorld(apart, { processes: 2 })
      const asked = telegram.asked
      yield* pass(30 * minute)
      const first = apart.map((app) => {
        const times = assertRhythm(noted, app)
        assert.isAtLeast(times.length, 4, app)
        return times[0]
      })
      assert.lengthOf(new Set(first), apart.length)
      assert.isTrue(noted.every(({ reason }) => reason === "answered"))
      assert.strictEqual(telegram.asked - asked, noted.length)
      assert.strictEqual(telegram.mostAtOnce, 1)
    })
  )

  test(
    "that are in use are looked at by the process that has them alone",
    Effect.gen(function* () {
      const { managers, noted, onClock, pass, telegram } = yield* makeWorld(["used"], { processes: 2 })
      yield* onClock(managers[0]!.client(keyOf("used")))
      assert.deepStrictEqual(noted.splice(0), [{ app: "used", at: 0, reason: "answered" }])
      const { asked, connected } = telegram
      yield* pass(30 * minute)
      assert.isAtLeast(assertRhythm(noted, "used").length, 4)
      assert.strictEqual(telegram.asked - asked, noted.length)
      assert.strictEqual(telegram.connected, connected)
    })
  )

  test(
    "that fail are STALE, tried ever more rarely, and recover or are gone",
    Effect.gen(function* () {
      const { noted, pass, row, telegram } = yield* makeWorld(["mine"], { processes: 2 })
      telegram.trouble = new NetworkDown({ method: "users.getUsers" })
      yield* pass(40 * minute)
      const [first, ...waits] = gapsOf(noted.map(({ at }) => at))
      assert.deepInclude(noted[0], { reason: "validation_failed" })
      assert.isAtLeast(first ?? 0, dueAfter("mine"))
      assert.isAtLeast(waits.length, 8)
      for (const [nth, wait] of waits.entries()) {
        const middle = Math.min(5_000 * 2 ** nth, 5 * minute)
        assert.isAtLeast(wait, Math.round(0.8 * middle))
        assert.isAtMost(wait, Math.round(1.2 * middle) + look)
      }
      assert.deepInclude(row("mine"), { state: "STALE", failures: noted.length })
      telegram.trouble = undefined
      noted.splice(0)
      yield* pass(6 * minute + look)
      assert.deepInclude(noted[0], { reason: "validation_success" })
      assert.deepInclude(row("mine"), { state: "AUTHORIZED", failures: 0 })
      telegram.set("unregistered")
      yield* pass(10 * minute)
      assert.strictEqual(row("mine").state, "ABSENT")
      const { asked } = telegram
      yield* pass(10 * minute)
      assert.strictEqual(telegram.asked, asked)
    })
  )

  test(
    "that somebody was logging in to when their process ended are tidied up once, and no others",
    Effect.gen(function* () {
      const { locks, noted, onClock, pass, row } = yield* makeWorld(["left", "going"], {
        processes: 2,
        state: "PENDING_CODE"
      })
      yield* locks
        .withLease(leaseOf(keyOf("going")))(Effect.sleep(10 * minute))
        .pipe(onClock, Effect.forkScoped({ startImmediately: true }))
      yield* pass(29_999)
      assert.deepStrictEqual(noted, [])
      yield* pass(look)
      assert.strictEqual(row("left").state, "ABSENT")
      yield* pass(9 * minute)
      assert.strictEqual(row("going").state, "PENDING_CODE")
      yield* pass(2 * minute)
      assert.deepStrictEqual(
        noted.map(({ app, reason }) => `${app} ${reason}`),
        ["left login_expired", "going login_expired"]
      )
    })
  )
})

describe("when a session is due", () => {
  const spread = fc.double({ min: 0, max: 1, noNaN: true })
  const time = fc.integer({ min: 0, max: 2 ** 42 })

  it("is four to six minutes after it was used, by a rhythm of its own", () =>
    fc.assert(
      fc.property(time, spread, (lastActivity, spread) => {
        const due = lastActivity + Math.ceil(5 * minute * (0.8 + 0.4 * spread))
        assert.isFalse(isDue({ lastActivity }, due - 1, spread))
        assert.isTrue(isDue({ lastActivity }, due, spread))
        assert.isFalse(isDue({ lastActivity }, lastActivity + 4 * minute - 1, spread))
        assert.isTrue(isDue({ lastActivity }, lastActivity + 6 * minute + 1, spread))
      })
    ))

  it("is when its next try is, where it failed", () =>
    fc.assert(
      fc.property(time, time, spread, (lastActivity, nextTry, spread) => {
        assert.isFalse(isDue({ lastActivity, nextTry }, nextTry - 1, spread))
        assert.isTrue(isDue({ lastActivity, nextTry }, nextTry, spread))
      })
    ))

  it("grows with its failures, up to six minutes", () =>
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1000 }), spread, (failures, spread) => {
        assert.isAtLeast(backoff(failures + 1, spread), backoff(failures, spread))
        assert.isAtLeast(backoff(failures, spread), 4_000)
        assert.isAtMost(backoff(failures, spread), 6 * minute)
      })
    ))

  it("differs among sessions of one start", () => {
    // Names that differ in their last letter, too.
    const tenths = new Set(
      [..."abcdefghijklmnopqrstuvwxyz"].map((letter) => Math.floor(spreadOf(`default/app-${letter}`) * 10))
    )
    assert.isAtLeast(tenths.size, 7)
  })
})
