/**
 * Hands messages of an account on to where those of bots go, from which they become notes: as their person would have
 * forwarded them, with their files, each once.
 */
import { Effect, Metric, Schedule } from "effect"
import type { SqlError } from "effect/sql"
import { BotId, type MessageId, type UpdateId } from "../domain/Ids.ts"
import type { IncomingMessage, MediaFile, Sender } from "../domain/IncomingMessage.ts"
import { HandledUpdates } from "../store/HandledUpdates.ts"
import { accountUpdate, asForwarded, type FetchedFile, withFetched } from "../telegram/AccountMessage.ts"
import { Limits } from "../telegram/Limits.ts"
import { Permission } from "../telegram/Permission.ts"
import { type UpdateNotStored, UpdateSink } from "../telegram/Taking.ts"
import { decodeUpdate } from "../telegram/UpdateDecoder.ts"
import { present } from "../telegram/UpdateFields.ts"
import type { UserAccount, UserError } from "../telegram/UserClient.ts"
import { AccountFiles } from "./AccountFiles.ts"
import type { FollowedChat } from "./FollowedChat.ts"
import { lastOf, setbackOf, type Told, takenAs } from "./FollowRules.ts"
import { FollowStore } from "./FollowStore.ts"
import { followedMessages } from "./metrics.ts"
import type { SessionKey } from "./SessionEvents.ts"
import type { LiveSession } from "./SessionLife.ts"

/** How often it is looked whether the notes have caught up with the history, and how long it is waited for them. */
const notedEvery = Schedule.spaced("500 millis")
const notedWithin = "10 minutes"
/** Between two looks whether there is room again. */
const roomEvery = "1 minute"
/** Tries to fetch a file before its message is noted without it. */
const fileTries = 5

/** One chat that is being followed, and how far. */
export interface Following {
  chat: FollowedChat
  /** From the last message that is taken on its history is to be read, or is being read. */
  reading: boolean
  /** How far it is read again, if that is due. */
  reread: MessageId
}

export type TakingError = SqlError.SqlError | UpdateNotStored | UserError

/** A message, or the edit of one, by the name it is stored under. */
interface Offer {
  readonly worded: IncomingMessage
  readonly edited: boolean
  readonly id: UpdateId
}

const offerOf = (worded: IncomingMessage, edited: boolean): Offer => ({
  worded,
  edited,
  id: accountUpdate(worded, edited).update_id
})

/** Of a message that was handed on before: known is its name, and not that it was edited since. */
const editOf = ({ edited, worded }: Offer): ReadonlyArray<Offer> =>
  edited || worded.editDate === undefined ? [] : [offerOf(worded, true)]

interface Failure {
  readonly _tag: string
  readonly message: string
}

/** Tries again for as long as it may pass. */
export const patiently = <A, E extends Failure, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.catch(effect, (error) => {
    const setback = setbackOf(error)
    if (setback._tag !== "wait") return Effect.fail(error)
    return Effect.logInfo(`What is followed waits for ${setback.seconds} s: ${error.message}`).pipe(
      Effect.andThen(Effect.sleep(setback.seconds * 1000)),
      Effect.andThen(patiently(effect))
    )
  })

export const makeFollowTaking = Effect.gen(function* () {
  const store = yield* FollowStore
  const sink = yield* UpdateSink
  const handled = yield* HandledUpdates
  const files = yield* AccountFiles
  const limits = yield* Limits
  const permission = yield* Permission

  const fetchFile = (
    client: LiveSession,
    file: MediaFile,
    triesLeft = fileTries
  ): Effect.Effect<FetchedFile, UserError | SqlError.SqlError> =>
    Effect.catch(
      files.ofMessage(client, file),
      (error): Effect.Effect<FetchedFile, UserError | SqlError.SqlError> => {
        const setback = setbackOf(error)
        if (setback._tag !== "wait") return Effect.fail(error)
        const patient = error._tag === "FloodWait" || error._tag === "SqlError"
        if (triesLeft <= 1 && !patient) return Effect.succeed({ _tag: "Refused", reason: error.message })
        const left = patient ? triesLeft : triesLeft - 1
        return Effect.delay(fetchFile(client, file, left), setback.seconds * 1000)
      }
    )

  /** A reference to a file is good for hours, and for this account alone: files are fetched before it is handed on. */
  const withFiles = Effect.fnUntraced(function* (client: LiveSession, message: IncomingMessage) {
    const fetched = new Map<string, FetchedFile>()
    for (const attachment of message.attachments)
      if ("file" in attachment && attachment._tag !== "Sticker")
        fetched.set(attachment.file.fileUniqueId, yield* fetchFile(client, attachment.file))
    return withFetched(message, fetched)
  })

  const room = (chat: FollowedChat): Effect.Effect<void, SqlError.SqlError> =>
    Effect.gen(function* () {
      while (yield* patiently(limits.full(chat.tenant))) {
        yield* patiently(
          store.trouble(chat, "The tenant stores all it may: raise its limit, or remove notes")
        )
        yield* Effect.sleep(roomEvery)
      }
    })

  const ownerOf = Effect.fnUntraced(function* (key: SessionKey, me: UserAccount) {
    const language = yield* patiently(permission.language(key, me.id))
    const owner: Sender = present({
      id: me.id,
      kind: "user" as const,
      name: me.name,
      username: me.username,
      language: language._tag === "Some" ? language.value : undefined
    })
    return owner
  })

  /** For one account, with its live client. */
  return Effect.fnUntraced(function* (key: SessionKey, client: LiveSession, me: UserAccount) {
    const account = { tenant: key.tenant, botId: BotId.make(me.id) }
    const owner = yield* ownerOf(key, me)

    const sorted = Effect.fnUntraced(function* (offers: ReadonlyArray<Offer>) {
      const ids = offers.map(({ id }) => id)
      const handledAlready = yield* patiently(handled.among(account, ids))
      return {
        fresh: offers.filter(({ id }) => !handledAlready.has(id)),
        known: offers.filter(({ id }) => handledAlready.has(id))
      }
    })

    const hand = Effect.fnUntraced(function* ({ edited, worded }: Offer) {
      const raw = accountUpdate(yield* withFiles(client, worded), edited)
      return yield* patiently(sink.receive(key, account.botId, raw, decodeUpdate(raw)))
    })

    /** Ends when all is durable that is new of them; what that is called. */
    const take = Effect.fnUntraced(function* (
      following: Following,
      told: Told,
      messages: ReadonlyArray<IncomingMessage>
    ) {
      const { lastMessage: last, since } = following.chat
      const offers = messages.flatMap((message) => {
        const as = takenAs({ last, since }, told, message)
        if (as === undefined) return []
        return [offerOf(asForwarded(message, owner), as === "edit")]
      })
      const { fresh: unheard, known } = yield* sorted(offers)
      const { fresh: edits } = yield* sorted(known.flatMap(editOf))
      const fresh = [...unheard, ...edits]
      if (fresh.length > 0) yield* room(following.chat)
      for (const offer of fresh) {
        if ((yield* hand(offer)) === "duplicate")
          yield* Effect.forEach(editOf(offer), hand, { discard: true })
        yield* Metric.update(Metric.withAttributes(followedMessages, { told }), 1)
      }
      const lastMessage = told === "edited" ? last : lastOf({ last }, messages)
      if (lastMessage > last) {
        yield* patiently(store.advance(following.chat, lastMessage))
        following.chat = { ...following.chat, lastMessage }
      }
      return fresh.map(({ id }) => id)
    })

    /** Until all of them are in notes. What waits for that is held in memory, and is not to become much. */
    const noted = (ids: ReadonlyArray<UpdateId>) =>
      patiently(handled.among(account, ids)).pipe(
        Effect.repeat({ until: (done) => done.size === ids.length, schedule: notedEvery }),
        Effect.timeoutOption(notedWithin),
        Effect.asVoid
      )

    return { take, noted }
  })
})
