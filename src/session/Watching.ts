/** Looks at sessions nobody uses now and then, and tidies up after logins whose process ended. */
import { createHash } from "node:crypto"
import { Clock, Effect, Schedule } from "effect"
import type { SqlError } from "effect/sql"
import { defaultTenant, type TenantId } from "../domain/Ids.ts"
import { Lease, type Locks } from "../lock/Locks.ts"
import type { TaskManager } from "../task/TaskManager.ts"
import type { makeLiveSessions } from "./LiveSessions.ts"
import { sessionName } from "./SessionEvents.ts"
import { leaseOf } from "./SessionLife.ts"
import type { SessionRow } from "./SessionRow.ts"
import { isLoggedIn, isPending } from "./SessionState.ts"
import type { SessionStore } from "./SessionStore.ts"
import { isDue } from "./Trouble.ts"

/** How often it is looked which sessions are due. */
const lookEvery = "15 seconds"
/** Sessions that are looked at at once. */
const atOnce = 8
/** After so long a login that nobody holds the lease of is nobody's. Milliseconds. */
const loginForgotten = 30_000

/** A number from 0 to 1, always the same for a session: sessions of one start must not come at once. */
export const spreadOf = (name: string): number =>
  createHash("sha256").update(name).digest().readUInt32BE(0) / 0xff_ff_ff_ff

export const watchSessions = Effect.fnUntraced(function* (services: {
  readonly store: SessionStore["Service"]
  readonly live: Effect.Success<ReturnType<typeof makeLiveSessions>>
  readonly locks: Locks["Service"]
  readonly tasks: TaskManager["Service"]
  readonly tenants: Effect.Effect<ReadonlyArray<TenantId>, SqlError.SqlError>
  readonly serveOnly: (served: ReadonlyArray<TenantId>) => Effect.Effect<void>
}) {
  const { live, locks, serveOnly, store, tasks, tenants } = services

  /** The lease of a login that is under way is not free. */
  const tidy = (row: SessionRow) =>
    locks.tryLease(leaseOf(row))(
      Effect.flatMap(Lease, ({ fence }) =>
        store.move(row, "login_expired", { actor: "system", fence }, { error: "its process ended" })
      )
    )

  const look = (row: SessionRow, now: number): Effect.Effect<void> => {
    const due = isLoggedIn(row.state) && isDue(row, now, spreadOf(sessionName(row)))
    const forgotten = isPending(row.state) && now - row.changed >= loginForgotten
    const looked: Effect.Effect<unknown, { readonly message: string }> = due
      ? live.validate(row)
      : forgotten
        ? tidy(row)
        : Effect.void
    return looked.pipe(
      // What Telegram said is in the row; that another process has it is as it should be.
      Effect.catch((error) => Effect.logDebug(`Session ${sessionName(row)} was looked at: ${error.message}`)),
      Effect.asVoid
    )
  }

  const round = Effect.gen(function* () {
    const served = yield* tenants
    yield* serveOnly(served)
    const all = yield* Effect.forEach(served, (tenant) => store.list(tenant))
    const now = yield* Clock.currentTimeMillis
    yield* Effect.forEach(
      all.flat().filter(({ kind }) => kind === "user"),
      (row) => look(row, now),
      { concurrency: atOnce, discard: true }
    )
  })

  yield* tasks
    .start(
      {
        id: "session-watch",
        kind: "session-watch",
        description: "Asks Telegram whether idle sessions still live",
        owner: { tenant: defaultTenant },
        restart: Schedule.spaced("15 seconds")
      },
      Effect.repeat(round, Schedule.spaced(lookEvery).pipe(Schedule.jittered))
    )
    .pipe(
      Effect.catchTag("TaskManagerStopped", () => Effect.void),
      Effect.catchTag("TaskExists", Effect.die)
    )
})
