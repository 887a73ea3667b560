/** Updates that Telegram delivers: storms of them, again and again, and from those who only pretend to be Telegram. */
import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { BotApiEmulator } from "../../src/sandbox/Control.ts"
import { eventually, start, temporaryDirectory } from "../support/Application.ts"
import {
  Assistant,
  eachNotedOnce,
  newPerson,
  query,
  rawMessage,
  rowsWith,
  say
} from "../support/Assistant.ts"
import { emulatorLayer } from "../support/emulator.ts"

const webhookSecret = "only-for-this-test"
const secretHeader = "x-telegram-bot-api-secret-token"

const taken = (url: string, outcome: string) =>
  Effect.promise(() => fetch(`${url}/metrics`).then((answer) => answer.text())).pipe(
    Effect.map((text) => {
      const line = new RegExp(`^zapiska_webhook_requests_total\\{outcome="${outcome}"\\} (\\d+)$`, "m")
      return Number(line.exec(text)?.[1] ?? 0)
    })
  )

layer(Assistant.layer({ webhookSecret }), { excludeTestServices: true, timeout: "3 minutes" })(
  "a webhook",
  (it) => {
    it.effect("a storm from many people, part of it twice and in disorder, is noted once each", () =>
      Effect.gen(function* () {
        const { application } = yield* Assistant
        const { journal, pending, redeliver } = yield* BotApiEmulator
        const people = yield* Effect.forEach(Array.from({ length: 12 }), () => newPerson())
        const sent = yield* Effect.forEach(
          people,
          (person) => say(person, ...Array.from({ length: 8 }, (_, nth) => `thought ${nth} of ${person.id}`)),
          { concurrency: "unbounded" }
        )
        yield* eventually(
          "all is delivered",
          Effect.map(pending({}), ({ count }) => count === 0)
        )
        const { updateIds } = yield* redeliver({ count: 30, reversed: true })
        assert.strictEqual(updateIds.length, 30)
        for (const [index, person] of people.entries())
          yield* eachNotedOnce(
            person.id,
            sent[index]!.map(({ id }) => id)
          )
        yield* eventually(
          "what came again is taken",
          Effect.map(taken(application.url, "taken"), (count) => count >= 12 * 8 + 30)
        )
        assert.isEmpty(yield* journal({ method: "getUpdates" }))
        const [set, ...more] = yield* journal({ method: "setWebhook" })
        assert.isEmpty(more)
        assert.notInclude(JSON.stringify(set), webhookSecret)
      })
    )

    it.effect("who does not know the secret leaves no row, and no secret is anywhere", () =>
      Effect.gen(function* () {
        const { application } = yield* Assistant
        const ann = yield* newPerson()
        const body = JSON.stringify({
          update_id: 4_000_000,
          message: rawMessage(ann, 9_000, { text: "forged-canary" })
        })
        const post = (path: string, headers: Record<string, string>) =>
          Effect.promise(() =>
            fetch(`${application.url}${path}`, { method: "POST", headers, body }).then(({ status }) => status)
          )
        const before = yield* taken(application.url, "unauthorized")
        for (const [path, headers] of [
          ["/telegram/default/default", {}],
          ["/telegram/default/default", { [secretHeader]: webhookSecret }],
          ["/telegram/default/default", { [secretHeader]: "0".repeat(64) }],
          ["/telegram/default/other", { [secretHeader]: "0".repeat(64) }]
        ] as const)
          assert.strictEqual(yield* post(path, headers), 401)
        assert.strictEqual(yield* taken(application.url, "unauthorized"), before + 4)
        assert.isEmpty(yield* rowsWith("forged-canary"))
        assert.isEmpty(yield* rowsWith(webhookSecret))
        assert.notInclude(application.output(), webhookSecret)
        assert.strictEqual(
          Number(
            (yield* query("SELECT count(*)::int FROM zapiska.notes WHERE title LIKE 'forged%'"))[0]?.[0]
          ),
          0
        )
      })
    )
  }
)

layer(emulatorLayer(), { excludeTestServices: true, timeout: "3 minutes" })(
  "from webhook to polling",
  (it) => {
    it.effect("a bot that has a webhook is polled again, with what waited behind it", () =>
      Effect.gen(function* () {
        const emulator = yield* BotApiEmulator
        const dataDir = yield* temporaryDirectory
        const env = { NOTE_WINDOW: "1 second" }
        const ann = yield* newPerson()
        yield* Effect.scoped(
          Effect.gen(function* () {
            const first = yield* start({ dataDir, emulator, env, webhookSecret })
            yield* say(ann, "delivered")
            yield* eventually(
              "it is delivered",
              Effect.map(taken(first.url, "taken"), (count) => count > 0),
              { detail: first.output }
            )
            yield* first.signal("SIGTERM")
          })
        )
        yield* say(ann, "waited")
        const second = yield* start({ dataDir, emulator, env })
        yield* eventually(
          "it is polled for",
          Effect.map(emulator.pending({}), ({ count }) => count === 0),
          { detail: second.output }
        )
        const [removed] = yield* emulator.journal({ method: "deleteWebhook" })
        assert.isDefined(removed)
        assert.notInclude(JSON.stringify(removed), "drop_pending")
        assert.notInclude(second.output(), "Next poll in")
      }).pipe(Effect.scoped)
    )
  }
)
