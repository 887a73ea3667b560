/** What the bot says, in the words of the Bot API. Pure. */
import type { Opts } from "grammy/types"
import type { FormattedText, TextEntity } from "../domain/FormattedText.ts"
import type { ThreadId } from "../domain/Ids.ts"
import type { OutgoingContent } from "./BotPort.ts"
import type { Outcome } from "./Outcome.ts"

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

const entitiesOf = (text: FormattedText): { entities?: Entities } => {
  const entities = text.entities.filter(({ type }) => settable.has(type)).map(entityOf)
  return entities.length === 0 ? {} : { entities: entities as unknown as Entities }
}

/** Without buttons an edit takes away those there are. */
export const bodyOf = ({ text, buttons, linkPreview }: OutgoingContent) => ({
  text: text.text,
  ...entitiesOf(text),
  link_preview_options: { is_disabled: linkPreview !== true },
  ...(buttons === undefined || buttons.length === 0
    ? {}
    : {
        reply_markup: {
          inline_keyboard: buttons.map((row) => row.map(({ text, data }) => ({ text, callback_data: data })))
        }
      })
})

const without = <P extends object>(payload: P, field: string): P | undefined =>
  field in payload
    ? (Object.fromEntries(Object.entries(payload).filter(([name]) => name !== field)) as P)
    : undefined

/** The same request without what Telegram did not like in it; each part can go only once. */
export const adapted = <P>(outcome: Outcome, payload: P): P | undefined => {
  if (typeof payload !== "object" || payload === null) return undefined
  if (outcome._tag === "PlainText") return without(payload, "entities")
  if (outcome._tag === "WithoutThread") return without(payload, "message_thread_id")
  if (outcome._tag === "WithoutReply") return without(payload, "reply_parameters")
  return undefined
}
