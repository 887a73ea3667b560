/**
 * A person's own Telegram account, logged in from here. Callers never see mtcute: what it knows of Telegram's
 * protocol stays behind this service, and every failure is one of `UserError`.
 */
import { Context, type Effect, type Option, type Redacted, Schema, type Scope, type Stream } from "effect"
import { type AppId, ChatId, MessageId, type TenantId, type UserId } from "../domain/Ids.ts"
import { IncomingMessage, type MediaFile } from "../domain/IncomingMessage.ts"
import type { UserError } from "./UserError.ts"

export * from "./UserError.ts"

/** One user account of one tenant. */
export interface AccountKey {
  readonly tenant: TenantId
  readonly app: AppId
}

/** Who is logged in. */
export interface UserAccount {
  readonly id: UserId
  readonly name: string
  readonly username?: string
}

/**
 * What has to be kept of a session between two connections, each part for itself since each changes at its own
 * pace. All of it is to be stored as ciphertext only.
 */
export interface KeptSession {
  /** The key and where it is valid. Whoever has it is the person, as far as Telegram knows. */
  readonly session: Redacted.Redacted<string>
  /** The chats and people seen, with what is needed to ask for them. */
  readonly peers?: Redacted.Redacted<Uint8Array>
  /** Up to where the updates are taken, from the last `Checkpoint`: what came after it is asked for again. */
  readonly positions?: Redacted.Redacted<string>
}

/** A data centre other than Telegram's own, for tests. `publicKey`: PEM, for the handshake of a new login. */
export interface DataCentre {
  readonly id: number
  readonly host: string
  readonly port: number
  readonly publicKey?: string
}

export interface ConnectOptions {
  readonly account: AccountKey
  /** Of `https://my.telegram.org`. */
  readonly apiId: number
  readonly apiHash: Redacted.Redacted<string>
  /** `None` for a new login. */
  readonly kept: Option.Option<KeptSession>
  /**
   * Asked, without waiting, before each write to a socket: unless it succeeds at once nothing is written, and the
   * connection is closed for good. A lease's `check` belongs here: two programs with one key destroy it.
   */
  readonly mayWrite: Effect.Effect<void, unknown>
  /** Whose account it has to be; another one is logged out again and refused with `WrongAccount`. */
  readonly expected?: UserId
  readonly dataCentre?: DataCentre
  /** Told what is to be kept of the session from now on: Telegram moved the account to another data centre. */
  readonly moved?: (session: Redacted.Redacted<string>) => Effect.Effect<void>
  /** How many updates are held for whoever reads them; 5000. */
  readonly waitingAtMost?: number
}

/** `expires`: Unix milliseconds. After it, or after a scan that came to nothing, another `Code` follows. */
export type QrState =
  | { readonly _tag: "Code"; readonly url: Redacted.Redacted<string>; readonly expires: number }
  | { readonly _tag: "Scanned" }
  /** The last state of this stream: `checkPassword` goes on. */
  | { readonly _tag: "PasswordNeeded"; readonly hint: string | undefined }
  /** The last state of this stream. */
  | { readonly _tag: "Authorized"; readonly account: UserAccount }

/** Where the code went. */
export interface SentCode {
  readonly via: "app" | "sms" | "call" | "email" | "other"
  readonly length: number | undefined
}

/** A chat to take messages from: what the person saved for themselves, or a channel or group they are in. */
export const Source = Schema.Union([Schema.Literal("saved"), ChatId])
export type Source = typeof Source.Type

/** A channel or group the account is in. */
export const FollowableChat = Schema.Struct({
  id: ChatId,
  kind: Schema.Literals(["channel", "group"]),
  title: Schema.String,
  username: Schema.optionalKey(Schema.String)
})
export type FollowableChat = typeof FollowableChat.Type

export const UserUpdate = Schema.Union([
  Schema.TaggedStruct("Message", {
    source: Source,
    message: IncomingMessage
  }),
  Schema.TaggedStruct("Edited", {
    source: Source,
    message: IncomingMessage
  }),
  /** In all chats but channels ids are the account's: Telegram does not say which chat it was. */
  Schema.TaggedStruct("Deleted", {
    channel: Schema.optionalKey(ChatId),
    messageIds: Schema.Array(MessageId)
  }),
  /** Too much happened there, or waited here, to be told one by one: read its `history` from the last known message on. */
  Schema.TaggedStruct("Missed", { source: Source }),
  /** Everything before is told: once it is stored, these are the positions to go on from. */
  Schema.TaggedStruct("Checkpoint", { positions: Schema.Redacted(Schema.String) })
])
export type UserUpdate = typeof UserUpdate.Type

/** A live connection of one account. Everything ends with the scope it was made in, and can be interrupted. */
export interface UserSession {
  readonly account: AccountKey
  /** Asks Telegram who is logged in: valid as long as it answers. */
  readonly me: Effect.Effect<UserAccount, UserError>
  /** Round trip to Telegram, milliseconds. Answers for a key that is not logged in too. */
  readonly ping: Effect.Effect<number, UserError>
  /** "connecting", "connected", … as it changes, the present one first. */
  readonly connection: Stream.Stream<"connecting" | "connected" | "closed">

  /** A fresh code each time Telegram's expires, for as long as the stream is read. */
  readonly loginByQr: Stream.Stream<QrState, UserError>
  readonly sendCode: (phone: Redacted.Redacted<string>) => Effect.Effect<SentCode, UserError>
  /** `PasswordNeeded` is its failure where the account has a password: `checkPassword` goes on. */
  readonly signIn: (code: Redacted.Redacted<string>) => Effect.Effect<UserAccount, UserError>
  readonly checkPassword: (password: Redacted.Redacted<string>) => Effect.Effect<UserAccount, UserError>
  /** At Telegram: the key is worth nothing after it. */
  readonly logOut: Effect.Effect<void, UserError>

  readonly exportSession: Effect.Effect<Redacted.Redacted<string>, UserError>
  readonly exportPeers: Effect.Effect<Redacted.Redacted<Uint8Array>>

  /** Channels and groups the account is in. */
  readonly chats: Stream.Stream<FollowableChat, UserError>
  /**
   * What happens in these chats, beginning with what happened since the kept positions. To be read once, by one
   * fiber: what no stored `Checkpoint` followed is told again on the next connection. It ends with the failure that
   * ended the session, never by itself.
   */
  readonly updates: (sources: ReadonlyArray<Source>) => Stream.Stream<UserUpdate, UserError>
  /** Oldest first. `since`: Unix seconds. `after`: the last message already known. */
  readonly history: (
    source: Source,
    options: { readonly since: number; readonly after?: MessageId }
  ) => Stream.Stream<IncomingMessage, UserError>
  /** A file of a message of this account, of any size, in pieces. */
  readonly download: (file: MediaFile) => Stream.Stream<Uint8Array, UserError>
  /** The file the person sent to a bot, found again in this account's own chat with it. */
  readonly fileSentTo: (
    bot: string,
    sent: { readonly date: number; readonly size: number }
  ) => Effect.Effect<Option.Option<MediaFile>, UserError>
}

export class UserClient extends Context.Service<
  UserClient,
  {
    /**
     * Ready when the connection has said so. Each call builds a client of its own, whose sockets, timers and
     * loops end with the scope.
     */
    readonly connect: (options: ConnectOptions) => Effect.Effect<UserSession, UserError, Scope.Scope>
  }
>()("zapiska/telegram/UserClient") {}
