/**
 * Writes revisions into a repository as commits on `refs/zapiska/projected`, thousands a second, through
 * `git fast-import`. Touches neither the working tree nor the person's branch.
 */
import { Effect, Stream } from "effect"
import type { SqlError } from "effect/sql"
import type { BlobHash } from "../../domain/Ids.ts"
import type { Revision } from "../../domain/Note.ts"
import { commitMessage, type PlainCommit, plainCommit, readCommit, signature } from "./Commit.ts"
import { Git, GitError, type Repository } from "./Git.ts"
import { commitOid, unprojectable } from "./Tree.ts"

export const projectedRef = "refs/zapiska/projected"
/** Where commits wait until it is known that they have the hashes they must have. */
const candidateRef = "refs/zapiska/candidate"

export type GetBlobs = (
  hashes: ReadonlyArray<BlobHash>
) => Effect.Effect<ReadonlyMap<BlobHash, Uint8Array>, SqlError.SqlError>

const encoder = new TextEncoder()

/** A path as fast-import reads it: in quotes, every byte that could mean something escaped. */
export const quotePath = (path: string): string =>
  `"${path
    .replace(/["\\]/g, "\\$&")
    .replace(/\p{Cc}/gu, (control) =>
      [...encoder.encode(control)].map((byte) => `\\${byte.toString(8).padStart(3, "0")}`).join("")
    )}"`

/** How many contents are asked for at once: notes are small, media may have 20 MB each. */
const groupsOf = (files: Iterable<readonly [BlobHash, string]>): ReadonlyArray<ReadonlyArray<BlobHash>> => {
  const small: Array<BlobHash> = []
  const large: Array<BlobHash> = []
  for (const [hash, path] of files) (path.endsWith(".md") ? small : large).push(hash)
  const groups: Array<ReadonlyArray<BlobHash>> = []
  for (let at = 0; at < small.length; at += 250) groups.push(small.slice(at, at + 250))
  for (let at = 0; at < large.length; at += 2) groups.push(large.slice(at, at + 2))
  return groups
}

interface Run {
  readonly ref: string
  readonly from: string | undefined
  readonly revisions: ReadonlyArray<Revision>
  /** Also ask for the tree of each commit. */
  readonly trees: boolean
}

interface Imported {
  readonly oid: string
  readonly tree: string | undefined
}

/** The commands of a run, contents first. Pure but for fetching the contents, group by group. */
const commands = (
  repository: Repository,
  run: Run,
  getBlobs: GetBlobs
): Stream.Stream<Uint8Array, SqlError.SqlError | GitError> => {
  const marks = new Map<BlobHash, number>()
  const paths = new Map<BlobHash, string>()
  for (const revision of run.revisions) {
    for (const file of revision.files) {
      if (file.blob === null || marks.has(file.blob) || unprojectable(file.path) !== undefined) continue
      marks.set(file.blob, marks.size + 1)
      paths.set(file.blob, file.path)
    }
  }
  const contents = Stream.fromIterable(groupsOf(paths)).pipe(
    Stream.mapEffect((group) =>
      Effect.flatMap(getBlobs(group), (found) => {
        const missing = group.find((hash) => !found.has(hash))
        return missing === undefined
          ? Effect.succeed(
              Buffer.concat(
                group.flatMap((hash) => {
                  const bytes = found.get(hash)!
                  return [
                    encoder.encode(`blob\nmark :${marks.get(hash)}\ndata ${bytes.length}\n`),
                    bytes,
                    newline
                  ]
                })
              )
            )
          : Effect.fail(
              new GitError({
                action: "projecting revisions",
                directory: repository.directory,
                detail: `the database has no content ${missing}, which the log names`
              })
            )
      })
    )
  )
  const commits = Buffer.concat(
    run.revisions.map((revision, index) => commit(run, revision, index === 0, marks))
  )
  return Stream.make(encoder.encode("feature done\n")).pipe(
    Stream.concat(contents),
    Stream.concat(Stream.make(commits, encoder.encode("done\n")))
  )
}

const newline = encoder.encode("\n")

const commit = (
  run: Run,
  revision: Revision,
  first: boolean,
  marks: ReadonlyMap<BlobHash, number>
): Uint8Array => {
  const plain = rawOf(run, revision)
  const author = plain?.author ?? signature(revision)
  const message = plain?.message ?? encoder.encode(commitMessage(revision))
  const mark = marks.size + revision.number
  const files = revision.files.filter((file) => unprojectable(file.path) === undefined)
  const lines = [
    ...files.filter((file) => file.blob === null).map((file) => `D ${quotePath(file.path)}`),
    ...files
      .filter((file) => file.blob !== null)
      .map((file) => `M ${file.mode} :${marks.get(file.blob!)} ${quotePath(file.path)}`)
  ]
  return Buffer.concat([
    encoder.encode(
      `commit ${run.ref}\nmark :${mark}\nauthor ${author}\ncommitter ${plain?.committer ?? author}\n` +
        `data ${message.length}\n`
    ),
    message,
    encoder.encode(
      `\n${first && run.from !== undefined ? `from ${run.from}\n` : ""}${lines.map((line) => `${line}\n`).join("")}\n` +
        `get-mark :${mark}\n${run.trees ? `ls :${mark} ""\n` : ""}`
    )
  ])
}

/** With `trees` the commit is only made to learn its tree, so it is an ordinary one. */
const rawOf = (run: Run, revision: Revision): PlainCommit | undefined =>
  run.trees || revision.rawCommit === undefined ? undefined : plainCommit(revision.rawCommit)

const parseReplies = (out: string, trees: boolean): ReadonlyArray<Imported> => {
  const lines = out.trimEnd().split("\n")
  return trees
    ? lines.flatMap((oid, index) =>
        index % 2 === 0 ? [{ oid, tree: /tree ([0-9a-f]{40})/.exec(lines[index + 1] ?? "")?.[1] }] : []
      )
    : lines.map((oid) => ({ oid, tree: undefined }))
}

/** Runs of revisions one fast-import can write: a signed or otherwise unusual commit is one of its own. */
const runsOf = (revisions: ReadonlyArray<Revision>): ReadonlyArray<ReadonlyArray<Revision>> => {
  const runs: Array<Array<Revision>> = []
  let open = false
  for (const revision of revisions) {
    const unusual = revision.rawCommit !== undefined && plainCommit(revision.rawCommit) === undefined
    if (open && !unusual) runs.at(-1)!.push(revision)
    else runs.push([revision])
    open = !unusual
  }
  return runs
}

const decoder = new TextDecoder()

export const makeFastImport = Effect.gen(function* () {
  const git = yield* Git

  const fastImport = Effect.fnUntraced(function* (repository: Repository, run: Run, getBlobs: GetBlobs) {
    const out = yield* git.bytes(
      repository,
      [
        "fast-import",
        "--quiet",
        "--done",
        "--date-format=raw",
        ...(run.ref === candidateRef ? ["--force"] : [])
      ],
      { input: commands(repository, run, getBlobs) }
    )
    return parseReplies(decoder.decode(out), run.trees)
  })

  /** The compare-and-swap on our own ref, which nobody else writes. */
  const accept = (repository: Repository, oid: string, from: string | undefined) =>
    Effect.as(git.text(repository, ["update-ref", projectedRef, oid, from ?? "0".repeat(40)]), oid)

  /**
   * A person's commit keeps its bytes where it fits: on the same parent, with the same tree. Where the log
   * says otherwise it becomes an ordinary commit, and so on every replica.
   */
  const unusual = Effect.fnUntraced(function* (
    repository: Repository,
    revision: Revision,
    from: string | undefined,
    getBlobs: GetBlobs
  ) {
    const run = { ref: candidateRef, from, revisions: [revision], trees: true }
    const [ordinary] = yield* fastImport(repository, run, getBlobs)
    const raw = revision.rawCommit!
    const read = readCommit(raw)
    const fits = read.tree === ordinary?.tree && read.parents.join() === (from ?? "")
    if (!fits) return yield* accept(repository, ordinary!.oid, from)
    yield* git.text(repository, ["hash-object", "-t", "commit", "-w", "--stdin"], { input: Stream.make(raw) })
    return yield* accept(repository, commitOid(raw), from)
  })

  /** Writes consecutive revisions on top of `from`; returns the last commit. */
  const project = Effect.fn("FastImport.project")(function* (
    repository: Repository,
    revisions: ReadonlyArray<Revision>,
    start: string | undefined,
    getBlobs: GetBlobs
  ) {
    let from = start
    for (const run of runsOf(revisions)) {
      const raws = run.flatMap((revision, index) =>
        revision.rawCommit === undefined ? [] : [{ index, oid: commitOid(revision.rawCommit) }]
      )
      if (raws.length === 0) {
        from = (yield* fastImport(
          repository,
          { ref: projectedRef, from, revisions: run, trees: false },
          getBlobs
        )).at(-1)!.oid
        continue
      }
      const usual = plainCommit(run[0]!.rawCommit ?? new Uint8Array()) !== undefined || run.length > 1
      const made = usual
        ? yield* fastImport(repository, { ref: candidateRef, from, revisions: run, trees: false }, getBlobs)
        : []
      if (usual && raws.every(({ index, oid }) => made[index]?.oid === oid)) {
        from = yield* accept(repository, made.at(-1)!.oid, from)
        continue
      }
      for (const revision of run) {
        from =
          revision.rawCommit === undefined
            ? (yield* fastImport(
                repository,
                { ref: projectedRef, from, revisions: [revision], trees: false },
                getBlobs
              )).at(-1)!.oid
            : yield* unusual(repository, revision, from, getBlobs)
      }
    }
    return from
  })

  return { project }
})
