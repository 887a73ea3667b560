/** Sessions over a real database and a Telegram of the test's own. */
import { Effect, Fiber, Layer, Logger, Queue, Redacted, Schedule, Stream } from "effect"
import { AppId, defaultTenant, UserId } from "../../src/domain/Ids.ts"
import { Scrubber } from "../../src/ops/Scrub.ts"
import type { LoginStep } from "../../src/session/LoginStep.ts"
import { SessionManager } from "../../src/session/SessionManager.ts"
import { SessionStore } from "../../src/session/SessionStore.ts"
import { Vault } from "../../src/session/Vault.ts"
import { TestDatabase } from "../support/Postgres.ts"

export { locksOf, masterKey, process } from "./process.ts"

export const key = { tenant: defaultTenant, app: AppId.make("mine") }
export const ann = { id: UserId.make(42), name: "Ann", phone: "+4915550042" }
export const bob = { id: UserId.make(43), name: "Bob", password: "canary-5e55i0n-right", hint: "the dog" }
export const apiHash = "0123456789abcdef0123456789abcdef"
export const by = { actor: "user:42" } as const

export const beneath = Layer.mergeAll(TestDatabase.layer, Scrubber.layer, Logger.layer([]))

/** A session nobody is logged in to, with the API id and hash it needs. */
export const added = (session: { readonly expected?: UserId } = {}) =>
  Effect.gen(function* () {
    const { put } = yield* Vault
    yield* put(key.tenant, { kind: "api-key", alias: "main" }, Redacted.make(`12345:${apiHash}`))
    yield* (yield* SessionManager).add(key, { kind: "user", apiKeyAlias: "main", ...session })
  })

/** The steps of a login as they are shown; the queue ends with how it ended. */
export const watching = Effect.fnUntraced(function* <E>(steps: Stream.Stream<LoginStep, E>) {
  const seen = yield* Queue.unbounded<LoginStep>()
  const ended = yield* steps.pipe(
    Stream.runForEach((step) => Queue.offer(seen, step)),
    Effect.result,
    Effect.forkChild({ startImmediately: true })
  )
  /** The next step of this kind. */
  const next = <T extends LoginStep["_tag"]>(tag: T): Effect.Effect<Extract<LoginStep, { _tag: T }>> =>
    Effect.flatMap(Queue.take(seen), (step) =>
      step._tag === tag ? Effect.succeed(step as Extract<LoginStep, { _tag: T }>) : next(tag)
    )
  return { next, ended: Fiber.join(ended) }
})

/** Soon, whatever has to happen for it. */
export const eventually = <A, E, R>(effect: Effect.Effect<A, E, R>, holds: (value: A) => boolean) =>
  Effect.repeat(effect, { schedule: Schedule.spaced("10 millis"), until: holds }).pipe(
    Effect.timeout("90 seconds")
  )

/** What was noted of the session, the oldest move first. */
export const moves = Effect.flatMap(SessionStore, ({ history }) =>
  Effect.map(history(key, 100), (all) => all.toReversed().map(({ to, reason }) => `${reason} ${to}`))
)
export const state = Effect.flatMap(SessionManager, ({ status }) =>
  Effect.map(status(key), (info) => info.state)
)
/** The sessions of which something is kept. */
export const secrets = Effect.flatMap(Vault, ({ names }) =>
  Effect.map(names(key.tenant), (all) =>
    all.flatMap(({ alias, kind }) => (kind === "session" ? [alias] : []))
  )
)
