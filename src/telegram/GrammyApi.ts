/**
 * The one door to grammY: single attempts to call the Bot API, each with its deadline, span and metrics.
 * Nothing grammY throws leaves this file (its errors print the token): only `CallFailed` does.
 */
import { Clock, Context, Duration, Effect, Layer, Metric, Redacted, Schema, Stream } from "effect"
import { Api, type ApiClientOptions } from "grammy"
import type { ApiMethods, Opts } from "grammy/types"
import type { BotKey, BotUnknown } from "./BotPort.ts"
import { type BotAccount, Bots, botName } from "./Bots.ts"
import { botCallDuration, botCalls } from "./metrics.ts"
import { type Attempt, attemptOf, classify, NotBotApi, Outcome } from "./Outcome.ts"

/** One attempt that did not succeed. */
export class CallFailed extends Schema.TaggedError<CallFailed>()("CallFailed", {
  method: Schema.String,
  outcome: Outcome
}) {
  override get message() {
    const { outcome } = this
    const detail = "reason" in outcome ? `: ${outcome.reason}` : ""
    return `${this.method} came to ${outcome._tag}${detail}`
  }
}

export type Method = keyof ApiMethods
/** What a method takes: `undefined` for those without parameters. */
export type PayloadOf<M extends Method> = Parameters<ApiMethods[M]>[0] extends undefined ? undefined : Opts<M>
export type ResultOf<M extends Method> = Awaited<ReturnType<ApiMethods[M]>>

export interface CallOptions {
  /** Repeating it does no harm: reads, edits, deletions, reactions, chat actions, answers to buttons. */
  readonly idempotent: boolean
  readonly timeout: Duration.Input
}

export interface PollOptions {
  /** Confirms every update below it. Absent on the first poll of a bot. */
  readonly offset?: number
  /** How long Telegram holds the call open when there is nothing, in whole seconds (at most 50). */
  readonly timeout: Duration.Input
  /** 1 to 100. */
  readonly limit?: number
  readonly allowedUpdates: ReadonlyArray<string>
  /** A connection of its own, as is wise after a conflict. */
  readonly connection?: "shared" | "fresh"
}

export class GrammyApi extends Context.Service<
  GrammyApi,
  {
    /** One attempt: no retry, no pace. Interrupting it aborts the request. */
    readonly call: <M extends Method>(
      bot: BotKey,
      method: M,
      payload: PayloadOf<M>,
      options: CallOptions
    ) => Effect.Effect<ResultOf<M>, CallFailed | BotUnknown>
    /** One long poll. Updates come as Telegram wrote them: decoding is the caller's. */
    readonly getUpdates: (
      bot: BotKey,
      options: PollOptions
    ) => Effect.Effect<ReadonlyArray<unknown>, CallFailed | BotUnknown>
    /** The bytes behind a `file_path` of getFile. */
    readonly file: (bot: BotKey, path: string) => Stream.Stream<Uint8Array, CallFailed | BotUnknown>
  }
>()("zapiska/telegram/GrammyApi") {
  static readonly layer: Layer.Layer<GrammyApi, never, Bots> = Layer.effect(
    this,
    Effect.suspend(() => make)
  )
}

const telegram = "https://api.telegram.org"

const rootOf = (account: BotAccount): string => (account.apiRoot ?? telegram).replace(/\/+$/, "")

const isBotApi = (body: unknown): boolean => {
  if (typeof body !== "object" || body === null || !("ok" in body)) return false
  if (body.ok === true) return "result" in body
  return (
    "error_code" in body &&
    typeof body.error_code === "number" &&
    "description" in body &&
    typeof body.description === "string"
  )
}

/** What grammY reads as the answer; rejects when there is no Bot API in it. */
const read = (response: Response): Promise<{ readonly json: () => unknown }> =>
  response.text().then((text) => {
    const notBotApi = () => Promise.reject(new NotBotApi(response.status))
    return Promise.resolve(text)
      .then(JSON.parse)
      .then((body) => (isBotApi(body) ? { json: () => body } : notBotApi()), notBotApi)
  })

/**
 * The transport under grammY, at the edge of its promises: the platform's fetch instead of node-fetch,
 * whose agent reuses sockets the server has already closed. This one drops them after 4 idle seconds,
 * sooner when the server says so.
 */
const transport =
  (connection: "shared" | "fresh") =>
  (
    url: string,
    init: {
      body?: NonNullable<RequestInit["body"]>
      headers?: Record<string, string>
      signal?: EventTarget & { aborted: boolean }
    }
  ) => {
    const abort = new AbortController()
    if (init.signal?.aborted) abort.abort()
    init.signal?.addEventListener("abort", () => abort.abort(), { once: true })
    const request: RequestInit & { duplex: "half" } = {
      method: "POST",
      headers: { ...init.headers, connection: connection === "fresh" ? "close" : "keep-alive" },
      signal: abort.signal,
      duplex: "half",
      ...(init.body === undefined ? {} : { body: init.body })
    }
    return fetch(url, request).then(read)
  }

/** grammY's own clock never fires: deadlines are Effect's, and interruption aborts the request. */
const never = 2_000_000

const client = (account: BotAccount, connection: "shared" | "fresh"): Api =>
  new Api(Redacted.value(account.token), {
    apiRoot: rootOf(account),
    timeoutSeconds: never,
    fetch: transport(connection) as unknown as NonNullable<ApiClientOptions["fetch"]>
  })

const label = (outcome: Outcome): string =>
  outcome._tag.replace(/(?<=[a-z])[A-Z]/g, (letter) => `_${letter}`).toLowerCase()

const timedOut = (after: Duration.Duration): Attempt => ({
  _tag: "Lost",
  reason: `no answer within ${Duration.format(after)}`
})

/** Span, metrics and classification around one attempt. */
const observed =
  (method: string, options: CallOptions) =>
  <A>(attempt: (signal: AbortSignal) => Promise<A>): Effect.Effect<A, CallFailed> =>
    Effect.gen(function* () {
      const started = yield* Clock.currentTimeMillis
      const timeout = Duration.fromInputUnsafe(options.timeout)
      const count = (outcome: string) =>
        Effect.gen(function* () {
          const now = yield* Clock.currentTimeMillis
          yield* Metric.update(Metric.withAttributes(botCalls, { method, outcome }), 1)
          yield* Metric.update(Metric.withAttributes(botCallDuration, { method }), (now - started) / 1000)
          yield* Effect.annotateCurrentSpan("telegram.outcome", outcome)
        })
      return yield* Effect.tryPromise({ try: attempt, catch: attemptOf }).pipe(
        Effect.timeoutOrElse({ duration: timeout, orElse: () => Effect.fail(timedOut(timeout)) }),
        Effect.mapError((failed) => new CallFailed({ method, outcome: classify(failed, options) })),
        Effect.tap(() => count("ok")),
        Effect.tapError(({ outcome }) => count(label(outcome))),
        Effect.onInterrupt(() => count("interrupted"))
      )
    }).pipe(
      Effect.withSpan(`bot.${method}`, {
        kind: "client",
        attributes: { "rpc.system": "telegram_bot_api", "rpc.method": method }
      })
    )

const make = Effect.gen(function* () {
  const bots = yield* Bots
  const clients = new Map<string, { readonly account: BotAccount; readonly api: Api }>()

  const clientOf = Effect.fnUntraced(function* (bot: BotKey, connection: "shared" | "fresh" = "shared") {
    const account = yield* bots.get(bot)
    if (connection === "fresh") return client(account, connection)
    const known = clients.get(botName(bot))
    // A rotated token is another account object.
    if (known !== undefined && known.account === account) return known.api
    const api = client(account, connection)
    clients.set(botName(bot), { account, api })
    return api
  })

  const invoke = <M extends Method>(api: Api, method: M, payload: PayloadOf<M>, signal: AbortSignal) => {
    const raw = api.raw as unknown as Record<
      string,
      (...args: ReadonlyArray<unknown>) => Promise<ResultOf<M>>
    >
    return payload === undefined ? raw[method]!(signal) : raw[method]!(payload, signal)
  }

  const call = <M extends Method>(bot: BotKey, method: M, payload: PayloadOf<M>, options: CallOptions) =>
    Effect.flatMap(clientOf(bot), (api) =>
      observed(method, options)((signal) => invoke(api, method, payload, signal))
    )

  const getUpdates = Effect.fnUntraced(function* (bot: BotKey, options: PollOptions) {
    const api = yield* clientOf(bot, options.connection)
    const hold = Math.round(Duration.toSeconds(options.timeout))
    const payload = {
      timeout: hold,
      allowed_updates: options.allowedUpdates as NonNullable<Opts<"getUpdates">["allowed_updates"]>,
      ...(options.offset === undefined ? {} : { offset: options.offset }),
      ...(options.limit === undefined ? {} : { limit: options.limit })
    }
    // Telegram holds the call, then the answer has to travel.
    const deadline = { idempotent: true, timeout: Duration.seconds(hold + 15) }
    const updates: ReadonlyArray<unknown> = yield* observed(
      "getUpdates",
      deadline
    )((signal) => invoke(api, "getUpdates", payload, signal))
    return updates
  })

  const open = Effect.fnUntraced(function* (bot: BotKey, path: string) {
    const account = yield* bots.get(bot)
    const url = `${rootOf(account)}/file/bot${Redacted.value(account.token)}/${path}`
    const failed = (attempt: Attempt) =>
      new CallFailed({ method: "file", outcome: classify(attempt, { idempotent: true }) })
    const response = yield* observed("file", { idempotent: true, timeout: "30 seconds" })((signal) =>
      fetch(url, { signal })
    )
    if (!response.ok || response.body === null)
      return yield* failed({
        _tag: "Answered",
        code: response.status,
        description: "the file is not given out"
      })
    const body = response.body
    return Stream.fromReadableStream({
      evaluate: () => body,
      onError: (error) => failed(attemptOf(error))
    }).pipe(
      Stream.timeoutOrElse({
        duration: "30 seconds",
        orElse: () => Stream.fail(failed(timedOut(Duration.seconds(30))))
      })
    )
  })

  return GrammyApi.of({ call, getUpdates, file: (bot, path) => Stream.unwrap(open(bot, path)) })
})
