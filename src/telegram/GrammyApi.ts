/**
 * The one door to grammY: single attempts to call the Bot API, each with its deadline, span and metrics.
 * Nothing grammY throws leaves this file (its errors print the token): only `CallFailed` does.
 */
import { Clock, Context, Duration, Effect, Layer, Metric, Redacted, Schema, Stream } from "effect"
import { Api, type ApiClientOptions, GrammyError } from "grammy"
import type { ApiMethods, ApiResponse, Opts } from "grammy/types"
import type { BotKey, BotUnknown, FileUnreadable } from "./BotPort.ts"
import { type BotAccount, Bots, botName } from "./Bots.ts"
import { botCallDuration, botCalls } from "./metrics.ts"
import { type Attempt, attemptOf, classify, Outcome } from "./Outcome.ts"
import { rootOf, transport } from "./Transport.ts"
import { allowance, type Body, bodyFor, type Upload } from "./Upload.ts"

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
  /** Sent along; the payload names them as `attach://<part>`. They get time of their own on top of `timeout`. */
  readonly files?: ReadonlyArray<Upload>
  /** All the time there is, that of the files included. */
  readonly within?: Duration.Input
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
    ) => Effect.Effect<ResultOf<M>, CallFailed | BotUnknown | FileUnreadable>
    /** Who an account is, also of one that is no bot of ours yet. One attempt of at most 5 seconds. */
    readonly introduce: (account: BotAccount) => Effect.Effect<ResultOf<"getMe">, CallFailed>
    /** One long poll. Updates come as Telegram wrote them: decoding is the caller's. */
    readonly getUpdates: (
      bot: BotKey,
      options: PollOptions
    ) => Effect.Effect<ReadonlyArray<unknown>, CallFailed | BotUnknown>
    /** The bytes behind a `file_path` of getFile, from byte `from` on (0). */
    readonly file: (
      bot: BotKey,
      path: string,
      options?: { readonly from?: number }
    ) => Stream.Stream<Uint8Array, CallFailed | BotUnknown>
  }
>()("zapiska/telegram/GrammyApi") {
  static readonly layer: Layer.Layer<GrammyApi, never, Bots> = Layer.effect(
    this,
    Effect.suspend(() => make)
  )
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

/** What broke off before all of the request had left was not processed, however it looked from here. */
const truthOf = (attempt: Attempt, body: Body | undefined): Attempt =>
  attempt._tag === "Lost" && body !== undefined && !body.handedOver()
    ? { _tag: "NotSent", reason: attempt.reason }
    : attempt

/** Span, metrics and classification around one attempt. */
const observed =
  (method: string, options: CallOptions, body?: Body) =>
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
        Effect.mapError(
          (failed) => new CallFailed({ method, outcome: classify(truthOf(failed, body), options) })
        ),
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

  /** With files: grammY's part of the work done here, so that they stream with their names and types. */
  const upload = Effect.fnUntraced(function* <M extends Method>(
    bot: BotKey,
    method: M,
    payload: PayloadOf<M>,
    options: CallOptions & { readonly files: ReadonlyArray<Upload> }
  ) {
    const account = yield* bots.get(bot)
    const body = yield* bodyFor({ ...payload }, options.files)
    const url = `${rootOf(account)}/bot${Redacted.value(account.token)}/${method}`
    const needed = Duration.sum(
      Duration.fromInputUnsafe(options.timeout),
      Duration.millis(allowance(options.files))
    )
    const timeout =
      options.within === undefined ? needed : Duration.min(needed, Duration.fromInputUnsafe(options.within))
    return yield* observed(
      method,
      { ...options, timeout },
      body
    )((signal) =>
      transport("shared")(url, {
        body: body.stream,
        headers: { "content-type": body.contentType },
        signal
      })
        .then((answer) => answer.json() as ApiResponse<ResultOf<M>>)
        .then((answer) =>
          answer.ok ? answer.result : Promise.reject(new GrammyError("refused", answer, method, {}))
        )
    ).pipe(Effect.mapError((error) => body.failed() ?? error))
  }, Effect.scoped)

  const call = <M extends Method>(
    bot: BotKey,
    method: M,
    payload: PayloadOf<M>,
    options: CallOptions
  ): Effect.Effect<ResultOf<M>, CallFailed | BotUnknown | FileUnreadable> =>
    options.files !== undefined && options.files.length > 0
      ? upload(bot, method, payload, { ...options, files: options.files })
      : Effect.flatMap(clientOf(bot), (api) =>
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

  const open = Effect.fnUntraced(function* (bot: BotKey, path: string, from: number) {
    const account = yield* bots.get(bot)
    const url = `${rootOf(account)}/file/bot${Redacted.value(account.token)}/${path}`
    const failed = (attempt: Attempt) =>
      new CallFailed({ method: "file", outcome: classify(attempt, { idempotent: true }) })
    const response = yield* observed("file", { idempotent: true, timeout: "30 seconds" })((signal) =>
      fetch(url, { signal, headers: from === 0 ? {} : { range: `bytes=${from}-` } }).then(
        // A response names its URL, and a span keeps what it ended with.
        ({ ok, status, body, headers }) => ({ ok, status, body, range: headers.get("content-range") ?? "" })
      )
    )
    if (!response.ok || response.body === null)
      return yield* failed({
        _tag: "Answered",
        code: response.status,
        description: "the file is not given out"
      })
    const body = response.body
    const bytes = Stream.fromReadableStream({
      evaluate: () => body,
      onError: (error) => failed(attemptOf(error))
    }).pipe(
      Stream.timeoutOrElse({
        duration: "30 seconds",
        orElse: () => Stream.fail(failed(timedOut(Duration.seconds(30))))
      })
    )
    // A server that knows no ranges gives the whole file.
    if (response.status !== 206) return withoutFirst(bytes, from)
    const start = /^bytes (\d+)-/.exec(response.range)?.[1] ?? String(from)
    return start === String(from)
      ? bytes
      : yield* failed({ _tag: "Lost", reason: `bytes from ${start} came instead of those from ${from}` })
  })

  return GrammyApi.of({
    call,
    introduce: (account) =>
      observed("getMe", { idempotent: true, timeout: "5 seconds" })((signal) =>
        invoke(client(account, "fresh"), "getMe", undefined, signal)
      ),
    getUpdates,
    file: (bot, path, options) => Stream.unwrap(open(bot, path, options?.from ?? 0))
  })
})

/** The bytes after the first `count`. */
const withoutFirst = <E>(bytes: Stream.Stream<Uint8Array, E>, count: number): Stream.Stream<Uint8Array, E> =>
  count === 0
    ? bytes
    : Stream.mapAccum(
        bytes,
        () => count,
        (left, chunk) => {
          const rest = chunk.subarray(Math.min(left, chunk.length))
          return [left - (chunk.length - rest.length), rest.length === 0 ? [] : [rest]] as const
        }
      )
