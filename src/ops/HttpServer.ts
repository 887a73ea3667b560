/**
 * The one HTTP server of the process: listens first of all, then serves the routes it is given as Layers, and
 * refuses foreign hosts and origins.
 */
import { createServer, type RequestListener } from "node:http"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { ByteSize, Effect, Layer, Schema } from "effect"
import {
  HttpIncomingMessage,
  HttpMiddleware,
  HttpRouter,
  HttpServer,
  type HttpServerError,
  HttpServerRequest,
  HttpServerResponse
} from "effect/http"
import { refusal } from "./HostGuard.ts"

export class CannotListen extends Schema.TaggedError<CannotListen>()("CannotListen", {
  host: Schema.String,
  port: Schema.Int,
  reason: Schema.String
}) {
  override get message() {
    const where = `${this.host}:${this.port}`
    if (this.reason === "EADDRINUSE")
      return `Port ${this.port} is taken (${where}); stop what listens there or set HTTP_PORT to another port`
    if (this.reason === "EACCES")
      return `The process may not listen on ${where}; set HTTP_PORT to a port above 1023`
    if (this.reason === "EADDRNOTAVAIL" || this.reason === "ENOTFOUND")
      return `${this.host} is no address of this machine; set HTTP_HOST to one of its own`
    return `Cannot listen on ${where} (${this.reason}); check HTTP_HOST and HTTP_PORT`
  }
}

export interface ListenOptions {
  readonly host: string
  /** 0: any free one. */
  readonly port: number
  /** How many ports after this one may be tried when it is taken; 0 when somebody chose the port. */
  readonly alternatives: number
}

const reasonOf = (error: HttpServerError.ServeError): string =>
  error.cause instanceof Error && "code" in error.cause ? String(error.cause.code) : String(error.cause)

/** The port is open before the routes are there, and Node leaves a request nobody listens for unanswered for ever. */
const createPatientServer = () => {
  const server = createServer()
  const notYet: RequestListener = (_request, response) => {
    response.writeHead(503, { "retry-after": "1", connection: "close" }).end("Starting\n")
  }
  server.on("request", notYet)
  server.on("newListener", (event) => {
    if (event === "request") server.off("request", notYet)
  })
  return server
}

/**
 * Takes the port, before anything else is made: until there are routes every request is told to come back. Gives
 * `HttpServer`, whose address is the one really taken.
 */
export const listen = ({
  host,
  port,
  alternatives
}: ListenOptions): Layer.Layer<HttpServer.HttpServer, CannotListen> =>
  NodeHttpServer.layerServer(createPatientServer, {
    host,
    port,
    // Exit waits for nobody: a page that holds a stream open is cut off.
    gracefulShutdownTimeout: "1 second",
    // No page says more at once, and `ws` would hold 100 MB for whoever does.
    websocket: { maxPayload: 16 * 1024 }
  }).pipe(
    Layer.catch((error) => {
      const reason = reasonOf(error)
      return reason === "EADDRINUSE" && alternatives > 0
        ? listen({ host, port: port + 1, alternatives: alternatives - 1 })
        : Layer.effect(HttpServer.HttpServer, Effect.fail(new CannotListen({ host, port, reason })))
    })
  )

/** What this server is called by some and below one path only, such as the public name a proxy serves it under. */
export interface Guest {
  readonly name: string
  readonly below: string
}

/** Of a request, unless its route says otherwise. The longest of an operator is a few kilobytes. */
const largestBody = ByteSize.fromInputUnsafe("1 MiB")

const guard = (names: ReadonlyArray<string>, guests: ReadonlyArray<Guest>) =>
  HttpRouter.middleware(
    (handle) =>
      Effect.gen(function* () {
        const { headers, url } = yield* HttpServerRequest.HttpServerRequest
        const here = guests.flatMap(({ name, below }) => (url.startsWith(below) ? [name] : []))
        const known = [...names, ...here].map((name) => name.toLowerCase())
        const reason = refusal({ host: headers.host, origin: headers.origin }, known)
        if (reason !== undefined) return HttpServerResponse.text(`${reason}\n`, { status: 403 })
        const answer = yield* Effect.provideService(handle, HttpIncomingMessage.MaxBodySize, largestBody)
        return HttpServerResponse.setHeaders(answer, {
          "x-content-type-options": "nosniff",
          "referrer-policy": "no-referrer"
        })
      }),
    { global: true }
  )

/** Asked every few seconds for ever: traces of these would bury the others. */
const frequent = ["/health/live", "/health/ready", "/metrics"]

/**
 * Serves `routes` (Layers made with `HttpRouter`, merged) where `listen` listens. `names`: ours besides loopback, as
 * they are asked for behind a proxy or in a container network. `untraced`: below these the path itself is a secret.
 */
export const serve = <E, R>(
  routes: Layer.Layer<never, E, R>,
  names: ReadonlyArray<string>,
  guests: ReadonlyArray<Guest> = [],
  untraced: ReadonlyArray<string> = []
) =>
  HttpRouter.serve(Layer.merge(routes, guard(names, guests)), {
    disableLogger: true,
    disableListenLog: true
  }).pipe(
    Layer.provide(
      Layer.succeed(
        HttpMiddleware.TracerDisabledWhen,
        ({ url }) => frequent.includes(url) || untraced.some((below) => url.startsWith(below))
      )
    ),
    Layer.provide(NodeHttpServer.layerHttpServices)
  )

/** The address of the server as a browser on this machine opens it. */
export const localUrl: Effect.Effect<string, never, HttpServer.HttpServer> = HttpServer.addressFormattedWith(
  (url) => Effect.succeed(url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:"))
)
