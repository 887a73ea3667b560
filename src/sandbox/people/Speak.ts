/**
 * What people put into chats: text, files, albums, forwards and the rest, each stored and told to the bot.
 */
import { createHash, randomInt } from "node:crypto"
import { Result } from "effect"
import type { MessageOrigin, User } from "grammy/types"
import * as Announce from "../Announce.ts"
import { asQuoted, type Body, captionFields, post, textFields } from "../Content.ts"
import type { File, Input, SendText } from "../Control.ts"
import { check, type Formatted, fromView, mark, trim } from "../Entities.ts"
import { apiFields, store } from "../Files.ts"
import { contentOf, originOf } from "../methods/Chats.ts"
import { diceFaces, newPoll } from "../methods/Send.ts"
import type { Entity, Origin } from "../Views.ts"
import type { ApiMessage, ChatRow, World } from "../World.ts"
import { type Acted, botOf, chatOf, openChat } from "./Place.ts"

interface Said {
  readonly bot?: number
  readonly chat: number
  readonly thread?: number
  readonly from?: number
  readonly replyTo?: number
  readonly origin?: Origin
}

interface Voice {
  readonly chat: ChatRow
  readonly from: User
  readonly thread: number | undefined
  readonly envelope: Body
}

/** A stable number for a name, so that the same person or channel is the same in every forward. */
const idFor = (name: string): number =>
  createHash("sha256").update(name).digest().readUInt32BE(0) + 1_000_000_000

/** `https://t.me/name/5`, or `https://t.me/c/123/5` for a private channel. */
const linked = (link: string | undefined) => {
  const match = /^https?:\/\/t\.me\/(?:c\/)?([A-Za-z0-9_]+)\/(\d+)/.exec(link ?? "")
  return { username: match?.[1], messageId: match?.[2] === undefined ? 1 : Number(match[2]) }
}

const apiOrigin = (origin: Origin): MessageOrigin => {
  const { date, name } = origin
  const username = origin.username ?? linked(origin.link).username
  const named = username === undefined ? {} : { username }
  const signed = origin.signature === undefined ? {} : { author_signature: origin.signature }
  if (origin.kind === "hidden_user") return { type: "hidden_user", date, sender_user_name: name }
  if (origin.kind === "user") {
    const user = { id: idFor(name), is_bot: false, first_name: name, ...named }
    return { type: "user", date, sender_user: user }
  }
  const id = -1_000_000_000_000 - idFor(name)
  return origin.kind === "chat"
    ? { type: "chat", date, sender_chat: { id, type: "supergroup", title: name, ...named }, ...signed }
    : {
        type: "channel",
        date,
        chat: { id, type: "channel", title: name, ...named },
        message_id: linked(origin.link).messageId,
        ...signed
      }
}

/** Who speaks where, with what the message answers and where it came from. */
const voice = (world: World, said: Said): Acted<Voice> =>
  Result.gen(function* () {
    const chat = yield* openChat(world, yield* botOf(world, said.bot), said.chat)
    if (chat.blocked) return yield* Result.fail("the bot is blocked here: unblock it first")
    const fromId = chat.kind === "private" ? chat.id : (said.from ?? chat.members[0] ?? 0)
    const from = world.user(fromId)
    if (from === undefined || !chat.members.includes(fromId)) {
      return yield* Result.fail(`user ${fromId} is not in chat ${chat.id}`)
    }
    if (said.thread !== undefined && !chat.topics.some(({ id }) => id === said.thread)) {
      return yield* Result.fail(`there is no topic ${said.thread} in chat ${chat.id}`)
    }
    const answered = said.replyTo === undefined ? undefined : world.message(chat.bot, chat.id, said.replyTo)
    if (said.replyTo !== undefined && answered === undefined) {
      return yield* Result.fail(`there is no message ${said.replyTo} to reply to`)
    }
    const envelope = {
      ...(said.origin === undefined ? {} : { forward_origin: apiOrigin(said.origin) }),
      ...(answered === undefined ? {} : { reply_to_message: asQuoted(answered.message) as never })
    }
    return { chat, from, thread: said.thread, envelope }
  })

const utter = (world: World, { chat, from, thread, envelope }: Voice, body: Body): ApiMessage => {
  const message = post(world, chat, from, thread, { ...envelope, ...body })
  world.tell(chat.bot, `chat:${chat.id}`, { message: message as never })
  Announce.sent(world, chat.bot, message)
  return message
}

const say = (world: World, said: Said, body: () => Acted<Body>): Acted<ApiMessage> =>
  Result.gen(function* () {
    return utter(world, yield* voice(world, said), yield* body())
  })

/** Telegram's clients trim, check and mark what people type. */
export const typed = (
  world: World,
  text: string,
  entities: ReadonlyArray<Entity> | undefined
): Acted<Formatted> => {
  const raw = { text, entities: fromView(entities ?? [], world.user) }
  return Result.map(
    Result.mapError(check(raw), ({ description }) => description),
    () => mark(trim(raw))
  )
}

/** A text of white space alone is let through, as other servers and old clients do. */
export const sendText = (world: World, input: SendText): Acted<ApiMessage> =>
  say(world, input, () =>
    Result.gen(function* () {
      const value = yield* typed(world, input.text, input.entities)
      return value.text === "" ? { text: input.text } : textFields(value)
    })
  )

export const sendTexts = (world: World, messages: ReadonlyArray<SendText>): Acted<Array<ApiMessage>> =>
  Result.gen(function* () {
    const sent: Array<ApiMessage> = []
    for (const message of messages) sent.push(yield* sendText(world, message))
    return sent
  })

const fileBody = (world: World, bot: number, { caption, captionEntities, ...file }: File): Acted<Body> =>
  Result.map(typed(world, caption ?? "", captionEntities), (value) => ({
    ...apiFields(store(world, bot, file)),
    ...captionFields(value)
  }))

export const sendFile = (world: World, input: Input<"sendFile">): Acted<ApiMessage> =>
  say(world, input, () => Result.flatMap(botOf(world, input.bot), (bot) => fileBody(world, bot, input.file)))

export const sendAlbum = (world: World, input: Input<"sendAlbum">): Acted<Array<ApiMessage>> =>
  Result.gen(function* () {
    if (input.files.length < 2 || input.files.length > 10) {
      return yield* Result.fail("an album has 2 to 10 files")
    }
    const speaking = yield* voice(world, input)
    const album = { media_group_id: String(world.next("albums", 13_000_000_000_001)) }
    const sent: Array<ApiMessage> = []
    for (const file of input.files) {
      const body = yield* fileBody(world, speaking.chat.bot, file)
      sent.push(utter(world, speaking, { ...album, ...body }))
    }
    return sent
  })

export const forward = (world: World, input: Input<"forward">): Acted<Array<ApiMessage>> =>
  Result.gen(function* () {
    const speaking = yield* voice(world, input)
    const from = yield* chatOf(world, input.bot, input.fromChat)
    const albums = new Map<string, string>()
    const sent: Array<ApiMessage> = []
    for (const id of input.messageIds) {
      const message = world.message(from.bot, from.id, id)?.message
      if (message === undefined) return yield* Result.fail(`there is no message ${id} to forward`)
      const old = message.media_group_id
      if (old !== undefined && !albums.has(old)) {
        albums.set(old, String(world.next("albums", 13_000_000_000_001)))
      }
      const album = old === undefined ? undefined : albums.get(old)
      sent.push(
        utter(world, speaking, {
          ...contentOf(message),
          ...(album === undefined ? {} : { media_group_id: album }),
          forward_origin: originOf(message, input.hideSender === true)
        })
      )
    }
    return sent
  })

export const sendLocation = (world: World, input: Input<"sendLocation">): Acted<ApiMessage> => {
  const { latitude, longitude, title, address } = input.location
  const location = { latitude, longitude }
  const venue = title === undefined ? {} : { venue: { location, title, address: address ?? "" } }
  return say(world, input, () => Result.succeed({ location, ...venue }))
}

export const sendContact = (world: World, input: Input<"sendContact">): Acted<ApiMessage> => {
  const { phone, firstName, lastName } = input.contact
  const last = lastName === undefined ? {} : { last_name: lastName }
  const contact = { phone_number: phone, first_name: firstName, ...last }
  return say(world, input, () => Result.succeed({ contact }))
}

export const sendPoll = (world: World, input: Input<"sendPoll">): Acted<ApiMessage> =>
  say(world, input, () => {
    if (input.options.length < 1 || input.options.length > 12) {
      return Result.fail("a poll has 1 to 12 options")
    }
    const kind = { anonymous: input.anonymous ?? true, multiple: input.multiple ?? false }
    return Result.succeed({ poll: newPoll(world, input.question, input.options, kind) })
  })

export const sendDice = (world: World, input: Input<"sendDice">): Acted<ApiMessage> =>
  say(world, input, () => {
    const emoji = input.emoji ?? "🎲"
    const faces = diceFaces[emoji]
    if (faces === undefined) return Result.fail(`${emoji} is not a dice`)
    return Result.succeed({ dice: { emoji, value: input.value ?? randomInt(1, faces + 1) } })
  })
