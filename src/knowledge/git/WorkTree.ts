/**
 * The working tree as a copy of a commit: what differs from it, and how it becomes a copy of the next one
 * without overwriting anything that is not known to the log.
 */
import * as fs from "node:fs/promises"
import { Effect, Stream } from "effect"
import type { SqlError } from "effect/sql"
import type { Authority } from "./Authority.ts"
import { disk, type Observed, observe, ownFolder, put, putNew, remove, smallFile } from "./Disk.ts"
import { Git, linesOf, type Repository } from "./Git.ts"
import { asMode, parseBatch, parseChanges, parseStatus, type TreeChange, type TreeEntry } from "./Tree.ts"

/** Contents are read from git in groups of about this many bytes. */
const groupBytes = 16 * 1024 * 1024
/** Files put at the same time. */
const atOnce = 16
/** New small files put before anybody else gets a turn: some milliseconds. */
const inOneTurn = 32

const encoder = new TextEncoder()
const decoder = new TextDecoder()
export interface CheckoutOptions {
  readonly changes: ReadonlyArray<TreeChange>
  /** Paths that stay as they are: files of a person that cannot be part of the log. */
  readonly leave: ReadonlySet<string>
  /** A deletion by hand that gives way to what the log did to the file since. */
  readonly restore: ReadonlySet<string>
  /** Whether the log ever held this content at this path since the working tree was last in step. */
  readonly known: (path: string, content: Observed) => Effect.Effect<boolean, SqlError.SqlError>
  /** Whether we may still write here. */
  readonly check: Authority["check"]
}

const same = (seen: Observed, entry: TreeEntry | undefined): boolean =>
  entry === undefined
    ? seen.kind === "missing"
    : seen.kind === "file" && seen.oid === entry.oid && seen.mode === entry.mode

export const makeWorkTree = Effect.gen(function* () {
  const git = yield* Git

  /** The difference of two trees, file by file. */
  const difference = (repository: Repository, before: string, after: string) =>
    before === after
      ? Effect.succeed([])
      : Effect.map(
          git.bytes(repository, [
            "diff-tree",
            "-r",
            "-z",
            "--raw",
            "--no-renames",
            "--end-of-options",
            before,
            after
          ]),
          parseChanges
        )

  const sizes = Effect.fnUntraced(function* (repository: Repository, oids: ReadonlyArray<string>) {
    if (oids.length === 0) return new Map<string, number>()
    const out = yield* git.text(repository, ["cat-file", "--batch-check"], { input: linesOf(oids) })
    return new Map(
      out
        .trimEnd()
        .split("\n")
        .map((line) => {
          const [oid = "", , size = "0"] = line.split(" ")
          return [oid, Number(size) || 0] as const
        })
    )
  })

  const contents = (repository: Repository, oids: ReadonlyArray<string>) =>
    oids.length === 0
      ? Effect.succeed(new Map<string, Uint8Array>() as ReadonlyMap<string, Uint8Array>)
      : Effect.map(git.bytes(repository, ["cat-file", "--batch"], { input: linesOf(oids) }), parseBatch)

  /** Entries in groups whose contents may be in memory together. */
  const grouped = Effect.fnUntraced(function* (repository: Repository, changes: ReadonlyArray<TreeChange>) {
    if (changes.length < 2) return [changes]
    const size = yield* sizes(repository, [...new Set(changes.map((change) => change.after!.oid))])
    const groups: Array<Array<TreeChange>> = []
    let room = 0
    for (const change of changes) {
      const bytes = size.get(change.after!.oid) ?? 0
      if (groups.length === 0 || bytes > room) {
        groups.push([])
        room = groupBytes
      }
      groups.at(-1)!.push(change)
      room -= bytes
    }
    return groups
  })

  const ownIndex = (repository: Repository, commit: string | undefined) =>
    `${ownFolder(repository)}/index-${commit ?? "none"}`
  const nextIndex = (repository: Repository) => `${ownFolder(repository)}/tmp/index`

  /** Our own index of a commit, with what git remembers of the files' times; the person's is theirs. */
  const ensureIndex = Effect.fnUntraced(function* (repository: Repository, commit: string | undefined) {
    const path = ownIndex(repository, commit)
    const there = yield* disk(repository, "looking for our index", () => fs.stat(path)).pipe(
      Effect.as(true),
      Effect.catchIf(
        (error) => error.detail === "ENOENT",
        () => Effect.succeed(false)
      )
    )
    if (there) return path
    const next = nextIndex(repository)
    yield* git.text(repository, ["read-tree", ...(commit === undefined ? ["--empty"] : [commit])], {
      index: next
    })
    yield* disk(repository, "keeping our index", () => fs.rename(next, path))
    return path
  })

  /** What differs from `baseline` in the working tree: edited, deleted, and new files that are not ignored. */
  const scan = Effect.fn("WorkTree.scan")(function* (repository: Repository, baseline: string | undefined) {
    const index = yield* ensureIndex(repository, baseline)
    const out = yield* git.bytes(
      repository,
      [
        "status",
        "--porcelain=v2",
        "-z",
        "--no-renames",
        "--untracked-files=all",
        "--ignored=no",
        "--ignore-submodules=all"
      ],
      { index }
    )
    return parseStatus(out)
  })

  const permitted = Effect.fnUntraced(function* (
    change: TreeChange,
    seen: Observed,
    options: CheckoutOptions
  ) {
    yield* options.check
    if (same(seen, change.before)) return true
    if (seen.kind === "missing" && options.restore.has(change.path)) return true
    return yield* options.known(change.path, seen)
  })

  /** The plain case, in bulk: a small file where there was none. Returns what could be put. */
  const writeNew = Effect.fnUntraced(function* (
    repository: Repository,
    changes: ReadonlyArray<TreeChange>,
    found: ReadonlyMap<string, Uint8Array>
  ) {
    const files = changes.flatMap(({ after, before, path }) => {
      const mode = asMode(after!.mode)
      const bytes = found.get(after!.oid)
      const plain = before === undefined && mode !== undefined && mode !== "120000"
      return plain && bytes !== undefined && bytes.length <= smallFile ? [{ path, mode, bytes }] : []
    })
    const placed = new Set(files.map((file) => file.path))
    for (let at = 0; at < files.length; at += inOneTurn)
      for (const path of yield* putNew(repository, files.slice(at, at + inOneTurn))) placed.delete(path)
    return placed
  })

  /** Returns the paths that hold something the log does not know, which stay as they are. */
  const checkout = Effect.fn("WorkTree.checkout")(function* (
    repository: Repository,
    options: CheckoutOptions
  ) {
    const changes = options.changes.filter((change) => !change.garbled && !options.leave.has(change.path))
    const removals = changes.filter((change) => change.after === undefined)
    const refused: Array<string> = []
    for (const change of removals) {
      const seen = yield* observe(repository, change.path)
      if (seen?.kind === "missing" || seen?.kind === "obstructed") continue
      const done =
        seen !== undefined &&
        (yield* permitted(change, seen, options)) &&
        (yield* remove(repository, change.path, seen))
      if (!done) refused.push(change.path)
    }
    const write = Effect.fnUntraced(function* (
      change: TreeChange,
      bytes: Uint8Array | undefined,
      name: string
    ) {
      const mode = asMode(change.after!.mode)
      if (mode === undefined || bytes === undefined) return
      const seen = yield* observe(repository, change.path)
      if (seen !== undefined && same(seen, change.after)) return
      const done =
        seen !== undefined &&
        (yield* permitted(change, seen, options)) &&
        (yield* put(repository, { path: change.path, mode, bytes, name }, seen))
      if (!done) refused.push(change.path)
    })
    let count = 0
    const writes = changes.filter((change) => change.after !== undefined)
    for (const group of yield* grouped(repository, writes)) {
      const found = yield* contents(repository, [...new Set(group.map((change) => change.after!.oid))])
      yield* options.check
      const placed = yield* writeNew(repository, group, found)
      yield* Effect.forEach(
        group.filter((change) => !placed.has(change.path)),
        (change) => {
          count += 1
          return write(change, found.get(change.after!.oid), `file-${count}`)
        },
        { concurrency: atOnce, discard: true }
      )
    }
    return refused
  })

  /** Makes our index of `commit` from the one of `baseline`; nobody sees it before it is installed. */
  const prepareIndex = Effect.fn("WorkTree.prepareIndex")(function* (
    repository: Repository,
    baseline: string | undefined,
    commit: string,
    changes: ReadonlyArray<TreeChange>
  ) {
    const next = nextIndex(repository)
    const from = yield* ensureIndex(repository, baseline)
    yield* disk(repository, "copying our index", () => fs.copyFile(from, next))
    const records = changes.map(({ after, path }) =>
      after === undefined ? `0 ${"0".repeat(40)}\t${path}\0` : `${after.mode} ${after.oid}\t${path}\0`
    )
    if (changes.some((change) => change.garbled))
      yield* git.text(repository, ["read-tree", commit], { index: next })
    else if (changes.length > 0)
      yield* git.text(repository, ["update-index", "-z", "--index-info"], {
        index: next,
        input: Stream.make(encoder.encode(records.join("")))
      })
  })

  /** Makes the prepared index ours of `commit`, and the person's index a copy of it. */
  const installIndex = Effect.fn("WorkTree.installIndex")(function* (repository: Repository, commit: string) {
    const next = nextIndex(repository)
    yield* disk(repository, "keeping our index", async () => {
      await fs.rename(next, ownIndex(repository, commit))
      // The person's index is locked by us meanwhile, as git would.
      await fs.copyFile(ownIndex(repository, commit), next)
      await fs.rename(next, `${repository.gitDirectory}/index`)
      for (const name of await fs.readdir(ownFolder(repository)))
        if (/^index-/.test(name) && name !== `index-${commit}`)
          await fs.rm(`${ownFolder(repository)}/${name}`)
    })
  })

  /** Writes a file of our own making, unless a folder or a link is in its place. */
  const writeOwn = Effect.fnUntraced(function* (repository: Repository, path: string, text: string) {
    const bytes = encoder.encode(text)
    const seen = yield* observe(repository, path)
    if (seen === undefined || seen.kind === "other" || seen.kind === "obstructed") return
    if (seen.kind === "file" && seen.mode !== "120000" && decoder.decode(seen.bytes) === text) return
    yield* put(repository, { path, mode: "100644", bytes, name: "own" }, seen)
  })

  return { difference, sizes, contents, grouped, scan, checkout, prepareIndex, installIndex, writeOwn }
})

export type WorkTree = Effect.Success<typeof makeWorkTree>
