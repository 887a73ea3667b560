/**
 * The page's own files, read once, and the headers that keep everything served beside it harmless: the page
 * runs no script but its own and loads nothing from elsewhere; bytes people sent never run as a page.
 */
import { fileURLToPath } from "node:url"
import { Effect, FileSystem, Path } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"

const types: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".svg": "image/svg+xml"
}

export const pageHeaders = {
  "content-security-policy": [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' blob:",
    "media-src 'self' blob:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'"
  ].join("; "),
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cache-control": "no-cache"
}

/** Types a browser shows in place; everything else is only offered for saving. */
const shown = new Map([
  ["png", "image/png"],
  ["jpg", "image/jpeg"],
  ["jpeg", "image/jpeg"],
  ["gif", "image/gif"],
  ["webp", "image/webp"],
  ["avif", "image/avif"],
  ["svg", "image/svg+xml"],
  ["pdf", "application/pdf"],
  ["mp3", "audio/mpeg"],
  ["ogg", "audio/ogg"],
  ["oga", "audio/ogg"],
  ["wav", "audio/wav"],
  ["m4a", "audio/mp4"],
  ["mp4", "video/mp4"],
  ["webm", "video/webm"],
  ["txt", "text/plain; charset=utf-8"]
])
const shownTypes = new Set(shown.values())

const baseType = (mime: string) => mime.split(";")[0]?.trim().toLowerCase() ?? ""

/** Bytes from people: typed by what is claimed only where that is harmless, and sandboxed by the browser. */
export const foreignBytes = (
  bytes: Uint8Array,
  claim: { readonly name?: string | undefined; readonly mime?: string | undefined }
): HttpServerResponse.HttpServerResponse => {
  const extension = /\.([a-z0-9]{1,5})$/i.exec(claim.name ?? "")?.[1]?.toLowerCase() ?? ""
  const mime = baseType(claim.mime ?? "")
  const type = shownTypes.has(mime) ? mime : shown.get(extension)
  const name = encodeURIComponent((claim.name ?? "file").split("/").at(-1)?.toWellFormed() ?? "file")
  return HttpServerResponse.uint8Array(bytes, {
    contentType: type ?? "application/octet-stream",
    headers: {
      "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
      "x-content-type-options": "nosniff",
      "cross-origin-resource-policy": "same-origin",
      "content-disposition": `${type === undefined ? "attachment" : "inline"}; filename*=UTF-8''${name}`
    }
  })
}

/** The files of a page by name, read once, and how they are answered. `folders`: with a slash at their ends. */
export const filesOf = Effect.fnUntraced(function* (...folders: ReadonlyArray<URL>) {
  const files = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const read = Effect.fnUntraced(function* (folder: URL) {
    const place = fileURLToPath(folder)
    const names = (yield* files.readDirectory(place)).filter((name) => path.extname(name) in types)
    return yield* Effect.forEach(names, (name) =>
      Effect.map(files.readFile(path.join(place, name)), (bytes) => [name, bytes] as const)
    )
  })
  const bytes = new Map((yield* Effect.forEach(folders, read)).flat())
  return (name: string, put: Readonly<Record<string, string>> = {}) => {
    const found = bytes.get(name)
    if (found === undefined) return HttpServerResponse.empty({ status: 404 })
    return HttpServerResponse.uint8Array(filled(found, put), {
      contentType: types[path.extname(name)] ?? "application/octet-stream",
      headers: pageHeaders
    })
  }
})

/** With `put` in the place of `{{name}}`. */
const filled = (bytes: Uint8Array, put: Readonly<Record<string, string>>): Uint8Array => {
  const names = Object.entries(put)
  if (names.length === 0) return bytes
  const text = names.reduce(
    (before, [name, value]) => before.replaceAll(`{{${name}}}`, escaped(value)),
    new TextDecoder().decode(bytes)
  )
  return new TextEncoder().encode(text)
}

const escaped = (text: string) =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;")

/** `GET /sandbox`, `GET /sandbox/assets/<file>`. */
export const layer = HttpRouter.use((router) =>
  Effect.gen(function* () {
    const serve = yield* filesOf(new URL("./page/", import.meta.url))
    yield* router.add("GET", "/sandbox", Effect.succeed(serve("index.html")))
    yield* router.add(
      "GET",
      "/sandbox/assets/:name",
      Effect.map(HttpRouter.params, ({ name }) => serve(name ?? ""))
    )
  })
)
