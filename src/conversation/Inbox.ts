/** The way in: stores an update in the mailbox of its conversation. */
import { Clock, Effect, Schema } from "effect"
import type { BotId } from "../domain/Ids.ts"
import type { IncomingUpdate } from "../domain/IncomingMessage.ts"
import { reach } from "../ops/Failpoint.ts"
import { Duplicates } from "../store/ClusterStorage.ts"
import type { BotKey } from "../telegram/BotPort.ts"
import { Conversation, Receive } from "./Conversation.ts"
import { entityId, StoredUpdate } from "./StoredUpdate.ts"

export const make = Effect.gen(function* () {
  const conversation = yield* Conversation.client
  const duplicates = yield* Duplicates

  /** Ends when the update is durable. `raw` is what Telegram sent, `update` the same, decoded. */
  return Effect.fn("Inbox.receive")(function* (
    bot: BotKey,
    botId: BotId,
    raw: unknown,
    update: IncomingUpdate
  ) {
    const receivedAt = yield* Clock.currentTimeMillis
    const { tenant, app } = bot
    const stored = yield* Effect.orDie(
      Schema.encodeEffect(StoredUpdate)({ v: 1, tenant, app, botId, receivedAt, raw })
    )
    const entity = entityId(bot, update)
    const id = `${botId}:${update.updateId}`
    yield* conversation(entity).Receive({ id, update: stored }, { discard: true })
    yield* reach("stored")
    return duplicates.delete(`${Conversation.type}/${entity}/${Receive._tag}/${id}`)
      ? ("duplicate" as const)
      : ("stored" as const)
  })
})
