/** An OTLP/HTTP collector that keeps what it is sent, as it was sent. */
import { createServer } from "node:http"
import { gunzipSync } from "node:zlib"
import { Effect } from "effect"

export interface Received {
  readonly path: string
  readonly body: string
}

interface Collector {
  readonly url: string
  readonly received: Array<Received>
  readonly close: () => void
}

export const collector = (status = 200) =>
  Effect.acquireRelease(
    Effect.callback<Collector>((resume) => {
      const received: Array<Received> = []
      const server = createServer((message, response) => {
        const chunks: Array<Buffer> = []
        message.on("data", (chunk: Buffer) => chunks.push(chunk))
        message.on("end", () => {
          const body = Buffer.concat(chunks)
          const text = message.headers["content-encoding"] === "gzip" ? gunzipSync(body) : body
          received.push({ path: message.url ?? "", body: text.toString() })
          response.writeHead(status, { "content-type": "application/json" }).end("{}")
        })
      })
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        const port = typeof address === "object" && address !== null ? address.port : 0
        const close = () => {
          server.closeAllConnections()
          server.close()
        }
        resume(Effect.succeed({ url: `http://127.0.0.1:${port}`, received, close }))
      })
    }),
    ({ close }) => Effect.sync(close)
  )

/** `/v1/traces`, `/v1/logs` or `/v1/metrics`. */
export const bodiesAt = (received: ReadonlyArray<Received>, path: string): ReadonlyArray<string> =>
  received.filter((one) => one.path === path).map((one) => one.body)
