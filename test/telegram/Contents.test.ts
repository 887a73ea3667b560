import { createServer, type IncomingMessage } from "node:http"
import type { AddressInfo } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Redacted, Stream } from "effect"
import { compose, plain } from "../../src/domain/FormattedText.ts"
import { BlobHash } from "../../src/domain/Ids.ts"
import { hashOf } from "../../src/knowledge/Blobs.ts"
import { BotPort, FileUnreadable, type OutgoingContent } from "../../src/telegram/BotPort.ts"
import { Bots } from "../../src/telegram/Bots.ts"
import { GrammyApi } from "../../src/telegram/GrammyApi.ts"
import { GrammyBot } from "../../src/telegram/GrammyBot.ts"
import { OutgoingFiles } from "../../src/telegram/OutgoingFiles.ts"
import { Pacer } from "../../src/telegram/Pacer.ts"
import { eventually } from "../support/Application.ts"
import { addressOf, bot, kept, layer, layerWith, person } from "./support/EmulatedBot.ts"

const megabyte = 1024 * 1024
const picture = Uint8Array.from({ length: 3_000 }, (_, index) => (index * 31) % 256)
const paper = new TextEncoder().encode("%PDF-1.7\r\n--boundary--\r\n\r\nbytes\0of\xffa document")
const bold = compose("A ", { type: "bold", text: "bold" }, " caption")
const buttons = [[{ text: "Undo", data: "undo:1" }]]

/** 50 MB in 50 chunks. */
const large = (() => {
  const chunk = new Uint8Array(megabyte).fill(7)
  const hash = BlobHash.make("a".repeat(64))
  let asked = 0
  const next = Effect.sync(() => {
    asked += 1
    return chunk
  })
  const files = OutgoingFiles.of({
    sizes: () => Effect.succeed(new Map([[hash, 50 * megabyte]])),
    read: () => Stream.fromEffectRepeat(next).pipe(Stream.rechunk(1), Stream.take(50))
  })
  return { files, hash, asked: () => asked }
})()

const live = <A, E>(
  name: string,
  body: Effect.Effect<A, E, Effect.Services<typeof person> | BotPort>,
  ...files: ReadonlyArray<Uint8Array>
) => it.live(name, () => Effect.provide(body, layer(...files)))

/** What the person's Telegram shows, and the bytes behind it. */
const shown = Effect.fnUntraced(function* (chat: number, messageId: number) {
  const { emulator } = yield* person
  const message = yield* emulator.message({ chat, messageId })
  const file = message.media === undefined ? undefined : yield* emulator.file(message.media)
  return { ...message, bytes: file?.bytes }
})

describe("contents", () => {
  live(
    "a photo arrives with its bytes, caption, entities and buttons",
    Effect.gen(function* () {
      const { address, chat } = yield* person
      const port = yield* BotPort
      const photo = { _tag: "Photo", file: kept(picture, "picture.jpg"), caption: bold, buttons } as const
      const { messageId } = yield* port.send(address, photo)
      const message = yield* shown(chat, messageId)
      assert.strictEqual(message.media?.kind, "photo")
      assert.deepStrictEqual(message.bytes, picture)
      assert.strictEqual(message.text, "A bold caption")
      assert.deepStrictEqual(message.entities, [{ type: "bold", offset: 2, length: 4 }])
      assert.deepStrictEqual(message.buttons, buttons)
    }),
    picture
  )

  live(
    "a document arrives with its bytes, name and type, whatever is in them",
    Effect.gen(function* () {
      const { address, chat } = yield* person
      const port = yield* BotPort
      for (const [name, shownAs] of [
        ["plan.pdf", "plan.pdf"],
        ["отчёт; v=2.pdf", "отчёт; v=2.pdf"],
        ['a"b\r\nx: y.pdf', "a'bx: y.pdf"],
        ["\n", "file"]
      ] as const) {
        const content = { _tag: "Document", file: kept(paper, name, "application/pdf") } as const
        const message = yield* shown(chat, (yield* port.send(address, content)).messageId)
        assert.strictEqual(message.media?.kind, "document")
        assert.strictEqual(message.media?.name, shownAs)
        assert.strictEqual(message.media?.mime, "application/pdf")
        assert.deepStrictEqual(message.bytes, paper)
      }
    }),
    paper
  )

  live(
    "a file Telegram knows is sent by its id, without its bytes",
    Effect.gen(function* () {
      const { emulator, address, chat } = yield* person
      const sent = yield* emulator.sendFile({ chat, file: { kind: "document", bytes: paper, name: "a.txt" } })
      const port = yield* BotPort
      const file = { _tag: "FileId", fileId: sent.media!.fileId } as const
      const { messageId } = yield* port.send(address, { _tag: "Document", file })
      assert.deepStrictEqual((yield* shown(chat, messageId)).bytes, paper)
    })
  )

  live(
    "an album arrives as one, in order, with a caption for each of its files",
    Effect.gen(function* () {
      const { address, chat } = yield* person
      const port = yield* BotPort
      const items = [picture, paper].map(
        (bytes, index) =>
          ({ _tag: "Photo", file: kept(bytes, `${index}.jpg`), caption: plain(`number ${index}`) }) as const
      )
      const { messageId, others } = yield* port.send(address, { _tag: "Album", items })
      assert.lengthOf(others ?? [], 1)
      const messages = yield* Effect.forEach([messageId, ...(others ?? [])], (id) => shown(chat, id))
      assert.deepStrictEqual(
        messages.map(({ text, bytes }) => [text, bytes]),
        [
          ["number 0", picture],
          ["number 1", paper]
        ]
      )
      assert.isDefined(messages[0]?.albumId)
      assert.strictEqual(messages[0]?.albumId, messages[1]?.albumId)
    }),
    picture,
    paper
  )

  live(
    "a place arrives with its coordinates and buttons",
    Effect.gen(function* () {
      const { address, chat } = yield* person
      const port = yield* BotPort
      const place = { _tag: "Location", latitude: 59.9311, longitude: -30.3609, buttons } as const
      const message = yield* shown(chat, (yield* port.send(address, place)).messageId)
      assert.deepStrictEqual(message.location, { latitude: 59.9311, longitude: -30.3609 })
      assert.deepStrictEqual(message.buttons, buttons)
    })
  )

  it.live("a file of 50 MB goes through", () => {
    const { files, hash, asked } = large
    return Effect.gen(function* () {
      const { emulator, address, chat } = yield* person
      const port = yield* BotPort
      const before = asked()
      const { messageId } = yield* port.send(address, { _tag: "Document", file: kept(hash, "large.bin") })
      assert.strictEqual((yield* emulator.message({ chat, messageId })).media?.size, 50 * megabyte)
      assert.strictEqual(asked() - before, 50)
    }).pipe(Effect.provide(layerWith(Layer.succeed(OutgoingFiles, files))))
  })
})

describe("an edit", () => {
  live(
    "of a message with a file changes its caption and buttons",
    Effect.gen(function* () {
      const { address, chat } = yield* person
      const port = yield* BotPort
      const photo = { _tag: "Photo", file: kept(picture, "picture.jpg"), caption: bold, buttons } as const
      const { messageId } = yield* port.send(address, photo)
      const text = { _tag: "Text", text: compose({ type: "italic", text: "New" }, " caption") } as const
      yield* port.edit(address, messageId, text)
      yield* port.edit(address, messageId, text)
      const message = yield* shown(chat, messageId)
      assert.strictEqual(message.text, "New caption")
      assert.deepStrictEqual(message.entities, [{ type: "italic", offset: 0, length: 3 }])
      assert.deepStrictEqual(message.buttons, [])
      assert.deepStrictEqual(message.bytes, picture)
    }),
    picture
  )

  live(
    "to what the message cannot become removes it and asks for a new one, as often as it is tried",
    Effect.gen(function* () {
      const { emulator, address, chat } = yield* person
      const port = yield* BotPort
      const file = kept(picture, "picture.jpg")
      const long = { _tag: "Text", text: plain("x".repeat(1_025)) } as const
      const place = { _tag: "Location", latitude: 1, longitude: 2 } as const
      const album = { _tag: "Album", items: [1, 2].map(() => ({ _tag: "Photo", file }) as const) } as const
      const hello = { _tag: "Text", text: plain("hello") } as const
      const impossible: ReadonlyArray<readonly [OutgoingContent, OutgoingContent]> = [
        [{ _tag: "Photo", file }, long],
        [hello, album],
        [hello, place],
        [place, hello]
      ]
      for (const [before, after] of impossible) {
        const { messageId } = yield* port.send(address, before)
        for (let attempt = 0; attempt < 2; attempt++) {
          const error = yield* Effect.flip(port.edit(address, messageId, after))
          assert.strictEqual(error._tag, "TargetGone")
        }
        assert.strictEqual((yield* Effect.flip(emulator.message({ chat, messageId })))._tag, "SandboxRefused")
      }
    }),
    picture
  )
})

const file = { _tag: "FileId", fileId: "f" } as const
const tooLong = plain("x".repeat(1_025))
const item = { _tag: "Photo", file } as const
/** Every other letter is bold. */
const striped = (entities: number) =>
  compose(...Array.from({ length: entities }, () => ["a", { type: "bold", text: "b" }] as const).flat())
const limits: ReadonlyArray<readonly [string, OutgoingContent, string]> = [
  ["a text", { _tag: "Text", text: plain("x".repeat(4_097)) }, "4097 UTF-16 units, Telegram allows 4096"],
  ["nothing to see in a text", { _tag: "Text", text: plain("\u200B \n\u2800") }, "the text is empty"],
  ["formatting", { _tag: "Text", text: striped(101) }, "101 entities, Telegram allows 100 entities"],
  ["formatting in a caption", { _tag: "Document", file, caption: striped(101) }, "101 entities"],
  [
    "a text in several messages",
    {
      _tag: "Parts",
      parts: [
        { _tag: "Text", text: plain("x") },
        { _tag: "Text", text: plain("x".repeat(4_097)) }
      ]
    },
    "4097 UTF-16 units"
  ],
  [
    "a button's data under a rich message",
    { _tag: "Rich", markdown: "x", buttons: [[{ text: "b", data: "d".repeat(65) }]] },
    "65 bytes, Telegram allows 64 bytes"
  ],
  ["a caption", { _tag: "Photo", file, caption: tooLong }, "1025 UTF-16 units, Telegram allows 1024"],
  ["a caption in an album", { _tag: "Album", items: [item, { ...item, caption: tooLong }] }, "allows 1024"],
  ["an album of one", { _tag: "Album", items: [item] }, "2 to 10 items, this one has 1"],
  ["an album of eleven", { _tag: "Album", items: Array(11).fill(item) }, "11 items, Telegram allows 10"],
  ["a mixed album", { _tag: "Album", items: [item, { ...item, _tag: "Document" }] }, "photos or documents"],
  ["a latitude", { _tag: "Location", latitude: 90.5, longitude: 0 }, "-90 to 90"],
  [
    "a button's data",
    { _tag: "Text", text: plain("x"), buttons: [[{ text: "b", data: "й".repeat(33) }]] },
    "66 bytes, Telegram allows 64 bytes"
  ],
  [
    "a button's text",
    { _tag: "Location", latitude: 0, longitude: 0, buttons: [[{ text: " ", data: "d" }]] },
    "no text"
  ],
  ["a file that is not kept", { _tag: "Document", file: kept(new Uint8Array([1]), "a") }, "is not kept"],
  ["an empty file", { _tag: "Document", file: kept(new Uint8Array(), "a") }, "is empty"]
]

describe("the limit of", () => {
  describe.each(limits)("%s", (_name, content, words) => {
    live(
      "is said before anything is sent",
      Effect.gen(function* () {
        const { emulator, address } = yield* person
        const port = yield* BotPort
        const error = yield* Effect.flip(port.send(address, content))
        assert.include(error.message, words)
        assert.deepStrictEqual(yield* emulator.journal({ chat: address.chat }), [])
      }),
      new Uint8Array()
    )
  })

  const sized = (size: number) => {
    const hash = BlobHash.make("b".repeat(64))
    const files = OutgoingFiles.of({
      sizes: () => Effect.succeed(new Map([[hash, size]])),
      read: () => Stream.empty
    })
    return { hash, layer: layerWith(Layer.succeed(OutgoingFiles, files)) }
  }
  for (const [kind, limit] of [
    ["Photo", 10 * megabyte],
    ["Document", 50 * megabyte]
  ] as const) {
    const { hash, layer } = sized(limit + 1)
    it.live(`a ${kind.toLowerCase()}'s size is said before a byte of it is read`, () =>
      Effect.gen(function* () {
        const port = yield* BotPort
        const error = yield* Effect.flip(port.send(addressOf(1), { _tag: kind, file: kept(hash, "a") }))
        assert.deepInclude(error, { _tag: "TooLarge", size: limit + 1, limit })
      }).pipe(Effect.provide(layer))
    )
  }
})

describe("an upload", () => {
  const document = { _tag: "Document", file: kept(paper, "a.txt") } as const

  live(
    "is repeated with all of its bytes where Telegram says it was not done",
    Effect.gen(function* () {
      const { emulator, address, chat } = yield* person
      const port = yield* BotPort
      yield* emulator.addFault({
        method: "sendDocument",
        times: 2,
        effect: { _tag: "Refuse", code: 500 }
      })
      yield* emulator.addFault({
        method: "sendDocument",
        times: 1,
        effect: { _tag: "Refuse", code: 429, retryAfter: 1 }
      })
      const { messageId } = yield* port.send(address, document)
      assert.deepStrictEqual((yield* shown(chat, messageId)).bytes, paper)
    }),
    paper
  )

  live(
    "that lost its answer is never repeated",
    Effect.gen(function* () {
      const { emulator, address, chat } = yield* person
      const port = yield* BotPort
      for (const effect of [
        { _tag: "DropAfter" },
        { _tag: "DropBefore" },
        { _tag: "Reset", processed: true },
        { _tag: "Html", status: 502, processed: true }
      ] as const) {
        const before = (yield* emulator.journal({ chat })).length
        yield* emulator.addFault({ method: "sendDocument", times: 1, effect })
        assert.strictEqual((yield* Effect.flip(port.send(address, document)))._tag, "Ambiguous")
        assert.lengthOf(yield* emulator.journal({ chat }), before + 1)
      }
    }),
    paper
  )

  it.live("that cannot be read to its end fails at once, and says nothing against Telegram", () => {
    const error = new FileUnreadable({ hash: hashOf(paper), reason: "a bad disk", again: "never" })
    let reads = 0
    const files = OutgoingFiles.of({
      sizes: () => Effect.succeed(new Map([[error.hash, paper.length]])),
      read: () =>
        Stream.suspend(() => {
          reads += 1
          return Stream.concat(Stream.make(paper.subarray(0, 10)), Stream.fail(error))
        })
    })
    return Effect.gen(function* () {
      const { address, chat } = yield* person
      const port = yield* BotPort
      // More than the circuit breaker lets Telegram fail.
      for (let tries = 1; tries <= 12; tries++) {
        assert.deepStrictEqual(yield* Effect.flip(port.send(addressOf(chat + tries), document)), error)
        assert.strictEqual(reads, tries)
      }
      yield* port.send(address, { _tag: "Text", text: plain("all is well") })
    }).pipe(Effect.provide(layerWith(Layer.succeed(OutgoingFiles, files))))
  })

  /** A server that treats its first request as told and takes every other. */
  const server = (first: (request: IncomingMessage) => void) =>
    Effect.acquireRelease(
      Effect.callback<{ readonly layer: Layer.Layer<BotPort>; readonly close: () => void }>((resume) => {
        let requests = 0
        const http = createServer((request, response) => {
          if (requests++ === 0) return first(request)
          request.resume().on("end", () => {
            response.end(JSON.stringify({ ok: true, result: { message_id: 5, date: 1 } }))
          })
        })
        http.listen(0, "127.0.0.1", () => {
          const apiRoot = `http://127.0.0.1:${(http.address() as AddressInfo).port}`
          const layer = GrammyBot.layer({ timeout: "20 seconds" }).pipe(
            Layer.provide(Pacer.layer),
            Layer.provide(Layer.succeed(OutgoingFiles, large.files)),
            Layer.provide(GrammyApi.layer),
            Layer.provide(Bots.layer([{ ...bot, token: Redacted.make("1:token"), apiRoot }]))
          )
          const close = () => {
            http.closeAllConnections()
            http.close()
          }
          resume(Effect.succeed({ layer, close }))
        })
      }),
      ({ close }) => Effect.sync(close)
    )
  const sending = BotPort.use((port) =>
    port.send(addressOf(1), { _tag: "Document", file: kept(large.hash, "large.bin") })
  )

  it.live("cut off in the middle was certainly not sent, and is sent again from its beginning", () =>
    Effect.gen(function* () {
      const { layer } = yield* server((request) =>
        request.once("data", () => request.socket.resetAndDestroy())
      )
      assert.strictEqual((yield* Effect.provide(sending, layer)).messageId, 5)
    }).pipe(Effect.scoped)
  )

  it.live("reads no further ahead than the connection takes it, and stops with who asked for it", () =>
    Effect.gen(function* () {
      const { layer } = yield* server((request) => request.pause())
      const before = large.asked()
      const running = yield* Effect.forkChild(Effect.provide(sending, layer))
      yield* eventually(
        "it begins",
        Effect.sync(() => large.asked() > before)
      )
      let read = 0
      while (read !== large.asked() - before) {
        read = large.asked() - before
        yield* Effect.sleep("500 millis")
      }
      assert.isBelow(read, 25)
      yield* Fiber.interrupt(running)
      yield* Effect.sleep("100 millis")
      assert.isAtMost(large.asked() - before, read + 1)
    }).pipe(Effect.scoped)
  )
})
