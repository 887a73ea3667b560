import { inspect } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Clock, Effect, Exit, Layer, Redacted, Schema, Stream, Tracer } from "effect"
import { Address } from "../../src/domain/Address.ts"
import { plain } from "../../src/domain/FormattedText.ts"
import { ChatId, MessageId } from "../../src/domain/Ids.ts"
import { hashOf } from "../../src/knowledge/Blobs.ts"
import { BotPort, BotPortError } from "../../src/telegram/BotPort.ts"
import { Bots } from "../../src/telegram/Bots.ts"
import { GrammyApi } from "../../src/telegram/GrammyApi.ts"
import { GrammyBot } from "../../src/telegram/GrammyBot.ts"
import { OutgoingFiles } from "../../src/telegram/OutgoingFiles.ts"
import { Pacer } from "../../src/telegram/Pacer.ts"
import * as Faulty from "./support/FaultyServer.ts"
import { printed } from "./support/printed.ts"

const { bot, token } = Faulty
const said = "words between the two of us"
const paper = new TextEncoder().encode(said)
const address = new Address({ ...bot, chat: ChatId.make(42) })
const text = { _tag: "Text", text: plain(said) } as const
const file = { _tag: "Blob", hash: hashOf(paper), name: "a.txt" } as const

const over = (apiRoot: string) =>
  GrammyBot.layer({ timeout: "100 millis" }).pipe(
    Layer.provide(Pacer.layer),
    Layer.provide(OutgoingFiles.layerMemory(new Map([[file.hash, paper]]))),
    Layer.provide(GrammyApi.layer),
    Layer.provide(Bots.layer([{ ...bot, token: Redacted.make(token), apiRoot }]))
  )

/** Every way through the port that an answer can come back on; nobody has the time to repeat much. */
const ways = (port: BotPort["Service"], deadline: number) => {
  const options = { deadline }
  return [
    port.send(address, text, options),
    port.send(address, { _tag: "Document", file }, options),
    port.edit(address, MessageId.make(1), text, options),
    port.remove(address, MessageId.make(1), options),
    port.answerButton(bot, "press", said, options),
    port.identity(bot, options),
    Stream.runDrain(port.download(bot, { fileId: "f", fileUniqueId: "u" })).pipe(
      Effect.timeoutOption("300 millis")
    )
  ]
}

const quoting = `it is odd: http://elsewhere.test/bot${token}/x or ${token} or ${encodeURIComponent(token)}`
const faults: ReadonlyArray<readonly [string, Faulty.Step]> = [
  ["400", Faulty.refuse(400, `Bad Request: ${quoting}`)],
  ["401", Faulty.refuse(401, `Unauthorized: ${quoting}`)],
  ["403", Faulty.refuse(403, `Forbidden: ${quoting}`)],
  ["404", Faulty.refuse(404, `Not Found: ${quoting}`)],
  ["409", Faulty.refuse(409, `Conflict: ${quoting}`)],
  ["413", Faulty.refuse(413, `Request Entity Too Large: ${quoting}`)],
  ["429", Faulty.refuse(429, `Too Many Requests: ${quoting}`, { retry_after: 30 })],
  ["500", Faulty.refuse(500, `Internal Server Error: ${quoting}`)],
  ["a message that is gone", Faulty.refuse(400, `Bad Request: message to edit not found ${quoting}`)],
  ["a group that moved", Faulty.refuse(400, `Bad Request: ${quoting}`, { migrate_to_chat_id: -100 })],
  ["a 502 page", Faulty.page(502)],
  ["a 413 page", Faulty.page(413)],
  ["a reset before", Faulty.cut("before")],
  ["a reset after", Faulty.cut("after")],
  ["a truncated answer", Faulty.truncate],
  ["silence", Faulty.silence]
]
const nowhere = ["http://127.0.0.1:2", "http://zapiska.invalid", "nowhere", "http://[::/", "ftp://127.0.0.1"]

/** What the failures of all ways look like, and the spans they leave. */
const failures = (apiRoot: string) =>
  Effect.gen(function* () {
    const spans: Array<Tracer.Span> = []
    const tracer = Tracer.make({
      span: (options) => {
        const span = new Tracer.NativeSpan(options)
        spans.push(span)
        return span
      }
    })
    const deadline = (yield* Clock.currentTimeMillis) + 300
    const exits = yield* Effect.forEach(
      ways(yield* BotPort, deadline),
      (way) =>
        way.pipe(
          Effect.tapError((error) => Effect.annotateCurrentSpan("error", error)),
          Effect.withSpan("outside"),
          Effect.provideService(Tracer.Tracer, tracer),
          Effect.exit
        ),
      { concurrency: "unbounded" }
    )
    const causes = exits.filter(Exit.isFailure).map(({ cause }) => cause)
    const looks = yield* Effect.forEach(causes, printed)
    return {
      errors: causes.map(Cause.squash),
      looks: [...looks, ...spans.map((span) => inspect(span, { depth: 30, showHidden: true }))]
    }
  }).pipe(Effect.provide(over(apiRoot)))

const tellsNothing = (looks: ReadonlyArray<string>, apiRoot: string) => {
  for (const look of looks)
    for (const secret of [token.split(":")[1]!, `/bot${token.split(":")[0]}`, apiRoot, "elsewhere", said])
      assert.notInclude(look, secret)
}

describe("what the port fails with tells neither token nor address nor words, however it is printed", () => {
  it.live.each(faults)("%s", ([, step]) =>
    Effect.gen(function* () {
      const server = yield* Faulty.faultyServer
      server.rules.push(() => step)
      const { looks, errors } = yield* failures(server.root)
      assert.isAtLeast(errors.length, 6)
      assert.isTrue(errors.every(Schema.is(BotPortError)))
      tellsNothing(looks, server.root)
    }).pipe(Effect.scoped)
  )

  it.live.each(nowhere)("no server at %s", (apiRoot) =>
    Effect.gen(function* () {
      const { looks, errors } = yield* failures(apiRoot)
      assert.isAtLeast(errors.length, 6)
      assert.isTrue(errors.every(Schema.is(BotPortError)))
      tellsNothing(looks, apiRoot)
    })
  )
})
