/**
 * Text with Telegram entities. Offsets and lengths are UTF-16 units, as in JavaScript strings.
 * Source: Bot API, MessageEntity.
 */
import { Schema } from "effect"
import { UserId } from "./Ids.ts"

/** An entity of a kind this version does not know keeps its `type` and is rendered as plain text. */
export const TextEntity = Schema.Struct({
  type: Schema.String,
  offset: Schema.Int,
  length: Schema.Int,
  /** `text_link` */
  url: Schema.optionalKey(Schema.String),
  /** `pre` */
  language: Schema.optionalKey(Schema.String),
  /** `text_mention` */
  userId: Schema.optionalKey(UserId),
  /** `custom_emoji` */
  customEmojiId: Schema.optionalKey(Schema.String)
})
export type TextEntity = typeof TextEntity.Type

export const FormattedText = Schema.Struct({
  text: Schema.String,
  entities: Schema.Array(TextEntity)
})
export type FormattedText = typeof FormattedText.Type

export const plain = (text: string): FormattedText => ({ text, entities: [] })

export const empty: FormattedText = plain("")

/** Pieces of text, some of them formatted, put together with the offsets worked out. */
export type Piece = string | ({ readonly text: string } & Omit<TextEntity, "offset" | "length">)

export const bold = (text: string): Piece => ({ type: "bold", text })
export const code = (text: string): Piece => ({ type: "code", text })

export const compose = (...pieces: ReadonlyArray<Piece>): FormattedText => {
  let text = ""
  const entities: Array<TextEntity> = []
  for (const piece of pieces) {
    if (typeof piece === "string") {
      text += piece
      continue
    }
    const { text: part, ...entity } = piece
    if (part.length > 0) entities.push({ ...entity, offset: text.length, length: part.length })
    text += part
  }
  return { text, entities }
}

/** The text from `length` UTF-16 units on, with what is left of its entities. */
export const withoutStart = ({ text, entities }: FormattedText, length: number): FormattedText => ({
  text: text.slice(length),
  entities: entities.flatMap((entity) => {
    const end = entity.offset + entity.length - length
    const offset = Math.max(0, entity.offset - length)
    return end > offset ? [{ ...entity, offset, length: end - offset }] : []
  })
})
