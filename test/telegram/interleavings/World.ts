/**
 * A Telegram with strict limits, chats in it, an outbox on a real database, and dispatchers that come and go, all on
 * one virtual clock. A dispatcher is interrupted, or killed: then nothing of it reaches the database or the network
 * any more, and what was on its way is cut.
 */
import { Cause, Clock, Context, Deferred, Effect, Exit, Fiber, Layer, Redacted, Scope } from "effect"
import { BotId } from "../../../src/domain/Ids.ts"
import { Lease } from "../../../src/lock/Locks.ts"
import { AtFailpoint, type Failpoint } from "../../../src/ops/Failpoint.ts"
import { BotApiEmulator } from "../../../src/sandbox/Control.ts"
import { Signals } from "../../../src/store/Signals.ts"
import { TenantScope } from "../../../src/store/TenantScope.ts"
import { BotPort, type BotPortError } from "../../../src/telegram/BotPort.ts"
import { Bots } from "../../../src/telegram/Bots.ts"
import { GrammyApi } from "../../../src/telegram/GrammyApi.ts"
import { GrammyBot } from "../../../src/telegram/GrammyBot.ts"
import { Outbox, type OutboxEntry } from "../../../src/telegram/Outbox.ts"
import { OutgoingFiles } from "../../../src/telegram/OutgoingFiles.ts"
import { Pacer } from "../../../src/telegram/Pacer.ts"
import { emulatorLayer } from "../../support/emulator.ts"
import { mortal, type ProcessIO, scopeThrough } from "../../support/Mortal.ts"
import { makeVirtualClock } from "../../support/VirtualClock.ts"
import { type Ending, listen, type Row } from "./Evidence.ts"
import { bot, makePlaces, type Place } from "./Places.ts"

interface Dispatcher {
  readonly port: BotPort["Service"]
  /** It has read in the rows what the one before it knew. */
  informed: boolean
  readonly interrupt: Effect.Effect<Ending["how"]>
  readonly kill: Effect.Effect<Ending["how"]>
}

const makeWorld = ({ call, statement }: Record<"call" | "statement", ProcessIO>) =>
  Effect.gen(function* () {
    const emulator = yield* BotApiEmulator
    const database = yield* TenantScope
    const signals = yield* Signals
    const world = yield* Effect.scope
    const botId = BotId.make(emulator.bot.id)
    const scope = scopeThrough(database, statement)
    yield* Effect.orDie(scope.transaction(bot.tenant, (sql) => sql`DELETE FROM outbox`))
    const evidence = yield* listen

    const endings: Array<Ending> = []
    const asked = new Map<string, number>()
    const killed = new Map<number, number>()
    let rounds = 0
    let alive: Dispatcher | undefined
    let armed: { readonly name: Failpoint; left: number; readonly rest: number } | undefined

    const open = (sending: "all" | "sending") =>
      Effect.map(
        Effect.orDie(
          scope.transaction(
            bot.tenant,
            (sql) => sql<{ readonly id: number }>`SELECT id::int AS id FROM outbox
              WHERE state = 'sending' OR (${sending} = 'all' AND state = 'pending')`
          )
        ),
        (rows) => rows.map(({ id }) => id)
      )

    const begin: Effect.Effect<void> = Effect.gen(function* () {
      const own = yield* Scope.fork(world)
      const dead = yield* Deferred.make<void>()
      const through = mortal(dead, call)
      const counted =
        (inner: ProcessIO): ProcessIO =>
        (effect) =>
          Effect.suspend(() => {
            rounds++
            return inner(effect)
          })
      const api = Layer.effect(
        GrammyApi,
        Effect.map(GrammyApi, (inner) =>
          GrammyApi.of({ ...inner, call: (...asked) => through(inner.call(...asked)) })
        )
      ).pipe(
        Layer.provide(GrammyApi.layer),
        Layer.provide(
          Bots.layer([{ ...bot, token: Redacted.make(emulator.bot.token), apiRoot: emulator.apiRoot }])
        )
      )
      const services = yield* Outbox.layer.pipe(
        Layer.provideMerge(GrammyBot.layer({ timeout: "2 seconds" })),
        Layer.provide(Pacer.layer),
        Layer.provide(OutgoingFiles.layerMemory(new Map())),
        Layer.provide(api),
        Layer.provide(Layer.succeed(TenantScope, scopeThrough(database, counted(mortal(dead, statement))))),
        Layer.provide(Layer.succeed(Signals, signals)),
        Layer.fresh,
        Layer.buildWithScope(own)
      )
      const reached = (name: Failpoint) =>
        Effect.suspend(() => {
          if (armed?.name !== name || --armed.left > 0) return Effect.void
          const { rest } = armed
          armed = undefined
          return Deferred.succeed(dead, undefined).pipe(
            Effect.andThen(Effect.forkIn(ended("killed", rest), world)),
            Effect.andThen(Effect.never)
          )
        })
      const fiber = yield* Outbox.use((outbox) =>
        Effect.provideService(outbox.dispatch(bot, botId), Lease, Lease.sole)
      ).pipe(
        Effect.provideContext(services),
        Effect.provideService(AtFailpoint, reached),
        Effect.tapCause((cause) =>
          Cause.hasInterruptsOnly(cause) ? Effect.void : Effect.logError("The dispatcher ended", cause)
        ),
        Effect.forkDetach
      )
      const begun: Dispatcher = {
        informed: false,
        port: Context.get(services, BotPort),
        // It may be killed while it is still putting things in order.
        interrupt: Effect.raceFirst(Fiber.interrupt(fiber), Deferred.await(dead)).pipe(
          Effect.andThen(Scope.close(own, Exit.void)),
          Effect.andThen(Deferred.isDone(dead)),
          Effect.map((killed) => (killed ? "killed" : "interrupted"))
        ),
        kill: Deferred.succeed(dead, undefined).pipe(
          Effect.andThen(Scope.close(own, Exit.void)),
          Effect.as("killed")
        )
      }
      alive = begun
      yield* Effect.sync(() => {
        begun.informed = true
      }).pipe(Effect.delay("20 millis"), Effect.forkIn(own))
    })

    /** Ends the dispatcher that is there, and starts another after `rest` milliseconds. */
    const ended = (how: Ending["how"], rest: number): Effect.Effect<void> =>
      Effect.gen(function* () {
        const ending = alive
        if (ending === undefined) return
        alive = undefined
        const ended = yield* how === "interrupted" ? ending.interrupt : ending.kill
        endings.push({ at: yield* Clock.currentTimeMillis, how: ended })
        yield* Effect.sleep(rest)
        for (const id of yield* open("sending")) killed.set(id, (killed.get(id) ?? 0) + 1)
        yield* begin
      })

    // The database is there for the next world too.
    yield* Effect.addFinalizer(() => Effect.suspend((): Effect.Effect<unknown> => alive?.kill ?? Effect.void))

    // Whoever decides what is said lives on when a dispatcher dies.
    const desk = yield* Layer.build(
      Outbox.layer.pipe(
        Layer.provide(BotPort.layerRecording),
        Layer.provide(Pacer.layer),
        Layer.provide(Layer.succeed(TenantScope, scope)),
        Layer.provide(Layer.succeed(Signals, signals)),
        Layer.fresh
      )
    )
    const outbox = Context.get(desk, Outbox)

    return {
      emulator,
      endings: endings as ReadonlyArray<Ending>,
      killed: (row: Row) => killed.get(row.id) ?? 0,
      /** How often a dispatcher looked at its rows. */
      rounds: () => rounds,
      begin,
      ended,
      /** Kills the dispatcher when it gets to this place for the `count`th time. */
      arm: (name: Failpoint, count: number, rest: number) =>
        Effect.sync(() => {
          armed = { name, left: count, rest }
        }),
      disarm: Effect.sync(() => {
        armed = undefined
      }),
      say: (entries: ReadonlyArray<Omit<OutboxEntry, "botId">>) =>
        Effect.gen(function* () {
          for (const { key } of entries) asked.set(key, yield* Clock.currentTimeMillis)
          yield* Effect.orDie(
            outbox.enqueue(
              bot.tenant,
              entries.map((entry) => ({ ...entry, botId }))
            )
          )
        }),
      /** The rows with the time at which each was said, in milliseconds of this clock. */
      timed: (rows: ReadonlyArray<Row>) => rows.map((row) => ({ ...row, created: asked.get(row.key)! })),
      /** Something said past the outbox; nobody minds when it fails. */
      aside: (act: (port: BotPort["Service"]) => Effect.Effect<void, BotPortError>) =>
        Effect.suspend(() =>
          alive?.informed === true ? Effect.forkDetach(Effect.ignore(act(alive.port))) : Effect.void
        ),
      /** Waits until nothing is left to send, and does not when it takes too long: the rows tell. */
      finished: Effect.gen(function* () {
        while (alive === undefined || (yield* open("all")).length > 0) yield* Effect.sleep("2 seconds")
      }).pipe(Effect.timeoutOption("30 minutes")),
      rows: Effect.orDie(
        scope.transaction(
          bot.tenant,
          (sql) => sql<Row>`
            SELECT id::int AS id, key, chat_id::float8 AS chat, thread_id::float8 AS thread, delivery, state,
              error, action::jsonb #>> '{content,text,text}' AS text
            FROM outbox ORDER BY id`
        )
      ),
      journal: Effect.orDie(emulator.journal({})),
      happened: evidence.happened
    }
  })

export type World = Effect.Success<ReturnType<typeof makeWorld>>

/** A world of its own for a body that runs on its clock. */
export const inWorld = <A, E>(
  body: (world: World, places: ReadonlyArray<Place>) => Effect.Effect<A, E>
): Effect.Effect<A, E, TenantScope | Signals> =>
  Effect.gen(function* () {
    const clock = makeVirtualClock(yield* Clock.currentTimeMillis)
    return yield* clock.drive(
      Effect.gen(function* () {
        const places = yield* makePlaces
        const world = yield* makeWorld(clock)
        return yield* body(world, places)
      }).pipe(Effect.provide(emulatorLayer({ rates: "telegram" })), Effect.scoped)
    )
  })
