/** A bot nobody owns yet: claimed once by code; of everybody else nothing is kept. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { BotApiEmulator } from "../../src/sandbox/Control.ts"
import { eventually } from "../support/Application.ts"
import {
  Assistant,
  answered,
  answers,
  newPerson,
  noteSaved,
  query,
  rowsWith,
  say
} from "../support/Assistant.ts"

const unclaimed = Assistant.layer({ env: { TELEGRAM_ALLOWED_USERS: "" } })

it.live(
  "the one who sends the printed code owns the bot; a stranger is refused once and leaves no trace",
  () =>
    Effect.gen(function* () {
      const emulator = yield* BotApiEmulator
      const { application, git } = yield* Assistant
      const printed = () => /\/start ([A-Za-z0-9-]+)/.exec(application.output())?.[1] ?? ""
      yield* eventually(
        "the code is printed",
        Effect.sync(() => printed() !== "")
      )
      const code = printed()

      // A number that nothing else holds by accident.
      const mallory = yield* emulator.createUser({
        id: 5_812_903_477_121,
        firstName: "Mallory",
        language: "ru"
      })
      yield* say(mallory, "canary of a stranger", "again")
      yield* answered(mallory.id, /^Здравствуйте! Пока я ничей/)
      const eve = yield* newPerson({ name: "Evelyn" })
      yield* emulator.start({ user: eve.id, payload: "0000-0000" })
      yield* answered(eve.id, /^That is not the claim code/)
      const ann = yield* newPerson()
      yield* emulator.start({ user: ann.id, payload: code })
      yield* answered(ann.id, /^Hello, Ann!/)
      // A code that was used is worth nothing to anybody else.
      yield* emulator.start({ user: mallory.id, payload: code })
      yield* say(mallory, "canary of a stranger")
      yield* say(ann, "The owner's note")
      yield* noteSaved(ann.id)
      yield* eventually(
        "all is confirmed",
        Effect.map(emulator.pending({}), ({ count }) => count === 0)
      )

      assert.strictEqual((yield* answers(mallory.id)).length, 1)
      for (const trace of ["canary of a stranger", "Mallory", String(mallory.id), "Evelyn", code]) {
        assert.deepStrictEqual(yield* rowsWith(trace), [], trace)
        assert.notInclude(yield* git("log", "-p", "--all"), trace)
      }
      assert.deepStrictEqual(yield* query("SELECT user_id::int, role FROM zapiska.members"), [
        [ann.id, "owner"]
      ])
      assert.notInclude(application.output(), "canary of a stranger")
      const metrics = yield* Effect.promise(() =>
        fetch(`${application.url}/metrics`).then((answer) => answer.text())
      )
      assert.match(metrics, /^zapiska_updates_refused_total 5$/m)

      yield* application.signal("SIGTERM")
    }).pipe(Effect.provide(unclaimed))
)
