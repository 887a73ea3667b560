import { assert, it } from "@effect/vitest"
import { Effect, Layer, Schedule } from "effect"
import * as KeptFiles from "../../src/app/KeptFiles.ts"
import { plain } from "../../src/domain/FormattedText.ts"
import { BlobHash, BotId } from "../../src/domain/Ids.ts"
import { Blobs } from "../../src/knowledge/Blobs.ts"
import { Lease } from "../../src/lock/Locks.ts"
import { BotApiEmulator } from "../../src/sandbox/Control.ts"
import { TenantScope } from "../../src/store/TenantScope.ts"
import type { OutgoingContent } from "../../src/telegram/BotPort.ts"
import { Outbox, type OutboxAction } from "../../src/telegram/Outbox.ts"
import { TestDatabase } from "../support/Postgres.ts"
import { addressOf, bot, kept, layerWith, person } from "../telegram/support/EmulatedBot.ts"

const botId = BotId.make(7_000_001)

/** Larger than what is read at once, and not a multiple of it. */
const large = Uint8Array.from(
  { length: 3 * 1024 * 1024 + 17 },
  (_, index) => (index * 13 + (index >> 8)) % 256
)
const exact = large.subarray(0, 2 * 1024 * 1024)

const layer = Outbox.layer.pipe(
  Layer.provideMerge(layerWith(KeptFiles.layer)),
  Layer.provideMerge(Blobs.layer),
  Layer.provideMerge(TestDatabase.layer)
)

const eventually = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.retry(effect, Schedule.max([Schedule.spaced("50 millis"), Schedule.recurs(1_800)]))

const rows = TenantScope.use((scope) =>
  scope.transaction(
    bot.tenant,
    (sql) => sql<{ readonly key: string; readonly state: string; readonly size: number }>`
      SELECT key, state, length(action) AS size FROM outbox ORDER BY id`
  )
)

/** Puts them into the outbox and waits until none is open. */
const said = Effect.fnUntraced(function* (chat: number, actions: Readonly<Record<string, OutboxAction>>) {
  const outbox = yield* Outbox
  yield* outbox.enqueue(
    bot.tenant,
    Object.entries(actions).map(([key, action]) => ({
      address: addressOf(chat),
      botId,
      key,
      delivery: "result",
      action
    }))
  )
  yield* eventually(
    Effect.flatMap(rows, (all) =>
      all.some(({ state }) => state === "pending" || state === "sending")
        ? Effect.fail("not all are sent")
        : Effect.void
    )
  )
})

const send = (content: OutgoingContent): OutboxAction => ({ _tag: "Send", content })

it.live("files go from the knowledge base to the chat through small durable rows", () =>
  Effect.gen(function* () {
    const { emulator, chat } = yield* person
    const blobs = yield* Blobs
    const hashes = yield* Effect.forEach([large, exact], (bytes) => blobs.put(bot.tenant, bytes))
    yield* Effect.forkScoped(
      Outbox.use((outbox) => Effect.provideService(outbox.dispatch(bot, botId), Lease, Lease.sole))
    )
    const items = hashes.map((hash) => ({ _tag: "Document", file: kept(hash, "a.bin") }) as const)
    yield* said(chat, {
      document: send({ _tag: "Document", file: kept(hashes[0]!, "report.bin"), caption: plain("All of it") }),
      album: send({ _tag: "Album", items }),
      place: send({ _tag: "Location", latitude: 1, longitude: 2 }),
      lost: send({ _tag: "Photo", file: kept(BlobHash.make("0".repeat(64)), "a.jpg") })
    })
    const settled = yield* rows
    assert.deepStrictEqual(
      settled.map(({ key, state }) => [key, state]),
      [
        ["document", "sent"],
        ["album", "sent"],
        ["place", "sent"],
        ["lost", "dead"]
      ]
    )
    for (const { size } of settled) assert.isBelow(size, 500)
    const messages = (yield* emulator.messages({ chat })).filter(({ from }) => from.isBot).reverse()
    const files = yield* Effect.forEach(messages.slice(0, 3), ({ media }) => emulator.file(media!))
    assert.deepStrictEqual(
      files.map(({ bytes }) => Buffer.from(bytes).equals(large) || Buffer.from(bytes).equals(exact)),
      [true, true, true]
    )
    assert.strictEqual(messages[0]?.text, "All of it")
    assert.strictEqual(messages[0]?.media?.size, large.length)
    assert.strictEqual(messages[2]?.media?.size, exact.length)
  }).pipe(Effect.scoped, Effect.provide(layer))
)

it.live("a status message gives way to a file or a place that answers it", () =>
  Effect.gen(function* () {
    const { chat } = yield* person
    const emulator = yield* BotApiEmulator
    const blobs = yield* Blobs
    const hash = yield* blobs.put(bot.tenant, exact)
    yield* Effect.forkScoped(
      Outbox.use((outbox) => Effect.provideService(outbox.dispatch(bot, botId), Lease, Lease.sole))
    )
    const status = send({ _tag: "Text", text: plain("One moment") })
    yield* said(chat, { one: status, two: status })
    yield* said(chat, {
      file: { _tag: "Resolve", status: "one", content: { _tag: "Document", file: kept(hash, "a.bin") } },
      place: { _tag: "Resolve", status: "two", content: { _tag: "Location", latitude: 1, longitude: 2 } }
    })
    assert.isTrue((yield* rows).every(({ state }) => state === "sent"))
    const messages = (yield* emulator.messages({ chat })).filter(({ from }) => from.isBot)
    assert.sameMembers(
      messages.map(({ media, location }) => media?.kind ?? (location ? "place" : "text")),
      ["document", "place"]
    )
  }).pipe(Effect.scoped, Effect.provide(layer))
)
