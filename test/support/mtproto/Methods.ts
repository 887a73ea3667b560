/** What the loopback Telegram answers. A method it does not know is refused as Telegram refuses an unknown one. */
import type { tl } from "@mtcute/core"
import { type Call, Fault } from "./Connection.ts"
import type { Answer } from "./Schema.ts"
import type { Account } from "./World.ts"

/** By method: takes the request as it was decoded, and answers or throws a `Fault`. */
export type Methods = {
  readonly [Name in tl.RpcMethod["_"]]?: (
    call: Call,
    request: tl.FindByName<tl.RpcMethod, Name>
  ) => tl.RpcCallReturn[Name] & Answer
}

/** The account behind a call that only one who is logged in may make. */
export const accountOf = ({ key }: Call): Account => {
  if (key.account === undefined) throw new Fault(401, "AUTH_KEY_UNREGISTERED")
  return key.account
}

export const answering =
  (...tables: ReadonlyArray<Methods>) =>
  (call: Call): Answer => {
    for (const table of tables) {
      const method = table[call.request._] as ((call: Call, request: tl.RpcMethod) => Answer) | undefined
      if (method !== undefined) return method(call, call.request)
    }
    throw new Fault(501, "METHOD_NOT_STUBBED")
  }
