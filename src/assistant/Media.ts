/**
 * The files that come with messages: fetched from Telegram as soon as a message arrives, kept as blobs. What
 * a crash interrupts is fetched again; storing the same bytes twice changes nothing. What is too large for a bot
 * comes through the account of its sender, where that is logged in.
 */
import {
  Cache,
  Cause,
  Clock,
  Context,
  Duration,
  Effect,
  Exit,
  Fiber,
  FiberSet,
  Layer,
  Option,
  Semaphore
} from "effect"
import type { SqlError } from "effect/sql"
import type { AppId, BlobHash, TenantId } from "../domain/Ids.ts"
import type { Attachment, IncomingMessage, MediaFile } from "../domain/IncomingMessage.ts"
import { Blobs } from "../knowledge/Blobs.ts"
import { mediaPath } from "../knowledge/NotePath.ts"
import { AccountFiles, type SentFile } from "../session/AccountFiles.ts"
import { type FetchedFile, fetchedOf } from "../telegram/AccountMessage.ts"
import { BotPort, type BotPortError, TooLarge } from "../telegram/BotPort.ts"
import { downloadLimit } from "../telegram/Download.ts"

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

/** Files under download at once, a few megabytes of each in memory. */
const atOnce = 4
/** Large files at once: they take minutes, and the small ones are not to wait for them. */
const largeAtOnce = 2
/** Milliseconds for the bot to say its name. */
const namePatience = 10_000
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
  static readonly layer: Layer.Layer<Media, never, AccountFiles | Blobs | BotPort> = Layer.effect(
    Media,
    Effect.suspend(() => make)
  )
}

/** A file as the cache knows it: equal files are fetched once. */
interface Wanted extends Source {
  readonly kind: Attachment["_tag"]
  readonly file: MediaFile
  /** Of a file too large for bots: where its sender's account finds it. */
  readonly sent: Omit<SentFile, "bot" | "tenant"> | undefined
}

/** In a group the sender's account would have to look elsewhere than in its chat with the bot. */
const sentBy = ({ chat, date, sender }: IncomingMessage, { size = 0 }: MediaFile): Wanted["sent"] =>
  size > downloadLimit && chat.kind === "private" && sender.kind === "user"
    ? { person: sender.id, date, size }
    : undefined

const wantedOf = ({ tenant, app }: Source, message: IncomingMessage): ReadonlyArray<Wanted> =>
  filesOf(message).map(({ kind, file }) => ({ tenant, app, kind, file, sent: sentBy(message, file) }))

const make = Effect.gen(function* () {
  const blobs = yield* Blobs
  const bot = yield* BotPort
  const waiting = yield* FiberSet.make<FileState>()
  const accounts = yield* AccountFiles
  const turn = yield* Semaphore.make(atOnce)
  const largeTurn = yield* Semaphore.make(largeAtOnce)

  const pending = (error: { readonly _tag: string }) =>
    Effect.as(
      Effect.logWarning("A file could not be fetched and is tried again", Cause.fail(error)),
      Option.none<FetchedFile>()
    )

  const byBot = ({ tenant, app, file }: Wanted): Effect.Effect<Option.Option<FetchedFile>> =>
    blobs.putStream(tenant, bot.download({ tenant, app }, file)).pipe(
      Effect.map((blob) => Option.some<FetchedFile>({ _tag: "Stored", blob })),
      Effect.catch((error) => {
        if (error instanceof TooLarge)
          return Effect.succeedSome<FetchedFile>({ _tag: "TooLarge", limit: error.limit })
        return isFinal(error)
          ? Effect.succeedSome<FetchedFile>({ _tag: "Refused", reason: error.message })
          : pending(error)
      }),
      turn.withPermits(1)
    )

  const byAccount = (
    { tenant, app }: Wanted,
    sent: NonNullable<Wanted["sent"]>,
    otherwise: FetchedFile
  ): Effect.Effect<Option.Option<FetchedFile>> =>
    Effect.gen(function* () {
      const deadline = (yield* Clock.currentTimeMillis) + namePatience
      const { username } = yield* bot.identity({ tenant, app }, { deadline })
      return Option.orElseSome(yield* accounts.sent({ ...sent, tenant, bot: username }), () => otherwise)
    }).pipe(Effect.catch(pending), largeTurn.withPermits(1))

  /** `None`: not now. */
  const settled = (wanted: Wanted): Effect.Effect<Option.Option<FetchedFile>> =>
    Effect.gen(function* () {
      const before = fetchedOf(wanted.file.fileId)
      if (before !== undefined) return Option.some(before)
      const found = yield* byBot(wanted)
      return Option.isSome(found) && found.value._tag === "TooLarge" && wanted.sent !== undefined
        ? yield* byAccount(wanted, wanted.sent, found.value)
        : found
    })

  const fetch = (wanted: Wanted): Effect.Effect<FileState> =>
    settled(wanted).pipe(
      Effect.map((found): FileState => {
        if (Option.isNone(found)) return { _tag: "Pending" }
        const state = found.value
        return state._tag === "Stored"
          ? { ...state, path: mediaPath(state.blob, nameOf(wanted.kind, wanted.file)) }
          : state
      }),
      Effect.withSpan("Media.fetch", { attributes: { kind: wanted.kind, tenant: wanted.tenant } })
    )

  const files = yield* Cache.makeWith(fetch, {
    capacity: 1000,
    timeToLive: (exit) => (Exit.isSuccess(exit) && exit.value._tag !== "Pending" ? remembered : Duration.zero)
  })

  /** Goes on when nobody waits for it any more. */
  const begin = (one: Wanted) => FiberSet.run(waiting, Cache.get(files, one))

  return Media.of({
    prefetch: (source, message) => Effect.forEach(wantedOf(source, message), begin, { discard: true }),
    collect: Effect.fn("Media.collect")(function* (source, messages, patience) {
      const found = yield* Effect.forEach(
        messages.flatMap((message) => wantedOf(source, message)),
        (one) =>
          begin(one).pipe(
            Effect.flatMap(Fiber.join),
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
