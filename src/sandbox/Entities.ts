/**
 * Text as Telegram keeps it: trimmed, with entities that lie within it, and with what its servers mark by
 * themselves (commands, hashtags, mentions, links, addresses). Offsets and lengths in UTF-16 units.
 */

import { Result, Schema } from "effect"
import type { MessageEntity, User } from "grammy/types"
import { type Answer, badRequest } from "./Refusal.ts"
import type { Entity } from "./Views.ts"

const optional = Schema.optionalKey

export const EntityInput = Schema.Struct({
  type: Schema.String,
  offset: Schema.Int,
  length: Schema.Int,
  url: optional(Schema.String),
  language: optional(Schema.String),
  /** Kept as given: a person's own comes whole, a bot may name just the id. */
  user: optional(
    Schema.StructWithRest(Schema.Struct({ id: Schema.Int }), [Schema.Record(Schema.String, Schema.Json)])
  ),
  custom_emoji_id: optional(Schema.String)
})
export type EntityInput = typeof EntityInput.Type

export interface Formatted {
  readonly text: string
  readonly entities: ReadonlyArray<EntityInput>
}

const given = new Set([
  "bold",
  "italic",
  "underline",
  "strikethrough",
  "spoiler",
  "blockquote",
  "expandable_blockquote",
  "code",
  "pre",
  "text_link",
  "text_mention",
  "custom_emoji"
])
const found = new Set([
  "mention",
  "hashtag",
  "cashtag",
  "bot_command",
  "url",
  "email",
  "phone_number",
  "date_time"
])

/** Telegram drops what it cannot place without a word; here it is an error, so that nobody relies on it. */
export const check = ({ text, entities }: Formatted): Answer<ReadonlyArray<EntityInput>> => {
  for (const entity of entities) {
    if (!given.has(entity.type) && !found.has(entity.type)) {
      return badRequest(`can't parse MessageEntity: unknown type "${entity.type}"`)
    }
    if (entity.offset < 0 || entity.length <= 0 || entity.offset + entity.length > text.length) {
      return badRequest(
        `entity "${entity.type}" at ${entity.offset} with length ${entity.length} is outside the text`
      )
    }
    if (entity.type === "text_link" && entity.url === undefined) {
      return badRequest("can't parse MessageEntity: text_link without url")
    }
    if (entity.type === "text_mention" && entity.user === undefined) {
      return badRequest("can't parse MessageEntity: text_mention without user")
    }
    if (entity.type === "custom_emoji" && entity.custom_emoji_id === undefined) {
      return badRequest("can't parse MessageEntity: custom_emoji without custom_emoji_id")
    }
  }
  return Result.succeed(entities)
}

/** Without the white space around it; entities follow, those left without text go. */
export const trim = ({ text, entities }: Formatted): Formatted => {
  const start = text.length - text.trimStart().length
  const trimmed = text.trim()
  if (trimmed.length === text.length) return { text, entities }
  return {
    text: trimmed,
    entities: entities.flatMap((entity) => {
      const from = Math.max(entity.offset - start, 0)
      const to = Math.min(entity.offset + entity.length - start, trimmed.length)
      return to > from ? [{ ...entity, offset: from, length: to - from }] : []
    })
  }
}

const patterns: ReadonlyArray<readonly [string, RegExp]> = [
  ["url", /(?:https?:\/\/|www\.)[^\s<>"]*[^\s<>".,;:!?)\]}'»]/giu],
  ["email", /(?<![\w.+-])[\w.+-]+@[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,}/giu],
  ["bot_command", /(?<![\p{L}\p{N}_/])\/[A-Za-z0-9_]{1,64}(?:@[A-Za-z0-9_]{3,32})?(?![\p{L}\p{N}_/])/gu],
  ["mention", /(?<![\p{L}\p{N}_@])@[A-Za-z][A-Za-z0-9_]{3,31}(?![\p{L}\p{N}_@])/gu],
  ["hashtag", /(?<![\p{L}\p{N}_#&])#[\p{L}\p{N}\p{M}_·]*[\p{L}_][\p{L}\p{N}\p{M}_·]*/gu]
]
const clueless = /[/@#]|:\/\/|www\./i
/** Nothing is marked by itself inside of these. */
const opaque = new Set(["code", "pre", "text_link", "text_mention"])

const overlaps = (a: { offset: number; length: number }, b: { offset: number; length: number }) =>
  a.offset < b.offset + b.length && b.offset < a.offset + a.length

/** With what Telegram marks by itself, in order. */
export const mark = ({ text, entities }: Formatted): Formatted => {
  if (!clueless.test(text)) return { text, entities }
  const marked: Array<EntityInput> = [...entities]
  const taken: Array<EntityInput> = entities.filter(({ type }) => opaque.has(type) || found.has(type))
  for (const [type, pattern] of patterns) {
    for (const match of text.matchAll(pattern)) {
      const entity = { type, offset: match.index, length: match[0].length }
      if (taken.some((other) => overlaps(other, entity))) continue
      taken.push(entity)
      marked.push(entity)
    }
  }
  return { text, entities: marked.sort((a, b) => a.offset - b.offset || b.length - a.length) }
}

/** As the Bot API shows them. */
export const toApi = (entities: ReadonlyArray<EntityInput>): Array<MessageEntity> =>
  entities as unknown as Array<MessageEntity>

export const toView = (entities: ReadonlyArray<EntityInput>): ReadonlyArray<Entity> =>
  entities.map(({ user, custom_emoji_id, ...entity }) => ({
    ...entity,
    ...(user === undefined ? {} : { userId: user.id }),
    ...(custom_emoji_id === undefined ? {} : { customEmojiId: custom_emoji_id })
  }))

/** `person` finds the user a `text_mention` names. */
export const fromView = (
  entities: ReadonlyArray<Entity>,
  person: (id: number) => User | undefined
): ReadonlyArray<EntityInput> =>
  entities.map(({ userId, customEmojiId, ...entity }) => ({
    ...entity,
    ...(userId === undefined ? {} : { user: { id: userId, ...person(userId) } as EntityInput["user"] & {} }),
    ...(customEmojiId === undefined ? {} : { custom_emoji_id: customEmojiId })
  }))
