/** What the tests of the git projection share: the services on a real database and git, and a person at work. */
import { execFileSync } from "node:child_process"
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { NodeServices } from "@effect/platform-node"
import { Effect, Layer, type Scope } from "effect"
import { afterAll } from "vitest"
import type { FileChange, Revision } from "../../../src/domain/Note.ts"
import { Blobs } from "../../../src/knowledge/Blobs.ts"
import { GitProjection, type GitProjectionOptions } from "../../../src/knowledge/GitProjection.ts"
import { Git } from "../../../src/knowledge/git/Git.ts"
import { type KnowledgeBaseKey, RevisionLog } from "../../../src/knowledge/RevisionLog.ts"
import { Lease } from "../../../src/lock/Locks.ts"
import { TestDatabase } from "../../support/Postgres.ts"

export const root = fs.mkdtempSync(join(tmpdir(), "zapiska-git-"))

afterAll(() => fs.rmSync(root, { recursive: true, force: true }))

/** Long enough to tell a file being written from one left alone, short enough for tests. */
export const settle = 60

export const layerWith = (options: Partial<GitProjectionOptions>) =>
  GitProjection.layer({ directory: join(root, "kb"), settle, look: 100, ...options }).pipe(
    Layer.provideMerge(Layer.mergeAll(RevisionLog.layer, Blobs.layer, Git.layer)),
    Layer.provideMerge(Layer.mergeAll(TestDatabase.layer, NodeServices.layer))
  )

export const layer = layerWith({})

/** Follows as the only one there is. */
export const asSole = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.provideService(effect, Lease, Lease.sole)

/** A lease whose holder never learns that it is over. */
export const trusting = (fence: number) => Lease.of({ ...Lease.sole, fence })

export const temporary = (name: string): Effect.Effect<string, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => fs.mkdtempSync(join(root, `${name}-`))),
    (path) => Effect.sync(() => fs.rmSync(path, { recursive: true, force: true }))
  )

export const day = Date.UTC(2026, 10, 5, 10)

export type Files = Readonly<Record<string, string | null>>

export const changesOf = Effect.fnUntraced(function* (key: KnowledgeBaseKey, files: Files) {
  const blobs = yield* Blobs
  return yield* Effect.forEach(Object.entries(files), ([path, text]) =>
    Effect.gen(function* () {
      const blob = text === null ? null : yield* blobs.put(key.tenant, new TextEncoder().encode(text))
      return { path, blob, mode: "100644" } satisfies FileChange as FileChange
    })
  )
})

/** Adds a revision of ours to the log. */
export const record = Effect.fnUntraced(function* (
  key: KnowledgeBaseKey,
  files: Files,
  more: Partial<Omit<Revision, "number">> = {}
) {
  const log = yield* RevisionLog
  return yield* log.append(key, {
    kind: "note",
    author: { name: "Anna Példa", email: "anna@example.org" },
    date: day,
    message: `Note ${Object.keys(files)[0]}`,
    files: yield* changesOf(key, files),
    ...more
  })
})

const personal = {
  PATH: process.env.PATH ?? "",
  HOME: join(root, "home"),
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_AUTHOR_NAME: "Pat Person",
  GIT_AUTHOR_EMAIL: "pat@example.org",
  GIT_COMMITTER_NAME: "Pat Person",
  GIT_COMMITTER_EMAIL: "pat@example.org",
  GIT_EDITOR: "true"
}

/** A git of the person's, in their own environment. */
export const git = (directory: string, ...args: ReadonlyArray<string>): string =>
  execFileSync("git", args, {
    cwd: directory,
    env: personal,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"]
  })

/** An editor of the person's. */
export const save = (directory: string, path: string, text: string): void => {
  const full = join(directory, path)
  fs.mkdirSync(dirname(full), { recursive: true })
  fs.writeFileSync(full, text)
}

export const show = (directory: string, path: string): string | undefined =>
  fs.existsSync(join(directory, path)) ? fs.readFileSync(join(directory, path), "utf8") : undefined

export const erase = (directory: string, path: string): void =>
  fs.rmSync(join(directory, path), { recursive: true })

/** Until what the person wrote counts as written. */
export const settled = Effect.sleep(settle * 2)

/** Imports and projects what a person did a moment ago. */
export const projectSettled = Effect.fnUntraced(function* (key: KnowledgeBaseKey) {
  yield* settled
  return yield* (yield* GitProjection).project(key)
})

/** Every file of a working tree with its content, but for git's own. */
export const contentsOf = (directory: string): Record<string, string> => {
  const found: Record<string, string> = {}
  for (const entry of fs.readdirSync(directory, { recursive: true, withFileTypes: true })) {
    const full = join(entry.parentPath, entry.name)
    const path = full.slice(directory.length + 1)
    if (path === ".git" || path.startsWith(".git/") || entry.isDirectory()) continue
    found[path] = entry.isSymbolicLink() ? `-> ${fs.readlinkSync(full)}` : fs.readFileSync(full, "utf8")
  }
  return found
}

/** The repository is sound, clean, and the same as one made of the log anew. */
export const expectSound = Effect.fnUntraced(function* (key: KnowledgeBaseKey) {
  const projection = yield* GitProjection
  const directory = projection.directory(key)
  const fresh = yield* temporary("fresh")
  const made = yield* projection.rebuild(key, fresh)
  const problems: Array<string> = []
  const fsck = git(directory, "fsck", "--strict", "--no-dangling").trim()
  if (fsck !== "") problems.push(`fsck: ${fsck}`)
  const status = git(directory, "status", "--porcelain").trim()
  if (status !== "") problems.push(`status: ${status}`)
  const head = git(directory, "rev-parse", "HEAD").trim()
  if (head !== made.commit) problems.push(`head ${head} is not ${made.commit}`)
  const [here, there] = [contentsOf(directory), contentsOf(fresh)]
  for (const path of new Set([...Object.keys(here), ...Object.keys(there)]))
    if (here[path] !== there[path]) problems.push(`${path}: ${here[path]} is not ${there[path]}`)
  return problems
}, Effect.scoped)

/** Every text the log ever held. */
export const everything = Effect.fnUntraced(function* (key: KnowledgeBaseKey) {
  const log = yield* RevisionLog
  const blobs = yield* Blobs
  const hashes = (yield* log.read(key, 0, 10_000)).flatMap((revision) =>
    revision.files.flatMap(({ blob }) => (blob === null ? [] : [blob]))
  )
  const found = yield* blobs.get(key.tenant, [...new Set(hashes)])
  return [...found.values()].map((bytes) => new TextDecoder().decode(bytes))
})
