/** A Telegram that a test holds in its hand before its process begins, with a canary in all that is secret. */
import { Context, Effect, Layer } from "effect"
import { FakeTelegram as Fake, type FakeAccount } from "../../src/telegram/FakeTelegram.ts"
import { UserClient } from "../../src/telegram/UserClient.ts"

/** In everything that is secret here: it may turn up nowhere. */
export const canary = "canary-5e55i0n"
export const code = `${canary}-code`

export const makeFakeTelegram = (accounts: ReadonlyArray<FakeAccount>) => {
  const made = Effect.runSync(Effect.scoped(Layer.build(Fake.layer(accounts, { code, mark: canary }))))
  return { world: Context.get(made, Fake), layer: Layer.succeed(UserClient, Context.get(made, UserClient)) }
}
export type FakeTelegram = Fake["Service"]
