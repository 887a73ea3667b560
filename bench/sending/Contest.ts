/**
 * The same messages to the same emulator with Telegram's limits: ours, then grammY with its throttler and auto-retry, then
 * grammY with auto-retry alone; each with a bot of its own, judged by what is in the chats in the end.
 */
import { spawn } from "node:child_process"
import { loadavg } from "node:os"
import { fileURLToPath } from "node:url"
import { Console, type Duration, Effect, Option } from "effect"
import { BotApiEmulator } from "../../src/sandbox/Control.ts"
import { makeOurs, network } from "./Ours.ts"
import { makeStage, reporting, type Stage } from "./Stage.ts"
import { type Item, itemsFor, minimumOf, type Shape, type Verdict, verdictOf } from "./Workload.ts"

export interface ContestOptions extends Shape {
  /** When a contestant is stopped. */
  readonly cap: Duration.Input
  /** Cuts after processing and 502 pages, 2 % each, and a 429 of 7 s on five chats. */
  readonly faults: "none" | "some"
}

export interface ContestFigures {
  readonly options: ContestOptions
  readonly minimum: number
  readonly ours: Verdict
  /** Lost and doubled messages whose rows say that their fate was in doubt. */
  readonly admitted: number
  readonly throttled: Verdict
  readonly plain: Verdict
}

const peer = fileURLToPath(new URL("./peerProcess.ts", import.meta.url))

const disturb = Effect.fnUntraced(function* (stage: Stage) {
  const { addFault, clearFaults } = yield* BotApiEmulator
  const bot = stage.bot.id
  const method = "sendMessage"
  yield* Effect.acquireRelease(
    Effect.gen(function* () {
      for (const chat of stage.people.slice(1, 6))
        yield* addFault({ effect: { _tag: "Refuse", code: 429, retryAfter: 7 }, bot, method, chat, times: 1 })
      yield* addFault({ effect: { _tag: "DropAfter" }, bot, method, probability: 0.02, seed: 7 })
      yield* addFault({ effect: { _tag: "Html", status: 502 }, bot, method, probability: 0.02, seed: 11 })
    }),
    () => Effect.orDie(clearFaults({}))
  )
})

/** One contestant from the first message to the last, or until it is stopped. */
const contestant = Effect.fnUntraced(function* <E, R>(
  name: string,
  options: ContestOptions,
  run: (stage: Stage, items: ReadonlyArray<Item>) => Effect.Effect<void, E, R>
) {
  const stage = yield* makeStage(name, options.chats - 1)
  const items = itemsFor(stage.people, stage.group, options)
  yield* Console.error(`  ${name}: load average ${loadavg()[0]?.toFixed(2)}`)
  if (options.faults === "some") yield* disturb(stage)
  yield* reporting(name, stage, items.length)
  const ended = yield* Effect.timeoutOption(run(stage, items), options.cap)
  const verdict = verdictOf(items, yield* stage.shown, yield* stage.journal, Option.isNone(ended))
  const { calls, disordered, doubled, limited, lost, seconds, stopped } = verdict
  yield* Console.error(
    `  ${name}: ${seconds} s${stopped ? ", stopped" : ""}; ${lost.length} lost, ${doubled.length} doubled, ${disordered} out of order; ${calls} calls, 429: ${limited.first} + ${limited.later}`
  )
  return { verdict, items }
}, Effect.scoped)

const ours = Effect.fnUntraced(function* (options: ContestOptions) {
  let doubted: ReadonlySet<string> = new Set()
  const { verdict, items } = yield* contestant("zapiska", options, (stage, all) =>
    Effect.gen(function* () {
      const { begin, doubted: inDoubt, open, say } = yield* makeOurs(stage.bot, network(stage.bot))
      yield* say(all.map(({ chat, text }) => ({ chat, text, urgency: "broadcast" })))
      yield* begin
      while ((yield* open) > 0) yield* Effect.sleep("200 millis")
      doubted = yield* inDoubt
    })
  )
  return {
    verdict,
    items,
    admitted: [...verdict.doubled, ...verdict.lost].filter((text) => doubted.has(text)).length
  }
})

const grammy = (kind: "throttled" | "plain", options: ContestOptions) =>
  contestant(`grammy_${kind}`, options, (stage, all) =>
    Effect.gen(function* () {
      const { apiRoot } = yield* BotApiEmulator
      const child = yield* Effect.acquireRelease(
        Effect.sync(() =>
          spawn(process.execPath, [peer, apiRoot, stage.bot.token, kind], {
            stdio: ["pipe", "ignore", "ignore"]
          })
        ),
        (running) => Effect.sync(() => running.kill("SIGKILL"))
      )
      yield* Effect.callback<void>((resume) => {
        child.once("exit", () => resume(Effect.void))
        child.stdin.end(JSON.stringify(all))
      })
    }).pipe(Effect.scoped)
  )

export const contest = Effect.fn("bench.contest")(function* (options: ContestOptions) {
  const mine = yield* ours(options)
  const throttled = yield* grammy("throttled", options)
  const plain = yield* grammy("plain", options)
  return {
    options,
    minimum: minimumOf(mine.items),
    ours: mine.verdict,
    admitted: mine.admitted,
    throttled: throttled.verdict,
    plain: plain.verdict
  } satisfies ContestFigures
})
