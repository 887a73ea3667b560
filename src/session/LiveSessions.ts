/**
 * The live clients of people's accounts in this process: each connected under the lease on its session, shared by
 * all who want it, closed when the lease is lost or nobody has wanted it for a while.
 */
import {
  Cause,
  Clock,
  Deferred,
  type Duration,
  Effect,
  Exit,
  Metric,
  Option,
  RcMap,
  Result,
  Scope,
  Stream
} from "effect"
import type { SqlError } from "effect/sql"
import type { TenantId } from "../domain/Ids.ts"
import { Lease, Locks } from "../lock/Locks.ts"
import { Timeout, UserClient, type UserError } from "../telegram/UserClient.ts"
import { makeBorrowing } from "./Borrowing.ts"
import { makeJudging, unusable } from "./Judging.ts"
import { clientsLive } from "./metrics.ts"
import { type ClientError, HeldElsewhere, NotAuthorized, TenantDisabled } from "./SessionError.ts"
import { type SessionKey, sessionName } from "./SessionEvents.ts"
import {
  closedHere,
  endOf,
  keyOf,
  type Life,
  type Lived,
  leaseOf,
  newLife,
  type Open,
  reporting
} from "./SessionLife.ts"
import { SessionSecrets } from "./SessionSecrets.ts"
import { SessionStore } from "./SessionStore.ts"
import { verdictOf, verdictOfValidation } from "./Trouble.ts"

/** Telegram answers within seconds or not at all. */
const connectWithin: Duration.Input = "30 seconds"
/** How long a client stays that nobody uses. */
const idleFor: Duration.Input = "1 minute"

const unowned = "nobody for sure: this process lost it"

/** `tenants`: those that are served. */
export const makeLiveSessions = Effect.fnUntraced(function* (
  tenants: Effect.Effect<ReadonlyArray<TenantId>, SqlError.SqlError>
) {
  const store = yield* SessionStore
  const secrets = yield* SessionSecrets
  const locks = yield* Locks
  const users = yield* UserClient
  const borrowing = yield* makeBorrowing
  const scope = yield* Scope.Scope
  const judging = makeJudging(store, secrets)
  /** The newest of each session, until it is over and done with. */
  const lives = new Map<string, Life>()
  /** Clients that were live here so far. */
  let opened = 0

  /** The row of a session that may be used; the reason where it may not. */
  const usable = Effect.fnUntraced(function* (key: SessionKey) {
    const row = yield* store.get(key)
    if (!(yield* tenants).includes(key.tenant))
      return yield* new TenantDisabled({ session: sessionName(key) })
    const refusal = unusable(row, yield* Clock.currentTimeMillis)
    return yield* refusal === undefined ? Effect.succeed(row) : Effect.fail(refusal)
  })

  const connect = Effect.fnUntraced(function* (key: SessionKey, lease: Lease["Service"]) {
    const row = yield* usable(key)
    const by = { actor: "system", fence: lease.fence }
    const hindered = (error: { readonly message: string }) => judging.hindered(row, by, error)
    const { apiHash, apiId } = yield* secrets
      .credentials(row)
      .pipe(
        Effect.tapErrorTag("CredentialsMissing", hindered),
        Effect.tapErrorTag("SecretUnreadable", hindered)
      )
    const kept = yield* secrets.kept(key).pipe(
      Effect.tapErrorTag("Corrupted", (error) =>
        judging.failed(key, by, { _tag: "Ended", reason: "material_corrupted" }, error, "validation_failed")
      ),
      Effect.tapErrorTag("SecretUnreadable", hindered)
    )
    const expected = row.account?.id ?? row.expected
    const connecting = Effect.gen(function* () {
      const session = yield* users.connect({
        account: key,
        apiId,
        apiHash,
        kept: Option.some(kept),
        mayWrite: lease.check,
        moved: (session) => judging.moved(key, by, session),
        ...(expected === undefined ? {} : { expected })
      })
      return { session, account: yield* session.me }
    })
    const { account, session } = yield* connecting.pipe(
      Effect.timeoutOrElse({
        duration: connectWithin,
        orElse: () => Effect.fail(new Timeout({ method: "connect" }))
      }),
      Effect.catch((error) =>
        Effect.flatMap(
          judging.failed(key, by, verdictOfValidation(error), error, "validation_failed"),
          (told) => Effect.fail(told ?? new NotAuthorized({ session: sessionName(key), state: row.state }))
        )
      )
    )
    yield* judging.answered(key, by, account)
    return { session, by, hasPositions: kept.positions !== undefined }
  })

  /** Nobody else gets this life. Another may have begun under its name, which stays. */
  const drop = (life: Life): Effect.Effect<void> =>
    Effect.suspend(() => {
      if (life.dropped || lives.get(life.name) !== life) return Effect.void
      life.dropped = true
      return RcMap.invalidate(shared, life.name)
    })
  const forget = (life: Life) =>
    Effect.andThen(
      drop(life),
      Effect.sync(() => lives.get(life.name) === life && lives.delete(life.name))
    )

  const end = (life: Life, error: ClientError) => Effect.andThen(Deferred.fail(life.over, error), drop(life))

  const report =
    (key: SessionKey, life: Life, open: () => Open | undefined) =>
    (error: UserError): Effect.Effect<void> =>
      Effect.gen(function* () {
        const now = yield* Clock.currentTimeMillis
        const current = open()
        if (current === undefined || Deferred.isDoneUnsafe(life.over)) return
        const verdict = verdictOf(error)
        // Doubted already; that it is over is no doubt.
        if (verdict._tag !== "Ended" && (current.doubt?.until ?? 0) > now) return
        const told = yield* judging.failed(key, current.by, verdict, error, "api_error")
        if (told !== undefined) yield* tell(life, current, told)
      }).pipe(
        Effect.catchCause((cause) =>
          Effect.logWarning(`What befell session ${sessionName(key)} could not be written down`, cause)
        )
      )

  /** What its users are told from now on: to wait, or that it is over. */
  const tell = (life: Life, open: Open, error: ClientError) =>
    Effect.suspend(() => {
      if (error._tag === "RateLimited") open.doubt = { error, until: error.until }
      else if (error._tag === "CircuitOpen") open.doubt = { error, until: error.nextTry }
      else return Effect.andThen(end(life, error), Deferred.succeed(life.stop, undefined))
      return Effect.void
    })

  const live = (key: SessionKey, life: Life) =>
    Effect.scoped(
      Effect.gen(function* () {
        const lease = yield* Lease
        // Telegram may be waited for long; whoever wants the lease does not wait that long.
        const { by, hasPositions, session } = yield* Effect.raceFirst(
          connect(key, lease),
          Effect.andThen(Deferred.await(life.stop), closedHere(life.name))
        )
        let open: Open | undefined
        const reported = reporting(
          session,
          {
            ended: Deferred.await(life.over),
            renew: Effect.asVoid(Deferred.succeed(life.stop, undefined)),
            hasPositions,
            keepPositions: (positions) => store.fenced(key, by, secrets.keepPositions(key, positions))
          },
          report(key, life, () => open)
        )
        open = {
          session: reported,
          bare: session,
          by,
          nth: ++opened,
          doubt: undefined
        }
        yield* Metric.modify(clientsLive, 1)
        yield* Effect.addFinalizer(() => Metric.modify(clientsLive, -1))
        yield* Deferred.succeed(life.opened, open)
        // Or until the client itself has given up.
        const closed = session.connection.pipe(
          Stream.filter((now) => now === "closed"),
          Stream.runHead
        )
        yield* Effect.raceFirst(Deferred.await(life.stop), Effect.asVoid(closed))
      })
    )

  const lookup = (name: string) =>
    Effect.gen(function* () {
      const key = keyOf(name)
      const before = lives.get(name)
      const life = newLife(name)
      lives.set(name, life)
      // What is closing has to be closed, or we would find the lease taken by ourselves.
      const closed = before === undefined ? Effect.void : Deferred.await(before.released)
      const lived = Effect.andThen(closed, usable(key)).pipe(
        Effect.andThen(locks.tryLease(leaseOf(key))(live(key, life))),
        Effect.catchTag("LockHeld", ({ owner }) => Effect.fail(new HeldElsewhere({ session: name, owner }))),
        Effect.catchTag("LockLost", () => Effect.fail(new HeldElsewhere({ session: name, owner: unowned }))),
        Effect.catchTag("SessionUnknown", () =>
          Effect.fail(new NotAuthorized({ session: name, state: "ABSENT" }))
        )
      )
      yield* lived.pipe(
        Effect.onExit((exit) =>
          Effect.gen(function* () {
            yield* closed
            if (Exit.isFailure(exit) && Cause.hasDies(exit.cause))
              yield* Effect.logError(`The client of session ${name} ended by a mistake of ours`, exit.cause)
            const ended = endOf(name, exit)
            yield* Deferred.fail(life.opened, ended)
            yield* Deferred.fail(life.over, ended)
            yield* Deferred.succeed(life.released, undefined)
            // Of its own accord: closing the entry waits for this very fiber.
            yield* Effect.forkIn(forget(life), scope)
          })
        ),
        Effect.forkScoped({ startImmediately: true })
      )
      return { life, opened: yield* Effect.result(Deferred.await(life.opened)) }
    })

  const shared: RcMap.RcMap<string, Lived> = yield* RcMap.make({ lookup, idleTimeToLive: idleFor })

  // The map would close them one by one, and a process has seconds to end.
  yield* Effect.addFinalizer(() =>
    Effect.forEach([...lives.values()], ({ name }) => stop(keyOf(name)), {
      concurrency: "unbounded",
      discard: true
    })
  )

  /** Without regard to what is in doubt. */
  const take = Effect.fnUntraced(function* (key: SessionKey) {
    const name = sessionName(key)
    for (let last = false; ; last = true) {
      const { life, opened } = yield* RcMap.get(shared, name)
      if (Result.isFailure(opened)) {
        yield* drop(life)
        return yield* Effect.fail(opened.failure)
      }
      if (!Deferred.isDoneUnsafe(life.over)) return { life, open: opened.success }
      yield* drop(life)
      if (last) return yield* Deferred.await(life.over)
    }
  })

  /** For as long as the scope lasts. */
  const get = Effect.fnUntraced(function* (key: SessionKey) {
    const { open } = yield* take(key)
    if (open.doubt !== undefined && open.doubt.until > (yield* Clock.currentTimeMillis))
      return yield* Effect.fail(open.doubt.error)
    return open.session
  })

  /** Asks Telegram whether the session lives, and makes the move its answer asks for. */
  const validate = Effect.fnUntraced(function* (key: SessionKey) {
    const before = opened
    const { life, open } = yield* take(key)
    // It answered just now.
    if (open.nth > before) return
    const account = yield* open.bare.me.pipe(Effect.result)
    if (Result.isSuccess(account)) {
      yield* judging.answered(key, open.by, account.success)
      open.doubt = undefined
      return
    }
    const told = yield* judging.failed(
      key,
      open.by,
      verdictOfValidation(account.failure),
      account.failure,
      "validation_failed"
    )
    if (told === undefined) return
    yield* tell(life, open, told)
    return yield* Effect.fail(told)
  }, Effect.scoped)

  /** Closes what is live here; ready when its lease is given back. */
  const stop = Effect.fnUntraced(function* (key: SessionKey) {
    const life = lives.get(sessionName(key))
    if (life === undefined) return
    yield* Deferred.succeed(life.stop, undefined)
    yield* Deferred.await(life.released)
    yield* drop(life)
  })

  yield* borrowing.wanted.pipe(
    Stream.mapEffect(stop, { concurrency: "unbounded" }),
    Stream.runDrain,
    Effect.forkScoped({ startImmediately: true })
  )

  /** Ends what is live of all other tenants. */
  const serveOnly = Effect.fnUntraced(function* (served: ReadonlyArray<TenantId>) {
    for (const life of [...lives.values()]) {
      if (served.includes(keyOf(life.name).tenant)) continue
      yield* end(life, new TenantDisabled({ session: life.name }))
      yield* Deferred.succeed(life.stop, undefined)
    }
  })

  const borrow = (key: SessionKey) => borrowing.borrow(key, get(key))

  return { get, borrow, validate, stop, serveOnly, judging }
})
