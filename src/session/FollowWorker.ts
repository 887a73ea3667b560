/**
 * Follows the chosen chats of one account for as long as its client lives: first what is missing of their history, then
 * what happens.
 */
import { type Cause, Effect, Queue, Stream } from "effect"
import { MessageId, type UpdateId } from "../domain/Ids.ts"
import type { Source, UserError, UserUpdate } from "../telegram/UserClient.ts"
import { setbackOf } from "./FollowRules.ts"
import { FollowStore } from "./FollowStore.ts"
import { type Following, makeFollowTaking, patiently, type TakingError } from "./FollowTaking.ts"
import { type SessionKey, sessionName } from "./SessionEvents.ts"
import type { LiveSession } from "./SessionLife.ts"
import { SessionSecrets } from "./SessionSecrets.ts"

/** Between two pages of history, so that Telegram need not ask for a pause. A page is a hundred messages. */
const betweenPages = "1 second"
/** When more happened than Telegram tells one by one, edits of so many messages before are looked for. */
const reread = 100
/** Between two looks whether a chat can be read again that could not be. */
const lookAgain = "15 minutes"

export const makeFollowWorker = Effect.gen(function* () {
  const store = yield* FollowStore
  const secrets = yield* SessionSecrets
  const taking = yield* makeFollowTaking

  const work = Effect.fnUntraced(function* (key: SessionKey, client: LiveSession) {
    const me = yield* client.me
    const { noted, take } = yield* taking(key, client, me)

    /** From the last message that is taken to the newest. The notes are left behind by a page at most. */
    const history = (following: Following, told: "history" | "reread"): Effect.Effect<void, TakingError> => {
      let previous: ReadonlyArray<UpdateId> = []
      const read = Effect.suspend(() => {
        const { lastMessage, since, source } = following.chat
        const after = MessageId.make(told === "reread" ? Math.max(0, lastMessage - reread) : lastMessage)
        return Stream.runForEachArray(client.history(source, { since, after }), (page) =>
          Effect.gen(function* () {
            const now = yield* take(following, told, page)
            if (previous.length > 0) yield* noted(previous)
            previous = now
            yield* Effect.sleep(betweenPages)
          })
        )
      })
      return patiently(read)
    }

    const followed = new Map<Source, Following>()
    /** Those that cannot be read now; the others can. What is told of them is left for when they can. */
    const closed = new Set<Following>()

    const catchUp = (following: Following, told: "history" | "reread") =>
      Effect.catch(history(following, told), (error) => {
        if (setbackOf(error)._tag !== "chat") return Effect.fail(error)
        followed.delete(following.chat.source)
        closed.add(following)
        return patiently(store.trouble(following.chat, error.message))
      })

    /** Until one can be read again: the next client is told of it with the others. */
    const opened = Effect.gen(function* () {
      while (true) {
        yield* Effect.sleep(lookAgain)
        for (const following of [...closed]) {
          closed.delete(following)
          yield* catchUp(following, "history")
          if (!closed.has(following)) return yield* client.renew
        }
      }
    })

    const chats = (yield* patiently(store.list(key))).filter(({ account }) => account === me.id)
    for (const chat of chats) {
      const following = { chat }
      followed.set(chat.source, following)
      yield* catchUp(following, "history")
    }
    // Until somebody chooses one: then the client is closed, and this begins anew.
    if (followed.size === 0) return yield* opened

    const happen = Effect.fnUntraced(function* (update: UserUpdate) {
      if (update._tag === "Checkpoint")
        // Everything before it is durable. Where it is not kept some of that is told again, and known.
        return yield* Effect.catch(patiently(secrets.keepPositions(key, update.positions)), (error) =>
          Effect.logWarning(`How far the updates are taken is not kept: ${error.message}`)
        )
      // What a person has in their notes is theirs, whatever becomes of where it was.
      if (update._tag === "Deleted") return
      const following = followed.get(update.source)
      if (following === undefined) return
      if (update._tag === "Missed") yield* catchUp(following, "reread")
      else yield* take(following, update._tag === "Edited" ? "edited" : "new", [update.message])
    })

    const told = yield* Queue.unbounded<UserUpdate, UserError | Cause.Done>()
    yield* Effect.forkScoped(Stream.runIntoQueue(client.updates([...followed.keys()]), told))
    // What came between the history and the beginning of this, and what no position is kept of. What was edited while
    // a history was read is told by nobody.
    for (const { lastMessage, source } of chats) {
      const following = followed.get(source)
      if (following !== undefined)
        yield* catchUp(following, following.chat.lastMessage === lastMessage ? "history" : "reread")
    }
    yield* Effect.raceFirst(Stream.runForEach(Stream.fromQueue(told), happen), opened)
  })

  return (key: SessionKey) =>
    (client: LiveSession): Effect.Effect<void> =>
      work(key, client).pipe(
        Effect.scoped,
        Effect.catch((error) =>
          Effect.logInfo(`Following pauses for session ${sessionName(key)}: ${error.message}`)
        ),
        Effect.annotateLogs({ tenant: key.tenant, app: key.app, operation: "FollowWorker.work" })
      )
})
