/**
 * A broadcast through the whole assistant, killed with -9 again and again while it sends, on a database and a
 * Telegram with strict limits that outlive it.
 */
import { PgConnection } from "@effect/sql-pg"
import { assert } from "@effect/vitest"
import { Clock, Console, Context, Effect, Layer, Random } from "effect"
import { Address } from "../../src/domain/Address.ts"
import { plain } from "../../src/domain/FormattedText.ts"
import { BotId, ChatId, defaultApp, defaultTenant } from "../../src/domain/Ids.ts"
import { BotApiEmulator } from "../../src/sandbox/Control.ts"
import type { JournalEntry } from "../../src/sandbox/Views.ts"
import { TenantScope } from "../../src/store/TenantScope.ts"
import { BotPort } from "../../src/telegram/BotPort.ts"
import { Outbox, type OutboxEntry } from "../../src/telegram/Outbox.ts"
import { Pacer } from "../../src/telegram/Pacer.ts"
import { type Application, eventually, launch, ready, temporaryDirectory } from "../support/Application.ts"
import { botApi, calling, emulatorLayer } from "../support/emulator.ts"
import { TestDatabase } from "../support/Postgres.ts"
import { secretsKey, urlOf } from "../support/TestServer.ts"
import {
  checkLimits,
  checkOrder,
  checkParks,
  checkRows,
  type Ending,
  listen,
  type Row
} from "../telegram/interleavings/Evidence.ts"

export interface Broadcast {
  readonly seed: number
  readonly rows: number
  readonly chats: number
  readonly kills: number
}

/** Milliseconds until a busy process has read an answer. */
const underway = 1_500

/** The places between a claim and its mark. */
const failpoints = ["claimed", "sent", "settled"] as const

/** People who started the bot before anybody listened. */
const audience = Effect.fnUntraced(function* (count: number) {
  const emulator = yield* BotApiEmulator
  const api = yield* botApi
  const people = yield* Effect.forEach(Array.from({ length: count }), (_, index) =>
    emulator.createUser({ firstName: `Person ${index}` })
  )
  for (const { id } of people) yield* emulator.start({ user: id })
  // Confirmed: the assistant has nothing to answer.
  yield* calling(() => api.getUpdates({ offset: -1 }))
  const [last] = yield* calling(() => api.getUpdates({ offset: -1 }))
  if (last !== undefined) yield* calling(() => api.getUpdates({ offset: last.update_id + 1, timeout: 0 }))
  return people.map(({ id }) => id)
})

const enqueue = Effect.fnUntraced(function* (entries: ReadonlyArray<OutboxEntry>) {
  const desk = yield* Layer.build(
    Outbox.layer.pipe(Layer.provide(BotPort.layerRecording), Layer.provide(Pacer.layer))
  )
  const outbox = Context.get(desk, Outbox)
  for (let at = 0; at < entries.length; at += 500) {
    yield* outbox.enqueue(defaultTenant, entries.slice(at, at + 500))
  }
})

const play = Effect.fnUntraced(function* (broadcast: Broadcast) {
  const emulator = yield* BotApiEmulator
  const scope = yield* TenantScope
  const dataDir = yield* temporaryDirectory
  const env = { DATABASE_URL: urlOf((yield* TestDatabase).owner), SECRETS_KEY: secretsKey }
  const chats = yield* audience(broadcast.chats)
  const { happened } = yield* listen

  const journal: Array<JournalEntry> = []
  const read = Effect.gen(function* () {
    const more = yield* emulator.journal({ after: journal.at(-1)?.seq ?? 0 })
    journal.push(...more)
  })
  const ask = <A extends object>(where: string) =>
    scope.transaction(
      defaultTenant,
      (sql) => sql<A>`SELECT id::int AS id, key, chat_id::float8 AS chat, thread_id::float8 AS thread,
        delivery, state, error, action::jsonb #>> '{content,text,text}' AS text
        FROM outbox WHERE key LIKE 'broadcast %' AND ${sql.literal(where)} ORDER BY id`
    )
  const open = Effect.map(ask<Row>("state IN ('pending', 'sending')"), ({ length }) => length)

  yield* enqueue(
    Array.from(
      { length: broadcast.rows },
      (_, nth): OutboxEntry => ({
        address: new Address({
          tenant: defaultTenant,
          app: defaultApp,
          chat: ChatId.make(chats[nth % chats.length]!)
        }),
        botId: BotId.make(emulator.bot.id),
        key: `broadcast ${nth}`,
        delivery: nth % 3 === 0 ? "chatter" : "result",
        urgency: "broadcast",
        action: { _tag: "Send", content: { _tag: "Text", text: plain(`broadcast ${nth}`) } }
      })
    )
  )

  // Every twentieth has had enough of the bot.
  const closed = new Set(chats.filter((_, index) => index % 20 === 7))
  for (const user of closed) yield* emulator.block({ user })

  const endings: Array<Ending> = []
  const killed = new Map<number, number>()
  const problems: Array<string> = []

  /** The rows it was sending, once what it had begun to commit is committed or not. */
  const decided = Effect.gen(function* () {
    const connection = yield* PgConnection.make((yield* TestDatabase).superuser)
    const working = Effect.map(
      connection.queryValues(
        `SELECT count(*)::int FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'`
      ),
      ([row]) => Number(row![0])
    )
    let last: string | undefined
    let rows: ReadonlyArray<Row> = []
    yield* eventually(
      "what it was committing is decided",
      Effect.gen(function* () {
        yield* Effect.sleep("100 millis")
        if ((yield* working) > 0) return false
        rows = yield* ask<Row>("state = 'sending'")
        const now = JSON.stringify(rows)
        const same = now === last
        last = now
        return same
      })
    )
    return rows
  }).pipe(Effect.scoped)

  const fallen = Effect.gen(function* () {
    endings.push({ at: yield* Clock.currentTimeMillis, how: "killed" })
    for (const { id } of yield* decided) killed.set(id, (killed.get(id) ?? 0) + 1)
    if ((yield* open) === 0) problems.push(`kill ${endings.length} came after the broadcast`)
    yield* read
  })

  /** At a named place, or at a random instant after so many rows have ended. */
  const life = Effect.fnUntraced(function* (nth: number) {
    const named = yield* Random.nextBoolean
    const at = yield* Random.nextIntBetween(0, failpoints.length - 1)
    const count = yield* Random.nextIntBetween(1, 12)
    const delay = yield* Random.nextIntBetween(0, 200)
    const left = broadcast.rows - Math.floor((broadcast.rows * nth) / (broadcast.kills + 1))
    const application = yield* launch({
      dataDir,
      emulator,
      env,
      ...(named ? { failpoint: { name: failpoints[at]!, count } } : {})
    })
    if (named) {
      const { signal, code } = yield* application.ended
      if (signal !== "SIGKILL") problems.push(`life ${nth} ended with ${code}\n${application.output()}`)
    } else {
      yield* ready(application)
      yield* eventually(
        "enough is sent",
        Effect.map(open, (count) => count <= left),
        {
          seconds: 120,
          detail: application.output
        }
      )
      yield* Effect.sleep(delay)
      yield* application.signal("SIGKILL")
    }
    yield* fallen
  })

  const finish = Effect.fnUntraced(function* (application: Application) {
    yield* ready(application)
    yield* eventually(
      "everything has ended",
      Effect.map(open, (count) => count === 0),
      {
        seconds: 600,
        detail: application.output
      }
    )
    yield* application.signal("SIGTERM")
  })

  for (let nth = 1; nth <= broadcast.kills; nth++) yield* Effect.scoped(life(nth))
  yield* Effect.scoped(Effect.flatMap(launch({ dataDir, emulator, env }), finish))
  yield* read

  const rows = yield* ask<Row>("true")
  const seen = happened(journal)
  return {
    problems: [
      ...problems,
      ...checkRows(rows, seen, { killed: ({ id }) => killed.get(id) ?? 0, closed }),
      ...checkOrder(rows, seen),
      ...checkParks(journal, endings, underway),
      ...checkLimits(journal)
    ],
    figures: {
      rows: rows.length,
      kills: endings.length,
      states: Object.fromEntries(
        [...Map.groupBy(rows, ({ state }) => state)].map(([s, all]) => [s, all.length])
      ),
      messages: seen.filter(({ method }) => method === "send").length,
      inDoubt: killed.size
    }
  }
})

/** Fails with everything that is not as promised. */
export const prove = (broadcast: Broadcast): Effect.Effect<void, unknown> =>
  Effect.gen(function* () {
    yield* Console.log(`broadcast: DURABILITY_SEED=${broadcast.seed}`)
    const { problems, figures } = yield* Random.withSeed(play(broadcast), broadcast.seed)
    yield* Console.log(`broadcast: ${JSON.stringify(figures)}`)
    assert.deepStrictEqual(problems, [], `seed ${broadcast.seed}`)
    assert.strictEqual(figures.rows, broadcast.rows)
    assert.strictEqual(figures.kills, broadcast.kills)
  }).pipe(
    Effect.provide(Layer.merge(emulatorLayer({ rates: "telegram" }), TestDatabase.layer)),
    Effect.scoped
  )
