/** What tenants ask about: all of them use the same names and numbers, and say whose a thing is. */
import { Effect, Fiber, Redacted, Schedule } from "effect"
import { Address } from "../../../src/domain/Address.ts"
import { plain as text } from "../../../src/domain/FormattedText.ts"
import {
  AppId,
  BotId,
  ChatId,
  KnowledgeBaseName,
  MessageId,
  type TenantId,
  UpdateId,
  UserId
} from "../../../src/domain/Ids.ts"
import { Blobs, hashOf } from "../../../src/knowledge/Blobs.ts"
import { Lease } from "../../../src/lock/Locks.ts"
import { TenantScope } from "../../../src/store/TenantScope.ts"
import { Unreachable } from "../../../src/telegram/BotError.ts"
import { BotRecorder } from "../../../src/telegram/BotPort.ts"
import { Outbox, OutboxEntry } from "../../../src/telegram/Outbox.ts"
import { decodeUpdate } from "../../../src/telegram/UpdateDecoder.ts"
import { draft, encode, idOf, member, meta } from "../../knowledge/Harness.ts"
import { messageUpdate } from "../../telegram/updates.ts"
import type { World } from "./World.ts"

/** Who asks, and two small numbers that choose among names. */
export interface Ask {
  readonly tenant: TenantId
  readonly x: number
  readonly y: number
  /** What tenants were given and may try on each other. */
  readonly buttons: Given
  readonly codes: Given
}

/** By tenant. */
export type Given = Map<TenantId, ReadonlyArray<string>>

export type Command = (ask: Ask) => Effect.Effect<unknown, unknown, World>

export const kb = ({ tenant, x }: Ask) => ({
  tenant,
  name: KnowledgeBaseName.make(["notes", "work"][x % 2]!)
})
export const says = ({ tenant, x }: Ask) => `${tenant} said ${x}`
export const by = ({ tenant, y }: Ask) => meta(`${tenant} did ${y}`)
export const note = ({ y }: Ask) => idOf(1 + y)
export const bytes = (ask: Ask) => encode(says(ask))
/** What any tenant may have stored, its own and those of others: asked for by the hash, which anybody can work out. */
export const anybodys = ["t-one", "t-two", "t-three"].flatMap((tenant) =>
  [0, 1, 2, 3].map((x) => hashOf(encode(`${tenant} said ${x}`)))
)
export const botId = BotId.make(7_000_001)
export const bot = ({ tenant }: Ask) => ({ tenant, app: AppId.make("helper") })
export const user = ({ y }: Ask) => UserId.make(100 + y)
export const updates = ({ tenant }: Ask) => ({ tenant, botId })
export const update = ({ x, y }: Ask) => UpdateId.make(1 + x + 4 * y)
export const messageOf = (ask: Ask) => decodeUpdate(messageUpdate(1 + ask.y, { text: says(ask) }, user(ask)))

export const drafted = (ask: Ask) =>
  draft(1 + ask.y, `${ask.tenant} title ${ask.x}`, {
    members: [member(1 + ask.y, says(ask), { botId })],
    tags: [`tag-${ask.x}`]
  })

export const outgoing = (ask: Ask) =>
  OutboxEntry.make({
    address: Address.make({ ...bot(ask), chat: ChatId.make(100 + ask.y) }),
    botId,
    key: `key-${ask.x}-${ask.y}`,
    delivery: "result",
    action: { _tag: "Send", content: { _tag: "Text", text: text(says(ask)) } }
  })

export const revision = (ask: Ask) =>
  Effect.map(
    Blobs.use((blobs) => blobs.put(ask.tenant, bytes(ask))),
    (blob) => ({
      kind: "person" as const,
      author: { name: ask.tenant, email: "a@b" },
      date: 1_700_000_000_000,
      message: says(ask),
      files: [{ path: `own-${ask.y}.md`, blob, mode: "100644" as const }]
    })
  )

/** All that waits is said, or found not to be sayable; what was said meanwhile. */
export const dispatched = (ask: Ask) =>
  Effect.gen(function* () {
    const recorder = yield* BotRecorder
    const scope = yield* TenantScope
    // Every fourth time nobody can be written to.
    yield* recorder.before(
      "send",
      ask.x === 3
        ? Effect.fail(new Unreachable({ method: "sendMessage", reason: `${ask.tenant} was blocked` }))
        : Effect.void
    )
    const before = (yield* recorder.calls).length
    const waiting = scope.transaction(
      ask.tenant,
      (sql) => sql`SELECT 1 FROM outbox WHERE tenant_id = ${ask.tenant} AND state IN ('pending', 'sending')`
    )
    const outbox = yield* Outbox
    const fiber = yield* Effect.forkChild(
      Effect.provideService(outbox.dispatch(bot(ask), botId), Lease, Lease.sole)
    )
    yield* waiting.pipe(
      Effect.repeat({ until: (rows) => rows.length === 0, schedule: Schedule.spaced("10 millis") })
    )
    yield* Fiber.interrupt(fiber)
    return (yield* recorder.calls)
      .slice(before)
      .map((call) =>
        call.method === "send" && call.content._tag === "Text"
          ? [call.address.tenant, call.address.chat, call.content.text.text]
          : [call.method]
      )
  })

export const give = (given: Given, tenant: TenantId, more: ReadonlyArray<string>) =>
  given.set(tenant, [...new Set([...(given.get(tenant) ?? []), ...more])])

/** One of its own, or one that somebody else was given; without one, one that nobody was. */
export const taken = (given: Given, { tenant, x }: Ask, whose: "own" | "foreign") => {
  const foreign = [...given].flatMap(([other, all]) => (other === tenant ? [] : all))
  const from = whose === "own" ? (given.get(tenant) ?? []) : foreign
  return from[x % Math.max(from.length, 1)] ?? "A".repeat(22)
}

export const press = (ask: Ask, whose: "own" | "foreign") => ({
  ...bot(ask),
  chat: ChatId.make(100 + ask.y),
  user: user(ask),
  token: taken(ask.buttons, ask, whose)
})

export const token = (ask: Ask) => {
  const number = 7_000_000 + 10 * ["t-one", "t-two", "t-three"].indexOf(ask.tenant) + ask.x
  return Redacted.make(`${number}:${ask.tenant.replaceAll("-", "_").padEnd(35, "x")}`)
}
export const app = (ask: Ask) => ({ tenant: ask.tenant, app: AppId.make(`app-${ask.x}`) })
export const secret = (ask: Ask) => ({ kind: "api-key" as const, alias: `alias-${ask.x}` })
export const session = (ask: Ask) => ({ tenant: ask.tenant, app: AppId.make(`mine-${ask.x}`) })
export const followed = (ask: Ask) => ({
  ...session(ask),
  account: user(ask),
  source: "saved" as const,
  title: says(ask),
  since: ask.y,
  lastMessage: MessageId.make(0)
})
export const role = ({ x }: Ask) => (["owner", "member", "reader"] as const)[x % 3]!
export const sender = (ask: Ask) => ({
  id: user(ask),
  kind: "user" as const,
  name: says(ask),
  language: "en"
})
export const lock = (ask: Ask) => ({ tenant: ask.tenant, name: `thing-${ask.x}` })
