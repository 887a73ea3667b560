/**
 * The repository itself: made, kept free of what a killed git or a killed projector left, and read for
 * where the person is in it.
 */
import * as fs from "node:fs/promises"
import { Clock, Effect } from "effect"
import { breakIndexLock, disk, indexLock, ownFolder } from "./Disk.ts"
import { projectedRef } from "./FastImport.ts"
import { Git, GitError, type Repository } from "./Git.ts"

export const mainRef = "refs/heads/main"
export const checkedOutRef = "refs/zapiska/checked-out"
/** The last of the person's commits that was taken into the log otherwise than as it is. */
export const importedRef = "refs/zapiska/imported"

/** Files programs leave beside what people write. A person's own `.gitignore` adds to it. */
const excluded = [
  "/index.md",
  ".DS_Store",
  "Thumbs.db",
  "desktop.ini",
  "/.obsidian/workspace*",
  "/.obsidian/cache",
  "/.trash/",
  "*.swp",
  "*.swx",
  "*~",
  ".#*",
  "#*#",
  "~$*",
  ".~lock.*#",
  "*.tmp",
  "*.crdownload",
  "*.part"
]

/** A file is committed as the bytes it has, whatever the person's attributes and filters say. */
const attributes = "* -text -filter -ident !eol !working-tree-encoding\n"

/** A lock of a ref is held for milliseconds; one this old was left by a git that was killed. */
const refLockAge = 10_000
/** An index may be locked while an editor waits for a message. */
const indexLockAge = 10 * 60_000
const temporaryAge = 60_000

/** Names below `folder` with their paths, one level; none when it is not there. */
const entries = (repository: Repository, folder: string): Effect.Effect<ReadonlyArray<string>, GitError> =>
  disk(repository, `reading ${folder}`, () => fs.readdir(`${repository.gitDirectory}/${folder}`)).pipe(
    Effect.map((names) => names.map((name) => `${folder}/${name}`)),
    Effect.catchIf(
      (error) => error.detail === "ENOENT",
      () => Effect.succeed([])
    )
  )

const removeOlder = Effect.fnUntraced(function* (repository: Repository, file: string, age: number) {
  const path = `${repository.gitDirectory}/${file}`
  const now = yield* Clock.currentTimeMillis
  yield* disk(repository, `clearing ${file}`, async () => {
    const stat = await fs.lstat(path)
    if (age === 0 || now - stat.mtimeMs > age) await fs.rm(path, { force: true })
  }).pipe(
    Effect.catchIf(
      (error) => error.detail === "ENOENT",
      () => Effect.void
    )
  )
})

/** What a killed git may leave; of the files that are not ours alone only those older than any git holds them. */
export const clearLeftovers = Effect.fn("Place.clearLeftovers")(function* (repository: Repository) {
  if ((yield* indexLock(repository)) === "ours") yield* breakIndexLock(repository)
  const own = ownFolder(repository)
  yield* disk(repository, "clearing temporary files", async () => {
    await fs.rm(`${own}/tmp`, { recursive: true, force: true })
    await fs.mkdir(`${own}/tmp`, { recursive: true })
  })
  const ours = [
    ...(yield* entries(repository, "zapiska")),
    ...(yield* entries(repository, "refs/zapiska")),
    ...(yield* entries(repository, "refs/imported"))
  ]
  for (const file of ours.filter((name) => name.endsWith(".lock"))) yield* removeOlder(repository, file, 0)
  const crashes = (yield* entries(repository, ".")).filter((name) => name.startsWith("./fast_import_crash_"))
  for (const file of crashes) yield* removeOlder(repository, file, 0)
  for (const file of ["HEAD.lock", "packed-refs.lock", "config.lock", "refs/heads/main.lock"])
    yield* removeOlder(repository, file, refLockAge)
  yield* removeOlder(repository, "index.lock", indexLockAge)
  const packs = (yield* entries(repository, "objects/pack")).filter((name) => /\/\.?tmp_/.test(name))
  for (const file of packs) yield* removeOlder(repository, file, temporaryAge)
})

/** Ensures a file has these lines, and only adds to what a person wrote there. */
const ensureLines = (repository: Repository, file: string, lines: ReadonlyArray<string>) =>
  disk(repository, `writing ${file}`, async () => {
    const path = `${repository.gitDirectory}/${file}`
    await fs.mkdir(`${repository.gitDirectory}/info`, { recursive: true })
    const there = await fs.readFile(path, { encoding: "utf8", flag: "a+" })
    const present = new Set(there.split("\n"))
    const added = lines.filter((line) => !present.has(line))
    if (added.length === 0) return
    const text = `${there === "" || there.endsWith("\n") ? there : `${there}\n`}${added.join("\n")}\n`
    await fs.writeFile(`${ownFolder(repository)}/tmp/lines`, text)
    await fs.rename(`${ownFolder(repository)}/tmp/lines`, path)
  })

/** Makes the repository, or readies the one that is there. Safe at any time while nobody else of ours is in it. */
export const prepare = Effect.fn("Place.prepare")(function* (repository: Repository) {
  const git = yield* Git
  yield* disk(repository, "making the folder", () => fs.mkdir(repository.directory, { recursive: true }))
  const made = yield* disk(repository, "looking for .git", () => fs.stat(repository.gitDirectory)).pipe(
    Effect.map((stat) => stat.isDirectory()),
    Effect.catchIf(
      (error) => error.detail === "ENOENT",
      () => Effect.succeed(undefined)
    )
  )
  if (made === false)
    return yield* new GitError({
      action: "opening the repository",
      directory: repository.directory,
      detail: ".git is not a folder; move it away, or move the repository it points to here"
    })
  const ready = made === true && (yield* git.run(repository, ["rev-parse", "--git-dir"])).code === 0
  if (!ready) {
    yield* git.text(repository, [
      "init",
      "--quiet",
      "--object-format=sha1",
      "--initial-branch=main",
      "--template="
    ])
    yield* git.text(repository, ["config", "core.autocrlf", "false"])
  }
  yield* clearLeftovers(repository)
  yield* ensureLines(repository, "info/exclude", excluded)
  // Last, so that it counts: a person's own lines above stay for what it does not set.
  yield* ensureLines(repository, "info/attributes", [attributes.trimEnd()])
})

export interface Refs {
  /** The last commit made of the log. */
  readonly projected: string | undefined
  /** The last commit the working tree was made to match. */
  readonly checkedOut: string | undefined
  readonly main: string | undefined
  readonly imported: string | undefined
}

const followed = [mainRef, projectedRef, checkedOutRef, importedRef] as const

/** As git says it, whatever the repository keeps its refs in. */
const refsFromGit = Effect.fnUntraced(function* (repository: Repository) {
  const git = yield* Git
  const out = yield* git.text(repository, ["for-each-ref", "--format=%(objectname) %(refname)", ...followed])
  return out.split("\n")
})

/** A file's text, or none where there is no file. */
const textAt = (repository: Repository, name: string) =>
  disk(repository, "reading its refs", () => fs.readFile(`${repository.gitDirectory}/${name}`, "utf8")).pipe(
    Effect.catchIf(
      ({ detail }) => detail === "ENOENT" || detail === "ENOTDIR",
      () => Effect.succeed(undefined)
    )
  )

/**
 * Read where git keeps them, for this is asked all the time and a process takes longer than the rest: a file each,
 * which counts before the line in `packed-refs` it may have. Git is asked where that says nothing of the branch.
 */
export const readRefs = Effect.fnUntraced(function* (repository: Repository) {
  const loose = yield* Effect.forEach(
    followed,
    (ref) =>
      Effect.map(textAt(repository, ref), (text) => (text === undefined ? [] : [`${text.trim()} ${ref}`])),
    { concurrency: "unbounded" }
  )
  // After the files: packing writes here first and takes them away then.
  const packed = (yield* textAt(repository, "packed-refs"))?.split("\n") ?? []
  const read = (lines: ReadonlyArray<string>) =>
    new Map(
      lines.flatMap((line) =>
        /^[0-9a-f]{40} refs\//.test(line) ? [[line.slice(41), line.slice(0, 40)]] : []
      )
    )
  const kept = read([...packed, ...loose.flat()])
  const found = kept.has(mainRef) ? kept : read(yield* refsFromGit(repository))
  return {
    projected: found.get(projectedRef),
    checkedOut: found.get(checkedOutRef),
    main: found.get(mainRef),
    imported: found.get(importedRef)
  } satisfies Refs
})

const unfinished = [
  ["rebase-merge", "a rebase is going on"],
  ["rebase-apply", "a rebase is going on"],
  ["MERGE_HEAD", "a merge is going on"],
  ["CHERRY_PICK_HEAD", "a cherry-pick is going on"],
  ["REVERT_HEAD", "a revert is going on"],
  ["BISECT_LOG", "a bisection is going on"]
] as const

/** Why the working tree is the person's alone just now, or undefined. */
export const busyWith = Effect.fnUntraced(function* (repository: Repository) {
  const names = new Set(yield* disk(repository, "looking at .git", () => fs.readdir(repository.gitDirectory)))
  const head = yield* disk(repository, "reading HEAD", () =>
    fs.readFile(`${repository.gitDirectory}/HEAD`, "utf8")
  )
  if (head.trim() !== `ref: ${mainRef}`) return "another branch or commit is checked out"
  const reason = unfinished.find(([name]) => names.has(name))?.[1]
  if (reason !== undefined) return reason
  const lock = yield* indexLock(repository)
  return typeof lock === "object" ? "a git of yours has the index locked" : undefined
})
