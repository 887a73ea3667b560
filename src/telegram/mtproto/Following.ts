/**
 * What happens in the chosen chats, in order and without gaps: mtcute's loop asks for what was missed, and tells how far
 * it came after it has told what happened until there.
 */
import {
  getMarkedPeerId,
  type PeersIndex,
  parseMarkedPeerId,
  type RawUpdateInfo,
  type RpcCallMiddleware,
  type tl,
  toggleChannelIdMark
} from "@mtcute/core"
import type { BaseTelegramClient } from "@mtcute/core/client.js"
import { Cause, Effect, Option, Queue, Redacted, Stream } from "effect"
import { ChatId, MessageId } from "../../domain/Ids.ts"
import { ChatClosed, type Source, type UserError, type UserUpdate } from "../UserClient.ts"
import type { Calls } from "./Calls.ts"
import { readMessage } from "./Messages.ts"
import type { Reading } from "./Reading.ts"
import { endsSession, reasonOf } from "./Reasons.ts"
import type { SessionStorage } from "./SessionStorage.ts"

/** What of the client's own calls concerns whoever follows; nobody does until `updates` is read. */
export interface Overheard {
  /** The key is worth nothing any more. */
  ended: (error: UserError) => void
  /** More happened there than Telegram tells one by one. "common": in all chats but channels. */
  missed: (where: ChatId | "common") => void
}

export const makeOverheard = (): Overheard => ({ ended: () => undefined, missed: () => undefined })

const pause = (milliseconds: number) => Effect.runPromise(Effect.sleep(milliseconds))

/**
 * mtcute's loop makes its calls by itself, gives up at the first flood wait, and begins again at once after any other
 * failure. Here it waits, however long Telegram asks; a failure costs it a second; and one that ends the session ends
 * the loop, by leaving it without an answer.
 */
export const supervised =
  (overheard: Overheard): RpcCallMiddleware =>
  async (context, next) => {
    const method = context.request._
    if (!method.startsWith("updates.")) return next(context)
    const answer = (await next({
      ...context,
      params: { ...context.params, floodSleepThreshold: Number.POSITIVE_INFINITY }
    })) as { readonly _: string; readonly errorCode?: number; readonly errorMessage?: string }
    if (answer._ === "updates.differenceTooLong") overheard.missed("common")
    if (answer._ !== "mt_rpc_error") return answer
    const reason = reasonOf(method, { code: answer.errorCode ?? 0, text: answer.errorMessage ?? "" })
    if (endsSession(reason)) {
      overheard.ended(reason)
      return new Promise(() => undefined)
    }
    await pause(1000)
    return answer
  }

interface Followed {
  readonly sources: ReadonlySet<Source>
  readonly self: number
  /** So that a message of a chosen chat is readable also where the update says nothing of the chat. */
  readonly complete: (peers: PeersIndex) => PeersIndex
}

const sourceOf = (peer: tl.TypePeer | undefined, { sources, self }: Followed): Source | undefined => {
  if (peer === undefined) return undefined
  const source =
    peer._ === "peerUser" ? (peer.userId === self ? "saved" : undefined) : ChatId.make(getMarkedPeerId(peer))
  return source !== undefined && sources.has(source) ? source : undefined
}

/** What an update is to the follower, if anything. */
const toldBy = (
  { update, peers }: Pick<RawUpdateInfo, "update" | "peers">,
  followed: Followed
): ReadonlyArray<UserUpdate> => {
  switch (update._) {
    case "updateNewMessage":
    case "updateNewChannelMessage":
    case "updateEditMessage":
    case "updateEditChannelMessage": {
      const raw = update.message
      const source = sourceOf(raw.peerId, followed)
      if (source === undefined) return []
      const isNew = update._ === "updateNewMessage" || update._ === "updateNewChannelMessage"
      // A reaction or a counter that moved: nobody wrote anything.
      if (!isNew && raw._ === "message" && raw.editHide) return []
      const _tag = isNew ? ("Message" as const) : ("Edited" as const)
      return Option.toArray(readMessage(raw, followed.complete(peers))).map((message) => ({
        _tag,
        source,
        message
      }))
    }
    case "updateDeleteMessages": {
      const common = [...followed.sources].some(
        (source) => source === "saved" || parseMarkedPeerId(source)[0] === "chat"
      )
      const messageIds = update.messages.map((id) => MessageId.make(id))
      return common ? [{ _tag: "Deleted", messageIds }] : []
    }
    case "updateDeleteChannelMessages": {
      const channel = ChatId.make(toggleChannelIdMark(update.channelId))
      const messageIds = update.messages.map((id) => MessageId.make(id))
      return followed.sources.has(channel) ? [{ _tag: "Deleted", channel, messageIds }] : []
    }
    default:
      return []
  }
}

/** So many updates are remembered; what mtcute tells twice it tells within moments. */
const remembered = 1000

/**
 * What is pushed while it is also being asked for comes both ways: a new message by its number, everything else by its
 * place in the sequence of its chat.
 */
const nameOf = ({ update }: Pick<RawUpdateInfo, "update">): string => {
  switch (update._) {
    case "updateNewMessage":
    case "updateNewChannelMessage": {
      const { id, peerId } = update.message
      return `message ${peerId === undefined ? 0 : getMarkedPeerId(peerId)} ${id}`
    }
    case "updateEditChannelMessage": {
      const { peerId } = update.message
      return `edit ${peerId === undefined ? 0 : getMarkedPeerId(peerId)} ${update.pts}`
    }
    case "updateDeleteChannelMessages":
      return `delete ${update.channelId} ${update.pts}`
    default:
      return `${update._} ${"pts" in update ? update.pts : ""}`
  }
}

const notTwice = () => {
  const seen = new Set<string>()
  return (info: Pick<RawUpdateInfo, "update">): boolean => {
    const name = nameOf(info)
    if (seen.has(name)) return false
    seen.add(name)
    const [oldest] = seen
    if (seen.size > remembered && oldest !== undefined) seen.delete(oldest)
    return true
  }
}

/** Whether more happened than is held for whoever follows: until there is room what happens is left out. */
interface Overflow {
  is: "no" | "yes" | "ending"
}

const isChannel = (source: Source): source is ChatId =>
  source !== "saved" && parseMarkedPeerId(source)[0] === "channel"

/** So much waits at most for whoever follows: Telegram cannot be held back, and memory has an end. */
const mostWaiting = 5000

export const makeFollowing = (
  client: BaseTelegramClient,
  storage: SessionStorage,
  overheard: Overheard,
  { call }: Calls,
  inputPeer: Reading["inputPeer"],
  waitingAtMost = mostWaiting
) => {
  /** From where a channel is told: the kept position, or from now on. */
  const beginChannel = Effect.fnUntraced(function* (channel: ChatId) {
    const peer = yield* inputPeer(channel)
    if (peer._ !== "inputPeerChannel") return yield* new ChatClosed({ method: "channels.getFullChannel" })
    const { channelId, accessHash } = peer
    const kept = yield* Effect.promise(() => client.storage.updates.getChannelPts(channelId))
    if (kept !== null) return { channelId, pts: kept }
    const { fullChat } = yield* call({
      _: "channels.getFullChannel",
      channel: { _: "inputChannel", channelId, accessHash }
    })
    return { channelId, pts: fullChat._ === "channelFull" ? fullChat.pts : 1 }
  })

  const followed = Effect.fnUntraced(function* (sources: ReadonlyArray<Source>) {
    const self = yield* Effect.promise(() => client.storage.self.fetch())
    const chats = yield* Effect.forEach(
      sources.filter((source) => source !== "saved"),
      (source) =>
        Effect.andThen(
          inputPeer(source),
          Effect.promise(() => client.storage.peers.getCompleteById(source))
        )
    )
    const userId = self?.userId ?? 0
    const user = yield* Effect.promise(() => client.storage.peers.getCompleteById(userId))
    const complete = (peers: PeersIndex) => {
      if (user?._ === "user" && !peers.users.has(userId)) peers.users.set(userId, user)
      for (const chat of chats) {
        if (chat !== null && chat._ !== "user" && chat._ !== "userEmpty" && !peers.chats.has(chat.id)) {
          peers.chats.set(chat.id, chat)
        }
      }
      return peers
    }
    const result: Followed = { sources: new Set(sources), self: userId, complete }
    return result
  })

  const follow = Effect.fnUntraced(function* (
    sources: ReadonlyArray<Source>,
    told: Queue.Queue<UserUpdate, UserError | Cause.Done>,
    overflow: Overflow
  ) {
    const chosen = yield* followed(sources)
    const channels = new Set(sources.filter(isChannel).map((source) => toggleChannelIdMark(source)))
    let last = ""
    const once = notTwice()
    const isFull = () => Queue.sizeUnsafe(told) >= waitingAtMost
    const onUpdate = (info: RawUpdateInfo) => {
      const updates = toldBy(info, chosen)
      if (updates.length === 0 || !once(info)) return
      if (overflow.is === "no" && isFull()) overflow.is = "yes"
      if (overflow.is === "no") Queue.offerAllUnsafe(told, updates)
    }
    // What was said while no socket was open is not pushed after it, and mtcute would look for it in 15 minutes.
    const onUsable = () => client.handleClientUpdate({ _: "updatesTooLong" }, false)
    yield* Effect.acquireRelease(
      Effect.sync(() => {
        client.onRawUpdate.add(onUpdate)
        client.mt.onUsable.add(onUsable)
        overheard.ended = (error) => Queue.failCauseUnsafe(told, Cause.fail(error))
        overheard.missed = (where) => {
          for (const source of sources)
            if (where === "common" ? !isChannel(source) : source === where)
              Queue.offerUnsafe(told, { _tag: "Missed", source })
        }
        // The loop notes how far it came only after it has told everything until there.
        storage.onSaved = () => {
          if (overflow.is !== "no") {
            overflow.is = isFull() ? "yes" : "no"
            if (overflow.is === "yes") return
            // What was left out is before the positions that follow.
            for (const source of sources) Queue.offerUnsafe(told, { _tag: "Missed", source })
          }
          const positions = storage.positions(channels)
          if (Option.isNone(positions) || Redacted.value(positions.value) === last) return
          last = Redacted.value(positions.value)
          Queue.offerUnsafe(told, { _tag: "Checkpoint", positions: positions.value })
        }
      }),
      () =>
        Effect.promise(async () => {
          client.onRawUpdate.remove(onUpdate)
          client.mt.onUsable.remove(onUsable)
          Object.assign(overheard, makeOverheard())
          storage.onSaved = () => undefined
          await client.stopUpdatesLoop()
        })
    )
    const begun = yield* Effect.forEach(sources.filter(isChannel), beginChannel)
    // Known to the loop before it starts: the first thing it hears of a channel would be its beginning else. And kept with
    // the first positions: what happens from here on is told, whenever this process ends.
    for (const { channelId, pts } of begun) client.updates?.cpts.set(channelId, pts)
    const beginnings = new Map(begun.map(({ channelId, pts }) => [channelId, pts]))
    yield* Effect.promise(() => client.storage.updates.setManyChannelPts(beginnings))
    yield* Effect.promise(() => client.startUpdatesLoop())
    for (const { channelId, pts } of begun)
      yield* Effect.promise(() => client.notifyChannelOpened(channelId, pts))
    return yield* Effect.never
  })

  return {
    updates: (sources: ReadonlyArray<Source>): Stream.Stream<UserUpdate, UserError> =>
      Stream.unwrap(
        Effect.gen(function* () {
          const told = yield* Queue.unbounded<UserUpdate, UserError | Cause.Done>()
          const overflow: Overflow = { is: "no" }
          yield* follow(sources, told, overflow).pipe(
            Effect.catchCause((cause) => Queue.failCause(told, cause)),
            Effect.forkScoped
          )
          // There is room again, and it may be long until the loop has something to note.
          const goOn = () => {
            if (overflow.is !== "yes" || Queue.sizeUnsafe(told) > 0) return
            overflow.is = "ending"
            client.handleClientUpdate({ _: "updatesTooLong" }, false)
          }
          return Stream.tap(Stream.fromQueue(told), () => Effect.sync(goOn))
        })
      )
  }
}
