/** The knowledge base over HTTP for the page: its files, one note as HTML, its commits, the bytes of its media. */
import { Effect, Option, Schema } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { renderNote } from "./NoteHtml.ts"
import { foreignBytes } from "./PageAssets.ts"
import { SandboxKnowledge } from "./SandboxKnowledge.ts"

/** A path as git stores it: relative, without steps up. */
const FilePath = Schema.String.check(
  Schema.makeFilter((path) =>
    path !== "" && !path.includes("\0") && path.split("/").every((part) => !["", ".", ".."].includes(part))
      ? undefined
      : "no path of a file in the knowledge base"
  )
)
const OnePath = Schema.Struct({ path: FilePath })
const LogOptions = Schema.Struct({ path: Schema.optionalKey(FilePath) })
const DiffOptions = Schema.Struct({
  commit: Schema.String.check(Schema.isPattern(/^[0-9a-f]{40,64}$/)),
  path: Schema.optionalKey(FilePath)
})

const commitsShown = 200
/** A longer note or diff would only freeze the page. */
const longestText = 400_000

const json = (value: unknown) =>
  HttpServerResponse.jsonUnsafe(value, { headers: { "cache-control": "no-store" } })

const answered = <E extends { readonly _tag: string; readonly message: string }, R>(
  effect: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>
) =>
  Effect.catch(effect, (error) =>
    error._tag === "SchemaError"
      ? Effect.succeed(HttpServerResponse.jsonUnsafe({ error: error.message }, { status: 400 }))
      : Effect.as(
          Effect.logWarning(error.message),
          HttpServerResponse.jsonUnsafe({ error: error.message }, { status: 503 })
        )
  )

const isText = (bytes: Uint8Array) => !bytes.subarray(0, 8000).includes(0)

const view = (path: string, bytes: Uint8Array) => {
  if (!isText(bytes)) return { path, size: bytes.length, binary: true }
  const text = new TextDecoder().decode(bytes).slice(0, longestText)
  return /\.(?:md|markdown)$/i.test(path)
    ? { path, size: bytes.length, text, ...renderNote(path, text) }
    : { path, size: bytes.length, text }
}

const gone = (path: string) =>
  HttpServerResponse.jsonUnsafe({ error: `${path} is no longer there` }, { status: 404 })

export const layer = HttpRouter.use((router) =>
  Effect.gen(function* () {
    const knowledge = yield* SandboxKnowledge

    const tree = Effect.map(knowledge.tree, (paths) => json({ location: knowledge.location, paths }))

    const file = Effect.gen(function* () {
      const { path } = yield* HttpRouter.schemaParams(OnePath)
      const bytes = yield* knowledge.file(path)
      return Option.match(bytes, { onNone: () => gone(path), onSome: (found) => json(view(path, found)) })
    })

    const media = Effect.gen(function* () {
      const { path } = yield* HttpRouter.schemaParams(OnePath)
      const bytes = yield* knowledge.file(path)
      return Option.match(bytes, {
        onNone: () => gone(path),
        onSome: (found) => foreignBytes(found, { name: path })
      })
    })

    const log = Effect.gen(function* () {
      const { path } = yield* HttpRouter.schemaParams(LogOptions)
      return json(yield* knowledge.log({ limit: commitsShown, ...(path === undefined ? {} : { path }) }))
    })

    const diff = Effect.gen(function* () {
      const { commit, path } = yield* HttpRouter.schemaParams(DiffOptions)
      return json({ diff: (yield* knowledge.diff(commit, path)).slice(0, longestText) })
    })

    yield* router.add("GET", "/sandbox/api/kb/tree", answered(tree))
    yield* router.add("GET", "/sandbox/api/kb/file", answered(file))
    yield* router.add("GET", "/sandbox/api/kb/media", answered(media))
    yield* router.add("GET", "/sandbox/api/kb/log", answered(log))
    yield* router.add("GET", "/sandbox/api/kb/diff", answered(diff))
  })
)
