import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer } from "effect"
import { Media } from "../../src/assistant/Media.ts"
import { defaultApp, defaultTenant } from "../../src/domain/Ids.ts"
import { Blobs } from "../../src/knowledge/Blobs.ts"
import { AccountFiles } from "../../src/session/AccountFiles.ts"
import { BotPort, BotRecorder, Refused, TooLarge, Unavailable } from "../../src/telegram/BotPort.ts"
import { TestDatabase } from "../support/Postgres.ts"
import { messageOf } from "./messages.ts"
import { photo } from "./NoteHarness.ts"

const source = { tenant: defaultTenant, app: defaultApp }
const bytes = new Uint8Array([1, 2, 3])
const sent = messageOf({ attachments: [photo("p")] })
const fileId = "p"
const fileUniqueId = "unique p"

const layer = Media.layer.pipe(
  Layer.provide(AccountFiles.layerNone),
  Layer.provideMerge(BotPort.layerRecording),
  Layer.provideMerge(Blobs.layer),
  Layer.provide(TestDatabase.layer)
)

/** What has become of the file; a while is waited for it. */
const collected = Media.use((media) =>
  Effect.map(media.collect(source, [sent], "10 seconds"), (files) => files.get(fileUniqueId))
)
const downloads = BotRecorder.use(({ calls }) =>
  Effect.map(calls, (all) => all.filter(({ method }) => method === "download").length)
)
const test = (name: string, body: Effect.Effect<unknown, unknown, Media | BotRecorder | Blobs>) =>
  it.live(name, () =>
    BotRecorder.use((bot) => Effect.andThen(bot.provideFile(fileId, bytes), body)).pipe(Effect.provide(layer))
  )

describe("Media", () => {
  test(
    "a file is fetched as its message arrives, once, and kept as it was sent",
    Effect.gen(function* () {
      const media = yield* Media
      yield* media.prefetch(source, sent)
      yield* media.prefetch(source, sent)
      const state = yield* collected
      assert.strictEqual(yield* downloads, 1)
      if (state?._tag !== "Stored") return assert.fail(JSON.stringify(state))
      assert.match(state.path, /^media\/.*\.jpg$/)
      const blobs = yield* Blobs
      assert.deepStrictEqual(
        (yield* blobs.get(defaultTenant, [state.blob])).get(state.blob),
        Buffer.from(bytes)
      )
    })
  )

  test(
    "a download that fails once is worth another try, and that one is made",
    Effect.gen(function* () {
      const bot = yield* BotRecorder
      yield* bot.before("download", new Unavailable({ method: "getFile", reason: "502" }))
      assert.deepStrictEqual(yield* collected, { _tag: "Pending" })
      yield* bot.before("download", Effect.void)
      assert.strictEqual((yield* collected)?._tag, "Stored")
      assert.strictEqual(yield* downloads, 2)
    })
  )

  test(
    "what is too large or gone is said to be so, and not asked for again",
    Effect.gen(function* () {
      const bot = yield* BotRecorder
      yield* bot.before("download", new TooLarge({ what: "The file", size: 21e6, limit: 20e6 }))
      for (const _ of [1, 2]) assert.deepStrictEqual(yield* collected, { _tag: "TooLarge", limit: 20e6 })
      assert.strictEqual(yield* downloads, 1)
    })
  )

  test(
    "what Telegram refuses is refused for good, in its words",
    Effect.gen(function* () {
      const bot = yield* BotRecorder
      yield* bot.before("download", new Refused({ method: "getFile", code: 400, reason: "file is gone" }))
      const state = yield* collected
      assert.strictEqual(state?._tag, "Refused")
      if (state?._tag === "Refused") assert.include(state.reason, "file is gone")
      yield* collected
      assert.strictEqual(yield* downloads, 1)
    })
  )

  test(
    "a slow file is waited for no longer than asked, and its download goes on",
    Effect.gen(function* () {
      const media = yield* Media
      const bot = yield* BotRecorder
      const arrives = yield* Deferred.make<void>()
      yield* bot.before("download", Deferred.await(arrives))
      yield* media.prefetch(source, sent)
      const early = yield* media.collect(source, [sent], "50 millis")
      assert.deepStrictEqual(early.get(fileUniqueId), { _tag: "Pending" })
      const late = yield* Effect.forkChild(collected)
      yield* Deferred.succeed(arrives, undefined)
      assert.strictEqual((yield* Fiber.join(late))?._tag, "Stored")
      assert.strictEqual(yield* downloads, 1)
    })
  )
})
