import { createHash } from "node:crypto"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { assert, describe, it } from "@effect/vitest"
import { Console, Duration, Effect, Random } from "effect"
import { BotApiEmulator } from "../../src/sandbox/Control.ts"
import { type Application, eventually, launch, ready, temporaryDirectory } from "../support/Application.ts"
import { emulatorLayer } from "../support/emulator.ts"
import { chosenSeed } from "./Harness.ts"
import { atRest, inspect } from "./Inspect.ts"
import { environment, exitLimit } from "./Lives.ts"
import { marker, type Told } from "./Story.ts"

/** What the page does for a person; undefined when the answer never came. */
const act = (application: Application, action: string, input: unknown) =>
  Effect.tryPromise(async (signal) => {
    const answer = await fetch(`${application.url}/sandbox/api/actions/${action}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(input),
      signal
    })
    const text = await answer.text()
    if (!answer.ok) throw new Error(`${action}: ${answer.status} ${text}`)
    return JSON.parse(text)
  }).pipe(Effect.orElseSucceed(() => undefined))

const sandboxFile = (dataDir: string) => join(dataDir, "sandbox.sqlite")

const pendingIn = (dataDir: string) =>
  Effect.try(() => {
    const file = new DatabaseSync(sandboxFile(dataDir), { readOnly: true })
    try {
      return Number(file.prepare("SELECT count(*) AS left FROM updates").get()!.left)
    } finally {
      file.close()
    }
  })

const persons = [11, 12, 13, 14, 15]

/** What the sandbox's own Telegram knows of, whether or not the page heard so. */
const toldIn = Effect.gen(function* () {
  const telegram = yield* BotApiEmulator
  const all = yield* Effect.forEach(persons, (chat) => telegram.messages({ chat, limit: 10_000 }))
  const said = all.flat().filter(({ from }) => !from.isBot)
  const pictures = said.flatMap(({ media, text }) => (media === undefined ? [] : [`picture ${text}`]))
  return {
    markers: () => new Set(said.flatMap(({ text }) => text.match(marker) ?? [])),
    pictures: () => new Set(pictures.map((one) => createHash("sha256").update(one).digest("hex"))),
    updates: () => said.length,
    commands: () => ({ always: 0, perhaps: 0 })
  } satisfies Told
})

describe("the sandbox, killed with -9 together with its Telegram", () => {
  it.live(
    "keeps what the page was told is sent, in exactly one note",
    () =>
      Effect.gen(function* () {
        const seed = yield* chosenSeed
        const dataDir = yield* temporaryDirectory
        const acknowledged: Array<string> = []
        let next = 0
        let slowestStart = 0
        const chatter = (application: Application) =>
          Effect.forever(
            Effect.gen(function* () {
              const chat = persons[yield* Random.nextIntBetween(0, persons.length - 1)]!
              const text = `z${next++}v0 ${(yield* Random.nextBoolean) ? "#garden" : "thoughts"}`
              const bytes = Buffer.from(`picture ${text}`).toString("base64")
              const sent = (yield* Random.nextBoolean)
                ? yield* act(application, "sendText", { chat, text })
                : yield* act(application, "sendFile", { chat, file: { kind: "photo", bytes, caption: text } })
              if (sent !== undefined) acknowledged.push(...text.match(marker)!)
              yield* Effect.sleep(yield* Random.nextIntBetween(1, 60))
            })
          )
        const life = (ending: (application: Application) => Effect.Effect<unknown>) =>
          Effect.scoped(
            Effect.gen(function* () {
              const application = yield* launch({ dataDir, env: environment })
              const [start] = yield* Effect.timed(ready(application))
              slowestStart = Math.max(slowestStart, Duration.toMillis(start))
              for (const id of persons) yield* act(application, "createUser", { id, firstName: `P${id}` })
              const before = acknowledged.length
              const enough = eventually(
                "something is said",
                Effect.sync(() => acknowledged.length > before + 12),
                { detail: application.output }
              )
              yield* Effect.raceFirst(
                chatter(application),
                Effect.delay(enough, yield* Random.nextIntBetween(500, 2500))
              )
              yield* ending(application)
            })
          )
        yield* Effect.gen(function* () {
          for (let kills = 0; kills < 4; kills += 1)
            yield* life((application) => application.signal("SIGKILL"))
          yield* life((application) =>
            Effect.gen(function* () {
              const left = yield* atRest(dataDir, pendingIn(dataDir), { pictures: () => new Set() })
              assert.isUndefined(left, `seed ${seed}: ${application.output().slice(-2000)}`)
              const { millis } = yield* application.signal("SIGTERM")
              // A machine on which even a start takes longer is too busy to tell.
              assert.isBelow(millis, Math.max(exitLimit, slowestStart))
            })
          )
        }).pipe(Random.withSeed(seed))
        yield* Effect.gen(function* () {
          const told = yield* toldIn
          const known = told.markers()
          assert.isAbove(acknowledged.length, 50)
          assert.deepStrictEqual(
            acknowledged.filter((one) => !known.has(one)),
            []
          )
          const places = persons.map((chat) => ({ chat }))
          const { figures, problems } = yield* inspect({ dataDir, doubts: "allowed" }, places, told)
          yield* Console.log(`sandbox, seed ${seed}: ${JSON.stringify(figures)}`)
          assert.deepStrictEqual(problems, [], `seed ${seed}`)
        }).pipe(Effect.provide(emulatorLayer({ file: sandboxFile(dataDir) })))
      }),
    600_000
  )
})
