/** Keeps `index.md` of a working tree in step with the log, reading only what its page needs. */
import { Effect } from "effect"
import type { BlobHash } from "../../domain/Ids.ts"
import type { Revision } from "../../domain/Note.ts"
import { Blobs } from "../Blobs.ts"
import { type KnowledgeBaseKey, RevisionLog } from "../RevisionLog.ts"
import type { Repository } from "./Git.ts"
import { candidates, type IndexedNote, indexed, isNotePath, renderIndex } from "./IndexFile.ts"
import { unprojectable } from "./Tree.ts"
import type { WorkTree } from "./WorkTree.ts"

/** The notes at the head, and what the page says of the newest; all of it can be read again. */
export interface KnownNotes {
  readonly notes: Map<string, BlobHash>
  titles: ReadonlyMap<string, { readonly blob: BlobHash; readonly note: IndexedNote }>
}

/** Notes read at once. */
const group = 200

const isListed = (path: string) => isNotePath(path) && unprojectable(path) === undefined

/** Follows revisions as they are projected, so that the list of files is read only once. */
export const followNotes = (known: KnownNotes, revisions: ReadonlyArray<Revision>): void => {
  for (const file of revisions.flatMap((revision) => revision.files)) {
    if (file.blob === null) known.notes.delete(file.path)
    else if (isListed(file.path)) known.notes.set(file.path, file.blob)
  }
}

export const makeIndexWriter = Effect.fnUntraced(function* (workTree: WorkTree) {
  const log = yield* RevisionLog
  const blobs = yield* Blobs

  const load = Effect.fn("IndexWriter.load")(function* (key: KnowledgeBaseKey) {
    const files = yield* log.files(key)
    const notes = files.filter((file) => isListed(file.path)).map((file) => [file.path, file.blob] as const)
    return { notes: new Map(notes), titles: new Map() } satisfies KnownNotes as KnownNotes
  })

  const write = Effect.fn("IndexWriter.write")(function* (
    key: KnowledgeBaseKey,
    repository: Repository,
    known: KnownNotes
  ) {
    const newest = candidates(known.notes.keys()).map((path) => ({ path, blob: known.notes.get(path)! }))
    const titles = new Map(
      newest.flatMap(({ blob, path }) => {
        const title = known.titles.get(path)
        return title?.blob === blob ? [[path, title] as const] : []
      })
    )
    const unread = newest.filter(({ path }) => !titles.has(path))
    for (let at = 0; at < unread.length; at += group) {
      const some = unread.slice(at, at + group)
      const found = yield* blobs.get(key.tenant, [...new Set(some.map(({ blob }) => blob))])
      for (const { blob, path } of some)
        titles.set(path, { blob, note: indexed(path, new TextDecoder().decode(found.get(blob))) })
    }
    known.titles = titles
    const notes = [...titles.values()].map(({ note }) => note)
    yield* workTree.writeOwn(repository, "index.md", renderIndex(known.notes.keys(), notes))
  })

  return { load, write }
})
