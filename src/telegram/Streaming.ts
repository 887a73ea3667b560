/**
 * An answer that is shown while it is made: as drafts in private chats, as edits of a placeholder elsewhere and
 * where drafts are not known. What is shown is a preview only: the answer itself is an outbox row of its own.
 */
import { Clock, Context, Deferred, Effect, Fiber, Layer, Schedule, Semaphore, Stream } from "effect"
import type { SqlError } from "effect/sql"
import type { Address } from "../domain/Address.ts"
import { empty, type FormattedText, withoutStart } from "../domain/FormattedText.ts"
import type { BotId, ChatId, MessageId } from "../domain/Ids.ts"
import { TenantScope } from "../store/TenantScope.ts"
import { type BotKey, BotPort, type BotPortError, type Button, type OutgoingContent } from "./BotPort.ts"
import { botName } from "./Bots.ts"
import { contentLimits } from "./ContentLimits.ts"
import { Outbox, type OutboxEntry } from "./Outbox.ts"
import { statuses } from "./OutboxRows.ts"
import { isGroup } from "./Pacer.ts"

export interface Turn {
  readonly address: Address
  readonly botId: BotId
  /** Unique per tenant and bot; the same when the turn is done again. */
  readonly key: string
  /** What the placeholder says before there is anything to show. */
  readonly placeholder: FormattedText
  /** Ends it: its press is to call `stop`. Under a draft it is Telegram's own. */
  readonly stop?: Button
}

export interface Shown {
  /** The last text that came. */
  readonly text: FormattedText
  readonly ended: "whole" | "stopped"
}

export class Streaming extends Context.Service<
  Streaming,
  {
    /**
     * Shows each text in place of the one before until the stream ends, and then nothing any more: the answer
     * can be put into the outbox (`finalEntry`). Showing never fails: what cannot be shown is left out.
     */
    readonly show: <E, R>(
      turn: Turn,
      growing: Stream.Stream<FormattedText, E, R>
    ) => Effect.Effect<Shown, E, R>
    /** Ends what is shown under this key, if it is shown here: its stream is interrupted. */
    readonly stop: (bot: BotKey, key: string) => Effect.Effect<boolean>
    /** As `stop`, for a press of Telegram's own button under a draft. */
    readonly stopDraft: (bot: BotKey, chat: ChatId, draftId: number) => Effect.Effect<boolean>
  }
>()("zapiska/telegram/Streaming") {
  static readonly layer: Layer.Layer<Streaming, never, BotPort | Outbox | TenantScope> = Layer.effect(
    this,
    Effect.suspend(() => make)
  )
}

const statusKey = ({ key }: Turn): string => `${key}:shown`

/** The answer: takes the place of the placeholder where there is one. */
export const finalEntry = (turn: Turn, content: OutgoingContent): OutboxEntry => ({
  address: turn.address,
  botId: turn.botId,
  key: turn.key,
  delivery: "result",
  action: { _tag: "Resolve", status: statusKey(turn), content }
})

/** Never 0, and the same for the same key: Telegram animates drafts of one id. */
export const draftIdOf = (key: string): number => {
  let hash = 0
  for (let index = 0; index < key.length; index++) hash = (Math.imul(hash, 31) + key.charCodeAt(index)) | 0
  return (hash & 0x7fffffff) + 1
}

/** What of a text a message holds, from its end: what is being written is read. */
export const preview = (whole: FormattedText): FormattedText => {
  const formatted = { ...whole, entities: whole.entities.slice(-contentLimits.entities) }
  const { text } = formatted
  const mark = "…"
  if (text.length <= contentLimits.text) return formatted
  const from = text.length - contentLimits.text + mark.length
  // Not between the halves of a character.
  const inside = text.charCodeAt(from) >= 0xdc00 && text.charCodeAt(from) <= 0xdfff
  const rest = withoutStart(formatted, inside ? from + 1 : from)
  return {
    text: mark + rest.text,
    entities: rest.entities.map((entity) => ({ ...entity, offset: entity.offset + mark.length }))
  }
}

/** Milliseconds between two previews: edits cost places in the chat's pace, drafts do not. */
export const pauses = { draft: { least: 500, most: 3_000 }, edit: { least: 1_000, most: 3_000 } } as const
export type Way = keyof typeof pauses

/** The next pause: a little longer each time, and the longest as soon as Telegram finds it too much. */
export const nextPause = (way: Way, pause: number, limited: "limited" | "shown"): number =>
  limited === "limited" ? pauses[way].most : Math.min(pause * 1.1, pauses[way].most)

/** A draft is gone after 30 s: one that does not change is shown again before. */
const refreshAfter = 20_000

/** What is under way at the end is waited for, so that it cannot come after the answer. */
const patience = "2 seconds"

type Result =
  | { readonly _tag: "Shown" }
  /** Nothing new, or nowhere to show it yet. */
  | { readonly _tag: "Idle" }
  /** Not before then, in Unix milliseconds. */
  | { readonly _tag: "Limited"; readonly until: number }
  /** The server knows no drafts. */
  | { readonly _tag: "NoDrafts" }
  /** The outbox finds out the same and deals with it. */
  | { readonly _tag: "Hopeless" }

const resultOf = (error: BotPortError, way: Way, now: number): Result => {
  switch (error._tag) {
    case "RateLimited":
    case "CircuitOpen":
      return { _tag: "Limited", until: error.until }
    case "Unavailable":
    case "Ambiguous":
      return { _tag: "Limited", until: now }
    case "Refused":
      return way === "draft" ? { _tag: "NoDrafts" } : { _tag: "Hopeless" }
    default:
      return { _tag: "Hopeless" }
  }
}

interface Live {
  readonly stopped: Deferred.Deferred<void>
  readonly chat: ChatId
  readonly draftId: number
}

const make = Effect.gen(function* () {
  const port = yield* BotPort
  const outbox = yield* Outbox
  const scope = yield* TenantScope
  const live = new Map<string, Live>()
  const nameOf = (bot: BotKey, key: string) => `${botName(bot)}/${key}`

  const placed = (turn: Turn) =>
    outbox.enqueue(turn.address.tenant, [
      {
        address: turn.address,
        botId: turn.botId,
        key: statusKey(turn),
        delivery: "chatter",
        action: { _tag: "Send", content: contentOf(turn, turn.placeholder) }
      }
    ])

  /** The placeholder's message, once it is sent. */
  const messageOf = ({ address, botId, key }: Turn & { readonly key: string }) =>
    Effect.map(
      scope.transaction(address.tenant, (sql) => statuses(sql, { tenant: address.tenant, botId }, [key])),
      (rows): MessageId | undefined => rows.get(key)?.messageId
    )

  /** Shows what is the latest, again and again; only ever one call at a time. */
  const display = Effect.fnUntraced(function* (
    turn: Turn,
    latest: () => FormattedText,
    turns: Semaphore.Semaphore
  ) {
    const { address } = turn
    const draftId = draftIdOf(turn.key)
    let way: Way = isGroup(address.chat) ? "edit" : "draft"
    let message: MessageId | undefined
    let shown: FormattedText | undefined
    let shownAt = 0

    const edit = Effect.fnUntraced(function* (text: FormattedText) {
      message ??= yield* messageOf({ ...turn, key: statusKey(turn) })
      if (message === undefined || text.text.trim() === "") return { _tag: "Idle" } as const
      yield* port.edit(address, message, contentOf(turn, preview(text)), { urgency: "progress" })
      shown = text
      return { _tag: "Shown" } as const
    })

    const draft = Effect.fnUntraced(function* (text: FormattedText) {
      yield* port.draft(address, draftId, preview(text), turn.stop === undefined ? {} : { stop: "offered" })
      shown = text
      return { _tag: "Shown" } as const
    })

    const step: Effect.Effect<Result, SqlError.SqlError> = Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      const text = latest()
      if (text === shown && !(way === "draft" && now - shownAt >= refreshAfter)) return { _tag: "Idle" }
      shownAt = now
      return yield* Effect.catchIf(
        way === "draft" ? draft(text) : edit(text),
        (error) => error._tag !== "SqlError",
        (error) => Effect.succeed(resultOf(error, way, now))
      )
    })

    if (way === "edit") yield* placed(turn)
    let pause: number = pauses[way].least
    while (true) {
      const result = yield* turns.withPermit(step)
      const now = yield* Clock.currentTimeMillis
      switch (result._tag) {
        case "Shown":
          pause = nextPause(way, pause, "shown")
          break
        case "Idle":
          break
        case "Limited":
          pause = nextPause(way, pause, "limited")
          yield* Effect.sleep(Math.max(result.until - now, 0))
          break
        case "NoDrafts":
          way = "edit"
          pause = pauses.edit.least
          yield* placed(turn)
          break
        case "Hopeless":
          return
      }
      yield* Effect.sleep(pause)
    }
  })

  const show = <E, R>(turn: Turn, growing: Stream.Stream<FormattedText, E, R>): Effect.Effect<Shown, E, R> =>
    Effect.scoped(
      Effect.gen(function* () {
        const name = nameOf(turn.address, turn.key)
        const stopped = yield* Deferred.make<void>()
        const entry: Live = { stopped, chat: turn.address.chat, draftId: draftIdOf(turn.key) }
        yield* Effect.acquireRelease(
          Effect.sync(() => live.set(name, entry)),
          () => Effect.sync(() => live.get(name) === entry && live.delete(name))
        )
        let latest = empty
        const turns = yield* Semaphore.make(1)
        const displaying = yield* display(turn, () => latest, turns).pipe(
          Effect.tapError((error) =>
            Effect.logWarning(`An answer cannot be shown while it is made: ${error.message}`)
          ),
          Effect.retry(Schedule.spaced("5 seconds")),
          Effect.forkScoped
        )
        yield* growing.pipe(
          Stream.interruptWhen(Deferred.await(stopped)),
          Stream.runForEach((text) =>
            Effect.sync(() => {
              latest = text
            })
          ),
          // From here on nothing is begun, whatever becomes of it.
          Effect.ensuring(
            Effect.andThen(
              Effect.timeoutOption(Effect.interruptible(turns.take(1)), patience),
              Fiber.interrupt(displaying)
            )
          )
        )
        return { text: latest, ended: (yield* Deferred.isDone(stopped)) ? "stopped" : "whole" } as const
      })
    ).pipe(Effect.withSpan("Streaming.show"))

  const end = (entry: Live | undefined) =>
    entry === undefined ? Effect.succeed(false) : Deferred.succeed(entry.stopped, undefined)

  return Streaming.of({
    show,
    stop: Effect.fn("Streaming.stop")((bot, key) => end(live.get(nameOf(bot, key)))),
    stopDraft: Effect.fn("Streaming.stopDraft")((bot, chat, draftId) =>
      end(
        [...live].find(
          ([name, entry]) =>
            name.startsWith(nameOf(bot, "")) && entry.chat === chat && entry.draftId === draftId
        )?.[1]
      )
    )
  })
})

/** A text as the placeholder says it. */
const contentOf = (turn: Turn, text: FormattedText): OutgoingContent => ({
  _tag: "Text",
  text,
  ...(turn.stop === undefined ? {} : { buttons: [[turn.stop]] })
})
