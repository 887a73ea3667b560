/**
 * Whether anything may have happened in a repository since it was looked at, from what the file system says of its
 * files: for thousands of repositories that rest, and of which no git is asked.
 */
import { createHash, type Hash } from "node:crypto"
import { lstatSync, readdirSync } from "node:fs"
import { Effect } from "effect"
import { disk } from "./Disk.ts"
import type { GitError, Repository } from "./Git.ts"

export interface Glance {
  /** Another one where anything was written, made, moved or removed. */
  readonly digest: string
  /** When a file last changed, Unix milliseconds. */
  readonly newest: number
}

/** Files looked at before anybody else gets a turn: about a millisecond. */
const inOneTurn = 256
/** Milliseconds: what is written within a tick of the file system's clock bears the same time. */
const tick = 100

/** Files of git that say where the person is in the repository, besides those right in its folder. */
const further = ["refs/heads/main", "info/exclude", "info/attributes"]

interface Walk {
  readonly hash: Hash
  /** Still to be looked at; the last one next. */
  readonly paths: Array<string>
  newest: number
}

/** The change time of a file cannot be set by programs that preserve times. */
const note = (walk: Walk, name: string, path: string): "folder" | "file" | "nothing" => {
  const stat = lstatSync(path, { throwIfNoEntry: false })
  const folder = stat?.isDirectory() === true
  walk.hash.update(`${name}\0`)
  if (stat === undefined) return "nothing"
  if (folder) return "folder"
  walk.hash.update(`${stat.ino} ${stat.size} ${stat.ctimeMs}\0`)
  walk.newest = Math.max(walk.newest, stat.ctimeMs)
  return "file"
}

const some = ({ directory }: Repository, walk: Walk) => {
  for (let seen = 0; seen < inOneTurn; seen += 1) {
    const path = walk.paths.pop()
    if (path === undefined) return
    if (note(walk, path, `${directory}/${path}`) !== "folder") continue
    for (const name of readdirSync(`${directory}/${path}`).sort())
      if (name !== ".git") walk.paths.push(path === "." ? name : `${path}/${name}`)
  }
}

export const glance = Effect.fnUntraced(function* (
  repository: Repository
): Effect.fn.Return<Glance, GitError> {
  const walk: Walk = { hash: createHash("sha256"), paths: ["."], newest: 0 }
  const looking = (body: () => void) => disk(repository, "looking at the files", async () => body())
  yield* looking(() => {
    const { gitDirectory } = repository
    for (const name of [...readdirSync(gitDirectory).sort(), ...further])
      note(walk, name, `${gitDirectory}/${name}`)
  })
  while (walk.paths.length > 0) {
    yield* looking(() => some(repository, walk))
    yield* Effect.yieldNow
  }
  return { digest: walk.hash.digest("hex"), newest: walk.newest }
})

/** Whether what is written from now on will be seen to be new. */
export const isSharp = ({ newest }: Glance, now: number): boolean => newest > now || now - newest > tick
