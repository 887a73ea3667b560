/** A request to the HTTP server under test, as a stranger could make it: every header is ours to choose. */
import { request } from "node:http"
import { Effect } from "effect"
import { localUrl } from "../../src/ops/HttpServer.ts"

export interface Answer {
  readonly status: number
  readonly headers: NodeJS.Dict<string | ReadonlyArray<string>>
  readonly body: string
}

export const ask = (path: string, headers: Record<string, string> = {}, method = "GET", body?: string) =>
  Effect.flatMap(localUrl, (base) =>
    Effect.callback<Answer, Error>((resume) => {
      const sent = request(new URL(path, base), { method, headers, agent: false }, (response) => {
        const chunks: Array<Buffer> = []
        response.on("data", (chunk: Buffer) => chunks.push(chunk))
        response.on("end", () =>
          resume(
            Effect.succeed({
              status: response.statusCode ?? 0,
              headers: response.headers,
              body: Buffer.concat(chunks).toString()
            })
          )
        )
      })
      sent.on("error", (error) => resume(Effect.fail(error)))
      sent.end(body)
    })
  )
