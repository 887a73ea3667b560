/**
 * Where a file of an account's message lies, as the `fileId` of a `MediaFile`: only this account can fetch it, and only
 * as long as Telegram takes the reference. A bot cannot use it, nor the account a bot's.
 */
import { Long, type tl } from "@mtcute/core"
import { Option, Schema } from "effect"

const Handle = Schema.fromJsonString(
  Schema.Struct({
    kind: Schema.Literals(["document", "photo"]),
    dc: Schema.Int,
    id: Schema.String,
    hash: Schema.String,
    reference: Schema.Uint8ArrayFromBase64,
    /** Which of a photo's sizes. */
    size: Schema.String
  })
)
type Handle = typeof Handle.Type

const prefix = "account:"

export const fileIdOf = (handle: Handle): string =>
  prefix + Buffer.from(Schema.encodeSync(Handle)(handle)).toString("base64url")

export interface FileLocation {
  readonly dc: number
  readonly location: tl.RawInputDocumentFileLocation | tl.RawInputPhotoFileLocation
}

/** `None` for whatever `fileIdOf` has not made. */
export const locate = (fileId: string): Option.Option<FileLocation> => {
  if (!fileId.startsWith(prefix)) return Option.none()
  const text = Buffer.from(fileId.slice(prefix.length), "base64url").toString()
  return Option.map(Schema.decodeUnknownOption(Handle)(text), ({ kind, dc, id, hash, reference, size }) => ({
    dc,
    location: {
      _: kind === "photo" ? "inputPhotoFileLocation" : "inputDocumentFileLocation",
      id: Long.fromString(id),
      accessHash: Long.fromString(hash),
      fileReference: reference,
      thumbSize: size
    }
  }))
}
