import { Effect, Layer } from "effect"
import type { TenantScope } from "../../../src/store/TenantScope.ts"
import { BotPort, type OutgoingContent, type RecordedCall } from "../../../src/telegram/BotPort.ts"
import { GrammyApi } from "../../../src/telegram/GrammyApi.ts"
import { GrammyBot } from "../../../src/telegram/GrammyBot.ts"
import { Outbox } from "../../../src/telegram/Outbox.ts"
import { OutgoingFiles } from "../../../src/telegram/OutgoingFiles.ts"
import { Pacer } from "../../../src/telegram/Pacer.ts"
import { TestDatabase } from "../../support/Postgres.ts"
import * as Faulty from "./FaultyServer.ts"

const { faultyServer } = Faulty

export const recording = Outbox.layer.pipe(
  Layer.provideMerge(BotPort.layerRecording),
  Layer.provideMerge(Pacer.layer),
  Layer.provideMerge(TestDatabase.layer)
)
const over = (server: Faulty.FaultyServer) =>
  Outbox.layer.pipe(
    Layer.provideMerge(GrammyBot.layer({ timeout: "20 seconds" })),
    Layer.provideMerge(Pacer.layer),
    Layer.provide(OutgoingFiles.layerMemory(new Map())),
    Layer.provide(GrammyApi.layer),
    Layer.provide(server.layer),
    Layer.provideMerge(TestDatabase.layer)
  )

/** Runs a body against a misbehaving server. */
export const withServer = <A, E>(
  body: (server: Faulty.FaultyServer) => Effect.Effect<A, E, Outbox | TenantScope | TestDatabase>
): Effect.Effect<A, E> =>
  Effect.scoped(Effect.flatMap(faultyServer, (server) => body(server).pipe(Effect.provide(over(server)))))

export const texts = (calls: ReadonlyArray<Faulty.Call>) => calls.map(({ payload }) => String(payload.text))
const wordsOf = (content: OutgoingContent) => (content._tag === "Text" ? content.text.text : content._tag)
export const said = (calls: ReadonlyArray<RecordedCall>) =>
  calls.flatMap((call) =>
    call.method === "send"
      ? [`send ${wordsOf(call.content)}`]
      : call.method === "edit"
        ? [`edit ${call.message} ${wordsOf(call.content)}`]
        : []
  )
