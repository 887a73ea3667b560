/**
 * What the page asks of the emulator, as JSON: the people's actions of the control table, the chats one person
 * sees, and everything that happens in them as server-sent events.
 */
import { ByteSize, Deferred, Effect, Queue, Ref, Schema, Stream } from "effect"
import { HttpIncomingMessage, HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import {
  type ActionName,
  actions,
  BotApiEmulator,
  type Controls,
  type Input,
  type Output
} from "./Control.ts"
import { foreignBytes } from "./PageAssets.ts"
import { SandboxKnowledge } from "./SandboxKnowledge.ts"
import { Chat, Event, Message, User } from "./Views.ts"

/** What a person's client can do. Bots, faults, updates and the journal are for tests only. */
const allowed = [
  "createUser",
  "createGroup",
  "createTopic",
  "messages",
  "commands",
  "start",
  "block",
  "unblock",
  "sendText",
  "sendTexts",
  "sendFile",
  "sendAlbum",
  "forward",
  "sendLocation",
  "sendContact",
  "sendPoll",
  "sendDice",
  "editText",
  "deleteMessages",
  "press",
  "stopDraft",
  "react",
  "vote"
] as const satisfies ReadonlyArray<ActionName>

/** Ten photos of 20 MB cannot be one request; an album a person really sends can. */
const largestRequest = ByteSize.mebibytes(96)

/** The bot without its token, everybody, the chats of one person, and the newest message of each. */
export const State = Schema.Struct({
  bot: Schema.Struct({ id: Schema.Int, username: Schema.String, name: Schema.String }),
  users: Schema.Array(User),
  chats: Schema.Array(Chat),
  latest: Schema.Array(Message),
  knowledge: Schema.Struct({ location: Schema.String })
})

const problem = (status: number, error: string) => HttpServerResponse.jsonUnsafe({ error }, { status })

/** A page of another site may not act here: it can neither send JSON unasked nor say it is this page. */
const isOwn = (request: HttpServerRequest.HttpServerRequest) => {
  const site = request.headers["sec-fetch-site"]
  return (
    (site === undefined || site === "same-origin") &&
    (request.headers["content-type"] ?? "").startsWith("application/json")
  )
}

/** Bad requests are answered with their reason; anything else is logged where it happened. */
const answered = <E extends { readonly _tag: string; readonly message: string }, R>(
  effect: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>
) =>
  effect.pipe(
    Effect.catch((error) => Effect.succeed(problem(400, error.message))),
    Effect.catchDefect((defect) =>
      Effect.as(
        Effect.logError("the sandbox's page was answered 500", defect),
        problem(500, "Something broke; the log says what")
      )
    )
  )

/** One action over HTTP: its input decoded, its output encoded, as the control table says. */
const handler = <K extends ActionName>(emulator: Controls, name: K) => {
  const entry = actions[name] as unknown as {
    readonly input: Schema.Codec<Input<K>, unknown>
    readonly output: Schema.Codec<Output<K>, unknown>
  }
  const decode = HttpServerRequest.schemaBodyJson(entry.input)
  const encode = Schema.encodeEffect(entry.output)
  return Effect.gen(function* () {
    const output = yield* emulator[name](yield* decode)
    return HttpServerResponse.jsonUnsafe(yield* encode(output))
  })
}

const sees = (user: number) => (chat: Chat) =>
  chat.kind === "private" ? chat.id === user : chat.members.includes(user)

export const layer = HttpRouter.use((router) =>
  Effect.gen(function* () {
    const emulator = yield* BotApiEmulator
    const knowledge = yield* SandboxKnowledge
    const closing = yield* Deferred.make<void>()
    // An open event stream would hold up the server's graceful shutdown.
    yield* Effect.addFinalizer(() => Deferred.succeed(closing, undefined))

    const handlers = new Map(allowed.map((name) => [name as string, handler(emulator, name)] as const))
    const chatsOf = (user: number) => Effect.map(emulator.chats({}), (all) => all.filter(sees(user)))

    const newest = (chat: Chat, thread?: number) =>
      emulator.messages({ chat: chat.id, limit: 1, ...(thread === undefined ? {} : { thread }) })

    const state = Effect.gen(function* () {
      const { user } = yield* HttpRouter.schemaParams(
        Schema.Struct({ user: Schema.optionalKey(Schema.FiniteFromString) })
      )
      const chats = user === undefined ? [] : yield* chatsOf(user)
      const latest = yield* Effect.forEach(chats, (chat) =>
        Effect.map(
          Effect.all([newest(chat), ...chat.topics.map((topic) => newest(chat, topic.id))], {
            concurrency: 4
          }),
          (pages) => pages.flat()
        )
      )
      const { id, name, username } = emulator.bot
      const users = (yield* emulator.users({})).filter((one) => !one.isBot)
      const json = yield* Schema.encodeEffect(State)({
        bot: { id, name, username },
        users,
        chats,
        latest: latest.flat(),
        knowledge: { location: knowledge.location }
      })
      return HttpServerResponse.jsonUnsafe(json)
    })

    const act = Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest) {
      if (!isOwn(request)) return problem(403, "Only the sandbox's own page may do this")
      const { action = "" } = yield* HttpRouter.params
      const handle = handlers.get(action)
      if (handle === undefined) return problem(404, `There is no action ${JSON.stringify(action)}`)
      return yield* handle
    })

    const file = Effect.gen(function* () {
      const { id } = yield* HttpRouter.schemaParams(Schema.Struct({ id: Schema.String }))
      const found = yield* emulator.file({ fileId: id })
      return HttpServerResponse.setHeader(
        foreignBytes(found.bytes, found),
        "cache-control",
        "private, max-age=31536000, immutable"
      )
    })

    const events = Effect.gen(function* () {
      const { user } = yield* HttpRouter.schemaParams(Schema.Struct({ user: Schema.FiniteFromString }))
      const visible = yield* Ref.make(new Set<number>())
      const look = Effect.flatMap(chatsOf(user), (chats) =>
        Ref.set(visible, new Set(chats.map((chat) => chat.id)))
      )
      const mine = (event: Event) =>
        event._tag === "ChatChanged"
          ? Effect.flatMap(Ref.get(visible), (before) =>
              Effect.andThen(
                look,
                Effect.map(Ref.get(visible), (after) => before.has(event.chat) || after.has(event.chat))
              )
            )
          : event.chat === user
            ? Effect.succeed(true)
            : Effect.map(Ref.get(visible), (chats) => chats.has(event.chat))
      const lines = Stream.callback<string>((queue) =>
        Effect.gen(function* () {
          const send = (line: string) => Queue.offer(queue, line)
          const report = Effect.tapCause((cause) => Effect.logError("sandbox events stopped", cause))
          yield* emulator.events.pipe(
            Stream.filterEffect(mine),
            Stream.mapEffect((event) => Schema.encodeEffect(Schema.fromJsonString(Event))(event)),
            Stream.runForEach((json) => send(`data: ${json}\n\n`)),
            report,
            Effect.forkScoped({ startImmediately: true })
          )
          yield* knowledge.changes.pipe(
            Stream.runForEach(() => send("event: knowledge\ndata: {}\n\n")),
            report,
            Effect.forkScoped({ startImmediately: true })
          )
          yield* look
          // Only after subscribing: what the page lists on this cannot miss anything.
          yield* send("retry: 1000\nevent: hello\ndata: {}\n\n")
          // So that a connection that died silently is noticed on both sides.
          yield* Effect.forkScoped(
            Effect.forever(Effect.delay(send("event: ping\ndata: {}\n\n"), "15 seconds"))
          )
        }).pipe(Effect.orDie)
      )
      return HttpServerResponse.stream(
        lines.pipe(Stream.interruptWhen(Deferred.await(closing)), Stream.encodeText),
        {
          contentType: "text/event-stream",
          headers: { "cache-control": "no-store", "x-accel-buffering": "no" }
        }
      )
    })

    yield* router.add("GET", "/sandbox/api/state", answered(state))
    yield* router.add("GET", "/sandbox/api/file", answered(file))
    yield* router.add("GET", "/sandbox/api/events", answered(events))
    yield* router.add("POST", "/sandbox/api/actions/:action", (request) =>
      act(request).pipe(answered, Effect.provideService(HttpIncomingMessage.MaxBodySize, largestRequest))
    )
  })
)
