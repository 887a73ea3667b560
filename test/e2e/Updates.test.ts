/** What Telegram does with updates: edits, repetitions, disorder, and kinds nobody knows yet. */
import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { BotApiEmulator } from "../../src/sandbox/Control.ts"
import { eventually } from "../support/Application.ts"
import {
  Assistant,
  answered,
  answers,
  eachNotedOnce,
  finish,
  inject,
  newPerson,
  noteSaved,
  notesSaved,
  query,
  rawMessage,
  saved,
  say
} from "../support/Assistant.ts"

/** Only what ends a window closes it. */
const environment = { NOTE_WINDOW: "1 minute", NOTE_WINDOW_MAX: "2 minutes" }

layer(Assistant.layer({ env: environment }), { excludeTestServices: true, timeout: "3 minutes" })(
  "updates",
  (it) => {
    const together = { concurrent: true }

    /** Everything received so far is done: nothing is left to wait for. */
    const settled = eventually(
      "every stored update is handled",
      Effect.map(
        query("SELECT count(*)::int FROM zapiska_engine.cluster_messages WHERE NOT processed"),
        ([row]) => Number(row?.[0]) === 0
      )
    )

    /** A person of whom there is a note. */
    const acquainted = Effect.gen(function* () {
      const ann = yield* newPerson()
      yield* say(ann, "Hello")
      yield* finish(ann)
      yield* noteSaved(ann.id)
      return ann
    })

    it.effect(
      "an edit in the open window is what the note says, once",
      () =>
        Effect.gen(function* () {
          const { editText } = yield* BotApiEmulator
          const ann = yield* newPerson()
          const [first] = yield* say(ann, "I will be thirty", "and more")
          yield* editText({ chat: ann.id, messageId: first!.id, text: "I will be forty" })
          yield* finish(ann)
          const [note, ...more] = yield* eachNotedOnce(ann.id, [first!.id, first!.id + 1])
          assert.deepStrictEqual(more, [])
          assert.strictEqual(note!.title, "I will be forty")
          assert.notInclude(note!.text, "thirty")
        }),
      together
    )

    it.effect(
      "an edit after saving rewrites its own block and is a commit",
      () =>
        Effect.gen(function* () {
          const { editText } = yield* BotApiEmulator
          const { git, notes } = yield* Assistant
          const ann = yield* newPerson()
          const [, second] = yield* say(ann, "The list", "two apples", "three pears")
          yield* finish(ann)
          const before = yield* noteSaved(ann.id)
          yield* editText({ chat: ann.id, messageId: second!.id, text: "nine apples #fruit" })
          yield* eventually(
            "the note follows",
            Effect.map(notes(ann.id), ([note]) => note?.body.includes("nine apples") === true)
          )
          const [after, ...more] = yield* notes(ann.id)
          assert.deepStrictEqual(more, [])
          assert.strictEqual(after!.path, before.path)
          assert.strictEqual(
            after!.body.replace(/nine apples #fruit/, ""),
            before.body.replace(/two apples/, "")
          )
          assert.strictEqual(
            (yield* git("log", "--format=%H", "--", before.path)).trim().split("\n").length,
            2
          )
        }),
      together
    )

    it.effect(
      "the edit of a message never seen becomes a note",
      () =>
        Effect.gen(function* () {
          const ann = yield* acquainted
          yield* inject({
            edited_message: rawMessage(ann, 9001, { text: "From before your time", edit_date: 1 })
          })
          yield* finish(ann)
          const notes = yield* eachNotedOnce(ann.id, [9001])
          assert.strictEqual(notes.length, 2)
          assert.include(notes[1]!.body, "From before your time")
        }),
      together
    )

    it.effect(
      "updates that come again, also newest first, change nothing",
      () =>
        Effect.gen(function* () {
          const emulator = yield* BotApiEmulator
          const ann = yield* newPerson()
          yield* say(ann, "Only once", "please")
          yield* finish(ann)
          yield* noteSaved(ann.id)
          const before = yield* answers(ann.id)
          yield* emulator.redeliver({ count: 20 })
          yield* emulator.redeliver({ count: 20, reversed: true })
          yield* eventually(
            "what was delivered again is confirmed",
            Effect.map(emulator.pending({}), ({ count }) => count === 0)
          )
          yield* say(ann, "Then another")
          yield* finish(ann)
          const notes = yield* notesSaved(ann.id, 2)
          assert.strictEqual(notes.length, 2)
          assert.strictEqual((yield* answers(ann.id)).length, before.length + 1)
        }),
      together
    )

    it.effect(
      "the same update number twice in one batch is one message",
      () =>
        Effect.gen(function* () {
          const ann = yield* acquainted
          const { updateId } = yield* inject({ message: rawMessage(ann, 9001, { text: "twin" }) })
          yield* inject({ message: rawMessage(ann, 9001, { text: "another with its number" }) }, updateId)
          yield* finish(ann)
          const notes = yield* notesSaved(ann.id, 2)
          assert.strictEqual(notes.length, 2)
          assert.include(notes[1]!.body, "twin")
          assert.notInclude(notes[1]!.body, "another")
        }),
      together
    )

    it.effect(
      "messages whose updates come in disorder stand in the order they were sent",
      () =>
        Effect.gen(function* () {
          const ann = yield* acquainted
          for (const id of [9003, 9001, 9002]) {
            yield* inject({ message: rawMessage(ann, id, { text: `part ${id}` }) })
          }
          yield* finish(ann)
          const notes = yield* eachNotedOnce(ann.id, [9001, 9002, 9003])
          assert.deepStrictEqual(notes[1]!.body.match(/^part \d+$/gm), [
            "part 9001",
            "part 9002",
            "part 9003"
          ])
        }),
      together
    )

    it.effect(
      "content of a kind nobody knows yet is said in the note, beside what is known",
      () =>
        Effect.gen(function* () {
          const ann = yield* acquainted
          yield* inject({ message: rawMessage(ann, 9001, { hologram: { depth: 3 } }) })
          yield* inject({
            message: rawMessage(ann, 9002, { story: { id: 1, chat: { id: 5, type: "private" } } })
          })
          yield* finish(ann)
          const notes = yield* eachNotedOnce(ann.id, [9001, 9002])
          const body = notes.map((note) => note.body).join("\n")
          assert.match(body, /cannot be kept yet: hologram/)
          assert.match(body, /cannot be kept yet: story/)
        }),
      together
    )

    it.effect(
      "an update nobody can read is answered kindly where somebody waits; news of a chat are not",
      () =>
        Effect.gen(function* () {
          const { notes } = yield* Assistant
          const ann = yield* acquainted
          yield* inject({ telepathy: rawMessage(ann, 9001, { thought: "x" }) })
          yield* answered(ann.id, /cannot read this kind of message yet \(telepathy\)/)
          yield* inject({
            message: rawMessage(ann, 9002, { pinned_message: rawMessage(ann, 1, { text: "Hello" }) })
          })
          yield* inject({ message: { message_id: "nine", chat: { id: ann.id, type: "private" } } })
          yield* inject({ poll: { id: "5", question: "?" } })
          yield* inject({ message: 7 })
          yield* inject({})
          yield* say(ann, "Still there?")
          yield* finish(ann)
          yield* notesSaved(ann.id, 2)
          assert.strictEqual((yield* notes(ann.id)).length, 2)
          assert.strictEqual((yield* answers(ann.id)).filter(({ text }) => saved.test(text)).length, 2)
        }),
      together
    )

    it.effect(
      "somebody who blocks the bot loses nothing, and is answered again after coming back",
      () =>
        Effect.gen(function* () {
          const emulator = yield* BotApiEmulator
          const ann = yield* newPerson()
          yield* say(ann, "Before")
          yield* emulator.block({ user: ann.id })
          // On its way when it was blocked.
          const entities = [{ type: "bot_command", offset: 0, length: 5 }]
          yield* inject({ message: rawMessage(ann, 9001, { text: "/done", entities }) })
          const { notes } = yield* Assistant
          yield* eventually(
            "the note is there",
            Effect.map(notes(ann.id), (all) => all.length === 1)
          )
          yield* emulator.unblock({ user: ann.id })
          yield* say(ann, "After", "/done")
          yield* eventually(
            "the next note",
            Effect.map(notes(ann.id), (all) => all.length === 2)
          )
          yield* answered(ann.id, /Saved: After/)
        }),
      together
    )

    it.effect(
      "afterwards everything is counted, nothing is left, and nobody was warned of ordinary things",
      () =>
        Effect.gen(function* () {
          const { application, git } = yield* Assistant
          yield* settled
          assert.strictEqual(yield* git("status", "--porcelain"), "")
          const metrics = yield* Effect.promise(() =>
            fetch(`${application.url}/metrics`).then((answer) => answer.text())
          )
          assert.match(metrics, /^zapiska_updates_unknown_total\{kind="telepathy"\} [1-9]/m)
          assert.match(metrics, /^zapiska_updates_duplicated_total \d\d/m)
          const errors = application
            .output()
            .split("\n")
            .filter((line) => /"level":"ERROR"/.test(line))
          assert.deepStrictEqual(errors, [])
        })
    )
  }
)
