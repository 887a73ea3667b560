/** Messages of chosen chats: each once and in order, whatever happened to the connection meanwhile. */
import { assert, describe, it } from "@effect/vitest"
import type { tl } from "@mtcute/core"
import { Effect, Latch, Option, Queue, Redacted, Stream } from "effect"
import { ChatId, MessageId } from "../../../src/domain/Ids.ts"
import type { KeptSession, Source, UserSession, UserUpdate } from "../../../src/telegram/UserClient.ts"
import { ada, connect, connectAs, layer } from "../../support/mtproto/accounts.ts"
import { LoopbackTelegram } from "../../support/mtproto/LoopbackTelegram.ts"
import { write } from "../../support/mtproto/Schema.ts"

const { password: _, ...person } = ada
const news = { id: 1_500, title: "News", username: "news" }
const channel = ChatId.make(-1_000_000_001_500)

/** Told in words, so that a list of them is easy to read. */
const words = (update: UserUpdate): string => {
  switch (update._tag) {
    case "Message":
    case "Edited":
      return `${update._tag} ${update.source === "saved" ? "saved" : "channel"} ${update.message.messageId}: ${update.message.text.text}`
    case "Deleted":
      return `Deleted ${update.channel === undefined ? "saved" : "channel"} ${update.messageIds}`
    case "Missed":
      return `Missed ${update.source}`
    default:
      return update._tag
  }
}

/** Follows until the scope ends; the last checkpoint is what would have been stored. */
const follow = Effect.fnUntraced(function* (session: UserSession, sources: ReadonlyArray<Source>) {
  const seen = yield* Queue.unbounded<string>()
  let positions: KeptSession["positions"]
  let dirty = true
  yield* Effect.forkScoped(
    Stream.runForEach(session.updates(sources), (update) => {
      dirty = update._tag !== "Checkpoint"
      if (update._tag !== "Checkpoint") return Queue.offer(seen, words(update))
      positions = update.positions
      return Effect.void
    })
  )
  /** What was told is stored, and nothing after it yet. */
  const settled = Effect.repeat(Effect.sleep("10 millis"), { until: () => !dirty })
  const kept = Effect.gen(function* () {
    yield* settled
    const parts = { session: yield* session.exportSession, peers: yield* session.exportPeers }
    return { ...parts, ...(positions === undefined ? {} : { positions }) }
  })
  yield* settled
  return {
    next: Queue.take(seen),
    take: (many: number) => Queue.takeN(seen, many),
    rest: Queue.clear(seen),
    kept
  }
})

const world = Effect.gen(function* () {
  const telegram = yield* LoopbackTelegram
  yield* telegram.addAccount(person)
  yield* telegram.addChannel(news, [ada.id])
  return telegram
})

describe("following", () => {
  it.live("tells new, edited and deleted messages of the chosen chats and of no other", () =>
    Effect.gen(function* () {
      const telegram = yield* world
      yield* telegram.addChannel({ id: 1_600, title: "Noise" }, [ada.id])
      yield* telegram.addBot({ id: 99, username: "notes_bot" })
      const session = yield* connectAs(ada.id)
      const { take, rest } = yield* follow(session, ["saved", channel])
      const note = yield* telegram.say(ada.id, { text: "buy milk" })
      yield* telegram.say(ada.id, { text: "to the bot" }, { to: 99 })
      yield* telegram.post(1_600, { text: "noise" })
      const post = yield* telegram.post(news.id, { text: "it rains" })
      yield* telegram.edit(ada.id, note, "buy oat milk")
      yield* telegram.editPost(news.id, post, "it pours")
      yield* telegram.remove(ada.id, [note])
      yield* telegram.removePosts(news.id, [post])
      const told = yield* take(6)
      const of = (where: string) => told.filter((line) => line.includes(` ${where} `))
      assert.deepStrictEqual(of("saved"), [
        `Message saved ${note}: buy milk`,
        `Edited saved ${note}: buy oat milk`,
        `Deleted saved ${note}`
      ])
      assert.deepStrictEqual(of("channel"), [
        `Message channel ${post}: it rains`,
        `Edited channel ${post}: it pours`,
        `Deleted channel ${post}`
      ])
      assert.deepStrictEqual(yield* rest, [])
    }).pipe(Effect.provide(layer))
  )

  it.live("fills the gap of a downtime from the stored positions, each message once", () =>
    Effect.gen(function* () {
      const telegram = yield* world
      telegram.reading.slice = 3
      const kept = yield* Effect.scoped(
        Effect.gen(function* () {
          const session = yield* connectAs(ada.id)
          const { take, kept: now } = yield* follow(session, ["saved", channel])
          yield* telegram.say(ada.id, { text: "before" })
          yield* telegram.post(news.id, { text: "before" })
          yield* take(2)
          return yield* now
        })
      )
      for (let nth = 0; nth < 8; nth++) {
        yield* telegram.say(ada.id, { text: `saved ${nth}` }, { how: "silent" })
        yield* telegram.post(news.id, { text: `post ${nth}` }, "silent")
      }
      yield* telegram.edit(ada.id, 2, "saved 0, edited", "silent")
      yield* telegram.remove(ada.id, [1], "silent")
      const session = yield* connect({ kept: Option.some(kept) })
      const { take, rest } = yield* follow(session, ["saved", channel])
      const told = yield* take(18)
      yield* Effect.sleep("300 millis")
      assert.deepStrictEqual(yield* rest, [])
      assert.deepStrictEqual(
        told.filter((line) => line.startsWith("Message channel")).map((line) => line.split(": ")[1]),
        Array.from({ length: 8 }, (_each, nth) => `post ${nth}`)
      )
      const saved = told.filter((line) => line.startsWith("Message saved"))
      assert.strictEqual(new Set(saved).size, 8)
      assert.include(told, "Edited saved 2: saved 0, edited")
      assert.include(told, "Deleted saved 1")
    }).pipe(Effect.provide(layer))
  )

  it.live("goes on after the sockets were cut, and finds what was said meanwhile", () =>
    Effect.gen(function* () {
      const telegram = yield* world
      const session = yield* connectAs(ada.id)
      const { take } = yield* follow(session, ["saved"])
      yield* telegram.say(ada.id, { text: "one" })
      yield* telegram.setReachable(false)
      yield* telegram.say(ada.id, { text: "two" }, { how: "silent" })
      yield* telegram.setReachable(true)
      yield* telegram.say(ada.id, { text: "three" }, { how: "silent" })
      assert.deepStrictEqual(yield* take(3), [
        "Message saved 1: one",
        "Message saved 2: two",
        "Message saved 3: three"
      ])
    }).pipe(Effect.provide(layer))
  )

  it.live("waits as long as Telegram asks when it catches up", () =>
    Effect.gen(function* () {
      const telegram = yield* world
      yield* telegram.refuse("updates.getDifference", { code: 420, text: "FLOOD_WAIT_1", times: 2 })
      const session = yield* connectAs(ada.id)
      const { next } = yield* follow(session, ["saved"])
      yield* telegram.say(ada.id, { text: "after all" })
      assert.strictEqual(yield* next, "Message saved 1: after all")
    }).pipe(Effect.provide(layer))
  )

  it.live("says what it cannot tell: a channel that went too far", () =>
    Effect.gen(function* () {
      const telegram = yield* world
      const kept = yield* Effect.scoped(
        Effect.gen(function* () {
          const session = yield* connectAs(ada.id)
          const { next, kept: now } = yield* follow(session, [channel])
          yield* telegram.post(news.id, { text: "first" })
          yield* next
          return yield* now
        })
      )
      telegram.reading.channelGap = 5
      for (let nth = 0; nth < 10; nth++) yield* telegram.post(news.id, { text: `post ${nth}` }, "silent")
      const session = yield* connect({ kept: Option.some(kept) })
      const { next } = yield* follow(session, [channel])
      assert.strictEqual(yield* next, `Missed ${channel}`)
      const after = MessageId.make(1)
      const missed = yield* session.history(channel, { since: 0, after }).pipe(Stream.runCollect)
      assert.lengthOf(missed, 10)
      yield* telegram.post(news.id, { text: "live again" })
      assert.strictEqual(yield* next, "Message channel 12: live again")
    }).pipe(Effect.provide(layer))
  )

  it.live("says what it cannot tell: an account that went too far", () =>
    Effect.gen(function* () {
      const telegram = yield* world
      const kept = yield* Effect.scoped(
        Effect.gen(function* () {
          const session = yield* connectAs(ada.id)
          const { next, kept: now } = yield* follow(session, ["saved"])
          yield* telegram.say(ada.id, { text: "first" })
          yield* next
          return yield* now
        })
      )
      telegram.reading.accountGap = 5
      for (let nth = 0; nth < 10; nth++)
        yield* telegram.say(ada.id, { text: `thought ${nth}` }, { how: "silent" })
      const session = yield* connect({ kept: Option.some(kept) })
      const { next } = yield* follow(session, ["saved"])
      assert.strictEqual(yield* next, "Missed saved")
      const after = MessageId.make(1)
      const missed = yield* session.history("saved", { since: 0, after }).pipe(Stream.runCollect)
      assert.lengthOf(missed, 10)
      yield* telegram.say(ada.id, { text: "live again" })
      assert.strictEqual(yield* next, "Message saved 12: live again")
    }).pipe(Effect.provide(layer))
  )

  it.live("says it of each chat whose messages the account counts, and of no channel", () =>
    Effect.gen(function* () {
      const telegram = yield* world
      const group = ChatId.make(-700)
      const chat: tl.RawChat = {
        _: "chat",
        id: 700,
        title: "Family",
        photo: { _: "chatPhotoEmpty" },
        participantsCount: 2,
        date: 1_600_000_000,
        version: 1
      }
      const peer = { id: group, accessHash: "0", isMin: false, usernames: [], updated: 1 }
      const seen = { version: 1, peers: [{ ...peer, complete: write(chat).toString("base64") }] }
      const authorized = yield* Effect.scoped(
        Effect.flatMap(connectAs(ada.id), ({ exportSession }) => exportSession)
      )
      const peers = Redacted.make(new TextEncoder().encode(JSON.stringify(seen)))
      const session = yield* connect({ kept: Option.some({ session: authorized, peers }) })
      const { take, rest } = yield* follow(session, [group, channel, "saved"])
      telegram.reading.accountGap = 0
      yield* telegram.say(ada.id, { text: "one" }, { how: "silent" })
      yield* telegram.cut
      assert.deepStrictEqual(yield* take(2), [`Missed ${group}`, "Missed saved"])
      assert.deepStrictEqual(yield* rest, [])
    }).pipe(Effect.provide(layer))
  )

  for (const [text, tag] of [
    ["AUTH_KEY_UNREGISTERED", "AuthKeyUnregistered"],
    ["SESSION_REVOKED", "SessionRevoked"],
    ["AUTH_KEY_DUPLICATED", "AuthKeyDuplicated"],
    ["USER_DEACTIVATED_BAN", "AccountGone"]
  ] as const) {
    it.live(`ends with ${tag} when Telegram says ${text}, and asks no more`, () =>
      Effect.gen(function* () {
        const telegram = yield* world
        const session = yield* connectAs(ada.id)
        yield* telegram.refuseKeys(ada.id, { code: text === "AUTH_KEY_DUPLICATED" ? 406 : 401, text })
        const error = yield* Effect.flip(Stream.runDrain(session.updates(["saved"])))
        assert.strictEqual(error._tag, tag)
        // What was asked at the same time may arrive after it.
        yield* Effect.sleep("300 millis")
        const asked = (yield* telegram.received).length
        yield* Effect.sleep("1500 millis")
        const more = (yield* telegram.received).slice(asked).filter(({ what }) => what === "call")
        assert.deepStrictEqual(more, [])
      }).pipe(Effect.provide(layer))
    )
  }

  it.live(
    "holds so many updates and no more; what was left out is said to be missed, before the positions move",
    () =>
      Effect.gen(function* () {
        const telegram = yield* world
        const session = yield* connectAs(ada.id, { waitingAtMost: 3 })
        const seen: Array<string> = []
        const busy = yield* Latch.make(false)
        yield* Effect.forkScoped(
          Stream.runForEach(session.updates(["saved"]), (update) =>
            Effect.gen(function* () {
              seen.push(words(update))
              if (update._tag === "Message") yield* busy.await
            })
          )
        )
        const until = (holds: () => boolean) => Effect.repeat(Effect.sleep("10 millis"), { until: holds })
        yield* until(() => seen.includes("Checkpoint"))
        const first = yield* telegram.say(ada.id, { text: "first" })
        yield* until(() => seen.includes(`Message saved ${first}: first`))
        for (let nth = 0; nth < 20; nth++) yield* telegram.say(ada.id, { text: `thought ${nth}` })
        // All of them have come before the answers that follow them, and were looked at.
        yield* Effect.repeat(session.ping, { times: 20 })
        yield* busy.open
        yield* until(() => seen.at(-2) === "Missed saved")
        assert.strictEqual(seen.at(-1), "Checkpoint")
        const messages = seen.filter((line) => line.startsWith("Message"))
        assert.isBelow(messages.length, 10)
        const last = yield* telegram.say(ada.id, { text: "last" })
        yield* until(() => seen.includes(`Message saved ${last}: last`))
      }).pipe(Effect.provide(layer))
  )

  it.live(
    "keeps from the first where a channel begins: what is edited from then on is told after a crash",
    () =>
      Effect.gen(function* () {
        const telegram = yield* world
        const post = yield* telegram.post(news.id, { text: "it rains" })
        const kept = yield* Effect.scoped(
          Effect.flatMap(connectAs(ada.id), (session) =>
            Effect.flatMap(follow(session, [channel]), ({ kept: now }) => now)
          )
        )
        yield* telegram.editPost(news.id, post, "it pours", "silent")
        const session = yield* connect({ kept: Option.some(kept) })
        const { next } = yield* follow(session, [channel])
        assert.strictEqual(yield* next, `Edited channel ${post}: it pours`)
      }).pipe(Effect.provide(layer))
  )

  it.live("refuses a channel the account cannot see", () =>
    Effect.gen(function* () {
      yield* world
      const session = yield* connectAs(ada.id)
      const error = yield* Effect.flip(Stream.runDrain(session.updates([ChatId.make(-1_000_000_009_999)])))
      assert.strictEqual(error._tag, "ChatClosed")
    }).pipe(Effect.provide(layer))
  )
})
