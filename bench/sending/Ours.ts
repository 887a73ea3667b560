/** Our own outbox and dispatcher on a real database, as the program has them. */
import { Context, Effect, Layer, Redacted } from "effect"
import { Address } from "../../src/domain/Address.ts"
import { plain } from "../../src/domain/FormattedText.ts"
import { BotId, ChatId, defaultApp, defaultTenant } from "../../src/domain/Ids.ts"
import { Lease } from "../../src/lock/Locks.ts"
import { BotApiEmulator } from "../../src/sandbox/Control.ts"
import type { Bot } from "../../src/sandbox/Views.ts"
import { TenantScope } from "../../src/store/TenantScope.ts"
import { Bots } from "../../src/telegram/Bots.ts"
import { GrammyApi } from "../../src/telegram/GrammyApi.ts"
import { GrammyBot } from "../../src/telegram/GrammyBot.ts"
import { Outbox, type OutboxEntry } from "../../src/telegram/Outbox.ts"
import { OutgoingFiles } from "../../src/telegram/OutgoingFiles.ts"
import { Pacer } from "../../src/telegram/Pacer.ts"

const key = { tenant: defaultTenant, app: defaultApp }

export interface Said {
  readonly chat: number
  readonly text: string
  readonly urgency: "interactive" | "broadcast"
}

const entryOf = (bot: number, { chat, text, urgency }: Said): OutboxEntry => ({
  address: new Address({ ...key, chat: ChatId.make(chat) }),
  botId: BotId.make(bot),
  key: text,
  delivery: "result",
  urgency,
  action: { _tag: "Send", content: { _tag: "Text", text: plain(text) } }
})

/** `api`: the door to the network. The dispatcher runs until the scope closes. */
export const makeOurs = Effect.fnUntraced(function* (
  bot: Pick<Bot, "id">,
  api: Layer.Layer<GrammyApi, never, BotApiEmulator>
) {
  const scope = yield* TenantScope
  const services = yield* Outbox.layer.pipe(
    Layer.provide(GrammyBot.layer()),
    Layer.provide(Pacer.layer),
    Layer.provide(OutgoingFiles.layerMemory(new Map())),
    Layer.provide(api),
    Layer.fresh,
    Layer.build
  )
  const outbox = Context.get(services, Outbox)
  const rows = <A extends object>(columns: string, where: string) =>
    scope.transaction(
      key.tenant,
      (sql) =>
        sql<A>`SELECT ${sql.literal(columns)} FROM outbox
          WHERE bot_id = ${bot.id}::bigint AND ${sql.literal(where)}`
    )
  const begin = Effect.forkScoped(
    Effect.provideService(outbox.dispatch(key, BotId.make(bot.id)), Lease, Lease.sole)
  )
  return {
    begin,
    say: Effect.fnUntraced(function* (all: ReadonlyArray<Said>) {
      for (let at = 0; at < all.length; at += 500)
        yield* outbox.enqueue(
          key.tenant,
          all.slice(at, at + 500).map((one) => entryOf(bot.id, one))
        )
    }),
    /** Rows that did not end yet. */
    open: Effect.map(
      rows<{ readonly n: number }>("count(*)::int AS n", "state IN ('pending', 'sending')"),
      ([row]) => row?.n ?? 0
    ),
    /** The texts whose fate was in doubt, and is marked so. */
    doubted: Effect.map(
      rows<{ readonly key: string }>("key", "state = 'unknown' OR attempts > 1"),
      (all) => new Set(all.map((row) => row.key))
    )
  }
})

/** The network to the emulator. */
export const network = (bot: Bot) =>
  Layer.unwrap(
    BotApiEmulator.useSync(({ apiRoot }) =>
      GrammyApi.layer.pipe(Layer.provide(Bots.layer([{ ...key, token: Redacted.make(bot.token), apiRoot }])))
    )
  )
