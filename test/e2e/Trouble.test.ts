/** Telegram in trouble: nothing is lost, nothing spins, everything is answered in the end. And no secrets. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { BotApiEmulator, type Input } from "../../src/sandbox/Control.ts"
import { eventually } from "../support/Application.ts"
import {
  Assistant,
  answered,
  answers,
  eachNotedOnce,
  newPerson,
  noteSaved,
  saved,
  say
} from "../support/Assistant.ts"

type Fault = Input<"addFault">["effect"]

/** Nothing was done, and Telegram or what stands before it said so. */
const refusals: ReadonlyArray<Fault> = [
  { _tag: "Refuse", code: 429, description: "Too Many Requests: retry after 1", retryAfter: 1 },
  { _tag: "Refuse", code: 429, description: "Too Many Requests: retry after 2", retryAfter: 2 }
]

/** Whether it was done nobody can tell: a result is sent once more, and never a third time. */
const doubts: ReadonlyArray<Fault> = [
  { _tag: "Html", status: 502 },
  { _tag: "Reset" },
  { _tag: "DropBefore" },
  { _tag: "HalfClose" },
  { _tag: "Html", status: 504 }
]

const canary = "canaryInTheCoalMine"

layer(Assistant.layer({ env: { LOG_LEVEL: "trace" } }), { excludeTestServices: true, timeout: "3 minutes" })(
  "trouble",
  (it) => {
    const patient = { timeout: 300_000 }

    it.effect(
      "whatever Telegram's servers do for a while, each message becomes a note and each note is answered once",
      () =>
        Effect.gen(function* () {
          const emulator = yield* BotApiEmulator
          const { application, dataDir } = yield* Assistant
          const people = yield* Effect.forEach([1, 2, 3, 4, 5, 6], () => newPerson())
          yield* Effect.forEach(people, (person) => say(person, `${canary} before`))
          for (const effect of [...refusals, ...doubts]) {
            yield* emulator.addFault({ effect, method: "getUpdates", times: 1 })
          }
          for (const effect of refusals) {
            for (const method of ["sendMessage", "editMessageText", "setMessageReaction"]) {
              yield* emulator.addFault({ effect, method, times: 2 })
            }
          }
          const before = (yield* emulator.journal({})).length
          const sent = yield* Effect.forEach(
            people,
            (person) => say(person, `${canary} first`, `${canary} second`),
            {
              concurrency: "unbounded"
            }
          )
          yield* Effect.forEach(
            people,
            (person, index) =>
              Effect.gen(function* () {
                const ids = sent[index]!.map(({ id }) => id)
                const notes = yield* eachNotedOnce(person.id, ids)
                const results = (yield* answers(person.id)).filter(({ text }) => saved.test(text))
                assert.strictEqual(results.length, notes.length)
              }),
            { concurrency: "unbounded" }
          )
          for (const [index, effect] of doubts.entries()) {
            yield* emulator.addFault({ effect, method: "sendMessage", times: 1 })
            const person = people[index]!
            yield* say(person, `/note ${canary} doubt ${index}`)
            yield* answered(person.id, new RegExp(`Saved: ${canary} doubt ${index}`))
          }
          const calls = (yield* emulator.journal({})).slice(before)
          const count = (name: string) => calls.filter(({ method }) => method.toLowerCase() === name).length
          // Each fault is met, and met again only after a pause.
          assert.isBelow(count("getupdates"), 60)
          assert.isBelow(count("sendmessage") + count("editmessagetext"), 80)
          assert.isAbove(calls.filter(({ outcome }) => outcome === "fault").length, 15)

          // Nothing of all that told on anybody: the log was written at its most talkative.
          const output = application.output()
          assert.include(output, '"level":"DEBUG"')
          const admin = readFileSync(join(dataDir, "admin.token"), "utf8").trim()
          const get = (path: string, headers: Record<string, string> = {}) =>
            Effect.promise(() =>
              fetch(`${application.url}${path}`, { headers }).then((answer) => answer.text())
            )
          const seen = [
            output,
            yield* get("/metrics"),
            yield* get("/health/ready"),
            yield* get("/health/live"),
            yield* get("/api/tasks", { authorization: `Bearer ${admin}` })
          ]
          for (const text of seen) {
            assert.notInclude(text, canary)
            assert.notInclude(text, emulator.bot.token)
            assert.notInclude(text, emulator.bot.token.split(":")[1]!)
            assert.notInclude(text, admin)
          }
          assert.match(seen[1]!, /^zapiska_bot_calls_total\{.*method="sendMessage".*\} \d+$/m)
          assert.include(seen[4]!, '"kind":"projection"')
          assert.notInclude(yield* get("/api/tasks"), "projection")
        }),
      patient
    )

    it.effect(
      "a Telegram that answers nothing at all is asked seldom, the process says so and stays alive",
      () =>
        Effect.gen(function* () {
          const emulator = yield* BotApiEmulator
          const { application } = yield* Assistant
          const ann = yield* newPerson()
          yield* say(ann, "Hello")
          yield* noteSaved(ann.id)
          const before = (yield* emulator.journal({})).length
          const { id } = yield* emulator.addFault({ effect: { _tag: "Reset" }, method: "*" })
          yield* say(ann, "Said while it was down")
          const asked = Effect.map(emulator.journal({}), (all) => all.length - before)
          yield* eventually(
            "Telegram is asked in vain, and again",
            Effect.map(asked, (count) => count > 1)
          )
          yield* Effect.sleep("4 seconds")
          assert.isBelow(yield* asked, 20)
          const live = yield* Effect.promise(() => fetch(`${application.url}/health/live`))
          assert.strictEqual(live.status, 200)
          yield* emulator.removeFault({ id })
          yield* answered(ann.id, /Saved: Said while it was down/)
          // The same sentence again and again would bury everything else.
          const outage = application
            .output()
            .split("\n")
            .filter((line) => /Next poll in/.test(line))
          assert.isBelow(outage.length, 12)
          assert.isTrue(outage.every((line) => !/\bat .*\.ts:\d+/.test(line)))
        }),
      patient
    )

    it.effect(
      "a call that hangs holds up only its own chat",
      () =>
        Effect.gen(function* () {
          const emulator = yield* BotApiEmulator
          const [ann, bob] = [yield* newPerson(), yield* newPerson()]
          const { id } = yield* emulator.addFault({
            effect: { _tag: "Hang" },
            method: "sendMessage",
            chat: ann.id
          })
          yield* say(ann, "Into the void")
          yield* say(bob, "Meanwhile")
          yield* answered(bob.id, /Saved: Meanwhile/)
          assert.deepStrictEqual(yield* answers(ann.id), [])
          yield* emulator.removeFault({ id })
          yield* answered(ann.id, /Saved: Into the void/)
          assert.strictEqual((yield* answers(ann.id)).filter(({ text }) => saved.test(text)).length, 1)
        }),
      patient
    )
  }
)
