/**
 * Is the process alive, and should it be given work? Whoever knows a condition registers a check of it;
 * liveness asks nobody, for a database that is away is no reason to kill us.
 */
import { Context, Duration, Effect, Layer, Schema, type Scope } from "effect"

/** Why a part is not ready, in words for the operator; no secrets, no message texts. */
export class NotReady extends Schema.TaggedError<NotReady>()("NotReady", { reason: Schema.String }) {
  override get message() {
    return this.reason
  }
}

export const CheckReport = Schema.Struct({
  name: Schema.String,
  ready: Schema.Boolean,
  reason: Schema.optionalKey(Schema.String)
})
export const HealthReport = Schema.Struct({ ready: Schema.Boolean, checks: Schema.Array(CheckReport) })
export type CheckReport = typeof CheckReport.Type
export type HealthReport = typeof HealthReport.Type

/** A text it succeeds with is said beside its being ready: a trouble nobody has to stay away for. */
export type Check = Effect.Effect<unknown, NotReady>

export class Health extends Context.Service<
  Health,
  {
    /**
     * Asked whenever somebody asks whether we are ready, until the scope closes; given 2 s to answer. Two checks
     * of one name count both.
     */
    readonly register: (name: string, check: Check) => Effect.Effect<void, never, Scope.Scope>
    /** From now on not ready: the process is going down and finishes what it has. */
    readonly drain: Effect.Effect<void>
    readonly draining: Effect.Effect<boolean>
    readonly ready: Effect.Effect<HealthReport>
  }
>()("zapiska/ops/Health") {
  static readonly layer: Layer.Layer<Health> = Layer.sync(Health, () => make())
}

const patience = Duration.seconds(2)

const make = () => {
  const checks = new Set<{ readonly name: string; readonly check: Check }>()
  let draining = false

  const ask = (name: string, check: Check): Effect.Effect<CheckReport> =>
    check.pipe(
      Effect.map((remark) => ({
        name,
        ready: true,
        ...(typeof remark === "string" ? { reason: remark } : {})
      })),
      Effect.timeoutOrElse({
        duration: patience,
        orElse: () => new NotReady({ reason: `no answer within ${Duration.format(patience)}` })
      }),
      Effect.catchTag("NotReady", ({ reason }) => Effect.succeed({ name, ready: false, reason })),
      Effect.catchCause((cause) =>
        Effect.logError(`The readiness check ${name} is broken`, cause).pipe(
          Effect.as({ name, ready: false, reason: "the check itself failed; the log says how" })
        )
      )
    )

  return Health.of({
    register: (name, check) =>
      Effect.acquireRelease(
        Effect.sync(() => {
          const entry = { name, check }
          checks.add(entry)
          return entry
        }),
        (entry) => Effect.sync(() => checks.delete(entry))
      ),
    drain: Effect.sync(() => {
      draining = true
    }),
    draining: Effect.sync(() => draining),
    ready: Effect.gen(function* () {
      const asked = yield* Effect.forEach(checks, ({ name, check }) => ask(name, check), {
        concurrency: "unbounded"
      })
      const reports: ReadonlyArray<CheckReport> = [
        ...asked,
        { name: "accepting", ready: !draining, ...(draining ? { reason: "the process is going down" } : {}) }
      ]
      return { ready: reports.every((report) => report.ready), checks: reports }
    })
  })
}
