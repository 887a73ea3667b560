import { PgConnection } from "@effect/sql-pg"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer } from "effect"
import { ChatId, MessageId, UserId } from "../../src/domain/Ids.ts"
import { TenantScope } from "../../src/store/TenantScope.ts"
import { Callbacks } from "../../src/telegram/Callbacks.ts"
import { keptTables, movedTables } from "../../src/telegram/ChatRows.ts"
import { Chats, heardIn, moveIn } from "../../src/telegram/Chats.ts"
import { Outbox } from "../../src/telegram/Outbox.ts"
import { Undelivered } from "../../src/telegram/Undelivered.ts"
import { decodeUpdate } from "../../src/telegram/UpdateDecoder.ts"
import { TestDatabase } from "../support/Postgres.ts"
import { layer as emulated, person } from "./support/EmulatedBot.ts"
import {
  become,
  bot,
  botId,
  dispatching,
  enqueue,
  entry,
  resolve,
  row,
  rows,
  set,
  text
} from "./support/OutboxRows.ts"
import { messageUpdate } from "./updates.ts"

const layer = Layer.mergeAll(Outbox.layer, Chats.layer, Callbacks.layer, Undelivered.layer).pipe(
  Layer.provideMerge(emulated()),
  Layer.provideMerge(TestDatabase.layer)
)

const heard = (...updates: ReadonlyArray<unknown>) =>
  Chats.use((chats) =>
    chats.heard(
      bot,
      botId,
      updates.map((raw) => ({ raw, decoded: decodeUpdate(raw) }))
    )
  )
const from = { id: 5, is_bot: false, first_name: "Ada" }
const privately = (id: number) => ({ id, type: "private", first_name: "Ada" })
const wrote = (chat: number) => ({
  update_id: 1,
  message: { ...messageUpdate(1).message, chat: privately(chat) }
})
const membership = (chat: number, status: string) => ({
  update_id: 2,
  my_chat_member: {
    chat: privately(chat),
    from,
    date: 1,
    old_chat_member: { user: from, status: "member" },
    new_chat_member: { user: from, status }
  }
})
const migrated = (old: number, to: number) => ({
  update_id: 3,
  message: {
    message_id: 9,
    date: 1,
    chat: { id: old, type: "group", title: "G" },
    from,
    migrate_to_chat_id: to
  }
})
const begun = (to: number, old: number) => ({
  update_id: 4,
  message: {
    message_id: 1,
    date: 1,
    chat: { id: to, type: "supergroup", title: "G" },
    from,
    migrate_from_chat_id: old
  }
})
const marks = TenantScope.use((scope) =>
  scope.transaction(
    bot.tenant,
    (sql) => sql<{ readonly chat: number; readonly reason: string; readonly recent: boolean }>`
      SELECT chat_id::float8 AS chat, reason, marked_at > now() - interval '1 minute' AS recent
      FROM unreachable_chats`
  )
)

describe("a chat nobody can be written to in", () => {
  it.live("is marked with the reason and ends what waits and what comes, until the person writes again", () =>
    Effect.gen(function* () {
      const { emulator, chat } = yield* person
      yield* emulator.addFault({
        chat,
        method: "sendMessage",
        effect: { _tag: "Refuse", code: 403, description: "Forbidden: bot was blocked by the user" }
      })
      yield* enqueue(entry("a", { chat }), entry("b", { chat }), entry("else", { chat: chat + 1_000 }))
      const fiber = yield* dispatching
      yield* become({ a: "dead", b: "dead" })
      for (const key of ["a", "b"]) assert.include((yield* row(key)).error, "blocked by the user")
      const [mark] = yield* Effect.map(marks, (all) => all.filter((one) => one.chat === chat))
      assert.isTrue(mark?.recent)
      assert.include(mark?.reason, "blocked by the user")
      yield* enqueue(entry("later", { chat }))
      assert.include((yield* row("later")).error, "blocked by the user")
      yield* become({ later: "dead" })
      // Leaving says nothing new; writing does.
      yield* heard(membership(chat, "kicked"))
      assert.lengthOf(yield* Effect.map(marks, (all) => all.filter((one) => one.chat === chat)), 1)
      yield* emulator.clearFaults({})
      yield* heard(wrote(chat), membership(chat, "kicked"))
      assert.lengthOf(yield* Effect.map(marks, (all) => all.filter((one) => one.chat === chat)), 0)
      yield* enqueue(entry("again", { chat }))
      yield* become({ again: "sent", later: "dead" })
      yield* Fiber.interrupt(fiber)
      const listed = yield* Undelivered.use((undelivered) => undelivered.list(bot.tenant))
      assert.deepInclude(listed, {
        ...listed.find(({ id }) => id === Math.max(...listed.map((one) => one.id)))!,
        state: "dead",
        attempts: 0
      })
      for (const one of listed) assert.notInclude(JSON.stringify(one), "content")
    }).pipe(Effect.provide(layer))
  )

  it("revives by a message, an edit, a press and an invitation, not by leaving", () => {
    assert.strictEqual(heardIn(decodeUpdate(wrote(7))), 7)
    assert.strictEqual(heardIn(decodeUpdate(membership(7, "member"))), 7)
    assert.isUndefined(heardIn(decodeUpdate(membership(7, "kicked"))))
    const press = {
      update_id: 1,
      callback_query: { id: "1", from, data: "x", message: { message_id: 1, date: 1, chat: privately(7) } }
    }
    assert.strictEqual(heardIn(decodeUpdate(press)), 7)
    assert.isUndefined(heardIn(decodeUpdate({ update_id: 1, poll: {} })))
  })
})

describe("a group that moved", () => {
  const old = -5
  const to = -1_000_000_000_005

  it("is told of by the old group and by the new one", () => {
    const move = { from: ChatId.make(old), to: ChatId.make(to) }
    assert.deepStrictEqual(moveIn(migrated(old, to)), move)
    assert.deepStrictEqual(moveIn(begun(to, old)), move)
    for (const odd of [
      wrote(1),
      null,
      { message: { migrate_to_chat_id: 5 } },
      { message: { chat: { id: 1 } } }
    ])
      assert.isUndefined(moveIn(odd))
  })

  it.live("is followed when Telegram answers so: what waits, what comes, and its buttons", () =>
    Effect.gen(function* () {
      const { emulator, chat: ada } = yield* person
      const { id: supergroup } = yield* emulator.createGroup({ title: "Group", members: [ada] })
      yield* emulator.addFault({
        chat: old,
        method: "sendMessage",
        effect: { _tag: "Refuse", code: 400, migrateToChatId: supergroup }
      })
      const callbacks = yield* Callbacks
      const grant = {
        ...bot,
        chat: ChatId.make(old),
        user: UserId.make(ada),
        key: "k",
        purpose: "p",
        payload: "x",
        lifetime: "1 hour"
      } as const
      const [token = ""] = yield* callbacks.issue(bot.tenant, [grant])
      yield* enqueue(entry("a", { chat: old }), entry("b", { chat: old }))
      const fiber = yield* dispatching
      yield* become({ a: "sent", b: "sent" })
      yield* enqueue(entry("late", { chat: old }))
      yield* become({ late: "sent" })
      assert.isTrue((yield* rows).every(({ chat }) => chat === supergroup))
      const said = yield* emulator.messages({ chat: supergroup })
      assert.deepStrictEqual(
        said.map((message) => message.text).filter((value) => ["a", "b", "late"].includes(value)),
        ["late", "b", "a"]
      )
      const press = { ...grant, chat: ChatId.make(supergroup), token }
      assert.strictEqual((yield* callbacks.redeem(press)).payload, "x")
      yield* Fiber.interrupt(fiber)
    }).pipe(Effect.provide(layer))
  )

  it.live(
    "is followed when an update says so, once, and no message of the old group is edited in the new",
    () =>
      Effect.gen(function* () {
        yield* enqueue(entry("status", { chat: old, delivery: "chatter" }))
        yield* set("status", "sent")
        const scope = yield* TenantScope
        yield* scope.transaction(
          bot.tenant,
          (sql) => sql`UPDATE outbox SET message_id = 77 WHERE key = 'status'`
        )
        yield* enqueue(
          entry("answer", { chat: old, action: resolve("status", "answer") }),
          entry("edit", {
            chat: old,
            action: { _tag: "Edit", message: MessageId.make(77), content: text("edit") }
          })
        )
        const { emulator, chat: ada } = yield* person
        const { id: supergroup } = yield* emulator.createGroup({ title: "Group", members: [ada] })
        yield* heard(migrated(old, supergroup), begun(supergroup, old))
        yield* heard(migrated(old, supergroup))
        assert.strictEqual((yield* row("status")).chat, old)
        const fiber = yield* dispatching
        yield* become({ answer: "sent", edit: "sent" })
        const journal = yield* emulator.journal({ chat: supergroup })
        assert.deepStrictEqual(
          journal.map(({ method }) => method),
          ["sendMessage", "sendMessage"]
        )
        yield* Fiber.interrupt(fiber)
      }).pipe(Effect.provide(layer))
  )

  it.live("is known to every table with chats in it: whoever adds one has to say what becomes of it", () =>
    Effect.gen(function* () {
      const { owner } = yield* TestDatabase
      const connection = yield* PgConnection.make(owner)
      const tables = yield* connection.queryValues(
        `SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND NOT a.attisdropped
         WHERE c.relnamespace = 'zapiska'::regnamespace AND c.relkind IN ('r', 'p') AND a.attname LIKE '%chat%'
         GROUP BY 1`
      )
      assert.sameMembers(
        tables.map(([name]) => name),
        [...movedTables, ...keptTables]
      )
    }).pipe(Effect.scoped, Effect.provide(TestDatabase.layer))
  )
})
