/**
 * Files that only a person's own account can fetch: those of its messages, and those the person sent to a bot that are
 * too large for bots. They go into the tenant's blobs piece by piece.
 */
import { Context, Effect, Layer, Option } from "effect"
import type { SqlError } from "effect/sql"
import type { TenantId } from "../domain/Ids.ts"
import type { MediaFile } from "../domain/IncomingMessage.ts"
import { Blobs } from "../knowledge/Blobs.ts"
import type { FetchedFile } from "../telegram/AccountMessage.ts"
import type { UserError } from "../telegram/UserClient.ts"
import { setbackOf } from "./FollowRules.ts"
import { KnownAccounts } from "./KnownAccounts.ts"
import type { ClientError } from "./SessionError.ts"
import type { LiveSession } from "./SessionLife.ts"
import { SessionManager } from "./SessionManager.ts"

/**
 * Bytes. Telegram's own limit is 2 GB, but a note's file is a row of the database, of which PostgreSQL holds two copies
 * in memory while it is written, and it is a file in the repository for ever.
 */
export const accountFileLimit = 200 * 1024 * 1024

/** A file a person sent to a bot, as both of their chats know it. */
export interface SentFile {
  readonly tenant: TenantId
  /** The bot's username. */
  readonly bot: string
  readonly person: number
  /** Unix seconds. */
  readonly date: number
  readonly size: number
}

export class AccountFiles extends Context.Service<
  AccountFiles,
  {
    /** `None`: no account of that person is logged in, or it does not know the file. */
    readonly sent: (file: SentFile) => Effect.Effect<Option.Option<FetchedFile>, ClientError | UserError>
    /** Of a message of the account itself. Fails only with what may pass. */
    readonly ofMessage: (
      client: Pick<LiveSession, "account" | "download">,
      file: MediaFile
    ) => Effect.Effect<FetchedFile, UserError | SqlError.SqlError>
  }
>()("zapiska/session/AccountFiles") {
  static readonly layer: Layer.Layer<AccountFiles, never, Blobs | KnownAccounts | SessionManager> =
    Layer.effect(
      this,
      Effect.suspend(() => make)
    )
  /** For a program without accounts. */
  static readonly layerNone: Layer.Layer<AccountFiles> = Layer.succeed(this, {
    sent: () => Effect.succeedNone,
    ofMessage: () => Effect.succeed({ _tag: "Refused", reason: "there are no accounts" })
  })
}

const tooLarge: FetchedFile = { _tag: "TooLarge", limit: accountFileLimit }

const make = Effect.gen(function* () {
  const blobs = yield* Blobs
  const known = yield* KnownAccounts
  const manager = yield* SessionManager

  const ofMessage = Effect.fn("AccountFiles.ofMessage")(
    function* (client: Pick<LiveSession, "account" | "download">, file: MediaFile) {
      if (file.size !== undefined && file.size > accountFileLimit) return tooLarge
      const blob = yield* blobs.putStream(client.account.tenant, client.download(file))
      return { _tag: "Stored", blob } satisfies FetchedFile
    },
    Effect.catch(
      (error): Effect.Effect<FetchedFile, UserError | SqlError.SqlError> =>
        setbackOf(error)._tag === "chat"
          ? Effect.succeed({ _tag: "Refused", reason: error.message })
          : Effect.fail(error)
    )
  )

  /** The account of a person, if it is logged in. */
  const accountOf = Effect.fnUntraced(function* ({ person, tenant }: SentFile) {
    const sessions = yield* known.sessions(tenant)
    return Option.fromNullishOr(
      sessions.find(
        ({ account, kind, state }) => kind === "user" && state === "AUTHORIZED" && account?.id === person
      )
    )
  })

  return AccountFiles.of({
    ofMessage,

    sent: Effect.fn("AccountFiles.sent")(function* (file) {
      const account = yield* accountOf(file)
      if (Option.isNone(account)) return Option.none()
      if (file.size > accountFileLimit) return Option.some(tooLarge)
      return yield* Effect.scoped(
        Effect.gen(function* () {
          const client = yield* manager.borrow(account.value)
          const found = yield* client.fileSentTo(file.bot, file)
          if (Option.isNone(found)) return Option.none()
          return Option.some(yield* ofMessage(client, found.value))
        })
      ).pipe(
        Effect.catchTag(["NotAuthorized", "Revoked", "ChatClosed", "CallRefused"], (error) =>
          Effect.as(
            Effect.logInfo(`A large file cannot be had from its sender's account: ${error.message}`),
            Option.none()
          )
        )
      )
    })
  })
})
