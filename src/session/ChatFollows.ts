/** Which chats of an account become notes: Saved Messages since its login, the others chosen by people, one by one. */
import { Clock, Context, Effect, Layer, Schema } from "effect"
import type { SqlError } from "effect/sql"
import type { ChatName } from "../domain/ChatName.ts"
import type { Actor } from "../store/Audit.ts"
import type { FollowableChat, Source } from "../telegram/UserClient.ts"
import { type FollowedChat, savedTitle } from "./FollowedChat.ts"
import { FollowStore, type NotFollowed } from "./FollowStore.ts"
import { type ChatsError, KnownAccounts } from "./KnownAccounts.ts"
import { NotAnAccount, NotAuthorized } from "./SessionError.ts"
import { type SessionKey, sessionName } from "./SessionEvents.ts"
import { SessionManager } from "./SessionManager.ts"
import type { SessionUnknown } from "./SessionStore.ts"

/** The account is in no such chat. */
export class ChatUnknown extends Schema.TaggedError<ChatUnknown>()("ChatUnknown", {
  session: Schema.String,
  chat: Schema.String
}) {
  override get message() {
    return `The account of session ${this.session} is in no channel or group ${this.chat}; join it, or choose one that is listed by: zapiska session chats`
  }
}

export class ChatFollows extends Context.Service<
  ChatFollows,
  {
    readonly chats: (
      key: SessionKey
    ) => Effect.Effect<ReadonlyArray<FollowableChat>, ChatsError | SessionUnknown>
    /** `since`: Unix seconds; from now on without it. */
    readonly follow: (
      key: SessionKey,
      chosen: { readonly chat: ChatName; readonly since?: number },
      actor: Actor
    ) => Effect.Effect<FollowedChat, ChatUnknown | ChatsError | SessionUnknown>
    readonly unfollow: (
      key: SessionKey,
      chat: ChatName,
      actor: Actor
    ) => Effect.Effect<void, ChatUnknown | ChatsError | NotFollowed | SessionUnknown>
    readonly list: (
      key: SessionKey
    ) => Effect.Effect<ReadonlyArray<FollowedChat>, SessionUnknown | SqlError.SqlError>
  }
>()("zapiska/session/ChatFollows") {
  static readonly layer: Layer.Layer<ChatFollows, never, FollowStore | KnownAccounts | SessionManager> =
    Layer.effect(
      this,
      Effect.suspend(() => make)
    )
}

interface Chosen {
  readonly source: Source
  readonly title: string
}

const saved: Chosen = { source: "saved", title: savedTitle }

/** Names are the same whatever their case (Telegram). */
const isNamed = (name: ChatName) => (chat: FollowableChat) =>
  name.startsWith("@")
    ? chat.username?.toLowerCase() === name.slice(1).toLowerCase()
    : String(chat.id) === name

const make = Effect.gen(function* () {
  const store = yield* FollowStore
  const known = yield* KnownAccounts
  const sessions = yield* SessionManager

  const find = Effect.fnUntraced(function* (key: SessionKey, name: ChatName) {
    if (name === "saved") return saved
    // A person has often joined it just for this.
    const found =
      (yield* known.chats(key)).find(isNamed(name)) ?? (yield* known.chatsNow(key)).find(isNamed(name))
    if (found === undefined) return yield* new ChatUnknown({ session: sessionName(key), chat: name })
    return { source: found.id, title: found.title }
  })

  /** What is followed is known without the account, which may be gone. */
  const followed = Effect.fnUntraced(function* (key: SessionKey, name: ChatName) {
    const one = (yield* store.list(key)).find(({ source }) => String(source) === name)
    return one?.source ?? (yield* find(key, name)).source
  })

  return ChatFollows.of({
    chats: Effect.fn("ChatFollows.chats")((key) => Effect.andThen(sessions.status(key), known.chats(key))),

    follow: Effect.fn("ChatFollows.follow")(function* (key, { chat, since }, actor) {
      const { account, kind, state } = yield* sessions.status(key)
      if (kind === "bot") return yield* new NotAnAccount({ session: sessionName(key) })
      if (account === undefined) return yield* new NotAuthorized({ session: sessionName(key), state })
      const chosen = yield* find(key, chat)
      const before = (yield* store.list(key)).find(
        (one) => one.source === chosen.source && one.account === account.id
      )
      const now = Math.floor((yield* Clock.currentTimeMillis) / 1000)
      // Without a date one that is followed goes on as it is: its history may be under way.
      const from = since ?? before?.since ?? now
      return yield* store.follow(key, { ...chosen, account: account.id, since: from }, actor)
    }),

    unfollow: Effect.fn("ChatFollows.unfollow")(function* (key, chat, actor) {
      yield* sessions.status(key)
      yield* store.unfollow(key, yield* followed(key, chat), actor)
    }),

    list: Effect.fn("ChatFollows.list")((key) => Effect.andThen(sessions.status(key), store.list(key)))
  })
})
