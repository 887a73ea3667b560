/**
 * What is done with the updates Telegram gives, whichever way they come: who sent them is asked, then they are handed
 * on to be stored. Of one conversation none overtakes another.
 */
import {
  type Cause,
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
import type { SqlError } from "effect/sql"
import type { BotId, UpdateId } from "../domain/Ids.ts"
import type { IncomingUpdate } from "../domain/IncomingMessage.ts"
import type { BotKey } from "./BotPort.ts"
import { Chats, type Heard } from "./Chats.ts"
import { withoutCode } from "./CodeRules.ts"
import {
  shown,
  storeFailures,
  updatesDuplicated,
  updatesReceived,
  updatesRefused,
  updatesStored,
  updatesUnknown
} from "./intakeMetrics.ts"
import { Limits } from "./Limits.ts"
import { type Admission, Permission } from "./Permission.ts"
import { backoff } from "./PollRules.ts"
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

/** `refused`: nothing of it is kept, for it is a stranger's, or more than its sender may send. */
export type Taken = "stored" | "duplicate" | "refused"

export class Taking extends Context.Service<
  Taking,
  {
    /**
     * Ends when every update of the batch is stored or refused, however often that has to be tried; the offset that
     * confirms it, if one of them has a number. `since`: when whoever brings it began to ask, in Unix milliseconds.
     */
    readonly batch: (
      bot: BotKey,
      botId: BotId,
      batch: ReadonlyArray<unknown>,
      since?: number
    ) => Effect.Effect<number | undefined>
    /** Tries once; whoever gave the update gives it again when this fails. */
    readonly one: (
      bot: BotKey,
      botId: BotId,
      raw: unknown
    ) => Effect.Effect<Taken, UpdateNotStored | SqlError.SqlError>
  }
>()("zapiska/telegram/Taking") {
  static readonly layer: Layer.Layer<Taking, never, Chats | Limits | Permission | UpdateSink> = Layer.effect(
    Taking,
    Effect.suspend(() => make)
  )
}

/** Named explicitly: without the list Telegram keeps the one of whoever asked before. */
export const allowedUpdates = [
  "message",
  "edited_message",
  "channel_post",
  "edited_channel_post",
  "callback_query",
  "my_chat_member",
  "stopped_message_generation"
] as const

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
  /** Those that are over a limit. */
  readonly over: ReadonlySet<UpdateId>
  broken: boolean
}

/** Labels of metrics: never more of them than Telegram has fields. */
const receivedKind = (raw: unknown): string =>
  allowedUpdates.find((kind) => readRecord(raw)?.[kind] !== undefined) ?? "other"
const unknownKind = (kind: string): string => (/^(?:service:)?[a-z][a-z_]{0,60}$/.test(kind) ? kind : "other")

const noneOver: ReadonlySet<UpdateId> = new Set()

const make = Effect.gen(function* () {
  const chats = yield* Chats
  const limits = yield* Limits
  const permission = yield* Permission
  const sink = yield* UpdateSink
  yield* shown

  const kept = Effect.fnUntraced(function* (
    bot: BotKey,
    botId: BotId,
    { raw, decoded }: Heard,
    admission: Admission
  ) {
    if (admission._tag === "Stranger") {
      yield* Metric.update(updatesRefused, 1)
      return "refused" as const
    }
    const worded = admission.holdsCode ? withoutCode(raw) : raw
    const outcome = yield* sink.receive(bot, botId, worded, worded === raw ? decoded : decodeUpdate(worded))
    yield* Metric.update(outcome === "stored" ? updatesStored : updatesDuplicated, 1)
    return outcome
  })

  /**
   * Of updates of one person, those that are over a limit. Strangers are counted nowhere. Nobody waits for limits that
   * cannot be read.
   */
  const overLimit = Effect.fnUntraced(
    function* (bot: BotKey, updates: ReadonlyArray<Heard>, since: number | undefined) {
      const sender = updates[0] && conversationOf(updates[0].decoded)?.sender
      if (sender === undefined || sender.kind === "bot") return noneOver
      if (Option.isNone(yield* permission.role(bot, sender.id))) return noneOver
      return yield* limits.over(
        bot,
        updates.map(({ decoded }) => decoded),
        since
      )
    },
    Effect.catchTag("SqlError", (error) =>
      Effect.as(Effect.logWarning(`Limits cannot be read and are not looked at: ${error.message}`), noneOver)
    )
  )

  /** The trace of an update begins here, not in a poll that may have brought a hundred. */
  const traced =
    ({ tenant, app }: BotKey, botId: BotId, { decoded }: Heard) =>
    <A, E, R>(effect: Effect.Effect<A, E, R>) =>
      effect.pipe(
        Effect.withSpan("Taking.take", {
          root: true,
          attributes: { "bot.id": botId, "update.id": decoded.updateId, "update.kind": decoded._tag }
        }),
        Effect.annotateSpans({ tenant, app })
      )

  /** `behind`: left alone, for one before it was not stored. */
  const attempt = (bot: BotKey, botId: BotId, received: Heard, line: Line) =>
    Effect.gen(function* () {
      const admission = yield* line.admissions.withPermit(permission.admit(bot, received.decoded))
      if (line.broken) return "behind"
      if (line.over.has(received.decoded.updateId)) return "refused"
      return yield* kept(bot, botId, received, admission)
    }).pipe(
      traced(bot, botId, received),
      Effect.onError(() =>
        Effect.sync(() => {
          line.broken = true
        })
      ),
      Effect.exit
    )

  /**
   * Stores the updates of one conversation, all at once: they get in line in their order, and one durable write
   * takes them all. Again and again until they are stored: what is not must never be confirmed, and all behind
   * it waits. After a failure one by one, so that none overtakes another.
   */
  const stored = Effect.fnUntraced(function* (
    bot: BotKey,
    botId: BotId,
    updates: ReadonlyArray<Heard>,
    { admissions, since }: { readonly admissions: Semaphore.Semaphore; readonly since: number | undefined }
  ) {
    const over = yield* overLimit(bot, updates, since)
    const together = { admissions, over, broken: false }
    const first = yield* Effect.forEach(updates, (one) => attempt(bot, botId, one, together), {
      concurrency: "unbounded"
    })
    for (const [index, update] of updates.entries()) {
      const alone = Effect.suspend(() => attempt(bot, botId, update, { admissions, over, broken: false }))
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

  const heard = (bot: BotKey, botId: BotId, received: ReadonlyArray<Heard>) =>
    Effect.andThen(
      chats.heard(bot, botId, received),
      permission.heard(
        bot,
        received.map(({ decoded }) => decoded)
      )
    )

  /** The offset that confirms the batch, once all of it is stored. */
  const batch = Effect.fnUntraced(function* (
    bot: BotKey,
    botId: BotId,
    all: ReadonlyArray<unknown>,
    since?: number
  ) {
    const received: Array<Heard> = []
    let next: number | undefined
    for (const raw of all) {
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
      Effect.tapError(heard(bot, botId, received), ({ message }) =>
        Effect.andThen(
          Effect.logWarning(`What updates tell about their chats and senders cannot be written: ${message}`),
          Effect.sleep("1 second")
        )
      )
    )
    // Who claims the bot is admitted before what they sent next is looked at.
    const admissions = yield* Semaphore.make(1)
    yield* Effect.forEach(
      byConversation(received),
      (updates) => stored(bot, botId, updates, { admissions, since }),
      {
        concurrency: "unbounded",
        discard: true
      }
    )
    return next
  })

  const one = Effect.fnUntraced(
    function* (bot: BotKey, botId: BotId, raw: unknown) {
      const received = { raw, decoded: decodeUpdate(raw) }
      yield* count(raw, received.decoded)
      yield* heard(bot, botId, [received])
      return yield* Effect.gen(function* () {
        const admission = yield* permission.admit(bot, received.decoded)
        const over = yield* overLimit(bot, [received], undefined)
        return over.size > 0 ? ("refused" as const) : yield* kept(bot, botId, received, admission)
      }).pipe(traced(bot, botId, received))
    },
    Effect.tapError(() => Metric.update(storeFailures, 1))
  )

  return Taking.of({ batch, one })
})
