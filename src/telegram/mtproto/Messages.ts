/** One message of an account as the `IncomingMessage` a bot would have been given of it. */
import { Message, type MessageEntity, type Peer, PeersIndex, type tl } from "@mtcute/core"
import { Option } from "effect"
import type { TextEntity } from "../../domain/FormattedText.ts"
import { ChatId, MessageId, UserId } from "../../domain/Ids.ts"
import {
  type Chat,
  type ForwardOrigin,
  IncomingMessage,
  type ReplyContext,
  type Sender
} from "../../domain/IncomingMessage.ts"
import { present, storable } from "../UpdateFields.ts"
import { attachmentsOf } from "./MessageMedia.ts"

const kindOf = (peer: Peer): Chat["kind"] => {
  if (peer.type === "user") return "private"
  return peer.chatType === "channel" || peer.chatType === "group" ? peer.chatType : "supergroup"
}

export const chatOf = (peer: Peer): Chat =>
  present({
    id: ChatId.make(peer.id),
    kind: kindOf(peer),
    title: peer.type === "user" ? undefined : storable(peer.title),
    username: peer.username ?? undefined
  })

const senderKind = (peer: Peer): Sender["kind"] => {
  if (peer.type === "chat") return "chat"
  return peer.isBot ? "bot" : "user"
}

const senderOf = (peer: Peer): Sender =>
  present({
    id: peer.id,
    kind: senderKind(peer),
    name: storable(peer.displayName),
    username: peer.username ?? undefined
  })

/** The names of the Bot API, which are the domain's; unknown kinds keep their text. */
const entityOf = ({ params, offset, length }: MessageEntity): ReadonlyArray<TextEntity> => {
  const place = { offset, length }
  switch (params.kind) {
    case "unknown":
      return []
    case "emoji":
      return [{ type: "custom_emoji", ...place, customEmojiId: params.emojiId.toString() }]
    case "blockquote":
      return [{ type: params.collapsible ? "expandable_blockquote" : "blockquote", ...place }]
    case "text_link":
      return [{ type: params.kind, ...place, url: params.url }]
    case "text_mention":
      return [{ type: params.kind, ...place, userId: UserId.make(params.userId) }]
    case "pre":
      return [present({ type: params.kind, ...place, language: params.language || undefined })]
    default:
      return [{ type: params.kind, ...place }]
  }
}

const originOf = (message: Message): ForwardOrigin | undefined => {
  const forward = message.forward
  if (forward === null) return undefined
  const date = forward.raw.date
  const { sender } = forward
  if (sender.type === "anonymous") return { _tag: "HiddenUser", date, name: storable(sender.displayName) }
  if (sender.type === "user") return { _tag: "User", date, user: senderOf(sender) }
  const chat = chatOf(sender)
  const signature = forward.signature ?? undefined
  // Where the copy was saved from (`fromMessageId`) is another thing than where it was posted.
  const { channelPost } = forward.raw
  if (chat.kind !== "channel" || channelPost === undefined) {
    return present({ _tag: "Chat" as const, date, chat, signature })
  }
  const messageId = MessageId.make(channelPost)
  const link = chat.username === undefined ? undefined : `https://t.me/${chat.username}/${messageId}`
  return present({ _tag: "Channel" as const, date, chat, messageId, signature, link })
}

const replyOf = (message: Message): ReplyContext | undefined => {
  const reply = message.replyToMessage
  if (reply === null || reply.id === null || reply.isForumTopic) return undefined
  return { messageId: MessageId.make(reply.id), excerpt: storable(reply.quoteText) }
}

const read = (message: Message): IncomingMessage => {
  const { raw } = message
  return new IncomingMessage(
    present({
      messageId: MessageId.make(message.id),
      chat: chatOf(message.chat),
      sender: senderOf(message.sender),
      date: raw.date,
      editDate: raw._ === "message" && raw.editHide !== true ? raw.editDate : undefined,
      albumId: message.groupedIdUnique ?? undefined,
      text: { text: storable(message.text), entities: message.entities.flatMap(entityOf) },
      attachments: attachmentsOf(message.media),
      origin: originOf(message),
      replyTo: replyOf(message)
    })
  )
}

const attempt = Option.liftThrowable(read)

/**
 * `None` for news about the chat, which nobody wrote. A message that names somebody Telegram has told us nothing of is
 * read without what cannot be told: where it was forwarded from and what it answers.
 */
export const readMessage = (raw: tl.TypeMessage, peers: PeersIndex): Option.Option<IncomingMessage> => {
  if (raw._ !== "message") return Option.none()
  return Option.orElse(attempt(new Message(raw, peers)), () => {
    const { fwdFrom: _, replyTo: __, fromId: ___, ...bare } = raw
    return attempt(new Message(bare, peers))
  })
}

/** The messages of an answer, in its order. */
export const readMessages = (answer: {
  readonly messages: Array<tl.TypeMessage>
  readonly users: Array<tl.TypeUser>
  readonly chats: Array<tl.TypeChat>
}): ReadonlyArray<IncomingMessage> => {
  const peers = PeersIndex.from(answer)
  return answer.messages.flatMap((message) => Option.toArray(readMessage(message, peers)))
}
