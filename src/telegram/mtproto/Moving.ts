/**
 * An account that Telegram has moved to another data centre: the login is carried over to there, and the client goes on
 * there. mtcute itself would go on there as somebody who is not logged in. Source: https://core.telegram.org/api/datacenter
 */
import { MtcuteError, type RpcCallMiddleware } from "@mtcute/core"
import type { BaseTelegramClient } from "@mtcute/core/client.js"
import { Effect } from "effect"
import { isRefusal, type Refusal } from "./Calls.ts"

/** In which Telegram answers, or its answer is not waited for. */
const within = "30 seconds"

/** The data centre where Telegram says an account is. */
const placeNamed = (answer: unknown): number | undefined => {
  const place = isRefusal(answer)
    ? /^(?:USER|NETWORK)_MIGRATE_(\d{1,3})$/.exec(answer.errorMessage)?.[1]
    : undefined
  return place === undefined ? undefined : Number(place)
}

/** Says nothing of whether it can be carried over. */
const passes = ({ errorCode }: Refusal) => errorCode === 420 || errorCode >= 500 || errorCode < 0

export const makeMoving = () => {
  /** Why the login could not be carried over to there this time. */
  const hindered = new Map<number, Refusal>()

  /** What is answered is that the account lives elsewhere only if its login cannot be carried over to there. */
  const middleware: RpcCallMiddleware = async (context, next) => {
    const answer = await next(context)
    const place = placeNamed(answer)
    if (place === undefined || context.params?.localMigrate === true) return answer
    // Another call has found out before.
    if (context.manager.getPrimaryDcId() === place) return next(context)
    return hindered.get(place) ?? answer
  }

  /** `moved`: the client goes on elsewhere from now on. */
  const attach = (client: BaseTelegramClient, hasLogin: () => Promise<boolean>, moved: () => void) => {
    const { network } = client.mt
    const change = network.changePrimaryDc.bind(network)
    const underWay = new Map<number, Promise<void>>()

    const carry = async (dcId: number) => {
      // Not to be led back to here by the answer.
      const exported = await network.call({ _: "auth.exportAuthorization", dcId }, { localMigrate: true })
      if (isRefusal(exported)) return exported
      const { bytes, id } = exported
      const imported = await network.call({ _: "auth.importAuthorization", id, bytes }, { dcId })
      if (isRefusal(imported)) return imported
      // The connections that were made for this would never be told what happens.
      await network.recreateDc(dcId)
      await change(dcId)
      moved()
      return undefined
    }

    const changeOnce = async (dcId: number) => {
      if (!(await hasLogin())) return change(dcId)
      hindered.delete(dcId)
      const refusal = await Effect.runPromise(
        Effect.timeout(
          Effect.tryPromise({
            try: () => carry(dcId),
            catch: () => new MtcuteError("It was not carried over")
          }),
          within
        )
      )
      if (refusal !== undefined && passes(refusal)) hindered.set(dcId, refusal)
    }

    // mtcute carries the login to where files are in the same way, and remembers for ever, and with a rejection that
    // nobody looks after and ends the process, that it could not.
    const exports = Reflect.get(network, "_pendingExports")
    if (exports instanceof Map) {
      const set = exports.set.bind(exports)
      exports.set = (dcId: number, exported: Promise<void>) => {
        exported.catch(() => exports.delete(dcId))
        return set(dcId, exported)
      }
    }

    network.changePrimaryDc = (dcId) => {
      const before = underWay.get(dcId)
      if (before !== undefined) return before
      const now = changeOnce(dcId).finally(() => underWay.delete(dcId))
      underWay.set(dcId, now)
      return now
    }
  }

  return { middleware, attach }
}
