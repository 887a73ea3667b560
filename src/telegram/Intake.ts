/**
 * The way in: polls Telegram for updates, checks who sent them and hands them on to be stored. An update is
 * confirmed (by asking for the ones after it) only when it and all of its batch are stored or refused.
 *
 * No offset is kept across starts: Telegram then gives the oldest updates it has no confirmation of, and the
 * store drops the ones it knows. An offset at rest could only be wrong (another token, numbers begun anew).
 */
import {
  type Cause,
  Clock,
  Context,
  Duration,
  Effect,
  Exit,
  Layer,
  Metric,
  Option,
  Random,
  Schema,
  Semaphore
} from "effect"
import type { BotId } from "../domain/Ids.ts"
import type { IncomingUpdate } from "../domain/IncomingMessage.ts"
import { type BotUnknown, Unauthorized } from "./BotError.ts"
import type { BotKey } from "./BotPort.ts"
import { botName } from "./Bots.ts"
import { Chats, type Heard } from "./Chats.ts"
import { type CallFailed, GrammyApi } from "./GrammyApi.ts"
import {
  lastPollTime,
  pollFailures,
  shown,
  storeFailures,
  updatesDuplicated,
  updatesReceived,
  updatesRefused,
  updatesStored,
  updatesUnknown
} from "./intakeMetrics.ts"
import { Permission } from "./Permission.ts"
import { withoutClaim } from "./PermissionRules.ts"
import { advice, backoff, failureOf, type PollFailure, waitAfter } from "./PollRules.ts"
import { conversationOf, decodeUpdate, updateIdOf } from "./UpdateDecoder.ts"
import { readRecord } from "./UpdateFields.ts"

/** The update is not durable yet; it is offered again until it is. */
export class UpdateNotStored extends Schema.TaggedError<UpdateNotStored>()("UpdateNotStored", {
  reason: Schema.String
}) {
  override get message() {
    return `The update could not be stored (${this.reason}); it is not confirmed to Telegram and tried again`
  }
}

/** Where updates are kept until their work is done. */
export class UpdateSink extends Context.Service<
  UpdateSink,
  {
    /**
     * Ends when the update is durable. `raw` is what Telegram sent, `decoded` the same in our words. Updates of one
     * conversation may be handed over together: they are stored in the order of the calls, and when one is not,
     * neither are those called after it.
     */
    readonly receive: (
      bot: BotKey,
      botId: BotId,
      raw: unknown,
      decoded: IncomingUpdate
    ) => Effect.Effect<"stored" | "duplicate", UpdateNotStored>
  }
>()("zapiska/telegram/UpdateSink") {}

export class Intake extends Context.Service<
  Intake,
  {
    /**
     * Receives the bot's updates until interrupted, which aborts a poll under way at once. One at a time per
     * bot. Fails only when Telegram refuses the token: polling again cannot help then.
     */
    readonly poll: (bot: BotKey, botId: BotId) => Effect.Effect<never, Unauthorized | BotUnknown>
    /**
     * Unix milliseconds of the last poll Telegram answered. A healthy poller's is never older than
     * `pollHold` and some seconds.
     */
    readonly lastPoll: (bot: BotKey) => Effect.Effect<Option.Option<number>>
  }
>()("zapiska/telegram/Intake") {
  static readonly layer: Layer.Layer<Intake, never, Chats | GrammyApi | Permission | UpdateSink> =
    Layer.effect(
      Intake,
      Effect.suspend(() => make)
    )
}

/** How long Telegram holds a poll open when there is nothing to say. */
export const pollHold = Duration.seconds(30)

/** Named explicitly: without the list Telegram keeps the one of whoever polled before. */
export const allowedUpdates = [
  "message",
  "edited_message",
  "channel_post",
  "edited_channel_post",
  "callback_query",
  "my_chat_member",
  "stopped_message_generation"
] as const

/** The most Telegram gives at once. */
const batchSize = 100
/** An empty answer sooner than this was no long poll; asking again at once would be a busy loop. */
const tooSoon = 500

/** Updates of one conversation, in the order they came. */
const byConversation = (updates: ReadonlyArray<Heard>): ReadonlyArray<ReadonlyArray<Heard>> => [
  ...Map.groupBy(updates, ({ decoded }) => {
    const place = conversationOf(decoded)
    return place === undefined ? "" : `${place.chat.id}/${place.thread ?? 0}/${place.sender.id}`
  }).values()
]

/** What updates that are stored together share. `broken`: one of them was not stored. */
interface Line {
  readonly admissions: Semaphore.Semaphore
  broken: boolean
}

/** Labels of metrics: never more of them than Telegram has fields. */
const receivedKind = (raw: unknown): string =>
  allowedUpdates.find((kind) => readRecord(raw)?.[kind] !== undefined) ?? "other"
const unknownKind = (kind: string): string => (/^(?:service:)?[a-z][a-z_]{0,60}$/.test(kind) ? kind : "other")

const make = Effect.gen(function* () {
  const api = yield* GrammyApi
  const chats = yield* Chats
  const permission = yield* Permission
  const sink = yield* UpdateSink
  const answered = new Map<string, number>()
  yield* shown

  /** `behind`: left alone, for one before it was not stored. */
  const store = Effect.fnUntraced(function* (bot: BotKey, botId: BotId, { raw, decoded }: Heard, line: Line) {
    const admission = yield* line.admissions.withPermit(permission.admit(bot, decoded))
    if (line.broken) return "behind"
    if (admission === "stranger") return yield* Metric.update(updatesRefused, 1)
    const kept = admission === "claimed" ? withoutClaim(raw) : raw
    const outcome = yield* sink.receive(
      bot,
      botId,
      kept,
      admission === "claimed" ? decodeUpdate(kept) : decoded
    )
    yield* Metric.update(outcome === "stored" ? updatesStored : updatesDuplicated, 1)
  })

  /**
   * Stores the updates of one conversation, all at once: they get in line in their order, and one durable write
   * takes them all. Again and again until they are stored: what is not must never be confirmed, and all behind
   * it waits. After a failure one by one, so that none overtakes another.
   */
  const stored = Effect.fnUntraced(function* (
    bot: BotKey,
    botId: BotId,
    updates: ReadonlyArray<Heard>,
    admissions: Semaphore.Semaphore
  ) {
    const attempt = (received: Heard, line: Line) =>
      store(bot, botId, received, line).pipe(
        // The trace of an update begins here, not in a poll that may have brought a hundred.
        Effect.withSpan("Intake.receive", {
          root: true,
          attributes: {
            "bot.id": botId,
            "update.id": received.decoded.updateId,
            "update.kind": received.decoded._tag
          }
        }),
        Effect.onError(() =>
          Effect.sync(() => {
            line.broken = true
          })
        ),
        Effect.exit
      )
    const together = { admissions, broken: false }
    const first = yield* Effect.forEach(updates, (one) => attempt(one, together), {
      concurrency: "unbounded"
    })
    for (const [index, update] of updates.entries()) {
      const alone = Effect.suspend(() => attempt(update, { admissions, broken: false }))
      let exit = first[index]!
      if (Exit.isSuccess(exit) && exit.value === "behind") exit = yield* alone
      for (let nth = 0; Exit.isFailure(exit); nth++, exit = yield* alone)
        yield* rest(update.decoded.updateId, exit.cause, nth)
    }
  })

  const rest = Effect.fnUntraced(function* (updateId: number, cause: Cause.Cause<unknown>, nth: number) {
    const wait = backoff(nth, yield* Random.next)
    yield* Metric.update(storeFailures, 1)
    yield* Effect.logError(
      `Update ${updateId} could not be stored and is not confirmed; next try in ${Duration.format(wait)}`,
      cause
    )
    yield* Effect.sleep(wait)
  })

  const count = Effect.fnUntraced(function* (raw: unknown, decoded: IncomingUpdate) {
    yield* Metric.update(Metric.withAttributes(updatesReceived, { kind: receivedKind(raw) }), 1)
    if (decoded._tag !== "Unknown") return
    yield* Metric.update(Metric.withAttributes(updatesUnknown, { kind: unknownKind(decoded.kind) }), 1)
  })

  /** The offset that confirms the batch, once all of it is stored. */
  const take = Effect.fnUntraced(function* (bot: BotKey, botId: BotId, batch: ReadonlyArray<unknown>) {
    const received: Array<Heard> = []
    let next: number | undefined
    for (const raw of batch) {
      const decoded = decodeUpdate(raw)
      yield* count(raw, decoded)
      const id = updateIdOf(raw)
      if (id === undefined) {
        yield* Effect.logWarning(
          "Telegram sent an update without a number, which nobody can confirm; it is left out"
        )
        continue
      }
      next = Math.max(next ?? 0, id + 1)
      received.push({ raw, decoded })
    }
    // Before they are stored, so that what answers them can leave. Nothing is stored where this cannot be written.
    yield* Effect.eventually(
      Effect.tapError(chats.heard(bot, botId, received), ({ message }) =>
        Effect.andThen(
          Effect.logWarning(`What updates tell about their chats cannot be written: ${message}`),
          Effect.sleep("1 second")
        )
      )
    )
    // Who claims the bot is admitted before what they sent next is looked at.
    const admissions = yield* Semaphore.make(1)
    yield* Effect.forEach(byConversation(received), (updates) => stored(bot, botId, updates, admissions), {
      concurrency: "unbounded",
      discard: true
    })
    return next
  })

  const failing = Effect.fnUntraced(function* (failure: PollFailure, nth: number) {
    const reason = failure._tag.toLowerCase()
    yield* Metric.update(Metric.withAttributes(pollFailures, { reason }), 1)
    const wait = waitAfter(failure, nth, yield* Random.next)
    const message = `${advice(failure)}. Next poll in ${Duration.format(wait)}`
    yield* failure._tag === "Outage" && nth < 3 ? Effect.logInfo(message) : Effect.logWarning(message)
    yield* Effect.sleep(wait)
  })

  /** One poll and what it brought: the next offset, or why there is none. */
  const pollOnce = (bot: BotKey, botId: BotId, offset: number | undefined, connection: "shared" | "fresh") =>
    Effect.gen(function* () {
      const asked = yield* Clock.currentTimeMillis
      const batch = yield* api.getUpdates(bot, {
        ...(offset === undefined ? {} : { offset }),
        timeout: pollHold,
        limit: batchSize,
        allowedUpdates,
        connection
      })
      const now = yield* Clock.currentTimeMillis
      answered.set(botName(bot), now)
      yield* Metric.update(lastPollTime, Math.floor(now / 1000))
      const next = yield* take(bot, botId, batch)
      if (next === undefined && now - asked < tooSoon) yield* Effect.sleep("1 second")
      return { _tag: "Answered" as const, next }
    }).pipe(Effect.catchTag("CallFailed", (error: CallFailed) => Effect.succeed(failureOf(error.outcome))))

  const poll = Effect.fnUntraced(function* (bot: BotKey, botId: BotId) {
    let offset: number | undefined
    let last: PollFailure | undefined
    let inARow = 0
    while (true) {
      const connection = last?._tag === "Conflict" ? "fresh" : "shared"
      const result = yield* pollOnce(bot, botId, offset, connection)
      if (result._tag === "Answered") {
        if (last !== undefined) yield* Effect.logInfo("Telegram answers polls again")
        // After an empty answer everything before is confirmed for good. Numbers begin anew at random after
        // a silent week: an old offset above them would make the bot deaf.
        offset = result.next
        last = undefined
        continue
      }
      if (result._tag === "Unauthorized") return yield* new Unauthorized({ method: "getUpdates" })
      inARow = last?._tag === result._tag ? inARow + 1 : 0
      last = result
      yield* failing(result, inARow)
    }
  })

  return Intake.of({
    poll: (bot, botId) =>
      poll(bot, botId).pipe(
        Effect.annotateLogs({ tenant: bot.tenant, app: bot.app, operation: "Intake.poll" })
      ),
    lastPoll: (bot) => Effect.sync(() => Option.fromNullishOr(answered.get(botName(bot))))
  })
})
