/** Sessions over the real client, which finds the loopback Telegram where Telegram would be. */
import { Effect, Layer, Redacted } from "effect"
import { AppId, defaultTenant } from "../../../src/domain/Ids.ts"
import type { SessionKey } from "../../../src/session/SessionEvents.ts"
import { SessionManager } from "../../../src/session/SessionManager.ts"
import { ada, clientTo } from "../../support/mtproto/accounts.ts"
import { LoopbackTelegram } from "../../support/mtproto/LoopbackTelegram.ts"
import { process as processWith } from "../process.ts"
import { by, key, beneath as services, watching } from "../support.ts"

export { ada }
export const { password: _password, hint: _hint, ...withoutPassword } = ada

/** What all processes of a test stand on. */
export const beneath = Layer.merge(services, LoopbackTelegram.layer)

/** One process, with clients and locks of its own. */
export const process = Layer.unwrap(
  LoopbackTelegram.useSync(({ dataCentre }) => processWith(clientTo(dataCentre)))
).pipe(Layer.fresh)

export const secret = Redacted.make<string>

export const another = (app: string): SessionKey => ({ tenant: defaultTenant, app: AppId.make(app) })

/** Logs in by the code the account is sent; the account has no password. */
export const loggedIn = Effect.fnUntraced(function* (
  account: { readonly phone: string; readonly code?: string } = ada,
  session: SessionKey = key
) {
  const manager = yield* SessionManager
  const { ended, next } = yield* watching(manager.loginByCode(session, secret(account.phone), by))
  // A login that fails shows no step more: let it be seen why.
  yield* Effect.raceFirst(next("CodeSent"), Effect.flatMap(ended, Effect.die))
  yield* manager.submitCode(session, secret(account.code ?? "54321"))
  yield* ended
})

/** How often a method was called so far. */
export const called = Effect.fnUntraced(function* (method: string) {
  const { received } = yield* LoopbackTelegram
  return (yield* received).filter(({ name }) => name === method).length
})
