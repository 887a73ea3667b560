/**
 * A thousand bots in one process: what each costs it in memory and, while nobody writes, in processor time. They are
 * added while it runs, as an operator does; the emulator in another process holds their polls open.
 */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { Clock, Duration, Effect, Layer, Redacted } from "effect"
import { AppId } from "../src/domain/Ids.ts"
import { BotApiEmulator } from "../src/sandbox/Control.ts"
import { Apps } from "../src/session/Apps.ts"
import { Tenants } from "../src/store/Tenants.ts"
import { pollHold } from "../src/telegram/Intake.ts"
import { eventually } from "../test/support/Application.ts"
import { operatorOf } from "../test/support/tenants.ts"
import { idleCpu, residentMemory } from "./Process.ts"
import { Product } from "./Product.ts"

export interface BotFigures {
  readonly bots: number
  /** Bytes that one bot adds, of all that were added. */
  readonly memory: number
  /** Shares of a core. */
  readonly idleBefore: number
  readonly idleAfter: number
  /** Seconds until the last of them was polled. */
  readonly served: number
}

/** Bots that are polled just now. */
const polled = Effect.flatMap(Product, ({ application, dataDir }) =>
  Effect.promise((signal) =>
    fetch(`${application.url}/api/tasks`, {
      signal,
      headers: { authorization: `Bearer ${readFileSync(join(dataDir, "admin.token"), "utf8").trim()}` }
    }).then((answer) => answer.json() as Promise<ReadonlyArray<{ id: string; status: string }>>)
  ).pipe(
    Effect.map(
      (tasks) => tasks.filter(({ id, status }) => id.startsWith("poller/") && status === "running").length
    )
  )
)

const add = (tenant: string, bots: number) =>
  Effect.gen(function* () {
    const emulator = yield* BotApiEmulator
    const apps = yield* Apps
    const { id } = yield* Tenants.use((tenants) => tenants.add({ id: tenant }, "admin"))
    yield* Effect.forEach(
      Array.from({ length: bots }, (_, nth) => nth),
      (nth) =>
        Effect.gen(function* () {
          const { token } = yield* emulator.createBot({ username: `${tenant}_${nth}_bot`, name: "Bot" })
          yield* apps.add({ tenant: id, app: AppId.make(`bot-${nth}`), token: Redacted.make(token) }, "admin")
        }),
      { concurrency: 4, discard: true }
    )
  })

export const bots = Effect.fn("bench.bots")(function* (options: {
  readonly tenants: number
  readonly bots: number
  /** Seconds of rest before idle time is measured. */
  readonly rest: number
}) {
  const { application, dataDir } = yield* Product
  const { pid } = application
  const count = options.tenants * options.bots
  const measure = Effect.gen(function* () {
    yield* Effect.sleep(options.rest * 1_000)
    // Every bot asks once in that time.
    const idle = yield* idleCpu(pid, Duration.toSeconds(pollHold))
    return { idle, memory: yield* residentMemory(pid) }
  })
  const before = yield* measure
  const begun = yield* Clock.currentTimeMillis
  yield* Effect.forEach(
    Array.from({ length: options.tenants }, (_, nth) => `tenant-${nth}`),
    (tenant) => add(tenant, options.bots),
    { discard: true }
  ).pipe(Effect.provide(Layer.unwrap(operatorOf(dataDir))))
  yield* eventually(
    "all bots are polled",
    Effect.map(polled, (running) => running > count),
    {
      seconds: 600,
      detail: application.output
    }
  )
  const served = ((yield* Clock.currentTimeMillis) - begun) / 1_000
  const after = yield* measure
  return {
    bots: count,
    memory: (after.memory - before.memory) / count,
    idleBefore: before.idle,
    idleAfter: after.idle,
    served
  } satisfies BotFigures
})
