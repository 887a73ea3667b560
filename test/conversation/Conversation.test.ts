import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Latch, Layer, Queue } from "effect"
import * as Conversation from "../../src/conversation/Conversation.ts"
import { ConversationSettings } from "../../src/conversation/ConversationSettings.ts"
import * as Engine from "../../src/conversation/Engine.ts"
import * as Inbox from "../../src/conversation/Inbox.ts"
import { MessageProcessor } from "../../src/conversation/MessageProcessor.ts"
import { purge } from "../../src/conversation/Purge.ts"
import { BotId, defaultApp, defaultTenant, TenantId, UpdateId } from "../../src/domain/Ids.ts"
import { Audit } from "../../src/store/Audit.ts"
import { Directory } from "../../src/store/Directory.ts"
import { EngineSql } from "../../src/store/EngineSql.ts"
import { HandledUpdates } from "../../src/store/HandledUpdates.ts"
import { Shutdown } from "../../src/store/Shutdown.ts"
import { Tenants } from "../../src/store/Tenants.ts"
import { TaskManager } from "../../src/task/TaskManager.ts"
import { UpdateSink } from "../../src/telegram/Taking.ts"
import { decodeUpdate } from "../../src/telegram/UpdateDecoder.ts"
import { TestDatabase } from "../support/Postgres.ts"

const bot = { tenant: defaultTenant, app: defaultApp }
const botId = BotId.make(7)

const textUpdate = (id: number, text: string, extra: object = {}) => ({
  update_id: id,
  message: {
    message_id: id,
    date: Math.floor(Date.now() / 1000),
    chat: { id: 1, type: "private", first_name: "Ann" },
    from: { id: 1, is_bot: false, first_name: "Ann" },
    text,
    ...extra
  }
})

/** What the processor was given, in order. Its unit is durable the way the real one's is. */
class Seen extends Context.Service<Seen, Queue.Queue<string>>()("test/Seen") {
  static readonly layer = Layer.effect(Seen, Queue.unbounded<string>())
}

const processor = (
  behave: {
    readonly failures?: number
    readonly die?: boolean
    readonly mayNote?: () => boolean
    readonly received?: () => void
    readonly working?: Effect.Effect<void>
  } = {}
) =>
  Layer.effect(
    MessageProcessor,
    Effect.gen(function* () {
      const seen = yield* Seen
      const handled = yield* HandledUpdates
      let failures = behave.failures ?? 0
      const once = (
        user: { readonly tenant: typeof defaultTenant },
        updates: ReadonlyArray<UpdateId>,
        what: string
      ) =>
        handled
          .once({ tenant: user.tenant, botId }, updates, what, () =>
            failures-- > 0 ? Effect.die(new Error("broken")) : Effect.void
          )
          .pipe(Effect.andThen(Queue.offer(seen, what)), Effect.asVoid)
      return MessageProcessor.of({
        mayNote: () => Effect.sync(() => behave.mayNote?.() ?? true),
        refused: (user, updateId) => once(user, [updateId], `refused ${updateId}`),
        received: () => Effect.sync(() => behave.received?.()),
        opened: () => Effect.void,
        unit: (user, unit, { raw }) =>
          Effect.andThen(
            behave.working ?? Effect.void,
            once(
              user,
              [...unit.members.map((one) => one.updateId), ...unit.absorbed],
              `${raw ? "raw" : "note"} ${unit.members.map((one) => one.message.text.text).join(",")}`
            )
          ),
        edited: (user, updateId, { text }) =>
          Effect.as(once(user, [updateId], `edit ${updateId} ${text.text}`), true),
        isOurs: (_user, call) => Effect.succeed(call.bot === undefined || call.bot === "our_bot"),
        ignored: (user, updateId) => once(user, [updateId], `ignored ${updateId}`),
        command: (user, updateId, _message, call, pending) =>
          once(user, [updateId], `/${call.name} ${call.argument.text} ${pending}`),
        button: (user, update) => once(user, [update.updateId], `button ${update.data}`),
        stopped: (user, update) => once(user, [update.updateId], `stopped ${update.draftId}`),
        other: (user, update) => once(user, [update.updateId], `other ${update._tag}`),
        giveUp: (user, updateId) => once(user, [updateId], `gave up ${updateId}`)
      })
    })
  )

const rules = { quiet: 300, max: 60_000, settle: 3000 }
/** For what is to be one unit: what is sent together may be seconds apart on a busy machine. */
const gathering = 3000

const process = (options?: Parameters<typeof processor>[0], quiet = rules.quiet) =>
  Inbox.layer.pipe(
    Layer.provideMerge(Conversation.layer),
    Layer.provide(processor(options)),
    Layer.provideMerge(Engine.layerSingle),
    Layer.provideMerge(Layer.mergeAll(HandledUpdates.layer, TaskManager.layer, Shutdown.layer)),
    Layer.provide(Layer.succeed(ConversationSettings, { rules: { ...rules, quiet }, clocksApart: 0 }))
  )

const sendTo = (tenant: TenantId, ...updates: ReadonlyArray<object>) =>
  Effect.gen(function* () {
    const { receive } = yield* UpdateSink
    return yield* Effect.forEach(updates, (raw) => receive({ ...bot, tenant }, botId, raw, decodeUpdate(raw)))
  })

const send = (...updates: ReadonlyArray<object>) => sendTo(defaultTenant, ...updates)

const next = Effect.flatMap(Seen, Queue.take)

const unprocessed = Effect.flatMap(EngineSql, ({ client }) =>
  client<{ n: bigint }>`SELECT count(*) AS n FROM cluster_messages WHERE NOT processed`.pipe(
    Effect.map((rows) => Number(rows[0]?.n))
  )
)

/** Waits for something that becomes true shortly. */
const eventually = <E, R>(what: string, check: Effect.Effect<boolean, E, R>) =>
  Effect.gen(function* () {
    while (!(yield* check)) yield* Effect.sleep("20 millis")
  }).pipe(
    Effect.timeoutOrElse({ duration: "40 seconds", orElse: () => Effect.die(new Error(`never: ${what}`)) })
  )

const world = Layer.mergeAll(Seen.layer, Directory.layer, Tenants.layer).pipe(
  Layer.provideMerge(Audit.layer),
  Layer.provideMerge(TestDatabase.layer)
)

describe("Conversation", () => {
  it.live(
    "what a reader writes is refused and opens no window; a message after they became a member does",
    () =>
      Effect.gen(function* () {
        let mayNote = false
        yield* Effect.gen(function* () {
          yield* send(textUpdate(1, "a"), textUpdate(2, "b"))
          assert.deepStrictEqual([yield* next, yield* next], ["refused 1", "refused 2"])
          mayNote = true
          yield* send(textUpdate(3, "c"))
          assert.strictEqual(yield* next, "note c")
        }).pipe(Effect.provide(process({ mayNote: () => mayNote })))
      }).pipe(Effect.provide(world))
  )

  it.live("messages become one unit; its updates are processed and their rows purged after a week", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* send(textUpdate(1, "a"), textUpdate(2, "b")), ["stored", "stored"])
      assert.strictEqual(yield* next, "note a,b")
      yield* eventually(
        "processed",
        Effect.map(unprocessed, (n) => n === 0)
      )
      const { client } = yield* EngineSql
      assert.strictEqual(yield* purge(), 0)
      yield* client`UPDATE cluster_messages SET id = id - (${String(BigInt(8 * 86_400_000) << 22n)}::bigint)`
      assert.strictEqual(yield* purge(), 2)
    }).pipe(Effect.provide(process({}, gathering)), Effect.provide(world))
  )

  it.live("an update that comes again is stored once and told so", () =>
    Effect.gen(function* () {
      const one = textUpdate(1, "a")
      assert.deepStrictEqual(yield* send(one, one), ["stored", "duplicate"])
      assert.strictEqual(yield* next, "note a")
      assert.deepStrictEqual(yield* send(one), ["duplicate"])
      assert.strictEqual(yield* Effect.flatMap(Seen, Queue.size), 0)
    }).pipe(Effect.provide(process()), Effect.provide(world))
  )

  const pressed = (id: number, data: string) => ({
    update_id: id,
    callback_query: {
      id: String(id),
      data,
      from: { id: 1, is_bot: false, first_name: "Ann" },
      message: { message_id: 1, date: 1, chat: { id: 1, type: "private", first_name: "Ann" } }
    }
  })
  const stopped = (id: number) => ({
    update_id: id,
    stopped_message_generation: { chat: { id: 1, type: "private", first_name: "Ann" }, draft_id: 5 }
  })

  it.live("who stops what is made does not wait for it; any other button does", () =>
    Effect.gen(function* () {
      const working = yield* Latch.make()
      const begun = yield* Latch.make()
      yield* Effect.gen(function* () {
        yield* send(textUpdate(1, "a"))
        yield* begun.await
        yield* send(pressed(2, "open:1:n"), pressed(3, "stop:token"), stopped(4))
        assert.deepStrictEqual([yield* next, yield* next].sort(), ["button stop:token", "stopped 5"])
        yield* working.open
        assert.deepStrictEqual([yield* next, yield* next], ["note a", "button open:1:n"])
      }).pipe(Effect.provide(process({ working: Effect.andThen(begun.open, working.await) })))
    }).pipe(Effect.provide(world))
  )

  const edited = (updateId: number, messageId: number, text: string) => ({
    update_id: updateId,
    edited_message: { ...textUpdate(messageId, text).message, edit_date: 9_999_999_999 }
  })

  it.live("an edit that is a command is no text: that of /note gives its argument, others are ignored", () =>
    Effect.gen(function* () {
      yield* send(textUpdate(1, "/recnt"), edited(2, 1, "/recent"))
      assert.strictEqual(yield* next, "/recnt  0")
      assert.strictEqual(yield* next, "ignored 2")
      yield* send(edited(3, 1, "/note Buy oat milk"))
      assert.strictEqual(yield* next, "edit 3 Buy oat milk")
      yield* send(textUpdate(4, "a"), textUpdate(5, "done"), edited(6, 5, "/done"))
      assert.sameMembers([yield* next, yield* next], ["ignored 6", "note a,done"])
      yield* eventually(
        "all processed",
        Effect.map(unprocessed, (n) => n === 0)
      )
    }).pipe(Effect.provide(process({}, gathering)), Effect.provide(world))
  )

  it.live("a command for another bot does nothing, whether sent or made by an edit", () =>
    Effect.gen(function* () {
      yield* send(textUpdate(1, "a"), textUpdate(2, "/done@Other_bot"))
      assert.strictEqual(yield* next, "ignored 2")
      assert.strictEqual(yield* next, "note a")
      yield* send(edited(3, 2, "/note@other_bot b"))
      assert.strictEqual(yield* next, "ignored 3")
      yield* send(textUpdate(4, "/start@Our_Bot"))
      assert.strictEqual(yield* next, "/start  0")
    }).pipe(Effect.provide(process({}, gathering)), Effect.provide(world))
  )

  it.live(
    "takes a unit apart of which a part was durable after all: edits go to the note that is there",
    () =>
      Effect.gen(function* () {
        const handled = yield* HandledUpdates
        const edit = {
          update_id: 4,
          edited_message: { ...textUpdate(1, "a2").message, edit_date: 9_999_999_999 }
        }
        yield* send(textUpdate(1, "a"), textUpdate(2, "b"), textUpdate(3, "c"), edit)
        // As a transaction of a killed process that comes through late.
        yield* handled.once({ tenant: defaultTenant, botId }, [UpdateId.make(1)], "late", () => Effect.void)
        assert.sameMembers([yield* next, yield* next], ["note b,c", "edit 4 a2"])
        yield* eventually(
          "processed",
          Effect.map(unprocessed, (n) => n === 0)
        )
        assert.strictEqual(yield* Effect.flatMap(Seen, Queue.size), 0)
      }).pipe(Effect.provide(process({}, gathering)), Effect.provide(world))
  )

  it.live("/done closes the window and comes after its unit", () =>
    Effect.gen(function* () {
      yield* send(textUpdate(1, "a"), textUpdate(2, "/done"), textUpdate(3, "b"))
      assert.deepStrictEqual([yield* next, yield* next], ["note a", "/done  1"])
    }).pipe(Effect.provide(process({}, 600_000)), Effect.provide(world))
  )

  it.live("a shutdown in an open window keeps its messages for the next start", () =>
    Effect.gen(function* () {
      yield* send(textUpdate(1, "a"), textUpdate(2, "b")).pipe(
        Effect.andThen(Effect.sleep("200 millis")),
        Effect.provide(process({}, 600_000))
      )
      assert.strictEqual(yield* unprocessed, 2)
      assert.strictEqual(yield* next.pipe(Effect.provide(process({}, gathering))), "note a,b")
    }).pipe(Effect.provide(world))
  )

  it.live("a conversation that goes takes its windows with it, and finds its messages when it is back", () =>
    Effect.gen(function* () {
      const tasks = yield* TaskManager
      const open = Effect.map(tasks.list, (list) => list.some(({ status }) => status === "running"))
      yield* send(textUpdate(1, "a"), textUpdate(2, "b")).pipe(
        Effect.andThen(eventually("open", open)),
        Effect.provide(process({}, 600_000))
      )
      assert.isFalse(yield* open)
      assert.strictEqual(yield* next.pipe(Effect.provide(process({}, gathering))), "note a,b")
      // The tasks outlive the engine, as they do when another replica gets the shard.
    }).pipe(Effect.provide(TaskManager.layer), Effect.provide(world))
  )

  it.live("stopping a window's task loses nothing", () => {
    let received = 0
    return Effect.gen(function* () {
      yield* send(textUpdate(1, "a"), textUpdate(2, "b"))
      const tasks = yield* TaskManager
      yield* eventually(
        "open, with both in it",
        Effect.map(tasks.list, (list) => received === 2 && list.some((task) => task.kind === "window"))
      )
      const [window] = (yield* tasks.list).filter((task) => task.kind === "window")
      yield* tasks.stop(window!.id)
      assert.strictEqual(yield* next, "note a,b")
    }).pipe(Effect.provide(process({ received: () => void received++ }, gathering)), Effect.provide(world))
  })

  it.live("a unit that fails is tried again; after five failures it is saved raw", () =>
    Effect.gen(function* () {
      yield* send(textUpdate(1, "a"))
      assert.strictEqual(yield* next, "raw a")
      yield* eventually(
        "processed",
        Effect.map(unprocessed, (n) => n === 0)
      )
    }).pipe(Effect.provide(process({ failures: 5 })), Effect.provide(world))
  )

  it.live("a row this version cannot read is kept, and its neighbours go on", () =>
    Effect.gen(function* () {
      const client = yield* Conversation.Conversation.client
      yield* client("default/default/1/0/1").Receive({ id: "7:9", update: `{"v":99}` }, { discard: true })
      yield* send(textUpdate(1, "a"))
      assert.strictEqual(yield* next, "note a")
      yield* eventually(
        "one left",
        Effect.map(unprocessed, (n) => n === 1)
      )
    }).pipe(Effect.provide(process()), Effect.provide(world))
  )

  it.live("what is stored for a disabled tenant waits, over a restart, until it is enabled again", () =>
    Effect.gen(function* () {
      const tenants = yield* Tenants
      const { id: acme } = yield* tenants.add({ id: "acme" }, "admin")
      yield* tenants.disable(acme, "admin")
      yield* Effect.gen(function* () {
        assert.deepStrictEqual(yield* sendTo(acme, textUpdate(1, "a"), textUpdate(2, "b")), [
          "stored",
          "stored"
        ])
        // Nobody else waits for it.
        yield* send(textUpdate(3, "c"))
        assert.strictEqual(yield* next, "note c")
      }).pipe(Effect.provide(process(), { local: true }))
      yield* Effect.gen(function* () {
        yield* send(textUpdate(4, "/status"))
        assert.strictEqual(yield* next, "/status  0")
        yield* eventually(
          "only the two wait",
          Effect.map(unprocessed, (n) => n === 2)
        )
        yield* tenants.enable(acme, "admin")
        assert.strictEqual(yield* next, "note a,b")
        yield* eventually(
          "processed",
          Effect.map(unprocessed, (n) => n === 0)
        )
      }).pipe(Effect.provide(process({}, gathering), { local: true }))
    }).pipe(Effect.provide(world))
  )

  it.live(
    "what is stored for a tenant that is removed or never was is done with, and nothing is made of it",
    () =>
      Effect.gen(function* () {
        const tenants = yield* Tenants
        const { id: acme } = yield* tenants.add({ id: "acme" }, "admin")
        yield* tenants.disable(acme, "admin")
        yield* sendTo(acme, textUpdate(1, "a"), textUpdate(2, "/status"))
        yield* sendTo(TenantId.make("never"), textUpdate(3, "b"))
        yield* tenants.remove(acme, "admin")
        yield* eventually(
          "processed",
          Effect.map(unprocessed, (n) => n === 0)
        )
        yield* send(textUpdate(4, "c"))
        assert.strictEqual(yield* next, "note c")
      }).pipe(Effect.provide(process()), Effect.provide(world))
  )

  it.live(
    "a tenant removed while its messages are collected and its commands run leaves nothing that runs",
    () =>
      Effect.gen(function* () {
        const tenants = yield* Tenants
        const { list } = yield* TaskManager
        const { id: acme } = yield* tenants.add({ id: "acme" }, "admin")
        yield* sendTo(acme, textUpdate(1, "a"))
        yield* eventually(
          "its window is open",
          Effect.map(list, (all) => all.some(({ kind, status }) => kind === "window" && status === "running"))
        )
        yield* tenants.remove(acme, "admin")
        yield* sendTo(acme, textUpdate(2, "/status"))
        yield* eventually(
          "processed",
          Effect.map(unprocessed, (n) => n === 0)
        )
        assert.isFalse((yield* list).some(({ status }) => status === "running" || status === "waiting"))
        assert.strictEqual(yield* Effect.flatMap(Seen, Queue.size), 0)
      }).pipe(Effect.provide(process({}, gathering)), Effect.provide(world))
  )
})
