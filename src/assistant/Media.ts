/**
 * The files that come with messages: fetched from Telegram as soon as a message arrives, kept as blobs. What
 * a crash interrupts is fetched again; storing the same bytes twice changes nothing.
 */
import {
  Cache,
  Cause,
  Context,
  Duration,
  Effect,
  Exit,
  FiberSet,
  Layer,
  Option,
  Semaphore,
  Stream
} from "effect"
import type { SqlError } from "effect/sql"
import type { AppId, BlobHash, TenantId } from "../domain/Ids.ts"
import type { Attachment, IncomingMessage, MediaFile } from "../domain/IncomingMessage.ts"
import { Blobs } from "../knowledge/Blobs.ts"
import { mediaPath } from "../knowledge/NotePath.ts"
import { BotPort, type BotPortError, TooLarge } from "../telegram/BotPort.ts"

/** `path` is where the file lies in the knowledge base. */
export interface StoredFile {
  readonly _tag: "Stored"
  readonly blob: BlobHash
  readonly path: string
}

/** `Pending`: worth trying again. `Refused`: Telegram will never give it. Sizes in bytes. */
export type FileState =
  | StoredFile
  | { readonly _tag: "Pending" }
  | { readonly _tag: "TooLarge"; readonly limit: number }
  | { readonly _tag: "Refused"; readonly reason: string }

interface Source {
  readonly tenant: TenantId
  readonly app: AppId
}

/** Kept as files in the note; a sticker is a readable line. */
export const filesOf = (
  message: IncomingMessage
): ReadonlyArray<{ readonly kind: Attachment["_tag"]; readonly file: MediaFile }> =>
  message.attachments.flatMap((attachment) =>
    "file" in attachment && attachment._tag !== "Sticker"
      ? [{ kind: attachment._tag, file: attachment.file }]
      : []
  )

/** For kinds whose files Telegram gives without a name. */
const usualExtension: Partial<Record<Attachment["_tag"], string>> = {
  Photo: "jpg",
  Video: "mp4",
  Animation: "mp4",
  VideoNote: "mp4",
  Voice: "ogg",
  Audio: "mp3"
}

/** The name whose extension the stored file gets. */
const nameOf = (kind: Attachment["_tag"], { name }: MediaFile): string =>
  name?.includes(".") ? name : `file.${usualExtension[kind] ?? "bin"}`

const isFinal = (error: BotPortError | SqlError.SqlError): boolean =>
  error._tag === "Refused" || error._tag === "TargetGone" || error._tag === "Unreachable"

/** Files under download at once, each at most 20 MB in memory. */
const atOnce = 4
/** How long a fetched file is remembered, so that a unit that is tried again does not fetch it again. */
const remembered = Duration.minutes(10)

export class Media extends Context.Service<
  Media,
  {
    /** Starts fetching the files of a message and returns at once. */
    readonly prefetch: (source: Source, message: IncomingMessage) => Effect.Effect<void>
    /** The files of the messages by `fileUniqueId`, waiting at most `patience` for those on their way. */
    readonly collect: (
      source: Source,
      messages: ReadonlyArray<IncomingMessage>,
      patience: Duration.Input
    ) => Effect.Effect<ReadonlyMap<string, FileState>>
  }
>()("zapiska/assistant/Media") {
  static readonly layer: Layer.Layer<Media, never, Blobs | BotPort> = Layer.effect(
    Media,
    Effect.suspend(() => make)
  )
}

/** A file as the cache knows it: equal files are fetched once. */
interface Wanted extends Source {
  readonly kind: Attachment["_tag"]
  readonly file: MediaFile
}

const wantedOf = ({ tenant, app }: Source, message: IncomingMessage): ReadonlyArray<Wanted> =>
  filesOf(message).map(({ kind, file }) => ({ tenant, app, kind, file }))

const make = Effect.gen(function* () {
  const blobs = yield* Blobs
  const bot = yield* BotPort
  const waiting = yield* FiberSet.make<FileState>()
  const turn = yield* Semaphore.make(atOnce)

  const fetch = ({ tenant, app, kind, file }: Wanted): Effect.Effect<FileState> =>
    Stream.runCollect(bot.download({ tenant, app }, file)).pipe(
      Effect.flatMap((chunks) => blobs.put(tenant, Buffer.concat(chunks))),
      Effect.map((blob): FileState => ({ _tag: "Stored", blob, path: mediaPath(blob, nameOf(kind, file)) })),
      Effect.catch((error) => {
        if (error instanceof TooLarge) {
          return Effect.succeed<FileState>({ _tag: "TooLarge", limit: error.limit })
        }
        return isFinal(error)
          ? Effect.succeed<FileState>({ _tag: "Refused", reason: error.message })
          : Effect.logWarning("A file could not be fetched and is tried again", Cause.fail(error)).pipe(
              Effect.as<FileState>({ _tag: "Pending" })
            )
      }),
      turn.withPermits(1),
      Effect.withSpan("Media.fetch", { attributes: { kind, tenant } })
    )

  const files = yield* Cache.makeWith(fetch, {
    capacity: 1000,
    timeToLive: (exit) => (Exit.isSuccess(exit) && exit.value._tag !== "Pending" ? remembered : Duration.zero)
  })

  return Media.of({
    prefetch: (source, message) =>
      Effect.forEach(wantedOf(source, message), (one) => FiberSet.run(waiting, Cache.get(files, one)), {
        discard: true
      }),
    collect: Effect.fn("Media.collect")(function* (source, messages, patience) {
      const found = yield* Effect.forEach(
        messages.flatMap((message) => wantedOf(source, message)),
        (one) =>
          Cache.get(files, one).pipe(
            Effect.timeoutOption(patience),
            Effect.map(Option.getOrElse((): FileState => ({ _tag: "Pending" }))),
            Effect.map((state) => [one.file.fileUniqueId, state] as const)
          ),
        { concurrency: "unbounded" }
      )
      return new Map(found)
    })
  })
})
