/** The port over the emulator, as a program has it; files it may send are given as bytes. */
import { Effect, Layer, Redacted } from "effect"
import { Address } from "../../../src/domain/Address.ts"
import { type BlobHash, ChatId, defaultApp, defaultTenant } from "../../../src/domain/Ids.ts"
import { hashOf } from "../../../src/knowledge/Blobs.ts"
import { BotApiEmulator } from "../../../src/sandbox/Control.ts"
import { Bots } from "../../../src/telegram/Bots.ts"
import { GrammyApi } from "../../../src/telegram/GrammyApi.ts"
import { GrammyBot } from "../../../src/telegram/GrammyBot.ts"
import { OutgoingFiles } from "../../../src/telegram/OutgoingFiles.ts"
import { Pacer } from "../../../src/telegram/Pacer.ts"
import { emulatorLayer } from "../../support/emulator.ts"

export const bot = { tenant: defaultTenant, app: defaultApp }

export const addressOf = (chat: number) => new Address({ ...bot, chat: ChatId.make(chat) })

/** Bots of the emulator that runs. */
const bots = Layer.unwrap(
  BotApiEmulator.useSync((emulator) =>
    Bots.layer([{ ...bot, token: Redacted.make(emulator.bot.token), apiRoot: emulator.apiRoot }])
  )
)

export const layerWith = <E, R>(files: Layer.Layer<OutgoingFiles, E, R>) =>
  GrammyBot.layer({ timeout: "20 seconds" }).pipe(
    Layer.provideMerge(Pacer.layer),
    Layer.provide(files),
    Layer.provideMerge(GrammyApi.layer),
    Layer.provide(bots),
    Layer.provideMerge(emulatorLayer())
  )

export const layer = (...files: ReadonlyArray<Uint8Array>) =>
  layerWith(OutgoingFiles.layerMemory(new Map(files.map((bytes) => [hashOf(bytes), bytes] as const))))

/** A kept file. */
export const kept = (bytes: Uint8Array | BlobHash, name: string, mime?: string) =>
  ({
    _tag: "Blob",
    hash: typeof bytes === "string" ? bytes : hashOf(bytes),
    name,
    ...(mime === undefined ? {} : { mime })
  }) as const

/** Somebody who started the bot. */
export const person = Effect.gen(function* () {
  const emulator = yield* BotApiEmulator
  const { id } = yield* emulator.createUser({ firstName: "Ada" })
  yield* emulator.start({ user: id })
  return { emulator, address: addressOf(id), chat: id }
})
