/**
 * The only way to the domain tables: a transaction of the runtime role with the tenant set as its first
 * statement, so that row-level security answers for what a query forgets.
 */
import { Cause, Context, Effect } from "effect"
import { type SqlClient, SqlError } from "effect/sql"
import type { TenantId } from "../domain/Ids.ts"

export class TenantScope extends Context.Service<
  TenantScope,
  {
    /**
     * Runs `body` in a transaction of `tenant`. Called inside a transaction of the same tenant it joins it
     * (no savepoint): the whole commits or nothing. Inside one of another tenant it is a defect.
     */
    readonly transaction: <A, E, R>(
      tenant: TenantId,
      body: (sql: SqlClient.SqlClient) => Effect.Effect<A, E, R>
    ) => Effect.Effect<A, E | SqlError.SqlError, R>
    /**
     * Runs `body` in a transaction that may only read, and sees nothing but which tenants and apps there are: those
     * of all. Inside another transaction it is a defect, as another is inside it.
     */
    readonly directory: <A, E, R>(
      body: (sql: SqlClient.SqlClient) => Effect.Effect<A, E, R>
    ) => Effect.Effect<A, E | SqlError.SqlError, R>
    /** Whether the caller is inside a transaction. */
    readonly entered: Effect.Effect<boolean>
  }
>()("zapiska/store/TenantScope") {}

/** Where a transaction is that is in no tenant. A tenant's name has no such sign in it. */
const everywhere = "*"

/** The transaction a fiber is in. A fiber that outlives it still carries it, closed. */
interface Current {
  readonly place: TenantId | typeof everywhere
  open: boolean
}

const CurrentTenant = Context.Reference<Current | undefined>("zapiska/store/TenantScope/Current", {
  defaultValue: () => undefined
})

/** `runtime` is the client of the runtime role. */
export const makeTenantScope = (runtime: SqlClient.SqlClient) => {
  type Place = Current["place"]

  /** Forgotten with the transaction. */
  const settings = (place: Place) =>
    place === everywhere
      ? runtime`SELECT set_config('transaction_read_only', 'on', true), set_config('app.directory', 'on', true)`
      : runtime`SELECT set_config('app.tenant_id', ${place}, true)`

  const begin = <A, E, R>(
    place: Place,
    body: (sql: SqlClient.SqlClient) => Effect.Effect<A, E, R>
  ): Effect.Effect<A, E | SqlError.SqlError, R> =>
    Effect.suspend(() => {
      const current: Current = { place, open: true }
      return settings(place).pipe(
        Effect.andThen(Effect.suspend(() => body(runtime))),
        Effect.ensuring(
          Effect.sync(() => {
            current.open = false
          })
        ),
        runtime.withTransaction,
        Effect.provideService(CurrentTenant, current),
        Effect.catchCause(reportLostConnection),
        Effect.annotateSpans("tenant", place)
      )
    })

  const withoutTransaction = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.updateContext(effect, (context: Context.Context<R>) =>
      Context.makeUnsafe<R>(Context.omit(runtime.transactionService)(context).mapUnsafe)
    )

  const enter = <A, E, R>(
    place: Place,
    body: (sql: SqlClient.SqlClient) => Effect.Effect<A, E, R>
  ): Effect.Effect<A, E | SqlError.SqlError, R> =>
    Effect.flatMap(CurrentTenant, (current) => {
      if (current === undefined) return begin(place, body)
      // Forked inside a transaction and still running after it: starts its own.
      if (!current.open) return withoutTransaction(begin(place, body))
      return current.place === place
        ? body(runtime)
        : Effect.die(new Error(`a transaction of ${place} inside one of ${current.place}`))
    })

  return TenantScope.of({
    entered: Effect.map(CurrentTenant, (current) => current?.open === true),
    transaction: enter,
    directory: (body) => enter(everywhere, body)
  })
}

/**
 * When the connection is lost under a transaction, its ROLLBACK cannot run either and dies, which would turn
 * a failure that callers retry into a defect.
 */
const reportLostConnection = <E>(cause: Cause.Cause<E>): Effect.Effect<never, E | SqlError.SqlError> => {
  const lost = cause.reasons.flatMap((reason) =>
    Cause.isDieReason(reason) && SqlError.isSqlError(reason.defect) ? [reason.defect] : []
  )[0]
  if (lost === undefined) return Effect.failCause(cause)
  const interrupts = cause.reasons.filter(Cause.isInterruptReason)
  return interrupts.length > 0 ? Effect.failCause(Cause.fromReasons(interrupts)) : Effect.fail(lost)
}
