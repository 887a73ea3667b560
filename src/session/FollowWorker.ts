/**
 * Follows the chosen chats of one account for as long as its client lives: what happens, and beside that what is missing
 * of their history. Where the updates begin is kept before any history is read: what is edited behind its back is told.
 */
import { Deferred, Effect, Queue, Semaphore, Stream } from "effect"
import { MessageId } from "../domain/Ids.ts"
import type { IncomingMessage } from "../domain/IncomingMessage.ts"
import type { Source, UserUpdate } from "../telegram/UserClient.ts"
import { comesLater, setbackOf } from "./FollowRules.ts"
import { FollowStore } from "./FollowStore.ts"
import { type Following, makeFollowTaking, patiently, type TakingError } from "./FollowTaking.ts"
import { type SessionKey, sessionName } from "./SessionEvents.ts"
import type { LiveSession } from "./SessionLife.ts"

/** Between two pages of history, so that Telegram need not ask for a pause. A page is a hundred messages. */
const betweenPages = "1 second"
/** Between two looks whether a chat can be read again that could not be. */
const lookAgain = "15 minutes"

const start = MessageId.make(0)

export const makeFollowWorker = Effect.gen(function* () {
  const store = yield* FollowStore
  const taking = yield* makeFollowTaking

  const work = Effect.fnUntraced(function* (key: SessionKey, client: LiveSession) {
    const me = yield* client.me
    const { noted, take } = yield* taking(key, client, me)
    /** One at a time: a page that is read, and what happens. What was read before an edit is never taken after it. */
    const turn = yield* Semaphore.make(1)
    /** There is something to read. */
    const wanted = yield* Queue.sliding<void>(1)
    const begun = yield* Deferred.make<void>()
    const followed = new Map<Source, Following>()
    /** Those that cannot be read now; the others can. What is told of them is left for when they can. */
    const closed = new Set<Following>()

    /** What was edited until now is told to nobody. */
    const doubt = (following: Following) =>
      Effect.suspend(() => {
        following.reread = start
        if (following.chat.lastMessage === 0) return Effect.void
        following.chat = { ...following.chat, rereadDue: true }
        return patiently(store.reread(following.chat, "due"))
      })

    /** The next page after a message; nothing when there is none. */
    const page = ({ chat: { since, source } }: Following, after: MessageId) =>
      Effect.map(
        Stream.runHead(Stream.chunks(client.history(source, { since, after }))),
        (first): ReadonlyArray<IncomingMessage> => (first._tag === "None" ? [] : first.value)
      )

    const readNew = Effect.fnUntraced(function* (following: Following) {
      const messages = yield* page(following, following.chat.lastMessage)
      if (messages.length > 0) return yield* take(following, "history", messages)
      following.reading = false
      return []
    })

    const readAgain = Effect.fnUntraced(function* (following: Following) {
      const { lastMessage } = following.chat
      const messages = yield* page(following, following.reread)
      const ids = yield* take(
        following,
        "reread",
        messages.filter(({ messageId }) => messageId <= lastMessage)
      )
      following.reread = messages.at(-1)?.messageId ?? lastMessage
      if (following.reread < lastMessage) return ids
      yield* patiently(store.reread(following.chat, "done"))
      const { lastError: _error, rereadDue: _due, ...chat } = following.chat
      following.chat = chat
      return ids
    })

    const close = Effect.fnUntraced(function* (following: Following, error: TakingError) {
      if (setbackOf(error)._tag !== "chat") return yield* Effect.fail(error)
      followed.delete(following.chat.source)
      closed.add(following)
      yield* doubt(following)
      yield* patiently(store.trouble(following.chat, error.message))
    })

    /** Page by page, the chats one after another. The notes are left behind by a page at most. */
    const read = Effect.gen(function* () {
      let previous: Effect.Success<ReturnType<typeof take>> = []
      while (true) {
        const all = [...followed.values()]
        const unread = all.find(({ reading }) => reading)
        const following = unread ?? all.find(({ chat }) => chat.rereadDue)
        if (following === undefined) {
          yield* Queue.take(wanted)
          continue
        }
        const step = unread === undefined ? readAgain(following) : readNew(following)
        const now = yield* patiently(turn.withPermit(step)).pipe(
          Effect.catch((error) => Effect.as(close(following, error), []))
        )
        if (now.length === 0 && !following.reading && !following.chat.rereadDue) continue
        if (previous.length > 0) yield* noted(previous)
        previous = now
        yield* Effect.sleep(betweenPages)
      }
    })

    /** Until one can be read again: the next client is told of it with the others. */
    const opened = Effect.gen(function* () {
      while (true) {
        yield* Effect.sleep(lookAgain)
        for (const following of closed) {
          const open = yield* patiently(page(following, following.chat.lastMessage)).pipe(
            Effect.as(true),
            Effect.catch((error) =>
              setbackOf(error)._tag === "chat" ? Effect.succeed(false) : Effect.fail(error)
            )
          )
          if (open) return yield* client.renew
        }
      }
    })

    const happen = Effect.fnUntraced(function* (update: UserUpdate) {
      if (update._tag === "Checkpoint") {
        // Everything before it is durable. Where it is not kept some of that is told again, and known.
        yield* patiently(client.keepPositions(update.positions)).pipe(
          Effect.catchTag("SecretUnreadable", (error) =>
            Effect.logWarning(`How far the updates are taken is not kept: ${error.message}`)
          )
        )
        return yield* Deferred.succeed(begun, undefined)
      }
      // What a person has in their notes is theirs, whatever becomes of where it was.
      if (update._tag === "Deleted") return
      const following = followed.get(update.source)
      if (following === undefined) return
      if (update._tag === "Missed") {
        following.reading = true
        yield* doubt(following)
        return yield* Queue.offer(wanted, undefined)
      }
      const { chat, reading } = following
      if (comesLater({ last: chat.lastMessage, reading }, update.message)) return
      yield* take(following, update._tag === "Edited" ? "edited" : "new", [update.message])
    })

    const chats = (yield* patiently(store.list(key))).filter(({ account }) => account === me.id)
    for (const chat of chats) {
      const following: Following = { chat, reading: true, reread: start }
      followed.set(chat.source, following)
      if (!client.hasPositions) yield* doubt(following)
      // One that cannot be read would end the updates of all.
      yield* Effect.catch(patiently(page(following, chat.lastMessage)), (error) => close(following, error))
    }
    // Until somebody chooses one: then the client is closed, and this begins anew.
    if (followed.size === 0) return yield* opened
    yield* Stream.runForEach(client.updates([...followed.keys()]), (update) =>
      turn.withPermit(happen(update))
    ).pipe(Effect.raceFirst(Effect.andThen(Deferred.await(begun), read)), Effect.raceFirst(opened))
  })

  return (key: SessionKey) =>
    (client: LiveSession): Effect.Effect<void> =>
      work(key, client).pipe(
        Effect.catch((error) =>
          Effect.logInfo(`Following pauses for session ${sessionName(key)}: ${error.message}`)
        ),
        Effect.annotateLogs({ tenant: key.tenant, app: key.app, operation: "FollowWorker.work" })
      )
})
