/**
 * Files the sandbox holds: what people and bots send, with the bytes. A file is found by its id, or by the path
 * `getFile` gave out for it.
 */
import { createHash, randomBytes } from "node:crypto"
import { Option, Result } from "effect"
import * as Args from "./Args.ts"
import { type Answer, badRequest } from "./Refusal.ts"
import type { Media, MediaKind } from "./Views.ts"
import type { World } from "./World.ts"

/** Bot API: bots fetch up to 20 MB, send up to 50 MB, photos up to 10 MB. */
export const downloadLimit = 20 * 1024 * 1024
const uploadLimit = 50 * 1024 * 1024
const photoLimit = 10 * 1024 * 1024

export type MediaFacts = Omit<Media, "fileId" | "url"> & { readonly uniqueId: string }

export interface StoredFile {
  readonly id: string
  readonly path: string
  readonly media: MediaFacts
}

const mimes: Readonly<Record<MediaKind, string | undefined>> = {
  photo: "image/jpeg",
  document: undefined,
  voice: "audio/ogg",
  video: "video/mp4",
  audio: "audio/mpeg",
  animation: "video/mp4",
  video_note: "video/mp4",
  sticker: "image/webp"
}
const folders: Readonly<Record<MediaKind, readonly [string, string]>> = {
  photo: ["photos", ".jpg"],
  document: ["documents", ""],
  voice: ["voice", ".oga"],
  video: ["videos", ".mp4"],
  audio: ["music", ".mp3"],
  animation: ["animations", ".mp4"],
  video_note: ["video_notes", ".mp4"],
  sticker: ["stickers", ".webp"]
}

/** What clients that do not know call every file. */
const anything = "application/octet-stream"

const extension = (name: string | undefined): string => /\.[A-Za-z0-9]{1,8}$/.exec(name ?? "")?.[0] ?? ""

export interface NewFile extends Partial<Omit<MediaFacts, "kind" | "uniqueId">> {
  readonly kind: MediaKind
  readonly bytes: Uint8Array
}

/** The unique id is the content's: equal bytes have equal ones, as Telegram's deduplication gives. */
export const store = (world: World, bot: number, { bytes, ...given }: NewFile): StoredFile => {
  const { kind } = given
  const uniqueId = `U${createHash("sha256").update(kind).update(bytes).digest("base64url").slice(0, 15)}`
  const mime = given.mime ?? mimes[kind]
  const media = {
    ...given,
    uniqueId,
    size: given.size ?? bytes.length,
    ...(mime === undefined ? {} : { mime })
  }
  const id = `F${randomBytes(36).toString("base64url")}`
  const [folder, usual] = folders[kind]
  const path = `${folder}/file_${world.next(`files:${bot}`, 1)}${extension(given.name) || usual}`
  world.storage.run(
    "INSERT INTO files VALUES (?, ?, ?, ?, ?, ?)",
    id,
    bot,
    path,
    media.size,
    JSON.stringify(media),
    bytes
  )
  return { id, path, media }
}

export const find = (world: World, bot: number, id: string): StoredFile | undefined => {
  const row = world.storage.get<{ path: string; media: string }>(
    "SELECT path, media FROM files WHERE id = ? AND bot = ?",
    id,
    bot
  )
  return row === undefined ? undefined : { id, path: row.path, media: JSON.parse(row.media) }
}

export interface FileContent {
  readonly bytes: Uint8Array
  readonly size: number
  readonly media: MediaFacts
}

const content = (row: { bytes: Uint8Array; size: number; media: string } | undefined) =>
  row === undefined
    ? undefined
    : { bytes: row.bytes, size: row.size, media: JSON.parse(row.media) as MediaFacts }

export const byId = (world: World, id: string): FileContent | undefined =>
  content(world.storage.get("SELECT bytes, size, media FROM files WHERE id = ?", id))

export const byPath = (world: World, bot: number, path: string): FileContent | undefined =>
  content(world.storage.get("SELECT bytes, size, media FROM files WHERE bot = ? AND path = ?", bot, path))

/** A message's fields for a file: what the Bot API shows of it. */
export const apiFields = ({ id, media }: StoredFile) => {
  const { kind, uniqueId, size, name, mime, emoji, ...shape } = media
  const file = { file_id: id, file_unique_id: uniqueId, file_size: size }
  const wide = { width: shape.width ?? 512, height: shape.height ?? 512 }
  const typed = { ...file, ...(mime === undefined ? {} : { mime_type: mime }) }
  const titled = { ...typed, ...(name === undefined ? {} : { file_name: name }) }
  const duration = shape.duration ?? 1
  if (kind === "photo") return { photo: [{ ...file, ...wide }] }
  if (kind === "document") return { document: titled }
  if (kind === "voice") return { voice: { ...typed, duration } }
  if (kind === "video") return { video: { ...titled, ...wide, duration } }
  if (kind === "video_note") return { video_note: { ...file, length: wide.width, duration } }
  if (kind === "sticker") {
    const still = { type: "regular" as const, is_animated: false, is_video: false }
    return { sticker: { ...file, ...wide, ...still, ...(emoji === undefined ? {} : { emoji }) } }
  }
  if (kind === "audio") {
    const { title, performer } = shape
    return {
      audio: {
        ...titled,
        duration,
        ...(title === undefined ? {} : { title }),
        ...(performer === undefined ? {} : { performer })
      }
    }
  }
  const animation = { ...titled, ...wide, duration }
  return { animation, document: titled }
}

/** The file an argument names: an upload of this call, `attach://` one of them, or the id of a known file. */
export const input = (
  world: World,
  bot: number,
  args: Args.Args,
  kind: MediaKind,
  given: string | undefined,
  field: string
): Answer<StoredFile> =>
  Result.gen(function* () {
    const attached = given?.startsWith("attach://") ? given.slice("attach://".length) : field
    const upload = Option.fromNullishOr(args.uploads.get(attached))
    if (Option.isSome(upload)) {
      const { bytes, name, mime } = upload.value
      if (bytes.length === 0) return yield* badRequest("file must be non-empty")
      if (bytes.length > (kind === "photo" ? photoLimit : uploadLimit)) {
        return yield* badRequest(kind === "photo" ? "photo file is too big" : "file is too big")
      }
      const width = Args.integer(args, "width")
      const height = Args.integer(args, "height")
      const duration = Args.integer(args, "duration")
      return store(world, bot, {
        kind,
        bytes,
        ...(kind === "photo" || kind === "voice" || name === "" ? {} : { name }),
        ...(mime === "" || mime === anything ? {} : { mime }),
        ...(width === undefined ? {} : { width }),
        ...(height === undefined ? {} : { height }),
        ...(duration === undefined ? {} : { duration })
      })
    }
    if (given === undefined || given === "") return yield* badRequest(`there is no ${field} in the request`)
    const known = find(world, bot, given)
    if (known === undefined) return yield* badRequest("wrong file identifier/HTTP URL specified")
    if (known.media.kind !== kind) {
      return yield* badRequest(`can't use file of type ${known.media.kind} as ${kind}`)
    }
    return known
  })
