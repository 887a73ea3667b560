/**
 * What updates tell about the chats they come from: somebody speaks there again, so that the bot may; a group has
 * another id now. Written before the updates are stored, so that their answers find it.
 */
import { Context, Effect, Layer } from "effect"
import type { SqlError } from "effect/sql"
import { type BotId, ChatId } from "../domain/Ids.ts"
import type { IncomingUpdate } from "../domain/IncomingMessage.ts"
import { TenantScope } from "../store/TenantScope.ts"
import type { BotKey } from "./BotPort.ts"
import { type Move, move, revive } from "./ChatRows.ts"
import { reader, readRecord } from "./UpdateFields.ts"

export interface Heard {
  readonly raw: unknown
  readonly decoded: IncomingUpdate
}

/** The chat somebody speaks in, presses a button in, or let the bot into. */
export const heardIn = (update: IncomingUpdate): ChatId | undefined => {
  switch (update._tag) {
    case "Message":
    case "EditedMessage":
      return update.message.chat.id
    case "Button":
      return update.message?.chat.id
    case "Membership":
      return update.status === "present" ? update.chat.id : undefined
    case "Unknown":
      return update.from === undefined ? undefined : update.chat?.id
  }
}

const readChatId = reader(ChatId)

/** Telegram tells of a move twice: in the group that ends and in the supergroup that begins. */
export const moveIn = (raw: unknown): Move | undefined => {
  const message = readRecord(readRecord(raw)?.message)
  const here = readChatId(readRecord(message?.chat)?.id)
  if (message === undefined || here === undefined) return undefined
  const to = readChatId(message.migrate_to_chat_id)
  if (to !== undefined) return { from: here, to }
  const from = readChatId(message.migrate_from_chat_id)
  return from === undefined ? undefined : { from, to: here }
}

export class Chats extends Context.Service<
  Chats,
  {
    /** One statement for all chats of a batch, and a few more for a group that moved. */
    readonly heard: (
      bot: BotKey,
      botId: BotId,
      batch: ReadonlyArray<Heard>
    ) => Effect.Effect<void, SqlError.SqlError>
  }
>()("zapiska/telegram/Chats") {
  static readonly layer: Layer.Layer<Chats, never, TenantScope> = Layer.effect(
    this,
    Effect.suspend(() => make)
  )
}

const make = Effect.gen(function* () {
  const scope = yield* TenantScope
  return Chats.of({
    heard: Effect.fn("Chats.heard")(function* ({ tenant, app }, botId, batch) {
      const chats = [...new Set(batch.flatMap(({ decoded }) => heardIn(decoded) ?? []))]
      const moves = batch.flatMap(({ raw }) => moveIn(raw) ?? [])
      if (chats.length === 0 && moves.length === 0) return
      const owner = { tenant, app, botId }
      yield* scope.transaction(tenant, (sql) =>
        Effect.andThen(
          revive(sql, owner, chats),
          Effect.forEach(moves, (one) => move(sql, owner, one), { discard: true })
        )
      )
    })
  })
})
