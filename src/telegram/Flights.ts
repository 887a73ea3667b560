/**
 * The outbox rows of one bot that are on their way: each in a fiber of its own, from the claim until it is
 * known what becomes of it. Detached, so that an interrupted dispatcher can wait for them.
 */
import { Clock, type Duration, Effect, Fiber, FiberHandle, Metric, Queue, Random } from "effect"
import { Address } from "../domain/Address.ts"
import type { MessageId } from "../domain/Ids.ts"
import { reach } from "../ops/Failpoint.ts"
import { type BotKey, BotPort, type BotPortError, Dispatched } from "./BotPort.ts"
import { botName } from "./Bots.ts"
import { outboxDelay } from "./metrics.ts"
import type { Due } from "./OutboxClaims.ts"
import type { OutboxRow, Owner, Settled } from "./OutboxRows.ts"
import { waitAfter } from "./PollRules.ts"
import { delayOf } from "./Retrying.ts"
import { back, continued, enough, isSuspicious, type Plan, type Settlement, settle } from "./Settlement.ts"

type Action = Exclude<Plan, { _tag: "Hold" }>

interface Flight extends Due {
  readonly plan: Action
  readonly dispatched: Dispatched
  fiber?: Fiber.Fiber<void>
}

/** Unless `well`, nothing else is sent before Telegram has answered something harmless. */
type Health = "well" | "suspect" | "refused"

const addressOf = (owner: Owner, row: OutboxRow) =>
  new Address({
    tenant: owner.tenant,
    app: row.app,
    chat: row.chat,
    ...(row.thread === undefined ? {} : { thread: row.thread })
  })

/** `wake` is offered to whenever there is something for the dispatcher to do. */
export const makeFlights = Effect.fnUntraced(function* (owner: Owner, wake: Queue.Queue<void>) {
  const port = yield* BotPort
  const bot: BotKey = { tenant: owner.tenant, app: owner.app }
  const flights = new Map<number, Flight>()
  const finished: Array<Settled> = []
  const asking = yield* FiberHandle.make<void>()
  let health: Health = "well"
  /** When each row that is tried again failed last, and when Telegram last did what one asked. Unix milliseconds. */
  const failures = new Map<number, number>()
  let served = 0

  const stop = (reason: string) =>
    Effect.suspend(() => {
      if (health === "refused") return Effect.void
      health = "refused"
      return Effect.logError(`The outbox of ${botName(bot)} stopped and keeps its rows: ${reason}`)
    })

  const finish = (row: OutboxRow, settlement: Settlement) =>
    Effect.gen(function* () {
      flights.delete(row.id)
      finished.push({ row, settlement })
      if (settlement._tag !== "Back") failures.delete(row.id)
      if (settlement._tag === "BotStopped") yield* stop(settlement.reason)
      if (settlement._tag === "Dead" || settlement._tag === "Unknown" || settlement._tag === "ChatDead")
        yield* Effect.logWarning(`Outbox row ${row.id} ends as ${settlement._tag}: ${settlement.reason}`)
      yield* Queue.offer(wake, undefined)
    })

  const perform = (row: OutboxRow, plan: Action): Effect.Effect<MessageId, BotPortError> => {
    const address = addressOf(owner, row)
    if (plan._tag === "Edit") return Effect.as(port.edit(address, plan.message, plan.content), plan.message)
    const options = plan.replyTo === undefined ? {} : { replyTo: plan.replyTo }
    return Effect.map(port.send(address, plan.content, options), ({ messageId }) => messageId)
  }

  const failed = (row: OutboxRow, plan: Action, error: BotPortError) =>
    Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      const suspicious = isSuspicious(error)
      if (suspicious && health === "well") health = "suspect"
      const others = served > (failures.get(row.id) ?? Number.POSITIVE_INFINITY) ? "served" : "not served"
      if (suspicious) failures.set(row.id, now)
      // Rows can end without us: with their chat, or because a later one takes their place.
      for (const [id, at] of failures) if (now - at > enough.lonely) failures.delete(id)
      yield* finish(row, settle(row, plan, error, { now, spread: yield* Random.next, others }))
    })

  const deliver = ({ row, plan, dispatched }: Flight) =>
    reach("claimed").pipe(
      Effect.andThen(
        Effect.suspend(() => {
          // A port that does not say otherwise may be sending from now on.
          dispatched.inFlight = true
          return perform(row, plan)
        })
      ),
      Effect.tap(() => reach("sent")),
      Effect.provideService(Dispatched, dispatched),
      Effect.matchCauseEffect({
        onSuccess: (messageId) =>
          Effect.gen(function* () {
            const now = yield* Clock.currentTimeMillis
            served = now
            failures.delete(row.id)
            yield* Metric.update(outboxDelay, Math.max(now - row.created, 0) / 1_000)
            const { rest } = dispatched
            yield* finish(row, rest === undefined ? { _tag: "Sent", messageId } : continued(rest))
          }),
        onFailure: (cause) => {
          const failure = cause.reasons.find((reason) => reason._tag === "Fail")
          if (failure !== undefined) return failed(row, plan, failure.error)
          // Interrupted by `land` alone, which settles it.
          if (cause.reasons.every(({ _tag }) => _tag === "Interrupt")) return Effect.void
          return Effect.andThen(
            Effect.logError(`Outbox row ${row.id} hit a defect`, cause),
            finish(row, { _tag: "Unknown", reason: "a defect in the program" })
          )
        }
      }),
      // The answer belongs to the trace of what it answers.
      Effect.withSpan("Outbox.deliver", {
        ...(row.trace === undefined ? { root: true } : { parent: row.trace }),
        attributes: { "outbox.row": row.id }
      })
    )

  const launch = ({ row, urgency }: Due, plan: Action) =>
    Effect.suspend(() => {
      const flight: Flight = { row, urgency, plan, dispatched: { inFlight: false } }
      flights.set(row.id, flight)
      return Effect.map(Effect.forkDetach(deliver(flight)), (fiber) => {
        flight.fiber = fiber
      })
    })

  /** Asks Telegram something harmless until it answers, rarely where it refuses the token; then the outbox goes on. */
  const recover = Effect.gen(function* () {
    let refusals = 0
    for (let attempt = 1; health !== "well"; attempt++) {
      if (health === "refused")
        yield* Effect.sleep(waitAfter({ _tag: "Unauthorized" }, refusals++, yield* Random.next))
      // Asked once each time: what repeats it is this.
      const error = yield* Effect.match(port.identity(bot), {
        onSuccess: () => undefined,
        onFailure: (e) => e
      }).pipe(Effect.provideService(Dispatched, { inFlight: false }))
      if (error === undefined) {
        health = "well"
        yield* Queue.offer(wake, undefined)
      } else if (error._tag === "Unauthorized" || error._tag === "BotUnknown") {
        yield* stop(error.message)
      } else {
        const now = yield* Clock.currentTimeMillis
        const wait = "until" in error ? error.until - now : delayOf(attempt, yield* Random.next)
        yield* Effect.sleep(Math.max(wait, 100))
      }
    }
  })

  /** Nothing more is launched: waits for what is in flight, gives the rest back. */
  const land = (patience: Duration.Input) =>
    Effect.gen(function* () {
      const fibers = [...flights.values()].flatMap(({ fiber, dispatched }) =>
        fiber === undefined ? [] : [{ fiber, waiting: !dispatched.inFlight }]
      )
      yield* Effect.forEach(
        fibers,
        ({ fiber, waiting }) => (waiting ? Fiber.interrupt(fiber) : Fiber.await(fiber)),
        { concurrency: "unbounded", discard: true }
      ).pipe(Effect.interruptible, Effect.timeoutOption(patience))
      const now = yield* Clock.currentTimeMillis
      for (const { row, plan, dispatched, fiber } of [...flights.values()]) {
        const lost = dispatched.inFlight && plan._tag === "Send"
        yield* finish(
          row,
          lost
            ? { _tag: "Unknown", reason: "the program ended before Telegram answered" }
            : back(now, "the program ended before it was sent")
        )
        if (fiber !== undefined) yield* Effect.forkDetach(Fiber.interrupt(fiber))
      }
    })

  return {
    launch,
    finish,
    /** Sees to it that an outbox that is not well goes on as soon as it can. */
    recover: Effect.suspend(() =>
      health === "well" ? Effect.void : FiberHandle.run(asking, recover, { onlyIfMissing: true })
    ),
    land,
    /** What ended since the last `forget`, in order. */
    finished: () => [...finished],
    forget: (count: number) => void finished.splice(0, count),
    ids: () => [...flights.keys()],
    size: () => flights.size,
    broadcasts: () => [...flights.values()].filter(({ urgency }) => urgency === "broadcast").length,
    /** Whether Telegram failed at the row before, in this process. */
    failedBefore: (row: OutboxRow) => failures.has(row.id),
    health: () => health
  }
})
