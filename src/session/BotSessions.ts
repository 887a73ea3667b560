/**
 * The session of a bot, kept by whoever runs the bot: each answer of Telegram moves it as the table has it, under the
 * bot's lease. Polls wait for a write that is due, and for none else.
 */
import { Clock, Context, Effect, Layer, Stream } from "effect"
import { Lease } from "../lock/Locks.ts"
import { TenantScope } from "../store/TenantScope.ts"
import type { BotAccount } from "../telegram/Bots.ts"
import type { Listener } from "../telegram/Intake.ts"
import { type BotMove, moveOf, troubleOf, type Written } from "./BotMoves.ts"
import { SessionEvents, sessionName } from "./SessionEvents.ts"
import type { SessionRow } from "./SessionRow.ts"
import { SessionStore } from "./SessionStore.ts"

export class BotSessions extends Context.Service<
  BotSessions,
  {
    /** Who is to be told what Telegram answers, for as long as the lease is ours. */
    readonly watch: (account: BotAccount) => Effect.Effect<Listener, never, Lease>
  }
>()("zapiska/session/BotSessions") {
  static readonly layer: Layer.Layer<BotSessions, never, SessionEvents | SessionStore | TenantScope> =
    Layer.effect(
      BotSessions,
      Effect.suspend(() => make)
    )
  /** Nothing is kept. */
  static readonly layerNone = Layer.succeed(BotSessions, {
    watch: () => Effect.succeed(() => Effect.void)
  })
}

const make = Effect.gen(function* () {
  const store = yield* SessionStore
  const scope = yield* TenantScope
  const { changes } = yield* SessionEvents

  /** What is believed of the sessions that are watched. */
  const believed = new Map<string, { written: Written | undefined }>()
  // An operator who disables a bot and enables it at once is not seen by whoever runs it: the bot is not stopped.
  yield* Effect.forkScoped(
    Stream.runForEach(changes, (event) =>
      Effect.sync(() => {
        const belief = believed.get(sessionName(event))
        if (belief !== undefined && belief.written?.state !== event.to) belief.written = undefined
      })
    ),
    { startImmediately: true }
  )

  /** That of the bot the process was started with, or of one older than the sessions of bots. */
  const added = ({ app, origin, tenant }: BotAccount) =>
    scope.transaction(tenant, (sql) =>
      Effect.gen(function* () {
        // One that is being removed gets none.
        const kept =
          origin === "stored"
            ? yield* sql`SELECT 1 FROM apps WHERE tenant_id = ${tenant} AND app = ${app} FOR KEY SHARE`
            : [1]
        if (kept.length > 0) yield* store.add({ tenant, app }, { kind: "bot" })
      })
    )

  const rowOf = (account: BotAccount) =>
    Effect.catchTag(store.get(account), "SessionUnknown", () =>
      Effect.andThen(added(account), store.get(account))
    )

  /** One that was disabled a moment ago, and still hears, does not come back by itself. */
  const enabled = ({ app, origin, tenant }: BotAccount) =>
    scope.transaction(tenant, (sql) =>
      Effect.map(
        sql`SELECT 1 FROM apps WHERE tenant_id = ${tenant} AND app = ${app} AND disabled_at IS NOT NULL`,
        (rows) => rows.length === 0 || origin !== "stored"
      )
    )

  return BotSessions.of({
    watch: Effect.fnUntraced(function* (account) {
      const { fence, key: lease } = yield* Lease
      const by = { actor: "system", fence, resource: lease.name }
      const { app, tenant } = account
      const session = { tenant, app }
      /** Without `written` it has to be read. */
      const belief: { written: Written | undefined } = { written: undefined }
      believed.set(sessionName(session), belief)
      let foreign = false

      const write = Effect.fnUntraced(function* (move: BotMove, row: Pick<SessionRow, "state">) {
        if (move._tag === "Note") return yield* store.note(session, by, move.learned)
        if (row.state === "REVOKED" && !(yield* enabled(account))) return row
        return yield* store.move(session, move.reason, by, move.learned)
      })

      const heard = Effect.fnUntraced(function* (hearing: Parameters<Listener>[0]) {
        const now = yield* Clock.currentTimeMillis
        if (foreign) return
        if (belief.written === undefined) {
          const row = yield* rowOf(account)
          foreign = row.kind !== "bot"
          if (foreign)
            return yield* Effect.logWarning(
              `What becomes of the bot ${sessionName(session)} is not kept: a person's account has its name; give one of them another`
            )
          belief.written = { state: row.state, at: undefined, trouble: row.lastError }
        }
        const move = moveOf(hearing, belief.written, now)
        if (move === undefined) return
        const { state } = yield* write(move, belief.written)
        const trouble = hearing._tag === "Failed" ? troubleOf(hearing.failure) : undefined
        belief.written = { state, at: now, trouble }
      })

      return (hearing) =>
        heard(hearing).pipe(
          Effect.catch((error) => {
            // Somebody else has written, or nobody can: what it is now is read with the next answer.
            belief.written = undefined
            return Effect.logWarning(
              `What Telegram answered to the bot is not written down: ${error.message}`
            )
          }),
          Effect.annotateLogs({ ...session, operation: "BotSessions.watch" })
        )
    })
  })
})
