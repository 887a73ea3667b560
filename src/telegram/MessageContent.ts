/**
 * What a message carries: which of its fields are content, which are news about the chat, and how each
 * kind of content is read. Source: Bot API 10.3, Message.
 */
import type { FormattedText } from "../domain/FormattedText.ts"
import type { Attachment, MediaFile } from "../domain/IncomingMessage.ts"
import { plainWords } from "./PlainWords.ts"
import {
  present,
  type Raw,
  readFile,
  readFormatted,
  readInt,
  readList,
  readNumber,
  readPhoto,
  readRecord,
  readText,
  storable
} from "./UpdateFields.ts"

type Read = (value: unknown) => Attachment | undefined

const fileKind =
  (tag: "Photo" | "Video" | "Animation" | "Voice" | "VideoNote" | "Document"): Read =>
  (value) => {
    const file: MediaFile | undefined = tag === "Photo" ? readPhoto(value) : readFile(value)
    return file && { _tag: tag, file }
  }

const readLocation = (value: unknown) => {
  const raw = readRecord(value)
  const latitude = readNumber(raw?.latitude)
  const longitude = readNumber(raw?.longitude)
  return latitude === undefined || longitude === undefined ? undefined : { latitude, longitude }
}

const readOptions = (value: unknown): ReadonlyArray<string> =>
  readList(value).flatMap((option) => readText(readRecord(option)?.text) ?? [])

/** In the order they stand in a note. */
const attachments: { readonly [field: string]: Read } = {
  photo: fileKind("Photo"),
  video: fileKind("Video"),
  animation: fileKind("Animation"),
  audio: (value) => {
    const file = readFile(value)
    const raw = readRecord(value)
    return (
      file &&
      present({
        _tag: "Audio" as const,
        file,
        performer: readText(raw?.performer),
        title: readText(raw?.title)
      })
    )
  },
  voice: fileKind("Voice"),
  video_note: fileKind("VideoNote"),
  live_photo: fileKind("Video"),
  document: fileKind("Document"),
  sticker: (value) => {
    const file = readFile(value)
    const raw = readRecord(value)
    return (
      file &&
      present({
        _tag: "Sticker" as const,
        file,
        emoji: readText(raw?.emoji),
        setName: readText(raw?.set_name)
      })
    )
  },
  venue: (value) => {
    const raw = readRecord(value)
    const place = readLocation(raw?.location)
    return (
      place && {
        _tag: "Venue",
        ...place,
        title: readText(raw?.title) ?? "",
        address: readText(raw?.address) ?? ""
      }
    )
  },
  location: (value) => {
    const place = readLocation(value)
    return place && { _tag: "Location", ...place }
  },
  contact: (value) => {
    const raw = readRecord(value)
    const phone = readText(raw?.phone_number)
    return phone === undefined
      ? undefined
      : present({
          _tag: "Contact" as const,
          phone,
          firstName: readText(raw?.first_name) ?? "",
          lastName: readText(raw?.last_name)
        })
  },
  poll: (value) => {
    const raw = readRecord(value)
    const question = readText(raw?.question)
    return question === undefined ? undefined : { _tag: "Poll", question, options: readOptions(raw?.options) }
  },
  dice: (value) => {
    const raw = readRecord(value)
    const points = readInt(raw?.value)
    return points === undefined
      ? undefined
      : { _tag: "Dice", emoji: readText(raw?.emoji) ?? "🎲", value: points }
  }
}

/** Fields that repeat another one for clients that do not know it: an animation is a document as well. */
const repeats: { readonly [field: string]: string } = { animation: "document", venue: "location" }

/** Content there is no reader for, though it is known to be content: named even beside a caption. */
const unreadContent = new Set([
  "rich_message",
  "story",
  "paid_media",
  "game",
  "checklist",
  "giveaway",
  "giveaway_winners",
  "invoice",
  "gift",
  "unique_gift",
  "passport_data"
])

/** News about the chat, not something a person wrote. */
const service = new Set([
  "new_chat_members",
  "left_chat_member",
  "new_chat_title",
  "new_chat_photo",
  "delete_chat_photo",
  "group_chat_created",
  "supergroup_chat_created",
  "channel_chat_created",
  "community_chat_joined",
  "community_chat_added",
  "community_chat_removed",
  "chat_owner_left",
  "chat_owner_changed",
  "managed_bot_created",
  "poll_option_added",
  "poll_option_deleted",
  "message_auto_delete_timer_changed",
  "migrate_to_chat_id",
  "migrate_from_chat_id",
  "pinned_message",
  "successful_payment",
  "refunded_payment",
  "users_shared",
  "chat_shared",
  "connected_website",
  "write_access_allowed",
  "proximity_alert_triggered",
  "boost_added",
  "chat_background_set",
  "forum_topic_created",
  "forum_topic_edited",
  "forum_topic_closed",
  "forum_topic_reopened",
  "general_forum_topic_hidden",
  "general_forum_topic_unhidden",
  "giveaway_created",
  "giveaway_completed",
  "gift_upgrade_sent",
  "paid_message_price_changed",
  "direct_message_price_changed",
  "checklist_tasks_done",
  "checklist_tasks_added",
  "suggested_post_info",
  "suggested_post_approved",
  "suggested_post_approval_failed",
  "suggested_post_declined",
  "suggested_post_paid",
  "suggested_post_refunded",
  "video_chat_scheduled",
  "video_chat_started",
  "video_chat_ended",
  "video_chat_participants_invited",
  "web_app_data"
])

/** Fields that describe a message and are no content of their own. */
const description = new Set([
  "message_id",
  "message_thread_id",
  "direct_messages_topic",
  "from",
  "sender_chat",
  "sender_boost_count",
  "sender_business_bot",
  "sender_tag",
  "receiver_user",
  "ephemeral_message_id",
  "ephemeral_message_parameters",
  "date",
  "business_connection_id",
  "guest_query_id",
  "guest_bot_caller_user",
  "guest_bot_caller_chat",
  "chat",
  "forward_origin",
  "forward_from",
  "forward_from_chat",
  "forward_from_message_id",
  "forward_signature",
  "forward_sender_name",
  "forward_date",
  "is_topic_message",
  "is_automatic_forward",
  "is_paid_post",
  "is_from_offline",
  "reply_to_message",
  "reply_to_story",
  "reply_to_checklist_task_id",
  "reply_to_poll_option_id",
  "external_reply",
  "quote",
  "via_bot",
  "edit_date",
  "has_protected_content",
  "has_media_spoiler",
  "show_caption_above_media",
  "media_group_id",
  "author_signature",
  "paid_star_count",
  "text",
  "entities",
  "link_preview_options",
  "effect_id",
  "suggested_post",
  "caption",
  "caption_entities",
  "reply_markup"
])

/** The first field that makes a message a service message. */
export const serviceField = (message: Raw): string | undefined =>
  Object.keys(message).find((field) => service.has(field))

export interface Content {
  /** Text or caption; empty when there is none. */
  readonly text: FormattedText
  readonly attachments: ReadonlyArray<Attachment>
}

/**
 * Text and attachments. A field nobody knows counts as content only where nothing else explains the
 * message (no text, no attachment that could be read): beside those it is taken for one more description.
 */
export const readContent = (message: Raw): Content => {
  const read: Array<Attachment> = []
  const unsupported: Array<string> = []
  const repeated = new Set<string>()
  for (const [field, attachment] of Object.entries(attachments)) {
    if (message[field] === undefined || repeated.has(field)) continue
    const value = attachment(message[field])
    if (value === undefined) {
      unsupported.push(field)
      continue
    }
    read.push(value)
    if (repeats[field] !== undefined) repeated.add(repeats[field])
  }
  const text = readFormatted(message.text, message.entities)
  const explained = text !== undefined || read.length > 0
  const words: Array<string> = []
  for (const field of Object.keys(message)) {
    if (Object.hasOwn(attachments, field) || description.has(field)) continue
    const said = Object.hasOwn(plainWords, field) ? plainWords[field]!(message[field]) : ""
    if (said !== "") words.push(said)
    else if (unreadContent.has(field) || !explained) unsupported.push(storable(field))
  }
  const written = text ?? readFormatted(message.caption, message.caption_entities)
  return {
    text: written ?? { text: words.join("\n"), entities: [] },
    attachments: unsupported.length === 0 ? read : [...read, { _tag: "Unsupported", kinds: unsupported }]
  }
}
