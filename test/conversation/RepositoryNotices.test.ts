import { assert, it } from "@effect/vitest"
import { Effect, Layer, Redacted, Stream } from "effect"
import { tell } from "../../src/conversation/RepositoryNotices.ts"
import { BotId, ChatId, defaultApp, defaultTenant } from "../../src/domain/Ids.ts"
import { GitProjection } from "../../src/knowledge/GitProjection.ts"
import { KnowledgeBase } from "../../src/knowledge/KnowledgeBase.ts"
import { Lease } from "../../src/lock/Locks.ts"
import { BotPort, BotRecorder } from "../../src/telegram/BotPort.ts"
import { Bots } from "../../src/telegram/Bots.ts"
import { Outbox } from "../../src/telegram/Outbox.ts"
import { Pacer } from "../../src/telegram/Pacer.ts"
import * as Harness from "../knowledge/Harness.ts"
import * as People from "../telegram/support/people.ts"

const botId = BotId.make(700_000_000_001)
const bot = { tenant: defaultTenant, app: defaultApp }
const key = Harness.baseOf("notes")

/** One projection in which both sides changed `path`. */
const projection = (path: string) =>
  Layer.mock(GitProjection, {
    directory: () => "",
    events: Stream.make({
      key,
      head: 2,
      commit: undefined,
      imported: 1,
      conflicts: [{ path, copy: "topics/copy.md" }],
      leftOut: [],
      unsettled: [],
      waiting: undefined
    })
  })

const layer = Layer.mergeAll(
  Outbox.layer,
  People.layer({ allowed: "everyone" }),
  Bots.layer([{ ...bot, token: Redacted.make(`${botId}:token`) }])
).pipe(
  Layer.provideMerge(Pacer.layer),
  Layer.provideMerge(BotPort.layerRecording),
  Layer.provideMerge(Harness.layer)
)

it.live("who wrote a note is told, once, that a person changed its file too", () =>
  Effect.gen(function* () {
    const member = Harness.member(1, "text", { chat: ChatId.make(42) })
    const note = yield* KnowledgeBase.use((knowledge) =>
      knowledge.write(key, Harness.draft(1, "Plan", { members: [member] }), Harness.meta("Add Plan"))
    )
    yield* tell.pipe(Effect.provide(projection(note.path)))
    yield* tell.pipe(Effect.provide(projection(note.path)))
    yield* Effect.forkScoped(
      Outbox.use((outbox) => Effect.provideService(outbox.dispatch(bot, botId), Lease, Lease.sole))
    )
    const recorder = yield* BotRecorder
    const call = yield* recorder.next
    assert.strictEqual(call.method, "send")
    if (call.method !== "send" || call.content._tag !== "Text") return assert.fail("not a text was sent")
    assert.strictEqual(call.address.chat, 42)
    assert.include(call.content.text.text, note.path)
    assert.include(call.content.text.text, "topics/copy.md")
    yield* Effect.sleep("300 millis")
    assert.lengthOf(yield* recorder.calls, 1)
  }).pipe(Effect.scoped, Effect.provide(layer))
)
