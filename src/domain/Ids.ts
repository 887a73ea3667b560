/**
 * The identifiers everyone shares, each a type of its own, so that one can never stand in for another.
 * Telegram's numeric ids have at most 52 significant bits and fit a JavaScript integer.
 */
import { Schema } from "effect"

const slug = (brand: string) =>
  Schema.String.check(
    Schema.isPattern(/^[a-z0-9][a-z0-9-]{0,62}$/, {
      message: `${brand}: 1 to 63 of a-z, 0-9 and '-', not starting with '-'`
    })
  )

/** Who owns the data. Part of every repository signature, path, key and span. */
export const TenantId = slug("TenantId").pipe(Schema.brand("TenantId"))
export type TenantId = typeof TenantId.Type

/** A Telegram session of a tenant: one bot or one user account. */
export const AppId = slug("AppId").pipe(Schema.brand("AppId"))
export type AppId = typeof AppId.Type

/** A knowledge base of a tenant. */
export const KnowledgeBaseName = slug("KnowledgeBaseName").pipe(Schema.brand("KnowledgeBaseName"))
export type KnowledgeBaseName = typeof KnowledgeBaseName.Type

export const defaultTenant = TenantId.make("default")
export const defaultApp = AppId.make("default")
export const defaultKnowledgeBase = KnowledgeBaseName.make("notes")

/** A bot's own user id: the digits before the colon of its token. Survives a token rotation. */
export const BotId = Schema.Int.pipe(Schema.brand("BotId"))
export type BotId = typeof BotId.Type

export const UserId = Schema.Int.pipe(Schema.brand("UserId"))
export type UserId = typeof UserId.Type

/** A chat; negative for groups and channels. */
export const ChatId = Schema.Int.pipe(Schema.brand("ChatId"))
export type ChatId = typeof ChatId.Type

/** A forum topic (`message_thread_id`). General (1) is normalised to absent on the way in. */
export const ThreadId = Schema.Int.pipe(Schema.brand("ThreadId"))
export type ThreadId = typeof ThreadId.Type

export const MessageId = Schema.Int.pipe(Schema.brand("MessageId"))
export type MessageId = typeof MessageId.Type

/** Unique per bot, not monotonic for ever: compared for membership only. */
export const UpdateId = Schema.Int.pipe(Schema.brand("UpdateId"))
export type UpdateId = typeof UpdateId.Type

/** Twelve characters of Crockford's base 32, lower case. */
export const NoteId = Schema.String.check(Schema.isPattern(/^[0-9a-hjkmnp-tv-z]{12}$/)).pipe(
  Schema.brand("NoteId")
)
export type NoteId = typeof NoteId.Type

/** Position in a knowledge base's log, from 1, without gaps. */
export const RevisionNumber = Schema.Int.check(Schema.isGreaterThan(0)).pipe(Schema.brand("RevisionNumber"))
export type RevisionNumber = typeof RevisionNumber.Type

/** SHA-256 of the content, 64 lower-case hexadecimal digits. */
export const BlobHash = Schema.String.check(Schema.isPattern(/^[0-9a-f]{64}$/)).pipe(Schema.brand("BlobHash"))
export type BlobHash = typeof BlobHash.Type
