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

    /** `false`: the chat cannot be read now; the others can. */
    const caughtUp = (following: Following, told: "history" | "reread") =>
      Effect.catch(Effect.as(history(following, told), true), (error) =>
        setbackOf(error)._tag === "chat"
          ? Effect.as(patiently(store.trouble(following.chat, error.message)), false)
          : Effect.fail(error)
      )

    const followed = new Map<Source, Following>()
    for (const chat of yield* patiently(store.list(key))) {
      const following = { chat }
      if (chat.account === me.id && (yield* caughtUp(following, "history")))
        followed.set(chat.source, following)
    }
    // Until somebody chooses one: then the client is closed, and this begins anew.
    if (followed.size === 0) return yield* Effect.never

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
      if (update._tag === "Missed") yield* caughtUp(following, "reread")
      else yield* take(following, update._tag === "Edited" ? "edited" : "new", [update.message])
    })

    const told = yield* Queue.unbounded<UserUpdate, UserError | Cause.Done>()
    yield* Effect.forkScoped(Stream.runIntoQueue(client.updates([...followed.keys()]), told))
    // What came between the history and the beginning of this, and what no position is kept of.
    for (const following of followed.values()) yield* caughtUp(following, "history")
    yield* Stream.runForEach(Stream.fromQueue(told), happen)
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
