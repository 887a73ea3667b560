/**
 * Projecting a knowledge base of many small notes into an empty repository, and then revisions one by one
 * into the full one.
 */
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Clock, Effect, Layer } from "effect"
import { KnowledgeBaseName, TenantId } from "../src/domain/Ids.ts"
import { Blobs } from "../src/knowledge/Blobs.ts"
import { GitProjection } from "../src/knowledge/GitProjection.ts"
import { type KnowledgeBaseKey, RevisionLog } from "../src/knowledge/RevisionLog.ts"
import { TenantScope } from "../src/store/TenantScope.ts"

export interface ProjectionFigures {
  readonly revisions: number
  readonly revisionsPerSecond: number
  /** Of the whole repository without its working tree. */
  readonly bytes: number
  /** From a revision's database commit to its commit, files and index; milliseconds. */
  readonly oneByOneP50: number
  readonly oneByOneP95: number
}

const dayMs = 86_400_000
const start = Date.UTC(2025, 0, 1)

/** About 1 KB of words; many words repeat between notes, as in life. */
const words = (number: number): string =>
  Array.from({ length: 150 }, (_, index) => `word${(number * 7919 + index * index * 31) % 9973}`).join(" ")

const noteOf = (number: number) => {
  const date = new Date(start + (number % 600) * dayMs).toISOString()
  const [month, day] = [date.slice(0, 7), date.slice(8, 10)]
  return {
    date: start + number * 60_000,
    path: `topics/${["inbox", "work", "home", "ideas", "reading"][number % 5]}/${month}/${day}-note-${number}.md`,
    text: `---\nid: ${number}\ntitle: Note ${number}\ncreated: ${date}\n---\n\n${words(number)}\n`
  }
}

/** Adds the numbered notes, many in a transaction. */
const record = Effect.fnUntraced(function* (key: KnowledgeBaseKey, from: number, count: number) {
  const scope = yield* TenantScope
  const log = yield* RevisionLog
  const blobs = yield* Blobs
  const one = Effect.fnUntraced(function* (number: number) {
    const { date, path, text } = noteOf(number)
    const blob = yield* blobs.put(key.tenant, new TextEncoder().encode(text))
    const author = { name: "Zapiska", email: "zapiska@localhost" }
    const files = [{ path, blob, mode: "100644" as const }]
    yield* log.append(key, { kind: "note", author, date, message: `Note ${number}`, files })
  })
  for (let at = from; at < from + count; at += 500)
    yield* scope.transaction(key.tenant, () =>
      Effect.forEach(
        Array.from({ length: Math.min(500, from + count - at) }, (_, index) => at + index),
        one,
        { discard: true }
      )
    )
})

const sizeOf = (folder: string): number =>
  fs
    .readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + fs.statSync(join(entry.parentPath, entry.name)).size, 0)

const percentile = (values: ReadonlyArray<number>, share: number): number =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? 0

/** Needs the tenant `default`. Leaves its revisions in a knowledge base of their own. */
export const projection = Effect.fn("bench.projection")(function* (options: {
  readonly revisions: number
  readonly oneByOne: number
}) {
  const directory = yield* Effect.acquireRelease(
    Effect.sync(() => fs.mkdtempSync(join(tmpdir(), "zapiska-bench-"))),
    (path) => Effect.sync(() => fs.rmSync(path, { recursive: true, force: true }))
  )
  return yield* Effect.gen(function* () {
    const now = yield* Clock.currentTimeMillis
    const key = { tenant: TenantId.make("default"), name: KnowledgeBaseName.make(`bench-${now}`) }
    const git = yield* GitProjection
    yield* record(key, 0, options.revisions)
    const begin = yield* Clock.monotonicTimeNanos
    yield* git.project(key)
    const seconds = Number((yield* Clock.monotonicTimeNanos) - begin) / 1e9
    const bytes = sizeOf(`${git.directory(key)}/.git`)
    const times: Array<number> = []
    for (let number = 0; number < options.oneByOne; number += 1) {
      yield* record(key, options.revisions + number, 1)
      const before = yield* Clock.monotonicTimeNanos
      yield* git.project(key)
      times.push(Number((yield* Clock.monotonicTimeNanos) - before) / 1e6)
    }
    return {
      revisions: options.revisions,
      revisionsPerSecond: options.revisions / seconds,
      bytes,
      oneByOneP50: percentile(times, 0.5),
      oneByOneP95: percentile(times, 0.95)
    } satisfies ProjectionFigures
  }).pipe(Effect.provide(GitProjection.layer({ directory }).pipe(Layer.fresh)))
}, Effect.scoped)
