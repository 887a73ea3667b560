/** What the repository shows of itself: commits, files and differences at the head of `main`. */
import { Effect } from "effect"
import { Git, type Repository } from "./Git.ts"
import { mainRef } from "./Place.ts"
import { parseListing } from "./Tree.ts"

/** `date` in Unix milliseconds; `revision` of commits that are ours. */
export interface Commit {
  readonly commit: string
  readonly date: number
  readonly author: string
  readonly message: string
  readonly revision: number | undefined
}

/** Four fields a commit, each ended by a NUL, which none of them can hold. */
const format = "--format=%H%x00%at%x00%an%x00%B"
const trailer = /\n*Zapiska-Revision: (\d+)\n*$/

const parseLog = (out: string): ReadonlyArray<Commit> => {
  const fields = out.split("\0")
  const commits: Array<Commit> = []
  for (let at = 0; at + 4 < fields.length; at += 4) {
    const [commit = "", seconds = "0", author = "", body = ""] = fields.slice(at, at + 4)
    const revision = trailer.exec(body)?.[1]
    commits.push({
      commit,
      date: Number(seconds) * 1000,
      author,
      message: body.replace(trailer, "").trim(),
      revision: revision === undefined ? undefined : Number(revision)
    })
  }
  return commits
}

export const makeHistory = Effect.gen(function* () {
  const git = yield* Git

  /** The head, or undefined before the first commit or without a repository. */
  const head = (repository: Repository) =>
    Effect.map(git.run(repository, ["rev-parse", "--verify", "--quiet", mainRef]), (result) =>
      result.code === 0 ? new TextDecoder().decode(result.out).trim() : undefined
    ).pipe(Effect.catchTag("GitError", () => Effect.succeed(undefined)))

  const log = Effect.fn("GitProjection.log")(function* (
    repository: Repository,
    options: { readonly path?: string; readonly limit: number }
  ) {
    const commit = yield* head(repository)
    if (commit === undefined) return []
    const out = yield* git.text(repository, [
      "log",
      "-z",
      `--max-count=${Math.max(0, Math.floor(options.limit))}`,
      "--encoding=UTF-8",
      format,
      "--end-of-options",
      commit,
      "--",
      ...(options.path === undefined ? [] : [options.path])
    ])
    return parseLog(out)
  })

  const listing = (repository: Repository, commit: string, path?: string) =>
    Effect.map(
      git.bytes(repository, [
        "ls-tree",
        "-r",
        "-z",
        "--long",
        "--full-tree",
        commit,
        ...(path === undefined ? [] : ["--", path])
      ]),
      parseListing
    )

  const tree = Effect.fn("GitProjection.tree")(function* (repository: Repository) {
    const commit = yield* head(repository)
    return commit === undefined ? [] : (yield* listing(repository, commit)).map((entry) => entry.path)
  })

  const file = Effect.fn("GitProjection.file")(function* (repository: Repository, path: string) {
    const commit = yield* head(repository)
    if (commit === undefined || path.includes("\0")) return undefined
    const entry = (yield* listing(repository, commit, path)).find((one) => one.path === path)
    return entry === undefined ? undefined : yield* git.bytes(repository, ["cat-file", "blob", entry.oid])
  })

  const diff = Effect.fn("GitProjection.diff")(function* (
    repository: Repository,
    commit: string,
    path?: string
  ) {
    return yield* git.text(repository, [
      "show",
      "--format=",
      "--no-ext-diff",
      "--no-textconv",
      "--no-color",
      "--patch",
      "--end-of-options",
      commit,
      "--",
      ...(path === undefined ? [] : [path])
    ])
  })

  return { log, tree, file, diff }
})
