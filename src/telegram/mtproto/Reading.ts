/** What an account reads when it is asked to: its chats, their history, files. */
import { getMarkedPeerId, Long, Chat as PeerChat, type tl } from "@mtcute/core"
import type { BaseTelegramClient } from "@mtcute/core/client.js"
import { Effect, Option, Stream } from "effect"
import { type ChatId, MessageId } from "../../domain/Ids.ts"
import type { IncomingMessage, MediaFile } from "../../domain/IncomingMessage.ts"
import {
  CallRefused,
  ChatClosed,
  FileGone,
  type FollowableChat,
  type Source,
  TelegramTrouble,
  type UserError
} from "../UserClient.ts"
import type { Calls } from "./Calls.ts"
import { locate } from "./FileHandle.ts"
import { chatOf, readMessages } from "./Messages.ts"

/** Telegram's most, of messages and of chats. */
const page = 100
/** Telegram's most for one piece of a file is 1 MiB; half of it keeps little in memory. */
const pieceBytes = 512 * 1024
/** So many pieces are asked for at once. */
const piecesAtOnce = 3
/** How far the clocks of the two copies of one message may differ, in seconds. */
const sameMoment = 5

/** Where a page of dialogs begins. */
interface Place {
  readonly date: number
  readonly id: number
  readonly peer: tl.TypeInputPeer
}
const nowhere: tl.TypeInputPeer = { _: "inputPeerEmpty" }

export const makeReading = (client: BaseTelegramClient, { call }: Calls) => {
  const known = (id: ChatId) => Effect.promise(async () => client.storage.peers.getById(id))

  /** One page of dialogs; what was seen of their chats is in the storage after it. */
  const dialogs = Effect.fnUntraced(function* (from: Place) {
    const answer = yield* call({
      _: "messages.getDialogs",
      offsetDate: from.date,
      offsetId: from.id,
      offsetPeer: from.peer,
      limit: page,
      hash: Long.ZERO
    })
    const end = Option.none<Place>()
    if (answer._ === "messages.dialogsNotModified") return { chats: [], next: end }
    const last = answer.dialogs.at(-1)
    const top = answer.messages.find(
      (message) =>
        last?._ === "dialog" &&
        message._ !== "messageEmpty" &&
        message.id === last.topMessage &&
        getMarkedPeerId(message.peerId) === getMarkedPeerId(last.peer)
    )
    if (answer._ === "messages.dialogs" || last?._ !== "dialog" || top === undefined || !("date" in top)) {
      return { chats: answer.chats, next: end }
    }
    const peer = yield* Effect.promise(async () => client.storage.peers.getById(getMarkedPeerId(last.peer)))
    const next = { date: top.date, id: top.id, peer: peer ?? nowhere }
    return { chats: answer.chats, next: Option.some(next) }
  })

  const start: Place = { date: 0, id: 0, peer: nowhere }
  const chats = Stream.paginate(start, (from) =>
    Effect.map(dialogs(from), ({ chats: found, next }) => [found.flatMap(followable), next] as const)
  )

  /** How Telegram is told which chat is meant. One it has not told us of yet may be among the dialogs. */
  const inputPeer = Effect.fnUntraced(function* (source: Source) {
    if (source === "saved") return { _: "inputPeerSelf" } as const
    const peer = yield* known(source)
    if (peer !== null) return peer
    yield* Stream.runDrain(chats)
    const found = yield* known(source)
    return found ?? (yield* new ChatClosed({ method: "messages.getDialogs" }))
  })

  const historyPage = Effect.fnUntraced(function* (
    peer: tl.TypeInputPeer,
    offset: { readonly id: number; readonly date: number },
    addOffset: number
  ) {
    const answer = yield* call({
      _: "messages.getHistory",
      peer,
      offsetId: offset.id,
      offsetDate: offset.date,
      addOffset,
      limit: page,
      maxId: 0,
      minId: 0,
      hash: Long.ZERO
    })
    return answer._ === "messages.messagesNotModified" ? undefined : answer
  })

  const history = (
    source: Source,
    { since, after = MessageId.make(0) }: { readonly since: number; readonly after?: MessageId }
  ): Stream.Stream<IncomingMessage, UserError> =>
    Stream.unwrap(
      Effect.map(inputPeer(source), (peer) =>
        Stream.paginate({ last: Number(after) }, ({ last }) =>
          Effect.map(
            // Upwards from a message is what a negative offset means; from a date only where no message is known.
            historyPage(
              peer,
              { id: last === 0 && since > 0 ? 0 : last + 1, date: last === 0 ? since : 0 },
              -page
            ),
            (answer) => {
              const newer = (answer?.messages ?? []).filter(({ id }) => id > last)
              const reached = newer.reduce((most, { id }) => Math.max(most, id), last)
              const messages = (answer === undefined ? [] : readMessages(answer))
                .filter(({ messageId, date }) => messageId > last && date >= since)
                .sort((a, b) => a.messageId - b.messageId)
              return [messages, reached > last ? Option.some({ last: reached }) : Option.none()] as const
            }
          )
        )
      )
    )

  const piece = (
    location: tl.TypeInputFileLocation,
    dc: number,
    offset: number
  ): Effect.Effect<Uint8Array, UserError> => {
    const method = "upload.getFile"
    return call({ _: method, location, offset, limit: pieceBytes }, { dcId: dc, kind: "download" }).pipe(
      Effect.catchTag("CallRefused", (refused) => {
        const moved = /^FILE_MIGRATE_(\d+)$/.exec(refused.reason)?.[1]
        return moved === undefined || Number(moved) === dc
          ? Effect.fail(refused)
          : call(
              { _: method, location, offset, limit: pieceBytes },
              { dcId: Number(moved), kind: "download" }
            )
      }),
      Effect.flatMap((answer) =>
        answer._ === "upload.file"
          ? Effect.succeed(answer.bytes)
          : Effect.fail(new CallRefused({ method, code: 400, reason: "CDN_REDIRECT" }))
      )
    )
  }

  const download = (file: MediaFile): Stream.Stream<Uint8Array, UserError> => {
    const method = "upload.getFile"
    const place = locate(file.fileId)
    if (Option.isNone(place)) return Stream.fail(new FileGone({ method }))
    const { dc, location } = place.value
    const { size } = file
    if (size === undefined) {
      return Stream.paginate(0, (offset: number) =>
        Effect.map(
          piece(location, dc, offset),
          (bytes) =>
            [[bytes], bytes.length < pieceBytes ? Option.none() : Option.some(offset + bytes.length)] as const
        )
      )
    }
    const offsets = Array.from({ length: Math.ceil(size / pieceBytes) }, (_, nth) => nth * pieceBytes)
    return Stream.fromIterable(offsets).pipe(
      Stream.mapEffect(
        (offset) =>
          Effect.filterOrFail(
            piece(location, dc, offset),
            (bytes) => bytes.length === Math.min(pieceBytes, size - offset),
            () => new TelegramTrouble({ method })
          ),
        { concurrency: piecesAtOnce }
      )
    )
  }

  /** Asked of Telegram once a day, and again by each new client. */
  const botPeer = Effect.fnUntraced(function* (name: string) {
    const username = name.replace(/^@/, "")
    const resolved = yield* Effect.promise(async () => client.storage.peers.getByUsername(username))
    if (resolved !== null) return resolved
    const { peer, users } = yield* call({ _: "contacts.resolveUsername", username })
    const user = users.find((one) => peer._ === "peerUser" && one.id === peer.userId)
    if (user?._ !== "user") return yield* new ChatClosed({ method: "contacts.resolveUsername" })
    return { _: "inputPeerUser", userId: user.id, accessHash: user.accessHash ?? Long.ZERO } as const
  })

  const fileSentTo = Effect.fn("UserSession.fileSentTo")(function* (
    bot: string,
    sent: { readonly date: number; readonly size: number }
  ) {
    const chat = yield* botPeer(bot)
    const answer = yield* historyPage(chat, { id: 0, date: sent.date + sameMoment + 1 }, 0)
    const near = (answer === undefined ? [] : readMessages(answer)).filter(
      ({ date }) => Math.abs(date - sent.date) <= sameMoment
    )
    const files = near.flatMap(({ attachments }) =>
      attachments.flatMap((attachment) => ("file" in attachment ? [attachment.file] : []))
    )
    return Option.fromNullishOr(files.find(({ size }) => size === sent.size))
  })

  return { inputPeer, chats, history, download, fileSentTo }
}
export type Reading = ReturnType<typeof makeReading>

const followable = (raw: tl.TypeChat): ReadonlyArray<FollowableChat> => {
  if (raw._ !== "channel" && raw._ !== "chat") return []
  if (raw.left || (raw._ === "chat" && raw.deactivated)) return []
  const { id, kind, title = "", username } = chatOf(new PeerChat(raw))
  const what = kind === "channel" ? "channel" : "group"
  return [{ id, kind: what, title, ...(username === undefined ? {} : { username }) }]
}
