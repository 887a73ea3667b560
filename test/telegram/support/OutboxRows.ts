/** The outbox in tests: entries, rows, and waiting for what becomes of them. */
import { Effect, Schedule } from "effect"
import { Address } from "../../../src/domain/Address.ts"
import { plain } from "../../../src/domain/FormattedText.ts"
import { BotId, ChatId, ThreadId } from "../../../src/domain/Ids.ts"
import { Lease } from "../../../src/lock/Locks.ts"
import { TenantScope } from "../../../src/store/TenantScope.ts"
import { Outbox, type OutboxAction, type OutboxEntry } from "../../../src/telegram/Outbox.ts"
import { bot } from "./FaultyServer.ts"

export { bot }
export const botId = BotId.make(7_000_001)
export const text = (value: string) => ({ _tag: "Text", text: plain(value) }) as const
export const resolve = (status: string, value: string): OutboxAction => ({
  _tag: "Resolve",
  status,
  content: text(value)
})

export const entry = (
  key: string,
  options: {
    readonly chat?: number
    readonly thread?: number
    readonly delivery?: "result" | "chatter"
    readonly urgency?: "interactive" | "broadcast"
    readonly action?: OutboxAction
  } = {}
): OutboxEntry => ({
  address: new Address({
    ...bot,
    chat: ChatId.make(options.chat ?? 1),
    ...(options.thread === undefined ? {} : { thread: ThreadId.make(options.thread) })
  }),
  botId,
  key,
  delivery: options.delivery ?? "result",
  ...(options.urgency === undefined ? {} : { urgency: options.urgency }),
  action: options.action ?? { _tag: "Send", content: text(key) }
})

export const enqueue = (...entries: ReadonlyArray<OutboxEntry>) =>
  Outbox.use((outbox) => outbox.enqueue(bot.tenant, entries))
/** A dispatcher, until the test ends or interrupts it. */
export const dispatchingUnder = (lease: Lease["Service"]) =>
  Effect.flatMap(Outbox, (outbox) =>
    Effect.forkChild(Effect.provideService(outbox.dispatch(bot, botId), Lease, lease), {
      startImmediately: true
    })
  )
export const dispatching = dispatchingUnder(Lease.sole)

export interface Row {
  readonly key: string
  readonly state: string
  readonly chat: number
  readonly message: number | null
  readonly error: string | null
  readonly attempts: number
  /** Unix milliseconds. */
  readonly notBefore: number | null
}
export const rows = TenantScope.use((scope) =>
  scope.transaction(
    bot.tenant,
    (
      sql
    ) => sql<Row>`SELECT key, state, chat_id::float8 AS chat, message_id::float8 AS message, error, attempts,
        (extract(epoch FROM not_before) * 1000)::float8 AS "notBefore"
      FROM outbox ORDER BY id`
  )
)
export const row = (key: string) => Effect.map(rows, (all) => all.find((one) => one.key === key)!)
export const set = (key: string, state: string) =>
  TenantScope.use((scope) =>
    scope.transaction(bot.tenant, (sql) => sql`UPDATE outbox SET state = ${state} WHERE key = ${key}`)
  )
export const states = Effect.map(rows, (all) => Object.fromEntries(all.map(({ key, state }) => [key, state])))

/** Waits until the rows are in these states. */
export const become = (expected: Record<string, string>) =>
  Effect.gen(function* () {
    const found = yield* states
    for (const [key, state] of Object.entries(expected))
      if (found[key] !== state) return yield* Effect.fail(`${key} is ${found[key]}, not ${state}`)
  }).pipe(
    Effect.retry(Schedule.upTo(Schedule.spaced("20 millis"), { duration: "45 seconds" })),
    Effect.tapError((problem) => Effect.flatMap(states, (found) => Effect.log(problem, found)))
  )
