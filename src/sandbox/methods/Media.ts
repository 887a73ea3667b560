/**
 * Methods that send files: uploaded with the call or known by their id, alone or as an album.
 */
import { Result, Schema } from "effect"
import * as Announce from "../Announce.ts"
import * as Args from "../Args.ts"
import {
  type Call,
  captionFields,
  captionLimit,
  formatted,
  post,
  replyOf,
  threadOf,
  writableChat
} from "../Content.ts"
import { EntityInput } from "../Entities.ts"
import * as Files from "../Files.ts"
import { apiFields, downloadLimit, input } from "../Files.ts"
import { type Answer, badRequest } from "../Refusal.ts"
import type { MediaKind } from "../Views.ts"
import { type ApiMessage, apiBot, type World } from "../World.ts"
import { deliver } from "./Send.ts"

const sendFile =
  (kind: MediaKind) =>
  (world: World, call: Call): Answer<ApiMessage> =>
    deliver(world, call, () =>
      Result.gen(function* () {
        const caption = yield* formatted(call.args, "caption", captionLimit)
        const file = yield* input(world, call.bot.id, call.args, kind, Args.text(call.args, kind), kind)
        return { ...apiFields(file), ...captionFields(caption) }
      })
    )

export const sendPhoto = sendFile("photo")
export const sendDocument = sendFile("document")
export const sendVideo = sendFile("video")
export const sendAudio = sendFile("audio")
export const sendVoice = sendFile("voice")
export const sendAnimation = sendFile("animation")
export const sendVideoNote = sendFile("video_note")
export const sendSticker = sendFile("sticker")

const Item = Schema.Struct({
  type: Schema.Literals(["photo", "video", "document", "audio"]),
  media: Schema.String,
  caption: Schema.optionalKey(Schema.String),
  parse_mode: Schema.optionalKey(Schema.String),
  caption_entities: Schema.optionalKey(Schema.Array(EntityInput))
})

/** Bot API: 2 to 10 items; documents and audio are not mixed with other kinds. */
export const sendMediaGroup = (world: World, call: Call): Answer<ReadonlyArray<ApiMessage>> =>
  Result.gen(function* () {
    const chat = yield* writableChat(world, call)
    const thread = yield* threadOf(chat, call.args)
    const reply = yield* replyOf(world, chat, call.args)
    const items = yield* Args.required(call.args, "media", Schema.Array(Item))
    if (items.length < 2 || items.length > 10) {
      return yield* badRequest("group send failed: must have 2 to 10 items")
    }
    const closed = (type: string) => type === "document" || type === "audio"
    const first = items[0]?.type ?? ""
    if (items.some(({ type }) => type !== first && (closed(type) || closed(first)))) {
      return yield* badRequest("document and audio albums can't be mixed with other types")
    }
    const albumId = String(world.next("albums", 13_000_000_000_001))
    const messages: Array<ApiMessage> = []
    for (const item of items) {
      const own: Args.Args = { values: { ...item }, uploads: call.args.uploads }
      const caption = yield* formatted(own, "caption", captionLimit)
      const file = yield* input(world, call.bot.id, own, item.type, item.media, item.type)
      const message = post(world, chat, apiBot(call.bot), thread, {
        ...reply,
        media_group_id: albumId,
        ...apiFields(file),
        ...captionFields(caption)
      })
      Announce.sent(world, call.bot.id, message)
      messages.push(message)
    }
    return messages
  })

export const getFile = (world: World, call: Call) =>
  Result.gen(function* () {
    const found = Files.find(world, call.bot.id, Args.text(call.args, "file_id") ?? "")
    if (found === undefined) return yield* badRequest("invalid file_id")
    if (found.media.size > downloadLimit) return yield* badRequest("file is too big")
    return {
      file_id: found.id,
      file_unique_id: found.media.uniqueId,
      file_size: found.media.size,
      file_path: found.path
    }
  })
