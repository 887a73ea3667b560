/**
 * The way in: sees to it that a bot's updates come. Here by polling Telegram for them. An update is confirmed (by
 * asking for the ones after it) only when it and all of its batch are stored or refused.
 *
 * No offset is kept across starts: Telegram then gives the oldest updates it has no confirmation of, and the
 * store drops the ones it knows. An offset at rest could only be wrong (another token, numbers begun anew).
 */
import { Clock, Context, Duration, Effect, Layer, Metric, Random } from "effect"
import type { BotId } from "../domain/Ids.ts"
import { Lease } from "../lock/Locks.ts"
import { NotReady } from "../ops/Health.ts"
import type { BotUnknown } from "./BotError.ts"
import type { BotKey } from "./BotPort.ts"
import { botName } from "./Bots.ts"
import { type CallFailed, GrammyApi } from "./GrammyApi.ts"
import { lastPollTime, pollFailures } from "./intakeMetrics.ts"
import { advice, failureOf, type PollFailure, waitAfter } from "./PollRules.ts"
import { allowedUpdates, Taking } from "./Taking.ts"

/** What came of asking Telegram for updates, or of telling it where they go. */
export type Hearing =
  | { readonly _tag: "Answered" }
  | {
      readonly _tag: "Failed"
      readonly failure: PollFailure
      /** How many of its kind there were in a row before. */
      readonly nth: number
      /** Milliseconds until Telegram is asked again. */
      readonly wait: number
    }

/** Whoever watches over a bot hears of each attempt, before the next. */
export type Listener = (hearing: Hearing) => Effect.Effect<void>

export class Intake extends Context.Service<
  Intake,
  {
    /**
     * Receives the bot's updates until interrupted, which aborts a call under way at once. One at a time per bot, in
     * one process of the world: the holder of the lease. Whatever Telegram answers, it is asked again; rarely where it
     * refuses the token.
     */
    readonly receive: (bot: BotKey, botId: BotId, told?: Listener) => Effect.Effect<never, BotUnknown, Lease>
    /** Fails while a bot that is received here hears nothing; what else an operator should know of it. */
    readonly health: (bot: BotKey) => Effect.Effect<string | undefined, NotReady>
  }
>()("zapiska/telegram/Intake") {
  static readonly layer: Layer.Layer<Intake, never, GrammyApi | Taking> = Layer.effect(
    Intake,
    Effect.suspend(() => make)
  )
}

/** How long Telegram holds a poll open when there is nothing to say. Its most: asking again is what an idle bot costs. */
export const pollHold = Duration.seconds(50)

/** Milliseconds. One answer may be lost on its way, and is waited for a little longer than the hold. */
const deaf = Duration.toMillis(pollHold) * 2.5

/** The most Telegram gives at once. */
const batchSize = 100
/** An empty answer sooner than this was no long poll; asking again at once would be a busy loop. */
const tooSoon = 500

const make = Effect.gen(function* () {
  const api = yield* GrammyApi
  const taking = yield* Taking
  /** When Telegram last answered those that poll here, or when they began, and what is the matter since. */
  const answered = new Map<string, { readonly at: number; readonly trouble?: string }>()

  const failing = Effect.fnUntraced(function* (
    bot: BotKey,
    failure: PollFailure,
    nth: number,
    told: Listener
  ) {
    const reason = failure._tag.toLowerCase()
    yield* Metric.update(Metric.withAttributes(pollFailures, { reason }), 1)
    const wait = waitAfter(failure, nth, yield* Random.next)
    const message = `${advice(failure)}. Next poll in ${Duration.format(wait)}`
    // That a token is refused is said by whoever is told of it, once.
    const passing = (failure._tag === "Outage" && nth < 3) || failure._tag === "Unauthorized"
    yield* passing ? Effect.logInfo(message) : Effect.logWarning(message)
    const at = answered.get(botName(bot))?.at
    if (at !== undefined) answered.set(botName(bot), { at, trouble: advice(failure) })
    yield* told({ _tag: "Failed", failure, nth, wait: Duration.toMillis(wait) })
    yield* Effect.sleep(wait)
  })

  /** One poll and what it brought: the next offset, or why there is none. */
  const pollOnce = (
    bot: BotKey,
    botId: BotId,
    began: number,
    told: Listener,
    {
      offset,
      connection,
      hold
    }: {
      readonly offset: number | undefined
      readonly connection: "shared" | "fresh"
      readonly hold: Duration.Duration
    }
  ) =>
    Effect.gen(function* () {
      const asked = yield* Clock.currentTimeMillis
      const batch = yield* api.getUpdates(bot, {
        ...(offset === undefined ? {} : { offset }),
        timeout: hold,
        limit: batchSize,
        allowedUpdates,
        connection
      })
      const now = yield* Clock.currentTimeMillis
      answered.set(botName(bot), { at: now })
      yield* Metric.update(lastPollTime, Math.floor(now / 1000))
      yield* told({ _tag: "Answered" })
      const next = yield* taking.batch(bot, botId, batch, began)
      if (next === undefined && hold === pollHold && now - asked < tooSoon) yield* Effect.sleep("1 second")
      return { _tag: "Answered" as const, next }
    }).pipe(Effect.catchTag("CallFailed", (error: CallFailed) => Effect.succeed(failureOf(error.outcome))))

  /** What waits at Telegram stays there for us. */
  const withoutWebhook = (bot: BotKey) =>
    api.call(bot, "deleteWebhook", {}, { idempotent: true, timeout: "20 seconds" }).pipe(
      Effect.andThen(
        Effect.logInfo(
          "The bot had a webhook, which is removed: without TELEGRAM_WEBHOOK_URL its updates are polled for"
        )
      ),
      Effect.as(true),
      Effect.catchTag(["CallFailed", "FileUnreadable"], (error) =>
        Effect.as(Effect.logWarning(`The bot's webhook is not removed: ${error.message}`), false)
      )
    )

  const poll = Effect.fnUntraced(function* (bot: BotKey, botId: BotId, told: Listener) {
    let offset: number | undefined
    let last: PollFailure | undefined
    let inARow = 0
    let answeredOnce = false
    const began = yield* Clock.currentTimeMillis
    const lease = yield* Lease
    // Another may have it, and we have not been interrupted yet: a process that was frozen gets here first.
    const held = Effect.catch(lease.check, () => Effect.never)
    while (true) {
      yield* held
      const connection = last?._tag === "Conflict" ? "fresh" : "shared"
      // Whether Telegram is there is told at once. Whether somebody else polls shows only while a poll is held open.
      const hold =
        (answeredOnce && last === undefined) || last?._tag === "Conflict" ? pollHold : Duration.zero
      const result = yield* pollOnce(bot, botId, began, told, { offset, connection, hold })
      if (result._tag === "Answered") {
        answeredOnce = true
        if (last !== undefined) yield* Effect.logInfo("Telegram answers polls again")
        // After an empty answer everything before is confirmed for good. Numbers begin anew at random after
        // a silent week: an old offset above them would make the bot deaf.
        offset = result.next
        last = undefined
        continue
      }
      inARow = last?._tag === result._tag ? inARow + 1 : 0
      last = result
      const removed = result._tag === "Conflict" && result.by === "webhook" && (yield* withoutWebhook(bot))
      if (!removed || inARow > 0) yield* failing(bot, result, inARow, told)
    }
  })

  const health = Effect.fnUntraced(function* (bot: BotKey) {
    const last = answered.get(botName(bot))
    if (last === undefined) return undefined
    const age = (yield* Clock.currentTimeMillis) - last.at
    if (age <= deaf) return undefined
    return yield* new NotReady({
      reason: `Telegram has given no updates for ${Math.round(age / 1000)} s; ${last.trouble ?? "it does not answer"}`
    })
  })

  return Intake.of({
    receive: (bot, botId, told = () => Effect.void) =>
      Effect.acquireUseRelease(
        Effect.map(Clock.currentTimeMillis, (now) => answered.set(botName(bot), { at: now })),
        () => poll(bot, botId, told),
        () => Effect.sync(() => answered.delete(botName(bot)))
      ).pipe(Effect.annotateLogs({ tenant: bot.tenant, app: bot.app, operation: "Intake.receive" })),
    health
  })
})
