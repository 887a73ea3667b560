/** The way in: stores an update in the mailbox of its conversation. */
import { Clock, Effect, Layer, Schema } from "effect"
import type { Sharding } from "effect/cluster"
import { reach } from "../ops/Failpoint.ts"
import { Duplicates } from "../store/ClusterStorage.ts"
import { UpdateNotStored, UpdateSink } from "../telegram/Taking.ts"
import { Conversation, Receive } from "./Conversation.ts"
import { entityId, StoredUpdate } from "./StoredUpdate.ts"

const make = Effect.gen(function* () {
  const conversation = yield* Conversation.client
  const duplicates = yield* Duplicates

  return UpdateSink.of({
    receive: Effect.fn("Inbox.receive")(function* ({ tenant, app }, botId, raw, update) {
      const receivedAt = yield* Clock.currentTimeMillis
      const stored = yield* Effect.orDie(
        Schema.encodeEffect(StoredUpdate)({ v: 1, tenant, app, botId, receivedAt, raw })
      )
      const entity = entityId({ tenant, app }, update)
      const id = `${botId}:${update.updateId}`
      yield* conversation(entity)
        .Receive({ id, update: stored }, { discard: true })
        .pipe(Effect.mapError((error) => new UpdateNotStored({ reason: error._tag })))
      yield* reach("stored")
      return duplicates.delete(`${Conversation.type}/${entity}/${Receive._tag}/${id}`)
        ? "duplicate"
        : "stored"
    })
  })
})

export const layer: Layer.Layer<UpdateSink, never, Duplicates | Sharding.Sharding> = Layer.effect(
  UpdateSink,
  make
)
