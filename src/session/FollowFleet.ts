/** Sees to it that every account with followed chats is at work in one process, as chats and tenants come and go. */
import { Context, Effect, Layer, Schedule, Stream } from "effect"
import { Directory, enabledTenants } from "../store/Directory.ts"
import type { HandledUpdates } from "../store/HandledUpdates.ts"
import { Signals } from "../store/Signals.ts"
import type { Limits } from "../telegram/Limits.ts"
import type { Permission } from "../telegram/Permission.ts"
import type { UpdateSink } from "../telegram/Taking.ts"
import type { AccountFiles } from "./AccountFiles.ts"
import { FollowStore } from "./FollowStore.ts"
import { makeFollowWorker } from "./FollowWorker.ts"
import { type SessionKey, sessionName } from "./SessionEvents.ts"
import { SessionManager } from "./SessionManager.ts"
import type { SessionSecrets } from "./SessionSecrets.ts"

export class FollowFleet extends Context.Service<
  FollowFleet,
  {
    /** Until interrupted; what it started goes on. Of several processes the one that has the session works. */
    readonly follow: Effect.Effect<never>
  }
>()("zapiska/session/FollowFleet") {
  static readonly layer: Layer.Layer<
    FollowFleet,
    never,
    | AccountFiles
    | Directory
    | FollowStore
    | HandledUpdates
    | Limits
    | Permission
    | SessionManager
    | SessionSecrets
    | Signals
    | UpdateSink
  > = Layer.effect(
    this,
    Effect.suspend(() => make)
  )
}

/** A signal can be lost with the connection it comes over. */
const lookEvery = "30 seconds"

const make = Effect.gen(function* () {
  const directory = yield* Directory
  const sessions = yield* SessionManager
  const signals = yield* Signals
  const store = yield* FollowStore
  const worker = yield* makeFollowWorker
  const working = new Map<string, SessionKey>()

  const settle = Effect.gen(function* () {
    const tenants = enabledTenants(yield* directory.listing)
    const wanted = (yield* Effect.forEach(tenants, store.sessions)).flat()
    const names = new Set(wanted.map(sessionName))
    for (const [name, key] of working)
      if (!names.has(name)) {
        yield* sessions.stop(key)
        working.delete(name)
      }
    for (const key of wanted)
      if (!working.has(sessionName(key))) {
        yield* sessions.start(key, worker(key))
        working.set(sessionName(key), key)
      }
  }).pipe(
    Effect.catch((error) =>
      Effect.logWarning(`Which chats are followed cannot be read: ${error.message}; trying again`)
    )
  )

  return FollowFleet.of({
    follow: Stream.mergeAll(
      [
        Stream.map(directory.changes, () => undefined),
        Stream.map(signals.listen("zapiska_follows"), () => undefined),
        signals.resumed,
        Stream.map(Stream.fromSchedule(Schedule.jittered(Schedule.spaced(lookEvery))), () => undefined)
      ],
      { concurrency: "unbounded" }
    ).pipe(
      // However much changes meanwhile, it is looked at once: each look is at all tenants.
      Stream.buffer({ capacity: 1, strategy: "sliding" }),
      Stream.runForEach(() => settle),
      Effect.andThen(Effect.never)
    )
  })
})
