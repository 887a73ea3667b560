/**
 * Leases on things of which the world may have one owner. A lease alone protects nothing, for its holder may be
 * frozen while it runs out: what it guards compares fences (`Fences.accept`) in the transaction that writes.
 */
import { Context, type Duration, Effect, Schema } from "effect"
import type { SqlError } from "effect/sql"
import { defaultTenant, type TenantId } from "../domain/Ids.ts"

/** `name` says what is owned, such as `bot/123456`; unique per tenant. */
export interface LockKey {
  readonly tenant: TenantId
  readonly name: string
}

export const lockName = ({ tenant, name }: LockKey): string => `${tenant}/${name}`

/** Somebody else has it. `expiresIn` in milliseconds: then it is free, unless it is renewed. */
export class LockHeld extends Schema.TaggedError<LockHeld>()("LockHeld", {
  key: Schema.String,
  owner: Schema.String,
  expiresIn: Schema.Number
}) {
  override get message() {
    return `${this.key} is held by ${this.owner}, for ${Math.ceil(this.expiresIn / 1000)} s more unless it is renewed; try again later or stop that process`
  }
}

/** The lease ended under its holder, whose work was interrupted: another may hold it now. */
export class LockLost extends Schema.TaggedError<LockLost>()("LockLost", {
  key: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `The lease on ${this.key} was lost (${this.reason}); what was done under it was interrupted, acquire it again`
  }
}

/** The place where locks are kept does not answer. Nothing is taken for granted then. */
export class LocksUnavailable extends Schema.TaggedError<LocksUnavailable>()("LocksUnavailable", {
  key: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `Whether ${this.key} is free cannot be found out: Redis does not answer (${this.reason}). Check REDIS_URL and that it runs`
  }
}

/** What the holder of a lease sees of it. */
export class Lease extends Context.Service<
  Lease,
  {
    readonly key: LockKey
    /** Higher than that of every earlier holder. */
    readonly fence: number
    /** Milliseconds until the holder must have stopped, if no renewal succeeds. Not above 0: it is over. */
    readonly remaining: Effect.Effect<number>
    /** Fails when it is over: to be asked before what cannot compare a fence. */
    readonly check: Effect.Effect<void, LockLost>
  }
>()("zapiska/lock/Lease") {
  /** What a program has that is known to be the only one: it never ends, and gives way to every other. */
  static readonly sole = Lease.of({
    key: { tenant: defaultTenant, name: "sole" },
    fence: 0,
    remaining: Effect.succeed(Number.POSITIVE_INFINITY),
    check: Effect.void
  })
}

export interface LeaseOptions {
  /** How long it outlives its holder; 15 seconds. Renewed after a third of it, given up after two. */
  readonly ttl?: Duration.Input
}

export type LockError = LockHeld | LockLost | LocksUnavailable | SqlError.SqlError

export class Locks extends Context.Service<
  Locks,
  {
    /**
     * Runs the effect while the lease is held and gives it back after it, however it ends. Waits for its turn, at
     * most for `wait` (then `LockHeld`), or as long as it takes. When the lease is lost the effect is interrupted
     * and the result is `LockLost`, also when it had ended by itself after the lease.
     */
    readonly withLease: (
      key: LockKey,
      options?: LeaseOptions & { readonly wait?: Duration.Input }
    ) => <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E | LockError, Exclude<R, Lease>>
    /** As `withLease`, without waiting: `LockHeld` when somebody has it or waits for it. */
    readonly tryLease: (
      key: LockKey,
      options?: LeaseOptions
    ) => <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E | LockError, Exclude<R, Lease>>
  }
>()("zapiska/lock/Locks") {}
