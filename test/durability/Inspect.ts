/**
 * What an assistant left behind, looked at from outside: the repository as its owner sees it, the chats as
 * people see them, the rows of the database.
 */
import { execFileSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { NodeServices } from "@effect/platform-node"
import { PgConnection } from "@effect/sql-pg"
import { Effect, Layer, Redacted } from "effect"
import { defaultKnowledgeBase, defaultTenant } from "../../src/domain/Ids.ts"
import { Blobs } from "../../src/knowledge/Blobs.ts"
import { GitProjection } from "../../src/knowledge/GitProjection.ts"
import { RevisionLog } from "../../src/knowledge/RevisionLog.ts"
import { BotApiEmulator } from "../../src/sandbox/Control.ts"
import type { Message } from "../../src/sandbox/Views.ts"
import * as Database from "../../src/store/Database.ts"
import { DataDirLock } from "../../src/store/DataDirLock.ts"
import { LocalPostgres } from "../../src/store/LocalPostgres.ts"
import { parseServerFile } from "../../src/store/PostgresProcess.ts"
import { marker, type Place, type Told } from "./Story.ts"

export interface Inspected {
  readonly dataDir: string
  /** Answers may be repeated where the row knows of its doubt; otherwise never. */
  readonly doubts: "allowed" | "none"
}

export interface Figures {
  readonly seconds: number
  readonly updates: number
  readonly messages: number
  readonly notes: number
  readonly revisions: number
  readonly answers: number
  /** Answers whose fate was unknown for a while, and those of them a person sees twice. */
  readonly doubted: number
  readonly repeated: number
  /** How often the most repeated one is seen. */
  readonly copies: number
}

const knowledgeBase = { tenant: defaultTenant, name: defaultKnowledgeBase }

export const repositoryOf = (dataDir: string) => join(dataDir, "kb", knowledgeBase.tenant, knowledgeBase.name)

const git = (directory: string, ...args: ReadonlyArray<string>): string =>
  execFileSync("git", args, {
    cwd: directory,
    env: { PATH: process.env.PATH, HOME: "/nonexistent", GIT_CONFIG_NOSYSTEM: "1" },
    encoding: "utf8",
    maxBuffer: 1 << 28,
    stdio: ["ignore", "pipe", "ignore"]
  })

/** A query as the superuser, from whom row-level security hides nothing. */
type Ask = (sql: string) => Effect.Effect<ReadonlyArray<Readonly<Record<string, unknown>>>, unknown>

const asking =
  (connection: PgConnection.PgConnection): Ask =>
  (sql) =>
    Effect.map(connection.query(sql), ({ rows }) => rows as never)

/** Pictures told of that the repository does not have. */
const missingPictures = (directory: string, told: Pick<Told, "pictures">): ReadonlyArray<string> => {
  const paths = git(directory, "ls-tree", "-r", "-z", "--name-only", "HEAD").split("\0")
  const found = new Set(paths.flatMap((path) => /^media\/..\/([0-9a-f]{64})\./.exec(path)?.slice(1) ?? []))
  return [...told.pictures()].filter((hash) => !found.has(hash))
}

/**
 * Waits until nothing is left to do; what still is when it never happens. `pending`: updates not taken yet. A
 * file that could not be fetched or kept is tried again after 5, 15, 60 and 300 seconds.
 */
export const atRest = Effect.fnUntraced(function* (
  dataDir: string,
  pending: Effect.Effect<number, unknown>,
  told: Pick<Told, "pictures">
) {
  const home = join(dataDir, "db")
  const look = Effect.scoped(
    Effect.gen(function* () {
      const server = parseServerFile(readFileSync(join(home, "data", "postmaster.pid"), "utf8"))!
      const ask = asking(
        yield* PgConnection.make({
          host: server.socketDirectory,
          port: server.port,
          database: "zapiska",
          username: "postgres",
          password: Redacted.make(readFileSync(join(home, "password"), "utf8").trim())
        })
      )
      const [row] = yield* ask(`
        SELECT
          (SELECT count(*)::int FROM zapiska_engine.cluster_messages
            WHERE NOT processed AND kind = 0 AND deliver_at IS NULL) AS messages,
          (SELECT count(*)::int FROM zapiska.outbox WHERE state IN ('pending', 'sending')) AS answers,
          (SELECT COALESCE(max(head), 0)::int FROM zapiska.knowledge_bases) AS head`)
      const updates = yield* pending
      const projected = Number(git(repositoryOf(dataDir), "rev-list", "--count", "HEAD"))
      const left = {
        updates,
        messages: row!.messages,
        answers: row!.answers,
        revisions: Number(row!.head) - projected,
        pictures: missingPictures(repositoryOf(dataDir), told).length
      }
      return Object.values(left).every((count) => count === 0) ? undefined : JSON.stringify(left)
    })
  ).pipe(Effect.catchCause((cause) => Effect.succeed(String(cause))))
  let left: string | undefined
  let quiet = 0
  for (let tries = 0; tries < 2400; tries += 1) {
    left = yield* look
    quiet = left === undefined ? quiet + 1 : 0
    if (quiet === 3) return undefined
    yield* Effect.sleep("250 millis")
  }
  return left
})

/** The text of a note file below its front matter and its first heading. */
const bodyOf = (file: string): string => file.replace(/^---\n[\s\S]*?\n---\n/, "").replace(/^\s*# .*\n/, "")

const counted = (all: Iterable<string>): ReadonlyMap<string, number> => {
  const counts = new Map<string, number>()
  for (const one of all) counts.set(one, (counts.get(one) ?? 0) + 1)
  return counts
}

const few = (all: ReadonlyArray<unknown>): string =>
  `${all.length}: ${JSON.stringify(all.slice(0, 8)).slice(0, 1500)}`

/** The notes at HEAD: each marker once and in its newest form, each picture there. */
const checkNotes = (directory: string, told: Told) => {
  const problems: Array<string> = []
  const paths = git(directory, "ls-tree", "-r", "-z", "--name-only", "HEAD").split("\0")
  const notes = paths.filter((path) => /^topics.*\.md$/.test(path))
  const files = new Map(notes.map((path) => [path, readFileSync(join(directory, path), "utf8")]))
  const found = counted([...files.values()].flatMap((file) => bodyOf(file).match(marker) ?? []))
  const expected = told.markers()
  const missing = [...expected].filter((one) => !found.has(one))
  const strange = [...found.keys()].filter((one) => !expected.has(one))
  const twice = [...found].filter(([, count]) => count > 1)
  if (missing.length > 0) problems.push(`messages in no note: ${few(missing)}`)
  if (strange.length > 0) problems.push(`old versions in notes: ${few(strange)}`)
  if (twice.length > 0) problems.push(`messages in notes more than once: ${few(twice)}`)
  const lost = missingPictures(directory, told)
  if (lost.length > 0) problems.push(`pictures not in the repository: ${few(lost)}`)
  const ids = [...files.values()].map((file) => /^id: "?(\w+)"?$/m.exec(file)?.[1] ?? "?")
  return { problems, ids }
}

interface Row {
  readonly id: number
  readonly chat: number
  readonly key: string
  readonly delivery: string
  readonly state: string
  readonly attempts: number
  readonly message: number | null
  readonly text: string
}

/** The note an answer is about: what can be opened and taken back was saved. */
const noteShown = (message: Message): string | undefined => {
  const data = message.buttons.flat().map((button) => button.data ?? "")
  return data.some((one) => one.startsWith("undo:"))
    ? data.flatMap((one) => /^open:-?\d+:(\w+)$/.exec(one)?.[1] ?? [])[0]
    : undefined
}

/** What the bot said, as people see it now, against what it was to say. */
const checkAnswers = (
  campaign: Inspected,
  rows: ReadonlyArray<Row>,
  messages: ReadonlyArray<Message>,
  ids: ReadonlyArray<string>,
  told: Told
) => {
  const problems: Array<string> = []
  const unsettled = rows.filter(({ state }) => state !== "sent" && state !== "unknown" && state !== "dead")
  if (unsettled.length > 0) problems.push(`answers not settled: ${few(unsettled)}`)
  // One that several kills in a row hit is given up in the end; somebody saw it all the same.
  const seen = new Set(messages.map(({ chat, text }) => `${chat} ${text}`))
  const lost = rows.filter(
    ({ chat, delivery, state, text }) =>
      delivery === "result" && state !== "sent" && !(state === "unknown" && seen.has(`${chat} ${text}`))
  )
  if (lost.length > 0) problems.push(`results nobody saw: ${few(lost)}`)

  const doubted = rows.filter(({ attempts, state }) => state === "unknown" || attempts > 1)
  const owned = new Set(rows.map(({ chat, message }) => `${chat}/${message}`))
  const extras = messages.filter(({ chat, id }) => !owned.has(`${chat}/${id}`))
  // Once more for each time its fate was unknown, and no more.
  const allowance = new Map(
    doubted.map((row) => [row, row.state === "sent" ? row.attempts - 1 : row.attempts])
  )
  for (const extra of extras) {
    const [row, left] =
      [...allowance].find(([one, left]) => left > 0 && one.chat === extra.chat && one.text === extra.text) ??
      []
    if (row === undefined || left === undefined)
      problems.push(`a message nobody doubted is repeated: ${extra.chat} ${extra.text}`)
    else allowance.set(row, left - 1)
  }
  const repeated = extras.filter((extra) =>
    doubted.some((one) => one.chat === extra.chat && one.text === extra.text && one.delivery === "result")
  ).length
  if (campaign.doubts === "none" && (extras.length > 0 || doubted.length > 0)) {
    problems.push(`repeats ${few(extras.map(({ text }) => text))}; doubts ${few(doubted)}`)
  }
  const collecting = messages.filter(
    ({ buttons, chat, id }) =>
      owned.has(`${chat}/${id}`) && buttons.flat().some(({ data }) => data?.startsWith("done:"))
  )
  if (collecting.length > 0)
    problems.push(`still said to be collected: ${few(collecting.map(({ id }) => id))}`)
  const here = new Set(messages.map(({ chat, id }) => `${chat}/${id}`))
  const vanished = rows.filter(
    ({ chat, message, state }) => state === "sent" && !here.has(`${chat}/${message}`)
  )
  if (vanished.length > 0) problems.push(`sent answers nobody sees: ${few(vanished)}`)

  const shown = counted(
    messages.filter((one) => owned.has(`${one.chat}/${one.id}`)).flatMap((one) => noteShown(one) ?? [])
  )
  const anyhow = new Set(messages.flatMap((one) => noteShown(one) ?? []))
  const silent = ids.filter((id) => !anyhow.has(id))
  if (silent.length > 0) problems.push(`notes without an answer: ${few(silent)}`)
  const commands = rows.filter(({ key }) => /^command:\d+$/.test(key)).length
  const { always, perhaps } = told.commands()
  if (commands < always || commands > always + perhaps) {
    problems.push(`${always} to ${always + perhaps} commands, but ${commands} answers to commands`)
  }
  const units = rows.filter(({ key, state }) => key.startsWith("unit:") && state === "sent").length
  const notes = [...shown.values()].reduce((sum, count) => sum + count, 0)
  if (units !== notes) problems.push(`${units} results about notes, but ${notes} of them are seen`)
  const copies = Math.max(
    1,
    ...[...allowance].map(([row, left]) => row.attempts + (row.state === "sent" ? 0 : 1) - left)
  )
  return { problems, doubted: doubted.length, repeated, copies, answers: messages.length }
}

const checkRows = Effect.fnUntraced(function* (ask: Ask, told: Told) {
  const problems: Array<string> = []
  const expect = (what: string, actual: unknown, wanted: unknown) => {
    if (actual !== wanted) problems.push(`${what}: ${actual}, not ${wanted}`)
  }
  const [row] = yield* ask(`
    SELECT
      (SELECT count(*)::int FROM zapiska_engine.cluster_messages
        WHERE NOT processed AND kind = 0 AND tag = 'Receive') AS unprocessed,
      (SELECT count(*)::int FROM zapiska_engine.cluster_messages WHERE kind = 0 AND tag = 'Receive') AS received,
      (SELECT count(*)::int FROM zapiska.handled_updates) AS handled,
      (SELECT head::int FROM zapiska.knowledge_bases) AS head,
      (SELECT count(*)::int FROM zapiska.revisions) AS revisions,
      (SELECT max(number)::int FROM zapiska.revisions) AS last,
      (SELECT count(*)::int FROM zapiska.notes WHERE NOT removed) AS notes,
      (SELECT count(*)::int FROM zapiska.note_members) AS members,
      (SELECT count(*)::int FROM zapiska_engine.cluster_replies r
        JOIN zapiska_engine.cluster_messages m ON m.request_id = r.request_id AND m.tag = 'Receive'
        WHERE r.kind = 0 AND r.payload NOT LIKE '%Success%') AS failures`)
  const found = row as Record<string, number>
  expect("updates left in conversations", found.unprocessed, 0)
  expect("updates that failed for good", found.failures, 0)
  expect("handled updates", found.handled, found.received)
  if (found.received! < told.updates()) {
    problems.push(`${told.updates()} updates sent, only ${found.received} stored`)
  }
  expect("revisions", found.revisions, found.head)
  expect("the last revision", found.last, found.head)
  expect("messages of notes", found.members, told.markers().size)
  return { problems, notes: found.notes!, head: found.head! }
})

const actionText = (action: string): string => JSON.parse(action).content?.text?.text ?? ""

/** The stopped assistant's DATA_DIR, opened with its own services. */
const opened = (dataDir: string) => {
  const database = Database.layer({
    secretsKey: Redacted.make(readFileSync(join(dataDir, "secrets.key"), "utf8").trim())
  }).pipe(Layer.provideMerge(LocalPostgres.layer()), Layer.provide(DataDirLock.layer({ dataDir })))
  return GitProjection.layer({ directory: join(dataDir, "kb") }).pipe(
    Layer.provide(Layer.mergeAll(RevisionLog.layer, Blobs.layer)),
    Layer.provideMerge(database),
    Layer.provide(NodeServices.layer)
  )
}

const freshDirectory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "zapiska-fresh-"))),
  (directory) => Effect.sync(() => rmSync(directory, { recursive: true, force: true }))
)

/** Everything that was promised of a stopped assistant, and some figures. */
export const inspect = Effect.fnUntraced(function* (
  campaign: Inspected,
  places: ReadonlyArray<Place>,
  told: Told
) {
  const { dataDir } = campaign
  const telegram = yield* BotApiEmulator
  const directory = repositoryOf(dataDir)
  const chats = [...new Set(places.map(({ chat }) => chat))]
  const messages = (yield* Effect.forEach(chats, (chat) => telegram.messages({ chat, limit: 100_000 })))
    .flat()
    .filter(({ from }) => from.isBot)

  return yield* Effect.gen(function* () {
    const { superuser } = yield* LocalPostgres
    const projection = yield* GitProjection
    const ask = asking(yield* PgConnection.make({ ...superuser, database: "zapiska" }))
    const rows = (yield* ask(`
      SELECT id::int, chat_id::float8 AS chat, key, delivery, state, attempts, message_id::int AS message, action
      FROM zapiska.outbox ORDER BY id`)).map(
      (row) => ({ ...row, text: actionText(String(row.action)), action: undefined }) as unknown as Row
    )
    const fresh = yield* projection.rebuild(knowledgeBase, yield* freshDirectory)
    const problems: Array<string> = []
    const fsck = git(directory, "fsck", "--strict", "--no-dangling").trim()
    if (fsck !== "") problems.push(`git fsck: ${fsck}`)
    const status = git(directory, "status", "--porcelain").trim()
    if (status !== "") problems.push(`git status: ${status}`)
    const head = git(directory, "rev-parse", "HEAD").trim()
    if (head !== fresh.commit) problems.push(`HEAD is ${head}, a fresh projection ${fresh.commit}`)
    const branch = git(directory, "symbolic-ref", "HEAD").trim()
    if (branch !== "refs/heads/main") problems.push(`HEAD is at ${branch}`)
    const notes = checkNotes(directory, told)
    const answers = checkAnswers(campaign, rows, messages, notes.ids, told)
    const state = yield* checkRows(ask, told)
    if (state.notes !== notes.ids.length) {
      problems.push(`${state.notes} notes in the database, ${notes.ids.length} in the repository`)
    }
    return {
      problems: [...problems, ...notes.problems, ...answers.problems, ...state.problems],
      figures: {
        updates: told.updates(),
        messages: told.markers().size,
        notes: state.notes,
        revisions: state.head,
        answers: answers.answers,
        doubted: answers.doubted,
        repeated: answers.repeated,
        copies: answers.copies
      }
    }
  }).pipe(Effect.provide(opened(dataDir)), Effect.scoped)
})
