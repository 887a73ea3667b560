/** What the bot says, in the words of the Bot API. Pure. */
import type { Opts } from "grammy/types"
import { type FormattedText, plain, type TextEntity } from "../domain/FormattedText.ts"
import type { ThreadId } from "../domain/Ids.ts"
import type { Method } from "./GrammyApi.ts"
import type { Outcome } from "./Outcome.ts"
import {
  type AlbumItem,
  type Button,
  filesOf,
  type OutgoingContent,
  type OutgoingFile,
  type PartsContent,
  type RichContent,
  type TextContent
} from "./OutgoingContent.ts"
import { fromMarkdown, richFromMarkdown, split } from "./RichText.ts"

/** General is topic 1 inwards and no topic at all outwards. */
export const threadOf = (thread: ThreadId | undefined): { message_thread_id?: number } =>
  thread === undefined || thread === 1 ? {} : { message_thread_id: thread }

/** What a bot may set. Mentions, links, hashtags and the like Telegram finds by itself. */
const settable: ReadonlySet<string> = new Set([
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

const entityOf = ({ type, offset, length, url, language, userId, customEmojiId }: TextEntity) => ({
  type,
  offset,
  length,
  ...(url === undefined ? {} : { url }),
  ...(language === undefined ? {} : { language }),
  ...(userId === undefined ? {} : { user: { id: userId, is_bot: false, first_name: "" } }),
  ...(customEmojiId === undefined ? {} : { custom_emoji_id: customEmojiId })
})

type Entities = NonNullable<Opts<"sendMessage">["entities"]>

export const entitiesOf = (text: FormattedText): { entities?: Entities } => {
  const entities = text.entities.filter(({ type }) => settable.has(type)).map(entityOf)
  return entities.length === 0 ? {} : { entities: entities as unknown as Entities }
}

type Markup = NonNullable<Opts<"editMessageText">["reply_markup"]>

/** Without buttons an edit takes away those there are. */
const keyboardOf = (buttons: ReadonlyArray<ReadonlyArray<Button>> | undefined): { reply_markup?: Markup } =>
  buttons === undefined || buttons.length === 0
    ? {}
    : {
        reply_markup: {
          inline_keyboard: buttons.map((row) => row.map(({ text, data }) => ({ text, callback_data: data })))
        }
      }

const captionOf = (caption: FormattedText | undefined): { caption?: string; caption_entities?: Entities } => {
  if (caption === undefined || caption.text === "") return {}
  const { entities } = entitiesOf(caption)
  return { caption: caption.text, ...(entities === undefined ? {} : { caption_entities: entities }) }
}

/** The files of a request, each with the name the request has for it. */
export interface Parts {
  readonly part: string
  readonly file: Extract<OutgoingFile, { _tag: "Blob" }>
}

const nameOf = (file: OutgoingFile, index: number): string =>
  file._tag === "FileId" ? file.fileId : `attach://file${index}`

/** The files that have to travel with the request. */
export const partsOf = (content: OutgoingContent): ReadonlyArray<Parts> =>
  filesOf(content).flatMap((file, index) => (file._tag === "Blob" ? [{ part: `file${index}`, file }] : []))

const mediaOf = ({ _tag, file, caption }: AlbumItem, index: number) => ({
  type: _tag === "Photo" ? ("photo" as const) : ("document" as const),
  media: nameOf(file, index),
  ...captionOf(caption)
})

type Chatless<M extends Method> = Omit<Opts<M>, "chat_id" | "message_id">

const textOf = ({ text, buttons, linkPreview }: TextContent) =>
  ({
    text: text.text,
    ...entitiesOf(text),
    link_preview_options: { is_disabled: linkPreview !== true },
    ...keyboardOf(buttons)
  }) satisfies Chatless<"sendMessage">

/** A method and what it takes, without the chat. */
export interface Prepared<M extends Method> {
  readonly method: M
  readonly payload: object
}
export type SendMethod =
  | "sendMessage"
  | "sendRichMessage"
  | "sendPhoto"
  | "sendDocument"
  | "sendMediaGroup"
  | "sendLocation"
export type EditMethod = "editMessageText" | "editMessageCaption" | "editMessageMedia"

/** One message of the Bot API. */
export type MessageContent = Exclude<OutgoingContent, RichContent | PartsContent>

/** As one rich message; absent: no rich message holds it. */
export const richOf = ({ markdown, buttons }: RichContent): object | undefined => {
  const blocks = richFromMarkdown(markdown)
  return blocks === undefined
    ? undefined
    : ({
        rich_message: { blocks: [...blocks] },
        ...keyboardOf(buttons)
      } satisfies Chatless<"sendRichMessage">)
}

/** As text. Buttons belong under the end of what they are about. */
export const textsOf = ({
  markdown,
  buttons
}: RichContent): readonly [TextContent, ...Array<TextContent>] => {
  const [first = plain("…"), ...others] = split(fromMarkdown(markdown))
  const text = (part: FormattedText, rest: ReadonlyArray<FormattedText>): TextContent => ({
    _tag: "Text",
    text: part,
    ...(rest.length > 0 || buttons === undefined ? {} : { buttons })
  })
  return [text(first, others), ...others.map((part, index) => text(part, others.slice(index + 1)))]
}

/** How a message is sent. */
export const sendingOf = (content: MessageContent): Prepared<SendMethod> => {
  switch (content._tag) {
    case "Text":
      return { method: "sendMessage", payload: textOf(content) }
    case "Photo": {
      const payload = {
        photo: nameOf(content.file, 0),
        ...captionOf(content.caption),
        ...keyboardOf(content.buttons)
      } satisfies Chatless<"sendPhoto">
      return { method: "sendPhoto", payload }
    }
    case "Document": {
      const payload = {
        document: nameOf(content.file, 0),
        ...captionOf(content.caption),
        ...keyboardOf(content.buttons)
      } satisfies Chatless<"sendDocument">
      return { method: "sendDocument", payload }
    }
    case "Album": {
      // The types ask for arrays of one kind, which the limits have seen to.
      const payload = { media: content.items.map(mediaOf) }
      return { method: "sendMediaGroup", payload }
    }
    case "Location": {
      const { latitude, longitude, buttons } = content
      const payload = { latitude, longitude, ...keyboardOf(buttons) } satisfies Chatless<"sendLocation">
      return { method: "sendLocation", payload }
    }
  }
}

/** How a message becomes the content; absent: no message can. */
export const editingOf = (content: MessageContent): Prepared<EditMethod> | undefined => {
  switch (content._tag) {
    case "Text":
      return { method: "editMessageText", payload: textOf(content) }
    case "Photo":
    case "Document": {
      const payload = {
        media: mediaOf(content, 0),
        ...keyboardOf(content.buttons)
      } satisfies Chatless<"editMessageMedia">
      return { method: "editMessageMedia", payload }
    }
    case "Album":
    case "Location":
      return undefined
  }
}

/** How a message with a file comes to say a text. */
export const captioningOf = ({ text, buttons }: TextContent): Prepared<EditMethod> => {
  const payload = { ...captionOf(text), ...keyboardOf(buttons) } satisfies Chatless<"editMessageCaption">
  return { method: "editMessageCaption", payload }
}

const without = <P extends object>(payload: P, field: string): P | undefined =>
  field in payload
    ? (Object.fromEntries(Object.entries(payload).filter(([name]) => name !== field)) as P)
    : undefined

const entityFields = ["entities", "caption_entities"] as const

/** Without entities, wherever they are: in the request, or in the items of its album. */
const withoutEntities = <P extends object>(payload: P): P | undefined => {
  for (const field of entityFields) {
    const less = without(payload, field)
    if (less !== undefined) return less
  }
  const media: unknown = Reflect.get(payload, "media")
  const items: ReadonlyArray<unknown> = Array.isArray(media) ? media : [media]
  const formatted = items.some((item) => typeof item === "object" && item !== null && entityFields[1] in item)
  if (!formatted) return undefined
  const bare = items.map((item) =>
    typeof item === "object" && item !== null ? (without(item, entityFields[1]) ?? item) : item
  )
  return { ...payload, media: Array.isArray(media) ? bare : bare[0] }
}

/** The same request without what Telegram did not like in it; each part can go only once. */
export const adapted = <P>(outcome: Outcome, payload: P): P | undefined => {
  if (typeof payload !== "object" || payload === null) return undefined
  if (outcome._tag === "PlainText") return withoutEntities(payload)
  if (outcome._tag === "WithoutThread") return without(payload, "message_thread_id")
  if (outcome._tag === "WithoutReply") return without(payload, "reply_parameters")
  return undefined
}
