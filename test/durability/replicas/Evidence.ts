/** What replicas left behind, judged: by the database, by the notes, by Telegram's side, by the locks. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { PgConnection } from "@effect/sql-pg"
import { Effect } from "effect"
import { Snowflake } from "effect/cluster"
import { defaultKnowledgeBase, type TenantId } from "../../../src/domain/Ids.ts"
import { GitProjection } from "../../../src/knowledge/GitProjection.ts"
import { TestDatabase } from "../../support/Postgres.ts"
import type { Held, Replica, SeenPoll } from "./Cluster.ts"

export const marker = /\bw\d+x\b/g

const few = (all: ReadonlyArray<unknown>): string =>
  `${all.length}: ${JSON.stringify(all.slice(0, 8)).slice(0, 1500)}`

/** A query as the superuser, from whom row-level security hides nothing. */
export const asking = Effect.gen(function* () {
  const { superuser } = yield* TestDatabase
  const connection = yield* PgConnection.make(superuser)
  return <A>(sql: string) =>
    Effect.map(connection.query(sql), ({ rows }) => rows as unknown as ReadonlyArray<A>)
})
export type Ask = Effect.Success<typeof asking>

const freshDirectory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "zapiska-fresh-"))),
  (directory) => Effect.sync(() => rmSync(directory, { recursive: true, force: true }))
)

/** Each message told is in one note of its tenant, and there is nothing else in the notes. */
export const checkNotes = Effect.fnUntraced(function* (tenant: TenantId, told: ReadonlySet<string>) {
  const projection = yield* GitProjection
  const directory = yield* freshDirectory
  yield* projection.rebuild({ tenant, name: defaultKnowledgeBase }, directory)
  const notes = readdirSync(directory, { recursive: true, encoding: "utf8" })
    .filter((path) => /^topics.*\.md$/.test(path))
    .map((path) => readFileSync(join(directory, path), "utf8"))
  const found = new Map<string, number>()
  for (const note of notes) {
    const body = note.replace(/^---\n[\s\S]*?\n---\n/, "").replace(/^\s*# .*\n/, "")
    for (const one of body.match(marker) ?? []) found.set(one, (found.get(one) ?? 0) + 1)
  }
  const missing = [...told].filter((one) => !found.has(one))
  const strange = [...found.keys()].filter((one) => !told.has(one))
  const twice = [...found].filter(([, count]) => count > 1)
  return {
    notes: notes.length,
    problems: [
      ...(missing.length > 0 ? [`${tenant}: messages in no note: ${few(missing)}`] : []),
      ...(strange.length > 0 ? [`${tenant}: in notes, but never told: ${few(strange)}`] : []),
      ...(twice.length > 0 ? [`${tenant}: messages in more than one note: ${few(twice)}`] : [])
    ]
  }
})

/** Nothing is left to do: undefined. `pending`: updates Telegram still has. */
export const left = Effect.fnUntraced(function* (ask: Ask, pending: number) {
  const [row] = yield* ask<{ messages: number; answers: number }>(`SELECT
    (SELECT count(*)::int FROM zapiska_engine.cluster_messages
      WHERE NOT processed AND kind = 0 AND deliver_at IS NULL) AS messages,
    (SELECT count(*)::int FROM zapiska.outbox WHERE state IN ('pending', 'sending')) AS answers`)
  const all = { pending, ...row! }
  return Object.values(all).every((count) => count === 0) ? undefined : JSON.stringify(all)
})

/** Every update has had its one effect, and every note its one answer. */
export const checkRows = Effect.fnUntraced(function* (ask: Ask, updates: number, notes: number) {
  const [row] = yield* ask<Record<string, number>>(`SELECT
    (SELECT count(*)::int FROM zapiska_engine.cluster_messages WHERE kind = 0 AND tag = 'Receive') AS received,
    (SELECT count(*)::int FROM zapiska.handled_updates) AS handled,
    (SELECT count(*)::int FROM zapiska.note_members) AS members,
    (SELECT count(*)::int FROM zapiska.outbox WHERE delivery = 'result') AS results,
    (SELECT count(*)::int FROM zapiska.outbox WHERE delivery = 'result' AND state = 'dead') AS dead,
    (SELECT count(*)::int FROM zapiska_engine.cluster_replies r
      JOIN zapiska_engine.cluster_messages m ON m.request_id = r.request_id AND m.tag = 'Receive'
      WHERE r.kind = 0 AND r.payload NOT LIKE '%Success%') AS failures`)
  const wanted = {
    received: updates,
    handled: updates,
    members: updates,
    results: notes,
    dead: 0,
    failures: 0
  }
  return Object.entries(wanted).flatMap(([what, count]) =>
    row![what] === count ? [] : [`${what}: ${row![what]}, not ${count}`]
  )
})

/** When each update that is done was stored and done, Unix milliseconds. */
export const inHand = Effect.fnUntraced(function* (ask: Ask) {
  const rows = yield* ask<{ stored: string; done: string }>(`
    SELECT m.id::text AS stored, r.id::text AS done FROM zapiska_engine.cluster_messages m
    JOIN zapiska_engine.cluster_replies r ON r.request_id = m.request_id
    WHERE m.tag = 'Receive' AND r.kind = 0`)
  const time = (id: string) => Snowflake.timestamp(Snowflake.Snowflake(id))
  return rows.map(({ stored, done }) => ({ stored: time(stored), done: time(done) }))
})

/** Milliseconds from when an update was stored until it was done, the longest first. */
export const waits = (ask: Ask) =>
  Effect.map(inHand(ask), (rows) => rows.map(({ stored, done }) => done - stored).sort((a, b) => b - a))

/** A lock and a poll are seen by the same busy process: by so much what it saw of them may be late. */
const late = 2_000

/** Who polls a bot has its lock, or had it a moment ago. */
export const checkPolls = (
  polls: ReadonlyArray<SeenPoll>,
  held: ReadonlyArray<Held>,
  replicas: ReadonlyArray<Replica>
) => {
  const pids = replicas.map(({ lives }) => new Set(lives.map(({ pid }) => pid)))
  const byBot = Map.groupBy(held, ({ bot }) => bot)
  const stray = polls.filter(
    (poll) =>
      !byBot
        .get(poll.bot)
        ?.some(({ at, pid }) => at > poll.at - late && at < poll.at + late && pids[poll.replica]!.has(pid))
  )
  return stray.length === 0 ? [] : [`polls of who did not have the bot: ${few(stray)}`]
}

/** Milliseconds between two polls of a bot, the longest first. */
export const silences = (polls: ReadonlyArray<SeenPoll>) =>
  [...Map.groupBy(polls, ({ bot }) => bot).values()]
    .flatMap((all) => all.slice(1).map(({ at }, index) => at - all[index]!.at))
    .sort((a, b) => b - a)

/** How often a bot went from one replica to another. */
export const moves = (polls: ReadonlyArray<SeenPoll>) =>
  [...Map.groupBy(polls, ({ bot }) => bot).values()].reduce(
    (sum, all) =>
      sum + all.filter(({ replica }, index) => index > 0 && all[index - 1]!.replica !== replica).length,
    0
  )

/** Units each replica has handled, by its log. */
export const unitsOf = (replicas: ReadonlyArray<Replica>) =>
  replicas.map(({ lives }) =>
    lives.reduce((sum, { output }) => sum + (output().match(/"Unit handled"/g) ?? []).length, 0)
  )
