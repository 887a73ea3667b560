/**
 * Where Telegram delivers updates: any replica takes those of any bot. Whoever does not know the bot's secret learns
 * nothing, not even which bots there are; what is answered with 200 is stored.
 */
import { Cause, Effect, Metric, Option, Random, Schema, Stream } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { AppId, TenantId } from "../domain/Ids.ts"
import { Health } from "../ops/Health.ts"
import { sameSecret } from "../ops/HttpApi.ts"
import { type BotAccount, Bots, botIdOf, botName } from "./Bots.ts"
import { webhookRequests } from "./intakeMetrics.ts"
import { Taking } from "./Taking.ts"
import { updateIdOf } from "./UpdateDecoder.ts"
import { mayTake, secretOf, type WebhookSettings, webhookRoot } from "./WebhookRules.ts"

/** Telegram's are a few kilobytes. */
const largestBody = 1024 * 1024
/** What is read and stored at once, in all bots together: with their largest bodies 128 MiB. Each has its share. */
const mostAtOnce = 128
/** Telegram itself waits for a minute and then delivers it again. */
const patience = "20 seconds"

/** What becomes of a delivery; the label of the metric. */
type Outcome = "taken" | "unauthorized" | "unreadable" | "too_large" | "busy" | "failed"

const statuses: { readonly [outcome in Outcome]: number } = {
  taken: 200,
  unauthorized: 401,
  unreadable: 400,
  too_large: 413,
  busy: 503,
  failed: 503
}

/** Telegram comes again: not all that were sent away at once. */
const answer = Effect.fnUntraced(function* (outcome: Outcome) {
  yield* Metric.update(Metric.withAttributes(webhookRequests, { outcome }), 1)
  const status = statuses[outcome]
  const again = status === 503 ? { "retry-after": String(yield* Random.nextIntBetween(1, 3)) } : {}
  return HttpServerResponse.empty({ status, headers: again })
})

const readKey = Schema.decodeUnknownOption(Schema.Struct({ tenant: TenantId, app: AppId }))
/** For those who name no bot: compared like any other. */
const nobody = { tenant: TenantId.make("0"), app: AppId.make("0") }

/** The body, or why there is none. */
const bodyOf = (request: HttpServerRequest.HttpServerRequest) =>
  Effect.suspend(() => {
    const chunks: Array<Uint8Array> = []
    let size = 0
    return request.stream.pipe(
      Stream.runForEachWhile((chunk) =>
        Effect.sync(() => {
          size += chunk.length
          if (size <= largestBody) chunks.push(chunk)
          return size <= largestBody
        })
      ),
      Effect.map(() => (size > largestBody ? ("too_large" as const) : Buffer.concat(chunks).toString("utf8")))
    )
  })

const readJson = Schema.decodeUnknownOption(Schema.fromJsonString(Schema.Unknown))

/** The route of every bot's webhook. */
export const routes = (settings: Pick<WebhookSettings, "secret">) =>
  HttpRouter.use(
    Effect.fnUntraced(function* (router) {
      const bots = yield* Bots
      const health = yield* Health
      const taking = yield* Taking
      /** Of each bot that has some. */
      const places = new Map<string, number>()
      let free = mostAtOnce

      /** Nothing where it is too much at once: of this bot, or of all. */
      const withPlace = <A, E, R>(bot: BotAccount, effect: Effect.Effect<A, E, R>) => {
        const name = botName(bot)
        const taking = Effect.sync(() => {
          const own = places.get(name) ?? 0
          if (!mayTake({ own, free })) return false
          places.set(name, own + 1)
          free--
          return true
        })
        const leaving = Effect.sync(() => {
          free++
          const left = (places.get(name) ?? 0) - 1
          if (left > 0) places.set(name, left)
          else places.delete(name)
        })
        return Effect.acquireUseRelease(
          taking,
          (taken) => (taken ? Effect.asSome(effect) : Effect.succeedNone),
          (taken) => (taken ? leaving : Effect.void)
        )
      }

      /** The bot whose secret the request carries. Nothing else of the request has been looked at then. */
      const proved = Effect.fnUntraced(function* (params: unknown, given: string | undefined) {
        const key = readKey(params)
        const same = sameSecret(
          given ?? "",
          secretOf(
            settings,
            Option.getOrElse(key, () => nobody)
          )
        )
        if (!same || Option.isNone(key)) return Option.none<BotAccount>()
        return yield* Effect.option(bots.get(key.value))
      })

      const taken = (request: HttpServerRequest.HttpServerRequest, account: BotAccount) =>
        Effect.gen(function* () {
          const body = yield* bodyOf(request)
          if (body === "too_large") return "too_large" as const
          const raw = Option.getOrUndefined(readJson(body))
          if (updateIdOf(raw) === undefined) return "unreadable" as const
          yield* taking.one(account, botIdOf(account), raw)
          return "taken" as const
        }).pipe(
          Effect.timeout(patience),
          Effect.catchCause((cause) =>
            Cause.hasInterruptsOnly(cause)
              ? Effect.interrupt
              : Effect.as(
                  Effect.annotateLogs(
                    Effect.logWarning(
                      "An update was not stored; Telegram is asked to deliver it again",
                      cause
                    ),
                    { tenant: account.tenant, app: account.app, operation: "WebhookDoor.take" }
                  ),
                  "failed" as const
                )
          )
        )

      const handle = Effect.gen(function* () {
        const request = yield* HttpServerRequest.HttpServerRequest
        const account = yield* proved(
          yield* HttpRouter.params,
          request.headers["x-telegram-bot-api-secret-token"]
        )
        if (Option.isNone(account)) return yield* answer("unauthorized")
        if (yield* health.draining) return yield* answer("busy")
        const outcome = yield* withPlace(account.value, taken(request, account.value))
        return yield* answer(Option.getOrElse(outcome, () => "busy" as const))
      })
      yield* router.add("POST", `${webhookRoot}:tenant/:app`, handle)
    })
  )
