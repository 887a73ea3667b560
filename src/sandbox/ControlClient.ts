/**
 * The emulator of another process, by its control API: the same service, so that a test does not see the difference.
 */
import { Effect, Layer, Option, PubSub, Schema, type Scope, Stream } from "effect"
import { FetchHttpClient, HttpBody, HttpClient, HttpClientRequest } from "effect/http"
import { type ActionName, actions, BotApiEmulator, type Controls, SandboxRefused } from "./Control.ts"
import { Info } from "./ControlServer.ts"
import { Event } from "./Views.ts"

interface Action {
  readonly input: Schema.Codec<unknown, unknown>
  readonly output: Schema.Codec<unknown, unknown>
}

const Failure = Schema.fromJsonString(Schema.Struct({ reason: Schema.String }))

const names = Object.keys(actions) as ReadonlyArray<ActionName>

const caller = (client: HttpClient.HttpClient, apiRoot: string) => (name: ActionName) => {
  const { input, output } = (actions as unknown as Readonly<Record<ActionName, Action>>)[name]
  const refused = (reason: string) => new SandboxRefused({ action: name, reason })
  const call = Effect.fnUntraced(function* (argument: unknown) {
    const json = yield* Schema.encodeUnknownEffect(Schema.fromJsonString(input))(argument)
    const response = yield* HttpClientRequest.post(`${apiRoot}/control/${name}`).pipe(
      HttpClientRequest.setBody(HttpBody.text(json, "application/json")),
      client.execute
    )
    const text = yield* response.text
    if (response.status === 200) {
      return yield* Schema.decodeUnknownEffect(Schema.fromJsonString(output))(text)
    }
    const failure = Schema.decodeUnknownOption(Failure)(text)
    return yield* refused(Option.match(failure, { onNone: () => text, onSome: ({ reason }) => reason }))
  })
  return (argument: unknown) =>
    Effect.mapError(call(argument), (error) =>
      error._tag === "SandboxRefused" ? error : refused(error.message)
    )
}

/** Events as they come; the connection is made when the Layer is built, so nothing after that is missed. */
const listen = Effect.fnUntraced(function* (
  client: HttpClient.HttpClient,
  apiRoot: string
): Effect.fn.Return<PubSub.PubSub<Event>, SandboxRefused, Scope.Scope> {
  const hub = yield* PubSub.unbounded<Event>()
  const decode = Schema.decodeUnknownEffect(Schema.fromJsonString(Event))
  const response = yield* Effect.mapError(
    client.execute(HttpClientRequest.get(`${apiRoot}/control/events`)),
    ({ message }) => new SandboxRefused({ action: "events", reason: message })
  )
  yield* response.stream.pipe(
    Stream.decodeText(),
    Stream.splitLines,
    Stream.filter((line) => line !== ""),
    Stream.mapEffect((line) => decode(line)),
    Stream.runForEach((event) => PubSub.publish(hub, event)),
    Effect.catch((error) => Effect.logDebug("The emulator's events ended", error.message)),
    Effect.forkScoped
  )
  return hub
})

const make = Effect.fnUntraced(function* (apiRoot: string) {
  const client = yield* Effect.provide(HttpClient.HttpClient, FetchHttpClient.layer)
  const info = yield* client.get(`${apiRoot}/control/info`).pipe(
    Effect.flatMap((response) => response.text),
    Effect.flatMap(Schema.decodeUnknownEffect(Schema.fromJsonString(Info))),
    Effect.mapError(({ message }) => new SandboxRefused({ action: "info", reason: message }))
  )
  const hub = yield* listen(client, apiRoot)
  const call = caller(client, apiRoot)
  const controls = Object.fromEntries(names.map((name) => [name, call(name)])) as unknown as Controls
  return BotApiEmulator.of({ ...controls, ...info, events: Stream.fromPubSub(hub) })
})

/** `apiRoot` of an emulator started with `control: true`. */
export const layer = (apiRoot: string): Layer.Layer<BotApiEmulator, SandboxRefused> =>
  Layer.effect(BotApiEmulator, make(apiRoot))
