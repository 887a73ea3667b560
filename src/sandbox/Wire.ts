/**
 * HTTP on the emulator's side of the wire: reading whole requests, answering them, and every way an answer can fail
 * to arrive. Raw node:http, because a reset or a half-closed connection is below what a framework offers.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import { Effect, type Exit, Fiber, FiberSet, type Scope } from "effect"
import { type Refusal, refusalBody, tooLargeRequest } from "./Refusal.ts"

export interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly url: URL
}

export interface Reply {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Uint8Array
}

export const jsonReply = (status: number, body: string): Reply => ({
  status,
  headers: { "content-type": "application/json" },
  body
})

export const refusalReply = (refusal: Refusal): Reply =>
  jsonReply(refusal.code, JSON.stringify(refusalBody(refusal)))

export const htmlReply = (status: number): Reply => ({
  status,
  headers: { "content-type": "text/html" },
  body: `<html>\r\n<head><title>${status}</title></head>\r\n<body><center><h1>${status}</h1></center></body>\r\n</html>\r\n`
})

/** Uploads end at 50 MB; this is that with its multipart wrapping. */
const bodyLimit = 64 * 1024 * 1024

export const readBody = ({ request }: Exchange): Effect.Effect<Uint8Array, Refusal> =>
  Effect.callback((resume) => {
    const chunks: Array<Buffer> = []
    let size = 0
    request.on("data", (chunk: Buffer) => {
      size += chunk.length
      if (size > bodyLimit) {
        chunks.length = 0
        resume(Effect.fail(tooLargeRequest))
      } else chunks.push(chunk)
    })
    request.on("end", () => resume(Effect.succeed(Buffer.concat(chunks))))
  })

const head = ({ response }: Exchange, reply: Reply) => {
  const length = typeof reply.body === "string" ? Buffer.byteLength(reply.body) : reply.body.length
  response.writeHead(reply.status, { ...reply.headers, "content-length": length })
}

export const answer = (exchange: Exchange, reply: Reply): Effect.Effect<void> =>
  Effect.sync(() => {
    head(exchange, reply)
    exchange.response.end(reply.body)
  })

/** Closes the connection without a word. */
export const drop = ({ request }: Exchange): Effect.Effect<void> =>
  Effect.sync(() => request.socket.destroy())

/** Sends a TCP reset. */
export const reset = ({ request }: Exchange): Effect.Effect<void> =>
  Effect.sync(() => request.socket.resetAndDestroy())

/** Announces the whole body, sends half of it, closes. */
export const truncate = (exchange: Exchange, reply: Reply): Effect.Effect<void> =>
  Effect.callback((resume) => {
    head(exchange, reply)
    const bytes = Buffer.from(reply.body as string)
    exchange.response.write(bytes.subarray(0, Math.floor(bytes.length / 2)), () => {
      exchange.request.socket.destroy()
      resume(Effect.void)
    })
  })

/** Sends the head, then ends the server's half: the client may go on writing, nothing more will come. */
export const halfClose = (exchange: Exchange, reply: Reply): Effect.Effect<void> =>
  Effect.sync(() => {
    head(exchange, reply)
    exchange.response.flushHeaders()
    exchange.request.socket.end()
  })

const listen = (port: number): Effect.Effect<Server, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<Server>((resume) => {
      const server = createServer({ keepAliveTimeout: 60_000 })
      server.once("error", (cause) => resume(Effect.die(cause)))
      server.listen(port, "127.0.0.1", () => resume(Effect.succeed(server)))
    }),
    (server) =>
      Effect.callback<void>((resume) => {
        server.close(() => resume(Effect.void))
        server.closeAllConnections()
      })
  )

export interface Listening {
  /** `http://127.0.0.1:port` */
  readonly apiRoot: string
  /** From now on every request runs `handle`, interrupted when the client goes away or the scope closes. */
  readonly serve: (handle: (exchange: Exchange) => Effect.Effect<void>) => Effect.Effect<void>
}

/** Listens on loopback; `port` 0 takes a free one. */
export const make = Effect.fnUntraced(function* (
  port: number
): Effect.fn.Return<Listening, never, Scope.Scope> {
  const server = yield* listen(port)
  const requests = yield* FiberSet.make<void>()
  const run = yield* FiberSet.runtime(requests)()
  const address = server.address()
  const bound = typeof address === "object" && address !== null ? address.port : port
  const accept = (handle: (exchange: Exchange) => Effect.Effect<void>) =>
    Effect.sync(() => {
      server.on("request", (request, response) => {
        const url = new URL(request.url ?? "/", "http://loopback")
        const fiber = run(
          Effect.tapCause(handle({ request, response, url }), (cause) =>
            Effect.logError("The Bot API emulator could not answer", cause)
          )
        )
        fiber.addObserver((exit: Exit.Exit<void>) => {
          if (exit._tag === "Failure") request.socket.destroy()
        })
        response.on("close", () => {
          if (!response.writableFinished) Effect.runFork(Fiber.interrupt(fiber))
        })
      })
    })
  return { apiRoot: `http://127.0.0.1:${bound}`, serve: accept }
})
