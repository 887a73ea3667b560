/**
 * Updates delivered to a bot's webhook as Telegram does it: one after another per chat (callbacks per person), again
 * and again after a failure with doubling pauses, later when the bot asks so with `Retry-After`.
 */
import { Effect, FiberMap, Option, Result, Semaphore } from "effect"
import { FetchHttpClient, HttpBody, HttpClient, HttpClientRequest } from "effect/http"
import { saveWebhook, type Webhook, webhookOf } from "./methods/Settings.ts"
import type { Polling, UpdateRow } from "./Polling.ts"
import type { World } from "./World.ts"

const firstPause = 1_000
const longestPause = 60_000
/** The server honours up to an hour. */
const longestRetryAfter = 3_600
/** Bot API: simultaneous connections unless the bot says otherwise. */
const connections = 40

const secretHeader = "x-telegram-bot-api-secret-token"

const retryAfterMillis = (header: string | undefined): number | undefined =>
  header !== undefined && /^\d+$/.test(header)
    ? Math.min(Number(header), longestRetryAfter) * 1000
    : undefined

/** Answers what to call when a bot has updates or a new webhook. */
export const make = Effect.fnUntraced(function* (world: World, { remember }: Polling) {
  const { storage } = world
  const client = yield* Effect.provide(HttpClient.HttpClient, FetchHttpClient.layer)
  const lanes = yield* FiberMap.make<string, void>()
  const run = yield* FiberMap.runtime(lanes)()
  const free = yield* Semaphore.make(connections)

  /** Undefined when the bot took it, else how long to wait and why. */
  const post = (webhook: Webhook, { json }: UpdateRow, pause: number) =>
    HttpClientRequest.post(webhook.url).pipe(
      HttpClientRequest.setBody(HttpBody.text(json, "application/json")),
      HttpClientRequest.setHeaders(webhook.secret === undefined ? {} : { [secretHeader]: webhook.secret }),
      client.execute,
      Effect.timeout("60 seconds"),
      Effect.map((response) =>
        response.status >= 200 && response.status < 300
          ? Option.none()
          : Option.some({
              pause: retryAfterMillis(response.headers["retry-after"]) ?? pause,
              why: `Wrong response from the webhook: ${response.status}`
            })
      ),
      Effect.catch((error) => Effect.succeed(Option.some({ pause, why: error.message }))),
      free.withPermits(1)
    )

  const next = (bot: number, lane: string): UpdateRow | undefined => {
    storage.run("DELETE FROM updates WHERE bot = ? AND expires <= ?", bot, world.now())
    return storage.get<UpdateRow>(
      "SELECT seq, id, lane, json, forced FROM updates WHERE bot = ? AND lane = ? ORDER BY seq LIMIT 1",
      bot,
      lane
    )
  }

  const confirmed = (bot: number, row: UpdateRow) =>
    storage.commit(() => {
      storage.afterCommit(() => remember(bot, [row]))
      return Result.succeed(storage.run("DELETE FROM updates WHERE seq = ?", row.seq))
    })

  const failed = (bot: number, webhook: Webhook, why: string) =>
    storage.commit(() => {
      const noted = { ...webhook, lastErrorDate: world.seconds(), lastErrorMessage: why }
      return Result.succeed(saveWebhook(world, bot, noted))
    })

  const drain = (bot: number, lane: string, pause: number): Effect.Effect<void> =>
    Effect.gen(function* () {
      const row = world.bot(bot)
      const webhook = row === undefined ? undefined : webhookOf(row)
      const pending = webhook === undefined ? undefined : next(bot, lane)
      if (webhook === undefined || pending === undefined) return
      const problem = yield* post(webhook, pending, pause)
      if (Option.isNone(problem)) {
        yield* confirmed(bot, pending)
        return yield* drain(bot, lane, firstPause)
      }
      yield* failed(bot, webhook, problem.value.why)
      yield* Effect.sleep(problem.value.pause)
      return yield* drain(bot, lane, Math.min(pause * 2, longestPause))
    })

  /** Where each bot's updates went last. */
  const places = new Map<number, string>()

  const deliver = (bot: number): void => {
    const row = world.bot(bot)
    const webhook = row === undefined ? undefined : webhookOf(row)
    if (webhook === undefined) return
    // What could not be delivered to the old place is tried at the new one at once.
    const place = `${webhook.url} ${webhook.secret ?? ""}`
    const moved = places.get(bot) !== place
    places.set(bot, place)
    const waiting = storage.all<{ lane: string }>("SELECT DISTINCT lane FROM updates WHERE bot = ?", bot)
    for (const { lane } of waiting) {
      const key = `${bot} ${lane}`
      if (FiberMap.hasUnsafe(lanes, key) && !moved) continue
      // What came while the lane's last delivery ended starts it again.
      run(key, drain(bot, lane, firstPause)).addObserver((exit) => {
        if (exit._tag === "Success" && next(bot, lane) !== undefined) deliver(bot)
      })
    }
  }
  for (const { id } of world.bots()) deliver(id)
  return deliver
})
