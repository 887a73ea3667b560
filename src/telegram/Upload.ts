/**
 * Files on their way to the Bot API: multipart/form-data (RFC 7578) made while it is read. grammY's own names
 * every file an octet stream and breaks at file names with a `;`.
 */
import { randomBytes } from "node:crypto"
import { Effect, type Scope, Stream } from "effect"
import type { FileUnreadable } from "./BotError.ts"

export interface Upload {
  /** The parameters of the call refer to it as `attach://<part>`. */
  readonly part: string
  readonly filename: string
  readonly mime?: string
  readonly size: number
  readonly bytes: Stream.Stream<Uint8Array, FileUnreadable>
}

/** A request body that knows how far it got. */
export interface Body {
  readonly contentType: string
  readonly stream: ReadableStream<Uint8Array>
  /** Whether all of it was handed over. Until then, nobody can have processed the request. */
  readonly handedOver: () => boolean
  /** Why it ended early, if it was not the connection. */
  readonly failed: () => FileUnreadable | undefined
}

/** What a quoted file name may hold without anybody reading it as something else. */
const quotable = (filename: string): string => {
  const clean = filename
    .replaceAll(/\p{Cc}/gu, "")
    .replaceAll('"', "'")
    .replaceAll(/[\\/]/g, "_")
    .trim()
  return clean === "" ? "file" : clean
}

const typeOf = (mime: string | undefined): string =>
  mime !== undefined && /^[\w.+-]+\/[\w.+-]+$/.test(mime) ? mime : "application/octet-stream"

const fieldOf = (value: unknown): string =>
  typeof value === "object" ? JSON.stringify(value) : String(value)

const text = (value: string) => new TextEncoder().encode(value)

/** Everything but the line that ends it. */
const parts = (
  boundary: string,
  fields: Readonly<Record<string, unknown>>,
  files: ReadonlyArray<Upload>
): Stream.Stream<Uint8Array, FileUnreadable> => {
  const values = Object.entries(fields)
    .filter(([, value]) => value !== undefined && value !== null)
    .map(
      ([name, value]) =>
        `--${boundary}\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${fieldOf(value)}\r\n`
    )
    .join("")
  const file = ({ part, filename, mime, bytes }: Upload) => {
    const disposition = `content-disposition: form-data; name="${part}"; filename="${quotable(filename)}"`
    const head = `--${boundary}\r\n${disposition}\r\ncontent-type: ${typeOf(mime)}\r\n\r\n`
    return Stream.make(text(head)).pipe(Stream.concat(bytes), Stream.concat(Stream.make(text("\r\n"))))
  }
  return Stream.concat(Stream.make(text(values)), Stream.flatMap(Stream.fromIterable(files), file))
}

/** A new body for each attempt: the bytes are read anew, and no further once the scope is closed. */
export const bodyFor = (
  fields: Readonly<Record<string, unknown>>,
  files: ReadonlyArray<Upload>
): Effect.Effect<Body, never, Scope.Scope> =>
  Effect.gen(function* () {
    // Nobody who wrote a file can have guessed it.
    const boundary = randomBytes(24).toString("hex")
    let handedOver = false
    let failed: FileUnreadable | undefined
    const source = parts(boundary, fields, files).pipe(
      Stream.tapError((error) =>
        Effect.sync(() => {
          failed = error
        })
      ),
      // From its last line on, the request can be understood.
      Stream.concat(
        Stream.suspend(() => {
          handedOver = true
          return Stream.make(text(`--${boundary}--\r\n`))
        })
      )
    )
    // A fetch that ends early leaves its body as it is, or reads on: the scope ends it.
    const { signal } = yield* Effect.acquireRelease(
      Effect.sync(() => new AbortController()),
      (controller) => Effect.sync(() => controller.abort())
    )
    const stream = Stream.toReadableStreamWith(source, yield* Effect.context<never>(), {
      // Nothing is read before it is asked for.
      strategy: { highWaterMark: 0 },
      signal
    })
    return {
      contentType: `multipart/form-data; boundary=${boundary}`,
      stream,
      handedOver: () => handedOver,
      failed: () => failed
    }
  })

/** Slower than this, and an upload is taken for stuck. */
const slowest = 64 * 1024

/** Milliseconds the bytes of these files may take on top of any other call. */
export const allowance = (files: ReadonlyArray<Upload>): number =>
  Math.ceil((files.reduce((sum, { size }) => sum + size, 0) / slowest) * 1_000)
