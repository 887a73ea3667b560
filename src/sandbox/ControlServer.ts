/**
 * The control API: every action of the contract as `POST /control/<action>`, what happens as a stream of lines, and
 * the bytes of files for pages to show. Refuses other hosts, and other sites where it could change something.
 */
import { Effect, PubSub, Schema, Stream } from "effect"
import { actions, type Controls, type SandboxRefused } from "./Control.ts"
import { byId } from "./Files.ts"
import { Bot, Event } from "./Views.ts"
import * as Wire from "./Wire.ts"
import type { World } from "./World.ts"

export const Info = Schema.Struct({ apiRoot: Schema.String, bot: Bot })
export type Info = typeof Info.Type

const encodeEvent = Schema.encodeEffect(Schema.fromJsonString(Event))
const encodeInfo = Schema.encodeEffect(Schema.fromJsonString(Info))

interface Action {
  readonly input: Schema.Codec<unknown, unknown>
  readonly output: Schema.Codec<unknown, unknown>
}
type Act = (input: never) => Effect.Effect<unknown, SandboxRefused>

const failure = (status: number, reason: string) => Wire.jsonReply(status, JSON.stringify({ reason }))

const local = /^(?:127\.0\.0\.1|localhost|\[::1\])(?::\d+)?$/

const events = ({ response }: Wire.Exchange, hub: PubSub.PubSub<Event>) =>
  Effect.gen(function* () {
    const subscription = yield* PubSub.subscribe(hub)
    response.writeHead(200, { "content-type": "application/x-ndjson" })
    response.write("\n")
    yield* Stream.runForEach(Stream.fromSubscription(subscription), (event) =>
      Effect.map(encodeEvent(event), (line) => void response.write(`${line}\n`))
    )
  }).pipe(Effect.scoped, Effect.orDie)

/** Bytes are shown as what they are, and never run as a page of this origin. */
const file = (world: World, id: string): Wire.Reply => {
  const found = byId(world, id)
  if (found === undefined) return failure(404, `there is no file ${id}`)
  const name = encodeURIComponent(found.media.name ?? "file")
  return {
    status: 200,
    headers: {
      "content-type": found.media.mime ?? "application/octet-stream",
      "content-disposition": `inline; filename*=UTF-8''${name}`,
      "content-security-policy": "sandbox; default-src 'none'",
      "x-content-type-options": "nosniff",
      "cache-control": "private, max-age=31536000, immutable"
    },
    body: found.bytes
  }
}

const run = Effect.fnUntraced(function* (exchange: Wire.Exchange, controls: Controls, name: string) {
  const action = (actions as unknown as Readonly<Record<string, Action>>)[name]
  const act = (controls as unknown as Readonly<Record<string, Act>>)[name]
  if (!Object.hasOwn(actions, name) || action === undefined || act === undefined) {
    return failure(404, `there is no action ${name}`)
  }
  const body = yield* Wire.readBody(exchange)
  const input = yield* Schema.decodeUnknownEffect(Schema.fromJsonString(action.input))(
    new TextDecoder().decode(body)
  )
  const output = yield* act(input as never)
  return Wire.jsonReply(200, yield* Schema.encodeUnknownEffect(Schema.fromJsonString(action.output))(output))
})

/** Handles `/control/<rest>`. */
export const make =
  (world: World, controls: Controls, hub: PubSub.PubSub<Event>, info: Info) =>
  (exchange: Wire.Exchange, rest: string): Effect.Effect<void> => {
    const { headers, method } = exchange.request
    if (!local.test(headers.host ?? "")) return Wire.answer(exchange, failure(403, "not this host"))
    if (method === "GET" && rest.startsWith("file/")) {
      return Wire.answer(exchange, file(world, rest.slice("file/".length)))
    }
    if (headers.origin !== undefined) return Wire.answer(exchange, failure(403, "not from a page"))
    if (method === "GET" && rest === "events") return events(exchange, hub)
    if (method === "GET" && rest === "info") {
      return Effect.flatMap(Effect.orDie(encodeInfo(info)), (json) =>
        Wire.answer(exchange, Wire.jsonReply(200, json))
      )
    }
    if (method !== "POST") return Wire.answer(exchange, failure(405, "actions are POSTed"))
    return run(exchange, controls, rest).pipe(
      Effect.catchTags({
        SandboxRefused: ({ reason }) => Effect.succeed(failure(400, reason)),
        SchemaError: ({ message }) => Effect.succeed(failure(422, message))
      }),
      Effect.catch(({ code, description }) => Effect.succeed(failure(code, description))),
      Effect.flatMap((reply) => Wire.answer(exchange, reply))
    )
  }
