/** Finding notes by their words, as Russian or English inflects them. */
import { Effect } from "effect"
import type { SqlClient } from "effect/sql"
import { cleanText } from "./NoteFile.ts"
import { notes } from "./NoteRows.ts"
import type { KnowledgeBaseKey } from "./RevisionLog.ts"

/** More words than anyone types; a pasted page is not a query. */
const most = 30

const wordsIn = (query: string): ReadonlyArray<string> =>
  cleanText(query.slice(0, 2_000))
    .split(/\s+/)
    .filter((word) => word !== "")
    .slice(0, most)

/** Stop words of both languages ask for nothing; a query of nothing else finds nothing. */
export const search = Effect.fnUntraced(function* (
  sql: SqlClient.SqlClient,
  key: KnowledgeBaseKey,
  query: string,
  limit: number
) {
  const words = wordsIn(query)
  if (words.length === 0) return []
  const wanted = sql`(
    SELECT q FROM (
      SELECT plainto_tsquery('russian', w) || plainto_tsquery('english', w) AS q
      FROM unnest(${words}::text[]) AS w
    ) asked WHERE numnode(q) > 0) AS wanted`
  return yield* notes(
    sql,
    key,
    sql`NOT n.removed AND EXISTS (SELECT FROM ${wanted})
      AND NOT EXISTS (SELECT FROM ${wanted} WHERE NOT n.words @@ wanted.q)`,
    sql`ORDER BY (SELECT sum(ts_rank(n.words, wanted.q)) FROM ${wanted}) DESC, n.number DESC LIMIT ${limit}`
  )
})
