/**
 * Every call of every bot: when, what, where, and what became of it. For assertions about order and pace; the texts
 * of messages are not in it.
 */
import type { JournalEntry } from "./Views.ts"
import type { World } from "./World.ts"

const kept = 10_000

export type NewEntry = Omit<JournalEntry, "seq">

/** Old entries go a thousand at a time. */
export const record = (world: World, entry: NewEntry) => {
  const { storage } = world
  const row = storage.get<{ seq: number }>(
    "INSERT INTO journal (bot, method, chat, json) VALUES (?, ?, ?, ?) RETURNING seq",
    entry.bot,
    entry.method.toLowerCase(),
    entry.chat ?? null,
    JSON.stringify(entry)
  )
  if (row !== undefined && row.seq % 1000 === 0) {
    storage.run("DELETE FROM journal WHERE seq <= ?", row.seq - kept)
  }
}

export interface Query {
  readonly bot: number
  readonly after?: number
  readonly method?: string
  readonly chat?: number
  readonly limit?: number
}

export const read = (world: World, query: Query): ReadonlyArray<JournalEntry> =>
  world.storage
    .all<{ seq: number; json: string }>(
      `SELECT seq, json FROM journal WHERE bot = ? AND seq > ? AND (? IS NULL OR method = ?) AND (? IS NULL OR chat = ?)
       ORDER BY seq LIMIT ?`,
      query.bot,
      query.after ?? 0,
      query.method?.toLowerCase() ?? null,
      query.method?.toLowerCase() ?? null,
      query.chat ?? null,
      query.chat ?? null,
      query.limit ?? kept
    )
    .map(({ seq, json }) => ({ ...JSON.parse(json), seq }))
