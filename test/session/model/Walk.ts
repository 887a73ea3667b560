/** Walks a session through random commands, and compares it with the table after each of them. */
import { assert } from "@effect/vitest"
import {
  Cause,
  Effect,
  Fiber,
  Layer,
  Logger,
  Queue,
  Redacted,
  Result,
  Schedule,
  type Scope,
  Stream
} from "effect"
import fc from "fast-check"
import { Scrubber } from "../../../src/ops/Scrub.ts"
import { SessionEvents } from "../../../src/session/SessionEvents.ts"
import { isLoggedIn, isPending, type MoveReason, next } from "../../../src/session/SessionState.ts"
import { SessionStore } from "../../../src/session/SessionStore.ts"
import { Vault } from "../../../src/session/Vault.ts"
import { FloodWait, NetworkDown } from "../../../src/telegram/UserClient.ts"
import { TestDatabase } from "../../support/Postgres.ts"
import { code } from "../FakeTelegram.ts"
import { masterKey } from "../process.ts"
import { by } from "../support.ts"
import { after, askedAfter, type Command, expectedMoves, type Facts, overdue, possible } from "./Facts.ts"
import { ann, bob, key, makeWorld, type Place, type World } from "./World.ts"

/** How long a person may take. */
const within = "50 seconds"

const people = { ann, bob }
const troubles = {
  none: undefined,
  network: new NetworkDown({ method: "users.getUsers" }),
  flood: new FloodWait({ method: "users.getUsers", seconds: 60 })
}

/** Does what the command says; how it ended is told by the rows. */
const perform = (
  world: World,
  store: SessionStore["Service"],
  facts: Facts,
  command: Command
): Effect.Effect<unknown, unknown, Scope.Scope> => {
  const { onClock, telegram } = world
  const manager = "at" in command ? world.manager(command.at) : world.manager(0)
  switch (command._tag) {
    case "Login": {
      const joins = facts.login?.at === command.at && facts.login.alive
      const login =
        command.method === "qr"
          ? manager.loginByQr(key, { ...by, within })
          : manager.loginByCode(key, Redacted.make(people[command.who].phone), { ...by, within })
      return Effect.gen(function* () {
        const { moves } = yield* store.get(key)
        // Until something is asked of its person, or it has failed.
        const asked = Effect.repeat(store.get(key), {
          until: (row) => isPending(row.state) && (joins || row.moves > moves),
          schedule: Schedule.spaced("2 millis")
        })
        const run = yield* Effect.forkScoped(onClock(Effect.exit(Stream.runDrain(login))), {
          startImmediately: true
        })
        yield* Effect.raceFirst(Fiber.await(run), asked)
      })
    }
    case "Scan":
      return telegram.scan(
        command.who === "seen" ? { _tag: "Scanned" } : { _tag: "Accepted", account: people[command.who].id }
      )
    case "Code":
      return onClock(manager.submitCode(key, Redacted.make(command.right ? code : "00000")))
    case "Password":
      return onClock(manager.submitPassword(key, Redacted.make(command.right ? bob.password : "wrong")))
    case "Cancel":
      return onClock(manager.cancel(key))
    case "Use":
      return onClock(Effect.scoped(Effect.flatMap(manager.client(key), ({ me }) => me)))
    case "Validate":
      return onClock(manager.validate(key))
    case "Revoke":
      return onClock(manager.revoke(key, "admin"))
    case "Key":
      return Effect.sync(() => telegram.set(command.state))
    case "Trouble":
      return Effect.sync(() => {
        telegram.trouble = troubles[command.kind]
      })
    case "Pass":
      return world.pass(command.seconds * 1_000)
    case "Restart":
      return world.restart(command.at, command.how)
    case "Steal":
      return world.steal
    case "Tamper":
      return world.tamper(command.byte)
  }
}

/** What was done so far, for whoever reads a failure. */
const told = (commands: ReadonlyArray<Command>, last: number) =>
  commands
    .slice(0, last + 1)
    .map((command) => JSON.stringify(command))
    .join("\n")

export interface Made {
  readonly from: string
  readonly reason: MoveReason
  readonly to: string
}

const walk = (expected: boolean, commands: ReadonlyArray<Command>, made: Array<Made>) =>
  Effect.gen(function* () {
    const store = yield* SessionStore
    const world = yield* makeWorld(expected)
    let facts: Facts = {
      state: "ABSENT",
      moves: 0,
      expected,
      login: undefined,
      trouble: "none",
      key: "valid",
      tampered: false,
      disturbed: false
    }

    /** Waits for the command; where others are in its way time passes meanwhile. */
    const patiently = Effect.fnUntraced(function* (command: Command, calm: boolean) {
      const done = yield* Effect.forkScoped(Effect.exit(perform(world, store, facts, command)), {
        startImmediately: true
      })
      const pause = calm
        ? Effect.sleep("2 millis")
        : Effect.andThen(Effect.sleep("20 millis"), world.pass(500))
      yield* Effect.raceFirst(Fiber.await(done), Effect.forever(pause)).pipe(
        Effect.timeoutOrElse({
          duration: "30 seconds",
          orElse: () => Effect.die(new Error(`${JSON.stringify(command)} does not end`))
        })
      )
      yield* world.pass(0)
    })

    /** The moves since the last look: of the table, recorded once, one after the other, with reason and actor, and told. */
    const look = Effect.fnUntraced(function* () {
      const row = yield* store.get(key)
      const history = (yield* store.history(key, row.moves - facts.moves + 1)).toReversed()
      const fresh = history.filter(({ number }) => number > facts.moves)
      let state = facts.state
      for (const [nth, { actor, from, number, reason, to, trace }] of fresh.entries()) {
        assert.strictEqual(number, facts.moves + nth + 1, "a move is missing or recorded twice")
        assert.strictEqual(from, state, "the moves are no chain")
        const lawful = next({ kind: "user", state }, reason)
        assert.deepStrictEqual(lawful, Result.succeed(to), "a move is not of the table")
        assert.include(["system", "admin", by.actor], actor)
        assert.strictEqual(actor === "admin", reason === "manual_revoke")
        assert.match(trace, /^[0-9a-f]{32}$/)
        const event = yield* Queue.take(world.heard).pipe(Effect.timeout("30 seconds"))
        assert.deepInclude(event, { ...key, kind: "user", from, to, reason, correlation: trace })
        made.push({ from, reason, to })
        state = to
      }
      assert.strictEqual(row.state, state)
      assert.strictEqual(row.moves, facts.moves + fresh.length)
      // What is kept is kept of those who are logged in, and of no one else.
      assert.strictEqual(yield* world.kept, isLoggedIn(state), `in ${state}`)
      assert.isAtMost(world.telegram.mostAtOnce, 1, "two used one key")
      return { row, state, reasons: fresh.map(({ reason }) => reason) }
    })

    const step = Effect.fnUntraced(function* (command: Command, seconds = 0) {
      const before = yield* store.get(key)
      const seen = {
        holder: world.holder(),
        waits: (before.nextTry ?? 0) > world.now() ? before.nextTryBecause : undefined
      }
      const wanted = expectedMoves(facts, seen, command)
      const holding = world.holder() !== undefined
      if (command._tag === "Tamper" && facts.tampered) return
      yield* patiently(command, wanted !== undefined)
      const { reasons, row, state } = yield* look()
      if (wanted !== undefined) assert.deepStrictEqual(reasons, [...wanted])
      const allowed = possible(facts, command)
      for (const reason of reasons) assert.isTrue(allowed.has(reason), `nothing leads to ${reason}`)
      assert.isUndefined(overdue(facts, row.state, seconds))
      facts = after(facts, command, reasons, { state, stolen: command._tag === "Steal" && holding })
    })

    const go = (command: Command) =>
      Effect.gen(function* () {
        // No two commands in one instant; what time alone brings about is its own step.
        yield* step({ _tag: "Pass", seconds: 0.01 })
        yield* step(command, command._tag === "Pass" ? command.seconds : 0)
      })

    for (const [nth, command] of commands.entries())
      yield* Effect.catchCause(go(command), (cause) =>
        Effect.die(new Error(`${told(commands, nth)}\nwas ${JSON.stringify(facts)}\n${Cause.pretty(cause)}`))
      )

    // Wherever that led, there is a way to be logged in.
    yield* go({ _tag: "Trouble", kind: "none" })
    yield* go({ _tag: "Pass", seconds: askedAfter })
    if (isLoggedIn(facts.state)) yield* go({ _tag: "Revoke", at: 0 })
    yield* go({ _tag: "Login", at: 1, method: "code", who: "ann" })
    yield* go({ _tag: "Code", at: 1, right: true })
    yield* go({ _tag: "Use", at: 0 })
    assert.strictEqual(facts.state, "AUTHORIZED", told(commands, commands.length))
  }).pipe(Effect.scoped)

const at = fc.constantFrom<Place>(0, 1)
const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      _tag: fc.constant("Login" as const),
      at,
      method: fc.constantFrom("qr" as const, "code" as const),
      who: fc.constantFrom("ann" as const, "bob" as const)
    })
  },
  {
    weight: 4,
    arbitrary: fc.record({
      _tag: fc.constant("Scan" as const),
      who: fc.constantFrom("ann" as const, "bob" as const, "seen" as const)
    })
  },
  { weight: 5, arbitrary: fc.record({ _tag: fc.constant("Code" as const), at, right: fc.boolean() }) },
  { weight: 5, arbitrary: fc.record({ _tag: fc.constant("Password" as const), at, right: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ _tag: fc.constant("Cancel" as const), at }) },
  { weight: 4, arbitrary: fc.record({ _tag: fc.constantFrom("Use" as const, "Validate" as const), at }) },
  { weight: 1, arbitrary: fc.record({ _tag: fc.constant("Revoke" as const), at }) },
  {
    weight: 2,
    arbitrary: fc.record({
      _tag: fc.constant("Key" as const),
      state: fc.constantFrom("unregistered" as const, "revoked" as const, "duplicated" as const)
    })
  },
  {
    weight: 3,
    arbitrary: fc.record({
      _tag: fc.constant("Trouble" as const),
      kind: fc.constantFrom("none" as const, "none" as const, "network" as const, "flood" as const)
    })
  },
  {
    weight: 3,
    arbitrary: fc.record({
      _tag: fc.constant("Pass" as const),
      seconds: fc.constantFrom(5, 20, 60, 100, askedAfter)
    })
  },
  {
    weight: 2,
    arbitrary: fc.record({
      _tag: fc.constant("Restart" as const),
      at,
      how: fc.constantFrom("close" as const, "kill" as const)
    })
  },
  { weight: 1, arbitrary: fc.constant({ _tag: "Steal" as const }) },
  { weight: 1, arbitrary: fc.record({ _tag: fc.constant("Tamper" as const), byte: fc.nat(500) }) }
)
const walks = fc.tuple(fc.boolean(), fc.array(command, { minLength: 5, maxLength: 25 }))

const beneath = Layer.mergeAll(
  SessionStore.layer({ replica: "a reader" }),
  SessionEvents.layer,
  Vault.layer({ masterKey })
).pipe(Layer.provideMerge(Layer.mergeAll(TestDatabase.layer, Scrubber.layer, Logger.layer([]))))

/** So many random walks, after the `stories` that are walked every time. The moves that were made. */
export const walked = (runs: number, stories: ReadonlyArray<[boolean, Array<Command>]>) =>
  Effect.gen(function* () {
    const made: Array<Made> = []
    const run = Effect.runPromiseWith(yield* Effect.context<Layer.Success<typeof beneath>>())
    yield* Effect.promise(() =>
      fc.assert(
        fc.asyncProperty(walks, ([expected, commands]) => run(walk(expected, commands, made))),
        { numRuns: runs + stories.length, examples: stories.map((story) => [story]) }
      )
    )
    return made
  }).pipe(Effect.provide(beneath))
