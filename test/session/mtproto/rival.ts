/**
 * A process that wants the session `mine` and, as long as it has it, asks Telegram something all the time. Says on its
 * output what becomes of it, a line of JSON each. Told to by SIGUSR2 it freezes with calls on their way to the socket.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Config, Console, Effect, Layer, Option, Redacted, Schema } from "effect"
import { AppId, defaultTenant } from "../../../src/domain/Ids.ts"
import { Locks } from "../../../src/lock/Locks.ts"
import * as LocksRedis from "../../../src/lock/LocksRedis.ts"
import { SessionManager } from "../../../src/session/SessionManager.ts"
import * as MtcuteClient from "../../../src/telegram/MtcuteClient.ts"
import { preparedSession } from "../../../src/telegram/mtproto/SessionStorage.ts"
import { UserClient } from "../../../src/telegram/UserClient.ts"
import { sessionsOfEnvironment } from "./ofEnvironment.ts"

const Door = Schema.fromJsonString(
  Schema.Struct({ id: Schema.Int, host: Schema.String, port: Schema.Int, publicKey: Schema.String })
)
const Keys = Schema.fromJsonString(Schema.Struct({ keys: Schema.Record(Schema.String, Schema.String) }))

const say = (what: Record<string, unknown>) => Console.log(JSON.stringify(what))

/** The client that goes through this door, whichever the session was made at. */
const clientThrough = (door: typeof Door.Type) =>
  Layer.effect(
    UserClient,
    UserClient.useSync((client) =>
      UserClient.of({
        connect: (options) => {
          const kept = Option.map(options.kept, (one) => {
            const { keys } = Schema.decodeSync(Keys)(Redacted.value(one.session))
            return { ...one, session: preparedSession(door, Buffer.from(keys[door.id] ?? "", "base64")) }
          })
          return client.connect({ ...options, kept, dataCentre: door })
        }
      })
    )
  ).pipe(Layer.provide(MtcuteClient.layer))

const locks = (url: Redacted.Redacted<string>, ttl: number) =>
  Layer.effect(
    Locks,
    Locks.useSync(({ tryLease, withLease }) =>
      Locks.of({
        tryLease: (key, options) => tryLease(key, { ...options, ttl }),
        withLease: (key, options) => withLease(key, { ...options, ttl })
      })
    )
  ).pipe(Layer.provide(LocksRedis.layer({ url })))

/** As if it were stopped from outside at the worst moment there is: its next step would be to write. */
let ask: Effect.Effect<unknown, unknown> = Effect.void
process.on("SIGUSR2", () => {
  for (let calls = 0; calls < 8; calls++) Effect.runFork(Effect.ignore(ask))
  process.kill(process.pid, "SIGSTOP")
})

const key = { tenant: defaultTenant, app: AppId.make("mine") }

const rival = Effect.gen(function* () {
  const { client } = yield* SessionManager
  const turn = Effect.scoped(
    Effect.gen(function* () {
      const session = yield* client(key)
      ask = session.me
      yield* say({ is: "live" })
      const asking = Effect.forever(Effect.andThen(Effect.ignore(session.me), Effect.sleep("5 millis")))
      return yield* Effect.raceFirst(session.ended, asking)
    })
  )
  return yield* turn.pipe(
    Effect.catch((error) =>
      say({ is: "without", because: error._tag, ...("owner" in error ? { owner: error.owner } : {}) })
    ),
    Effect.andThen(Effect.sleep("50 millis")),
    Effect.forever
  )
})

const layer = Layer.unwrap(
  Effect.gen(function* () {
    const door = yield* Schema.decodeUnknownEffect(Door)(yield* Config.String("DOOR"))
    const ttl = yield* Config.Int("TTL")
    return sessionsOfEnvironment(clientThrough(door), (redis) => locks(redis, ttl))
  })
)

NodeRuntime.runMain(Effect.provide(rival, layer))
