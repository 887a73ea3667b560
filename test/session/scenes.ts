/** What tests of people's sessions begin with: a process, a person who logs in, and what is asked of them then. */
import { it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { SessionManager } from "../../src/session/SessionManager.ts"
import type { TenantScope } from "../../src/store/TenantScope.ts"
import { type FakeTelegram, makeFakeTelegram } from "./FakeTelegram.ts"
import { process } from "./process.ts"
import { ann, beneath, bob, by, eventually, key, watching } from "./support.ts"

/** A test with a process of its own, and its Telegram. */
export const lives = <E>(
  name: string,
  test: (
    telegram: FakeTelegram
  ) => Effect.Effect<void, E, Layer.Success<ReturnType<typeof process>> | TenantScope>
) =>
  it.live(name, () => {
    const { layer, world } = makeFakeTelegram([ann, bob])
    return test(world).pipe(Effect.provide(process(layer).pipe(Layer.provideMerge(beneath))))
  })

export const scanned = (telegram: FakeTelegram, account: number) =>
  eventually(telegram.scan({ _tag: "Accepted", account }), (told) => told)

export const loggedIn = Effect.fnUntraced(function* (telegram: FakeTelegram) {
  const { loginByQr } = yield* SessionManager
  const { ended, next } = yield* watching(loginByQr(key, by))
  yield* eventually(
    Effect.map((yield* SessionManager).status(key), ({ state }) => state),
    (state) => state === "PENDING_QR"
  )
  yield* scanned(telegram, ann.id)
  yield* next("Authorized")
  yield* ended
})

export const client = Effect.flatMap(SessionManager, (manager) => manager.client(key))
export const refusal = Effect.map(Effect.flip(Effect.scoped(client)), ({ _tag }) => _tag)
