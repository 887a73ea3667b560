/** What can be refused of a knowledge base, each with what a person can do about it. */
import { Schema } from "effect"
import { NoteId, RevisionNumber } from "../domain/Ids.ts"

export class NoteUnknown extends Schema.TaggedError<NoteUnknown>()("NoteUnknown", { id: NoteId }) {
  override get message() {
    return `There is no note ${this.id}; it may have been removed`
  }
}
export class FileUnknown extends Schema.TaggedError<FileUnknown>()("FileUnknown", { path: Schema.String }) {
  override get message() {
    return `There is no file ${JSON.stringify(this.path)} in this knowledge base`
  }
}
export class PathRefused extends Schema.TaggedError<PathRefused>()("PathRefused", {
  path: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `${JSON.stringify(this.path)} cannot be the path of a note: ${this.reason}`
  }
}
export class RevisionUnknown extends Schema.TaggedError<RevisionUnknown>()("RevisionUnknown", {
  number: RevisionNumber
}) {
  override get message() {
    return `There is no revision ${this.number} to undo`
  }
}
/** A later revision touched the same files; undoing would take that back too. */
export class UndoConflict extends Schema.TaggedError<UndoConflict>()("UndoConflict", {
  number: RevisionNumber,
  later: Schema.Array(Schema.Struct({ number: RevisionNumber, message: Schema.String, path: Schema.String }))
}) {
  override get message() {
    return `Revision ${this.number} was followed by changes to the same files: ${this.later
      .map((one) => `${one.number} (${one.message})`)
      .join(", ")}`
  }
}
