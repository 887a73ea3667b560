/** Choosing chats: over the real client, on a real database. */
import { PgConnection } from "@effect/sql-pg"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Result } from "effect"
import { ChatName } from "../../src/domain/ChatName.ts"
import { AppId, ChatId, MessageId, TenantId, UserId } from "../../src/domain/Ids.ts"
import { ChatFollows } from "../../src/session/ChatFollows.ts"
import { FollowStore } from "../../src/session/FollowStore.ts"
import { KnownAccounts } from "../../src/session/KnownAccounts.ts"
import { SessionManager } from "../../src/session/SessionManager.ts"
import { Audit } from "../../src/store/Audit.ts"
import { LoopbackTelegram } from "../support/mtproto/LoopbackTelegram.ts"
import { TestDatabase } from "../support/Postgres.ts"
import { ada, beneath, loggedIn, process, secret, withoutPassword } from "./mtproto/support.ts"
import { added, by, key, state, watching } from "./support.ts"

const news = { id: 1_500, title: "News", username: "News" }
const newsChat = ChatId.make(-1_000_000_001_500)
const quiet = { id: 1_600, title: "Quiet" }
const name = (text: string) => ChatName.make(text)

const layer = ChatFollows.layer.pipe(
  Layer.provideMerge(KnownAccounts.layer),
  Layer.provideMerge(process),
  Layer.provideMerge(beneath)
)

const world = Effect.gen(function* () {
  const telegram = yield* LoopbackTelegram
  yield* telegram.addAccount(withoutPassword)
  yield* telegram.addChannel(news, [ada.id])
  yield* added()
  yield* loggedIn()
  return { telegram, follows: yield* ChatFollows, store: yield* FollowStore }
})

const asked = Effect.flatMap(LoopbackTelegram, ({ received }) =>
  Effect.map(received, (all) => all.filter((one) => one.name === "messages.getDialogs").length)
)

describe("choosing chats", () => {
  it.live("is by number or name, each change on record; what the account is not in cannot be chosen", () =>
    Effect.gen(function* () {
      const { follows } = yield* world
      const chosen = yield* follows.follow(key, { chat: name("@news"), since: 1_700_000_000 }, "admin")
      assert.deepStrictEqual(chosen, {
        ...key,
        account: UserId.make(ada.id),
        source: newsChat,
        title: "News",
        since: 1_700_000_000,
        lastMessage: MessageId.make(0)
      })
      yield* follows.unfollow(key, name("saved"), "admin")
      const before = Math.floor(Date.now() / 1000)
      const saved = yield* follows.follow(key, { chat: name("saved") }, "user:7001")
      assert.isAtLeast(saved.since, before)
      assert.deepStrictEqual(
        (yield* follows.list(key)).map(({ source }) => source),
        ["saved", newsChat]
      )
      const unknown = yield* Effect.flip(follows.follow(key, { chat: name("@quiet") }, "admin"))
      assert.strictEqual(unknown._tag, "ChatUnknown")
      yield* follows.unfollow(key, name("@NEWS"), "admin")
      yield* follows.unfollow(key, name("saved"), "admin")
      assert.strictEqual(
        (yield* Effect.flip(follows.unfollow(key, name("saved"), "admin")))._tag,
        "NotFollowed"
      )
      assert.deepStrictEqual(yield* follows.list(key), [])
      const rows = (yield* (yield* Audit).list(key.tenant)).filter(({ action }) => action.startsWith("chat."))
      assert.deepStrictEqual(
        rows.map(({ action, actor, details }) => [action, actor, details.source]).reverse(),
        [
          ["chat.followed", by.actor, "saved"],
          ["chat.followed", "admin", newsChat],
          ["chat.unfollowed", "admin", "saved"],
          ["chat.followed", "user:7001", "saved"],
          ["chat.unfollowed", "admin", newsChat],
          ["chat.unfollowed", "admin", "saved"]
        ]
      )
      assert.notInclude(JSON.stringify(rows), "News")
    }).pipe(Effect.provide(layer))
  )

  it.live("is only possible for the session of an account, and one that is logged in", () =>
    Effect.gen(function* () {
      const follows = yield* ChatFollows
      const nobody = yield* Effect.flip(follows.follow(key, { chat: name("saved") }, "admin"))
      assert.strictEqual(nobody._tag, "SessionUnknown")
      yield* added()
      const absent = yield* Effect.flip(follows.follow(key, { chat: name("saved") }, "admin"))
      assert.strictEqual(absent._tag, "NotAuthorized")
      assert.strictEqual((yield* Effect.flip(follows.chats(key)))._tag, "NotAuthorized")
      const bot = { ...key, app: AppId.make("bot") }
      yield* SessionManager.use((sessions) => sessions.add(bot, { kind: "bot" }))
      const ofBot = yield* Effect.flip(follows.follow(bot, { chat: name("saved") }, "admin"))
      assert.strictEqual(ofBot._tag, "NotAnAccount")
    }).pipe(Effect.provide(layer))
  )

  it.live("an earlier beginning has a chat read again, a later one does not, none at all keeps it", () =>
    Effect.gen(function* () {
      const { follows, store } = yield* world
      const first = yield* follows.follow(key, { chat: name("saved"), since: 2_000 }, "admin")
      yield* store.advance(first, MessageId.make(40))
      yield* store.trouble(first, "it is closed")
      yield* store.advance(first, MessageId.make(30))
      const [known] = yield* follows.list(key)
      assert.strictEqual(known?.lastMessage, 40)
      assert.isTrue(Number.isInteger(known?.takenAt))
      assert.isUndefined(known?.lastError)
      const later = yield* follows.follow(key, { chat: name("saved"), since: 3_000 }, "admin")
      assert.strictEqual(later.lastMessage, 40)
      const earlier = yield* follows.follow(key, { chat: name("saved"), since: 1_000 }, "admin")
      assert.strictEqual(earlier.lastMessage, 0)
      const again = yield* follows.follow(key, { chat: name("saved") }, "admin")
      assert.strictEqual(again.since, 1_000)
    }).pipe(Effect.provide(layer))
  )

  it.live("a channel can be chosen as soon as the account has joined it", () =>
    Effect.gen(function* () {
      const { telegram, follows } = yield* world
      assert.lengthOf(yield* follows.chats(key), 1)
      yield* telegram.addChannel(quiet, [ada.id])
      const { title } = yield* follows.follow(
        key,
        { chat: name(String(-1_000_000_000_000 - quiet.id)) },
        "admin"
      )
      assert.strictEqual(title, "Quiet")
    }).pipe(Effect.provide(layer))
  )

  it.live("a chat to be read from an earlier day is, whatever was under way until then", () =>
    Effect.gen(function* () {
      const { follows, store } = yield* world
      const before = yield* follows.follow(key, { chat: name("saved"), since: 2_000 }, "admin")
      yield* follows.follow(key, { chat: name("saved"), since: 1_000 }, "admin")
      // Whoever followed it until now has just taken a message.
      yield* store.advance(before, MessageId.make(40))
      const [chat] = yield* follows.list(key)
      assert.strictEqual(chat?.lastMessage, 0)
    }).pipe(Effect.provide(layer))
  )

  it.live("belongs to one tenant alone, whatever another calls its sessions", () =>
    Effect.gen(function* () {
      const { follows, store } = yield* world
      yield* follows.follow(key, { chat: name("saved") }, "admin")
      const other = { tenant: TenantId.make("other"), app: AppId.make(key.app) }
      assert.strictEqual((yield* Effect.flip(follows.list(other)))._tag, "SessionUnknown")
      assert.deepStrictEqual(yield* store.list(other), [])
      assert.deepStrictEqual(yield* store.sessions(other.tenant), [])
      assert.deepStrictEqual(yield* store.sessions(key.tenant), [key])
    }).pipe(Effect.provide(layer))
  )
})

describe("Saved Messages", () => {
  const sources = ChatFollows.use((follows) =>
    Effect.map(follows.list(key), (all) => all.map(({ source }) => source))
  )
  const loggedOut = SessionManager.use((manager) => manager.revoke(key, "admin"))

  it.live("are followed from the login on, in whose name it was made, and nothing older", () =>
    Effect.gen(function* () {
      const before = Math.floor(Date.now() / 1000)
      const { follows } = yield* world
      const [saved, ...others] = yield* follows.list(key)
      assert(saved !== undefined)
      assert.deepStrictEqual(others, [])
      const { since, ...rest } = saved
      const account = UserId.make(ada.id)
      const title = "Saved Messages"
      assert.deepStrictEqual(rest, {
        ...key,
        account,
        source: "saved",
        title,
        lastMessage: MessageId.make(0)
      })
      assert.isAtLeast(since, before)
      assert.isAtMost(since, Math.floor(Date.now() / 1000))
    }).pipe(Effect.provide(layer))
  )

  it.live("are followed with the login or neither is: nothing comes between them", () =>
    Effect.gen(function* () {
      const telegram = yield* LoopbackTelegram
      yield* telegram.addAccount(withoutPassword)
      yield* added()
      const owner = yield* PgConnection.make((yield* TestDatabase).owner)
      yield* owner.query("ALTER TABLE zapiska.followed_chats ADD CONSTRAINT nothing CHECK (false)")
      const manager = yield* SessionManager
      const { ended, next } = yield* watching(manager.loginByCode(key, secret(ada.phone), by))
      yield* next("CodeSent")
      yield* Effect.flip(manager.submitCode(key, secret("54321")))
      assert.isTrue(Result.isFailure(yield* ended))
      assert.strictEqual(yield* state, "ABSENT")
      assert.strictEqual(yield* telegram.loggedIn(ada.id), 0)
      assert.deepStrictEqual(yield* sources, [])
    }).pipe(Effect.scoped, Effect.provide(layer))
  )

  it.live(
    "stay unfollowed once that was chosen, whatever becomes of the session, until it is chosen again",
    () =>
      Effect.gen(function* () {
        const { follows, store } = yield* world
        const [first] = yield* follows.list(key)
        yield* store.advance(first!, MessageId.make(40))
        yield* follows.unfollow(key, name("saved"), "user:7001")
        yield* (yield* SessionManager).validate(key)
        assert.deepStrictEqual(yield* sources, [])
        yield* loggedOut
        yield* loggedIn()
        assert.deepStrictEqual(yield* sources, [])
        assert.deepStrictEqual(yield* store.sessions(key.tenant), [])
        assert.strictEqual(
          (yield* Effect.flip(follows.unfollow(key, name("saved"), "admin")))._tag,
          "NotFollowed"
        )
        const before = Math.floor(Date.now() / 1000)
        const again = yield* follows.follow(key, { chat: name("saved") }, "admin")
        // What was written meanwhile was not to become notes.
        assert.isAtLeast(again.since, before)
        assert.strictEqual(again.lastMessage, 0)
      }).pipe(Effect.provide(layer))
  )

  it.live("go on where they were when their account is logged in again, and begin anew with another", () =>
    Effect.gen(function* () {
      const { telegram, follows, store } = yield* world
      const [first] = yield* follows.list(key)
      yield* store.advance(first!, MessageId.make(40))
      yield* loggedOut
      const bea = { id: 7_002, phone: "491709998877", name: "Bea" }
      yield* telegram.addAccount(bea)
      yield* loggedIn(bea)
      yield* loggedOut
      yield* loggedIn()
      assert.deepStrictEqual(
        (yield* follows.list(key)).map(({ account, lastMessage }) => [account, lastMessage]),
        [
          [ada.id, 40],
          [bea.id, 0]
        ]
      )
    }).pipe(Effect.provide(layer))
  )
})

describe("what is known of accounts", () => {
  it.live("is asked for once, and again after anything happened to the session", () =>
    Effect.gen(function* () {
      const { telegram, follows } = yield* world
      const known = yield* KnownAccounts
      const titles = Effect.map(follows.chats(key), (all) => all.map(({ title }) => title))
      assert.deepStrictEqual(yield* titles, ["News"])
      const before = yield* asked
      yield* telegram.addChannel(quiet, [ada.id])
      assert.deepStrictEqual(yield* titles, ["News"])
      assert.strictEqual(yield* asked, before)
      const state = Effect.map(known.sessions(key.tenant), ([session]) => session?.state)
      assert.strictEqual(yield* state, "AUTHORIZED")
      const manager = yield* SessionManager
      yield* manager.revoke(key, "admin")
      // It is heard of, not looked for.
      yield* Effect.repeat(Effect.delay(state, "20 millis"), { until: (now) => now === "REVOKED" })
      assert.strictEqual((yield* Effect.flip(follows.chats(key)))._tag, "Revoked")
      yield* loggedIn()
      yield* Effect.repeat(Effect.delay(state, "20 millis"), { until: (now) => now === "AUTHORIZED" })
      assert.deepStrictEqual((yield* titles).sort(), ["News", "Quiet"])
    }).pipe(Effect.provide(layer))
  )
})
