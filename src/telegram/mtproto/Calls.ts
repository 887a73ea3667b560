/** One call of Telegram's API: with a time limit, ended with its fiber, and its failure one of `UserError`. */
import type { RpcCallOptions, tl } from "@mtcute/core"
import type { BaseTelegramClient } from "@mtcute/core/client.js"
import { Deferred, Duration, Effect } from "effect"
import { NetworkDown, type OwnershipEnded, Timeout, type UserError } from "../UserError.ts"
import type { GuardedTransport } from "./GuardedTransport.ts"
import { reasonOf } from "./Reasons.ts"

/** How long one attempt may take; a reconnection is within it. */
const timeLimit = Duration.seconds(20)
/** A flood wait up to here is waited for instead of told. Seconds. */
const patience = 10
/** Telegram's own failures (5xx) are tried again so many times, a second apart. */
const attempts = 2

export interface CallOptions extends Pick<RpcCallOptions, "dcId" | "kind"> {
  /** "told": a flood wait is the caller's to wait for, however short, for a person is looking. */
  readonly floods?: "waited" | "told"
}

export interface Calls {
  readonly call: <const Request extends tl.RpcMethod>(
    request: Request,
    options?: CallOptions
  ) => Effect.Effect<tl.RpcCallReturn[Request["_"]], UserError>
}

export const makeCalls = (
  client: BaseTelegramClient,
  transport: GuardedTransport,
  /** Fails when nothing may be written any more. */
  over: Deferred.Deferred<never, OwnershipEnded>
): Calls => {
  const once = <const Request extends tl.RpcMethod>(request: Request, { dcId, kind }: CallOptions) => {
    const method = request._
    return Effect.tryPromise({
      try: async (abortSignal) => {
        const answer = await client.mt.call(request, {
          abortSignal,
          floodSleepThreshold: 0,
          maxRetryCount: attempts,
          ...(dcId === undefined ? {} : { dcId }),
          ...(kind === undefined ? {} : { kind })
        })
        if (!isRefusal(answer)) await client.storage.peers.updatePeersFrom(answer)
        return answer
      },
      // Everything Telegram says comes as an answer: what is thrown is a connection that ended.
      catch: (): UserError => new NetworkDown({ method })
    }).pipe(
      Effect.flatMap(
        (answer): Effect.Effect<tl.RpcCallReturn[Request["_"]], UserError> =>
          isRefusal(answer)
            ? Effect.fail(reasonOf(method, { code: answer.errorCode, text: answer.errorMessage }))
            : Effect.succeed(answer)
      ),
      Effect.raceFirst(Deferred.await(over)),
      Effect.timeoutOrElse({
        duration: timeLimit,
        orElse: () =>
          Effect.fail(transport.state() === "up" ? new Timeout({ method }) : new NetworkDown({ method }))
      })
    )
  }

  const call = <const Request extends tl.RpcMethod>(
    request: Request,
    options: CallOptions = {},
    left = 3
  ): Effect.Effect<tl.RpcCallReturn[Request["_"]], UserError> =>
    Effect.catchTag(once(request, options), "FloodWait", (flood) =>
      options.floods === "told" || flood.seconds > patience || left === 0
        ? Effect.fail(flood)
        : Effect.andThen(Effect.sleep(Duration.seconds(flood.seconds)), call(request, options, left - 1))
    )

  return {
    call: (request, options) =>
      call(request, options).pipe(
        Effect.withSpan("Mtproto.call", { attributes: { "rpc.method": request._ } })
      )
  }
}

export interface Refusal {
  readonly _: "mt_rpc_error"
  readonly errorCode: number
  readonly errorMessage: string
}

export const isRefusal = (answer: unknown): answer is Refusal =>
  typeof answer === "object" && answer !== null && "_" in answer && answer._ === "mt_rpc_error"
