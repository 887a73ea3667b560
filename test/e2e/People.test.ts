/** People of a tenant: invited by link, let in as what the link says, and doing what their role lets them. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { BotApiEmulator } from "../../src/sandbox/Control.ts"
import type { User } from "../../src/sandbox/Views.ts"
import { eventually } from "../support/Application.ts"
import {
  Assistant,
  answered,
  answers,
  newPerson,
  noteSaved,
  press,
  query,
  rowsWith,
  say
} from "../support/Assistant.ts"
import { claimed, owner } from "../support/claimed.ts"
import { command } from "../support/cli.ts"

const linkTo = (username: string) => new RegExp(`https://t\\.me/${username}\\?start=([\\w-]+)`)

/** Asks for an invite; the code in its link. */
const invited = Effect.fnUntraced(function* (by: User, command: string) {
  const { bot } = yield* BotApiEmulator
  const before = (yield* answers(by.id)).length
  yield* say(by, command)
  const link = linkTo(bot.username)
  yield* eventually(
    "the link is sent",
    Effect.map(answers(by.id), (all) => all.slice(before).some(({ text }) => link.test(text)))
  )
  const message = (yield* answers(by.id)).slice(before).find(({ text }) => link.test(text))!
  return { code: link.exec(message.text)![1]!, text: message.text }
})

const open = (person: User, payload: string) =>
  BotApiEmulator.use((emulator) => emulator.start({ user: person.id, payload }))

it.live(
  "an owner's link lets in who opens it first and nobody after; its code is in no row, log or note",
  () =>
    Effect.gen(function* () {
      const emulator = yield* BotApiEmulator
      const { application, git } = yield* Assistant
      const ann = yield* owner
      const { code, text } = yield* invited(ann, "/invite")
      assert.match(text, /works for one person, for 7 days/)

      const bob = yield* newPerson({ name: "Bob" })
      const eve = yield* newPerson({ name: "Evelyn" })
      yield* open(bob, code)
      yield* answered(bob.id, /^Hello, Bob!\n\nWhat you send/)
      yield* answered(ann.id, /^👤 Bob opened your invite and is a member now\. The link is used up\./u)
      yield* open(eve, code)
      yield* answered(eve.id, /^Sorry, I am a personal assistant/)
      // Whoever is in already may open it, too: that is a greeting, and keeps nothing of the code.
      yield* open(ann, code)
      yield* answered(ann.id, /^Hello, Ann!/, { times: 2 })
      yield* say(bob, "Bob's first note", "/done")
      yield* noteSaved(bob.id)
      yield* say(bob, "/invite")
      yield* answered(bob.id, /^Only owners may do that/)
      yield* eventually(
        "all is confirmed",
        Effect.map(emulator.pending({}), ({ count }) => count === 0)
      )

      assert.deepStrictEqual(
        yield* query("SELECT user_id::int, role FROM zapiska.members ORDER BY user_id"),
        [
          [ann.id, "owner"],
          [bob.id, "member"]
        ]
      )
      for (const trace of [code, "Evelyn"]) {
        assert.deepStrictEqual(yield* rowsWith(trace), [], trace)
        assert.notInclude(yield* git("log", "-p", "--all"), trace)
        assert.notInclude(application.output(), trace)
      }
    }).pipe(Effect.provide(claimed))
)

it.live("a reader looks at notes and is kindly refused what would change them; as a member they may", () =>
  Effect.gen(function* () {
    const { dataDir, notes } = yield* Assistant
    const becomes = (person: User, role: string) =>
      Effect.map(command({ dataDir }, "user", "role", "default", String(person.id), role), ({ code, err }) =>
        assert.strictEqual(code, 0, err)
      )
    const ann = yield* owner
    yield* say(ann, "The plan #work", "/done")
    yield* noteSaved(ann.id)
    const { code } = yield* invited(ann, "/invite reader 2")
    const bob = yield* newPerson({ name: "Bob" })
    yield* open(bob, code)
    yield* answered(bob.id, /^Hello, Bob!\n\nYou may read the notes here/)

    yield* say(bob, "I write too", "and again")
    yield* answered(bob.id, /^You may read the notes here, not add to them/)
    yield* say(bob, "/undo")
    yield* answered(bob.id, /^You may read the notes here, not change them\./)
    yield* say(bob, "/note something")
    yield* answered(bob.id, /^You may read the notes here, not change them\./, { times: 2 })
    yield* say(bob, "/recent")
    const list = yield* answered(bob.id, /^Latest notes\n1\. The plan/)
    yield* press(list, "1")
    yield* answered(bob.id, /The plan/, { times: 2 })
    yield* say(bob, "/status")
    yield* answered(bob.id, /^Nothing is being collected/)
    assert.lengthOf(
      (yield* answers(bob.id)).filter(({ text }) => text.startsWith("You may read the notes here, not add")),
      1
    )
    assert.deepStrictEqual(yield* notes(bob.id), [])

    yield* becomes(bob, "member")
    yield* say(bob, "Now I may", "/done")
    const note = yield* noteSaved(bob.id)
    assert.include(note.body, "Now I may")
    assert.notInclude(note.body, "I write too")

    // Written while they were a member, saved when they are none any more: not saved.
    yield* say(bob, "Too late")
    yield* answered(bob.id, /^✍️ Collecting/u)
    yield* becomes(bob, "reader")
    yield* say(bob, "/done")
    yield* answered(bob.id, /^You may read the notes here, not add to them/, { times: 2 })
    assert.lengthOf(yield* notes(bob.id), 1)
  }).pipe(Effect.provide(claimed))
)

it.live(
  "who sends more than the limit is told when it goes on; nothing of it is kept, and it is counted",
  () =>
    Effect.gen(function* () {
      const emulator = yield* BotApiEmulator
      const { application } = yield* Assistant
      const ann = yield* newPerson()
      const bob = yield* newPerson({ name: "Bob", language: "ru" })
      const texts = (of: string) => Array.from({ length: 8 }, (_, index) => `Message ${index} of ${of}.`)
      yield* say(ann, ...texts("Ann"))
      yield* answered(
        ann.id,
        /^That is more than I take from one person in a day, .* tomorrow, from 00:00 UTC/
      )
      yield* say(bob, "Two", "words", "/done")
      yield* noteSaved(bob.id)
      yield* say(bob, ...texts("Bob"))
      yield* answered(bob.id, /^Это больше, чем я принимаю от одного человека за день, .* после 00:00 UTC/)
      yield* eventually(
        "all is confirmed",
        Effect.map(emulator.pending({}), ({ count }) => count === 0)
      )
      const places = yield* Effect.forEach(texts("Ann"), rowsWith)
      const kept = places.filter((tables) => tables.length > 0).length
      // Three of a day; it may have been midnight.
      assert.isTrue(kept >= 3 && kept <= 6, `${kept} of 8`)
      const metrics = yield* Effect.promise(() =>
        fetch(`${application.url}/metrics`).then((answer) => answer.text())
      )
      assert.match(metrics, /^zapiska_updates_over_limit_total\{[^}]*limit="user_day"[^}]*\} \d+$/m)
    }).pipe(
      Effect.provide(
        Assistant.layer({
          env: { LIMIT_USER: "3/day", NOTE_WINDOW: "1 minute", NOTE_WINDOW_MAX: "2 minutes" }
        })
      )
    )
)
