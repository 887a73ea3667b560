/**
 * The way in by webhook: the holder of a bot tells Telegram where its updates go and looks now and then whether they
 * arrive. They are taken by whichever replica Telegram reaches (`WebhookDoor`).
 */
import { Clock, Duration, Effect, Layer, Metric, Random } from "effect"
import type { BotId } from "../domain/Ids.ts"
import type { BotKey } from "./BotPort.ts"
import { botName } from "./Bots.ts"
import { GrammyApi } from "./GrammyApi.ts"
import { Intake, type Listener } from "./Intake.ts"
import { webhookErrors, webhookFailures, webhookPending } from "./intakeMetrics.ts"
import { failureOf, type PollFailure, waitAfter } from "./PollRules.ts"
import { allowedUpdates } from "./Taking.ts"
import { addressOf, secretOf, troubleOf, type WebhookSettings, webhookAdvice } from "./WebhookRules.ts"

/** Between two looks at a webhook that stands; a third less or more. */
const lookEvery = Duration.toMillis(Duration.seconds(60))

/** How many updates Telegram may send to a bot at once: its own usual number. */
const connections = 40

const once = { idempotent: true, timeout: "20 seconds" } as const

/** A bot that is received here. `lastError`: Unix seconds of the last one that was told. */
interface Received {
  pending: number
  lastError: number
  trouble: string | undefined
}

/** Of a webhook that stands, or that has just been set, or why not. */
type Looked = { readonly _tag: "Stands" } | { readonly _tag: "Other" } | PollFailure

const make = Effect.fnUntraced(function* (settings: WebhookSettings) {
  const api = yield* GrammyApi
  const received = new Map<string, Received>()

  const countPending = Effect.suspend(() =>
    Metric.update(
      webhookPending,
      [...received.values()].reduce((sum, { pending }) => sum + pending, 0)
    )
  )

  const set = (bot: BotKey) =>
    api
      .call(
        bot,
        "setWebhook",
        {
          url: addressOf(settings, bot),
          secret_token: secretOf(settings, bot),
          allowed_updates: allowedUpdates,
          max_connections: connections
        },
        once
      )
      .pipe(
        Effect.andThen(Effect.logInfo(`Telegram delivers the bot's updates to ${addressOf(settings, bot)}`)),
        Effect.as<Looked>({ _tag: "Stands" })
      )

  const look = Effect.fnUntraced(function* (bot: BotKey, mine: Received) {
    const info = yield* api.call(bot, "getWebhookInfo", undefined, once)
    if (info.url !== addressOf(settings, bot)) {
      yield* Effect.logWarning(
        "The bot's webhook was changed by another program and is set again; stop that program, or revoke the token with @BotFather if you do not know it"
      )
      return { _tag: "Other" } as Looked
    }
    mine.pending = info.pending_update_count
    yield* countPending
    mine.trouble = troubleOf(info, Math.floor((yield* Clock.currentTimeMillis) / 1000))
    if (mine.trouble !== undefined && info.last_error_date !== mine.lastError) {
      mine.lastError = info.last_error_date ?? 0
      yield* Metric.update(webhookErrors, 1)
      yield* Effect.logWarning(mine.trouble)
    }
    return { _tag: "Stands" } as Looked
  })

  const failing = Effect.fnUntraced(function* (
    mine: Received,
    failure: PollFailure,
    nth: number,
    told: Listener
  ) {
    yield* Metric.update(Metric.withAttributes(webhookFailures, { reason: failure._tag.toLowerCase() }), 1)
    const wait = waitAfter(failure, nth, yield* Random.next)
    mine.trouble = webhookAdvice(failure)
    const message = `${mine.trouble}. Next try in ${Duration.format(wait)}`
    // That a token is refused is said by whoever is told of it, once.
    yield* failure._tag === "Unauthorized" ? Effect.logInfo(message) : Effect.logWarning(message)
    yield* told({ _tag: "Failed", failure, nth, wait: Duration.toMillis(wait) })
    yield* Effect.sleep(wait)
  })

  const keep = Effect.fnUntraced(function* (bot: BotKey, mine: Received, told: Listener) {
    let standing = false
    let inARow = 0
    let last: PollFailure["_tag"] | undefined
    while (true) {
      const result: Looked = yield* (standing ? look(bot, mine) : set(bot)).pipe(
        Effect.catchTag("CallFailed", ({ outcome }) => Effect.succeed<Looked>(failureOf(outcome))),
        // It is called without files.
        Effect.catchTag("FileUnreadable", Effect.die)
      )
      if (result._tag === "Stands" || result._tag === "Other") {
        last = undefined
        if (!standing) mine.trouble = undefined
        yield* told({ _tag: "Answered" })
        // One that was just set is looked at when Telegram had time to use it.
        if (result._tag === "Stands")
          yield* Effect.sleep(lookEvery * (yield* Random.nextBetween(2 / 3, 4 / 3)))
        standing = result._tag === "Stands"
        continue
      }
      inARow = last === result._tag ? inARow + 1 : 0
      last = result._tag
      yield* failing(mine, result, inARow, told)
    }
  })

  return Intake.of({
    receive: (bot: BotKey, _botId: BotId, told: Listener = () => Effect.void) =>
      Effect.acquireUseRelease(
        Effect.sync(() => {
          const mine: Received = { pending: 0, lastError: 0, trouble: undefined }
          received.set(botName(bot), mine)
          return mine
        }),
        (mine) => keep(bot, mine, told),
        // It stays set: whoever holds the bot next sets it anew, and nothing that comes meanwhile is missed.
        () =>
          Effect.andThen(
            Effect.sync(() => received.delete(botName(bot))),
            countPending
          )
      ).pipe(Effect.annotateLogs({ tenant: bot.tenant, app: bot.app, operation: "Intake.receive" })),
    // Never a reason not to be ready: a replica nobody sends to because Telegram reached none of them stays unreached.
    health: (bot) => Effect.sync(() => received.get(botName(bot))?.trouble)
  })
})

/** Instead of polling. */
export const layer = (settings: WebhookSettings): Layer.Layer<Intake, never, GrammyApi> =>
  Layer.effect(Intake, make(settings))
