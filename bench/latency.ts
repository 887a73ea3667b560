/**
 * How long a person waits once their window closes, while ten of them finish a note each second: until the note is
 * durable, until Telegram has the answer, until the commit is there.
 *
 * Nothing in the program is asked: a window closes by its rules 2 s after its last update was stored, a note is
 * durable when the log is at its revision, looked at on each of the database's signals, the answer is in the
 * emulator's journal, and the commit in the branch of the repository, looked at every 5 ms.
 */
import { execFileSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { Clock, Effect, Queue } from "effect"
import { BotApiEmulator } from "../src/sandbox/Control.ts"
import { listener, Product, pending, people, sentence } from "./Product.ts"

export interface LatencyFigures {
  readonly notes: number
  /** Milliseconds, one for each note. */
  readonly durable: ReadonlyArray<number>
  readonly answered: ReadonlyArray<number>
  readonly committed: ReadonlyArray<number>
}

export const window = { NOTE_WINDOW: "2 seconds" }
const quiet = 2_000
const perNote = 3
const notesASecond = 10

/** The first ones find a program that was just started. */
const warm = 50

const refOf = (repository: string): string | undefined => {
  try {
    return readFileSync(join(repository, ".git/refs/heads/main"), "utf8").trim()
  } catch {
    return undefined
  }
}

/** When each commit of the branch was first seen. */
const watch = Effect.fnUntraced(function* (repository: string, seen: Map<string, number>) {
  while (true) {
    const commit = refOf(repository)
    if (commit !== undefined && !seen.has(commit)) seen.set(commit, yield* Clock.currentTimeMillis)
    yield* Effect.sleep("5 millis")
  }
})

/** The revisions of the branch, oldest first, each with the time it could first be seen. */
const visibleAt = (repository: string, seen: ReadonlyMap<string, number>): ReadonlyMap<number, number> => {
  const format = "%H %(trailers:key=Zapiska-Revision,valueonly,separator=%x2C)"
  const lines = execFileSync("git", ["-C", repository, "log", `--format=${format}`, "main"], {
    encoding: "utf8",
    maxBuffer: 1 << 28
  })
  const visible = new Map<number, number>()
  let at: number | undefined
  // From the newest back: what was not seen itself was there when its successor was.
  for (const line of lines.trim().split("\n")) {
    const [commit = "", revision] = line.split(" ")
    at = seen.get(commit) ?? at
    if (revision !== undefined && at !== undefined) visible.set(Number(revision), at)
  }
  return visible
}

export const latency = Effect.fn("bench.latency")(function* (options: { readonly notes: number }) {
  const emulator = yield* BotApiEmulator
  const { sql, dataDir } = yield* Product
  const repository = join(dataDir, "kb/default/notes")
  const persons = options.notes + warm
  yield* people(1, persons)

  /** By revision. */
  const durableAt: Array<number> = []
  const signals = yield* listener("zapiska_revisions")
  const look = Effect.gen(function* () {
    yield* Queue.take(signals)
    const [base] = yield* sql<{ head: number }>`SELECT head::int AS head FROM zapiska.knowledge_bases`
    const now = yield* Clock.currentTimeMillis
    while (durableAt.length < (base?.head ?? 0)) durableAt.push(now)
  })
  yield* Effect.forkScoped(Effect.forever(look))
  const seen = new Map<string, number>()
  yield* Effect.forkScoped(watch(repository, seen))

  const begin = yield* Clock.currentTimeMillis
  for (let person = 1; person <= persons; person++) {
    yield* emulator.feed({
      messages: Array.from({ length: perNote }, (_, nth) => sentence(person, nth))
    })
    const due = begin + (person * 1000) / notesASecond
    yield* Effect.sleep(Math.max(0, due - (yield* Clock.currentTimeMillis)))
  }
  while ((yield* pending) > 0 || durableAt.length < persons) yield* Effect.sleep("100 millis")
  yield* Effect.sleep("3 seconds")

  const closings = yield* sql<{ chat: string; closed: number }>`
    SELECT split_part(entity_id, '/', 3) AS chat,
      max((((payload::jsonb ->> 'update')::jsonb) ->> 'receivedAt')::float8) + ${quiet}::float8 AS closed
    FROM zapiska_engine.cluster_messages WHERE entity_type = 'Conversation' GROUP BY 1`
  const notes = yield* sql<{ chat: string; number: number }>`
    SELECT DISTINCT m.chat_id::text AS chat, n.number::int AS number
    FROM zapiska.notes n JOIN zapiska.note_members m USING (tenant_id, kb, note_id)`
  const answers = new Map(
    (yield* emulator.journal({ method: "editMessageText" })).map(({ chat, endedAt }) => [
      String(chat),
      endedAt
    ])
  )
  const visible = visibleAt(repository, seen)
  const closed = new Map(closings.map((row) => [row.chat, row.closed]))
  const measured = notes.filter(({ chat }) => Number(chat) > warm)
  const after = (timeOf: (note: (typeof notes)[number]) => number | undefined) =>
    measured.flatMap((note) => {
      const at = timeOf(note)
      return at === undefined ? [] : [at - closed.get(note.chat)!]
    })
  return {
    notes: measured.length,
    durable: after(({ number }) => durableAt[number - 1]),
    answered: after(({ chat }) => answers.get(chat)),
    committed: after(({ number }) => visible.get(number))
  } satisfies LatencyFigures
}, Effect.scoped)
