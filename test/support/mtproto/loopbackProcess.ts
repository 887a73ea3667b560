/**
 * A loopback Telegram as a process of its own: `fork("loopbackProcess.ts", [<accounts>])`. Sends its `World` when it is
 * there, and for each message it gets the `Arrivals` so far.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Effect, Redacted } from "effect"
import type { DataCentre } from "../../../src/telegram/UserClient.ts"
import { LoopbackTelegram } from "./LoopbackTelegram.ts"

export interface World {
  readonly dataCentre: DataCentre
  readonly accounts: ReadonlyArray<{ readonly id: number; readonly session: string }>
}

/** By account: when its last bytes came, in milliseconds of the machine's monotonic clock. */
export type Arrivals = ReadonlyArray<{ readonly account: number; readonly at: number }>

const arrivals = Effect.gen(function* () {
  const { accountOf, received } = yield* LoopbackTelegram
  const last = new Map<string, number>()
  for (const { at, key, what } of yield* received) if (what === "bytes" && key !== "") last.set(key, at)
  const zero = Number(process.hrtime.bigint()) / 1e6 - performance.now()
  return [...last].flatMap(([key, at]) => {
    const account = accountOf(key)
    return account === undefined ? [] : [{ account, at: zero + at }]
  }) satisfies Arrivals
})

const serve = Effect.gen(function* () {
  const telegram = yield* LoopbackTelegram
  const context = yield* Effect.context<LoopbackTelegram>()
  const accounts: Array<World["accounts"][number]> = []
  for (let nth = 0; nth < Number(process.argv[2]); nth++) {
    const id = 100_000 + nth
    yield* telegram.addAccount({ id, phone: `4917${id}` })
    accounts.push({ id, session: Redacted.value(yield* telegram.session(id)) })
  }
  process.on("message", () => void process.send?.(Effect.runSyncWith(context)(arrivals)))
  process.on("disconnect", () => process.exit())
  process.send?.({ dataCentre: telegram.dataCentre, accounts } satisfies World)
  return yield* Effect.never
})

NodeRuntime.runMain(Effect.provide(serve, LoopbackTelegram.layer))
