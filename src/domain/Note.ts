/** A note and the revisions of a knowledge base: the words of the log. */
import { Schema } from "effect"
import { BlobHash, BotId, ChatId, MessageId, NoteId, RevisionNumber, UpdateId } from "./Ids.ts"
import { IncomingMessage } from "./IncomingMessage.ts"

/** One Telegram message in a note. `block` is the Markdown it became, as last written. */
export const NoteMember = Schema.Struct({
  botId: BotId,
  updateId: UpdateId,
  chat: ChatId,
  messageId: MessageId,
  albumId: Schema.optionalKey(Schema.String),
  /** Unix seconds */
  date: Schema.Int,
  /** When it got this text, in Unix seconds; `date` when it was never edited. */
  edited: Schema.optionalKey(Schema.Int),
  block: Schema.String
})
export type NoteMember = typeof NoteMember.Type

/** A file that goes with a note: content-addressed, stored under `path`. */
export const NoteMedia = Schema.Struct({ path: Schema.String, blob: BlobHash })
export type NoteMedia = typeof NoteMedia.Type

/** A note before it has a place: the knowledge base chooses a free path for it. Times in Unix milliseconds. */
export const NoteDraft = Schema.Struct({
  id: NoteId,
  title: Schema.String,
  category: Schema.String,
  tags: Schema.Array(Schema.String),
  created: Schema.Int,
  updated: Schema.Int,
  /** Front matter `source`: chat, sender, message ids, forward origins, links. */
  source: Schema.Record(Schema.String, Schema.Json),
  /** In order; the body of the note is their blocks, one blank line between. */
  members: Schema.Array(NoteMember),
  media: Schema.Array(NoteMedia)
})
export type NoteDraft = typeof NoteDraft.Type

/** A note as the knowledge base lists it. */
export const NoteSummary = Schema.Struct({
  id: NoteId,
  path: Schema.String,
  title: Schema.String,
  category: Schema.String,
  tags: Schema.Array(Schema.String),
  created: Schema.Int,
  updated: Schema.Int,
  revision: RevisionNumber
})
export type NoteSummary = typeof NoteSummary.Type

export const Author = Schema.Struct({ name: Schema.String, email: Schema.String })
export type Author = typeof Author.Type

/** `blob` null removes the file. `executable` and symbolic links exist only in what people commit. */
export const FileChange = Schema.Struct({
  path: Schema.String,
  blob: Schema.NullOr(BlobHash),
  mode: Schema.Literals(["100644", "100755", "120000"])
})
export type FileChange = typeof FileChange.Type

/**
 * One entry of the log. `date` in Unix milliseconds. `rawCommit` is the whole commit object of a person's
 * linear commit, so that the projection reproduces its hash.
 */
export const Revision = Schema.Struct({
  number: RevisionNumber,
  kind: Schema.Literals(["note", "amend", "edit", "undo", "move", "remove", "person"]),
  author: Author,
  date: Schema.Int,
  message: Schema.String,
  files: Schema.Array(FileChange),
  rawCommit: Schema.optionalKey(Schema.Uint8Array)
})
export type Revision = typeof Revision.Type

/** One message of a unit of work, with the update that brought it. */
export const UnitMember = Schema.Struct({ updateId: UpdateId, message: IncomingMessage })
export type UnitMember = typeof UnitMember.Type
