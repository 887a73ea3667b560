/**
 * Several people of several tenants at once, one of them of two: whatever they ask and press, also what was given to
 * others, each sees the notes of the tenant whose bot they talk to, and no others.
 */
import { assert, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { UserId } from "../../src/domain/Ids.ts"
import { BotApiEmulator } from "../../src/sandbox/Control.ts"
import type { Message, User } from "../../src/sandbox/Views.ts"
import { Members } from "../../src/telegram/Members.ts"
import { eventually } from "../support/Application.ts"
import { Assistant, newPerson } from "../support/Assistant.ts"
import { notesOf, operator, type Served, served } from "../support/tenants.ts"

const world = operator.pipe(Layer.provideMerge(Assistant.layer({ env: { NOTE_WINDOW: "500 millis" } })))

/** Somebody more of a tenant. */
const joined = Effect.fnUntraced(function* (to: Served, person: User) {
  const emulator = yield* BotApiEmulator
  yield* Members.use(({ add }) => add(to.tenant, { user: UserId.make(person.id), role: "member" }, "admin"))
  yield* emulator.start({ bot: to.botId, user: person.id })
  return { ...to, person }
})

/** What only a tenant's people know: no word of another's begins like it. */
const secretOf = ({ tenant, person }: Served, nth: number) => `${tenant}-secret-${person.id}-${nth}`
const anySecretOf = ({ tenant }: Served) => `${tenant}-secret-`

const tell = ({ botId, person }: Served, text: string) =>
  BotApiEmulator.use(({ sendText }) => sendText({ bot: botId, chat: person.id, text }))

/** All that the bot showed in this chat, newest first. */
const shown = ({ botId, person }: Served) =>
  BotApiEmulator.use(({ messages }) =>
    Effect.map(messages({ bot: botId, chat: person.id, limit: 200 }), (all) =>
      all.filter(({ from }) => from.isBot)
    )
  )

const heard = Effect.fnUntraced(function* (one: Served, pattern: RegExp, after = 0) {
  const { application } = yield* Assistant
  let found: ReadonlyArray<Message> = []
  yield* eventually(
    `${one.person.id} of ${one.tenant} is told ${pattern}`,
    Effect.map(shown(one), (all) => {
      found = all.filter(({ id, text }) => id > after && pattern.test(text))
      return found.length > 0
    }),
    { seconds: 60, detail: application.output }
  )
  return found[0]!
})

/** Asks, and waits for what is said to it. */
const asked = Effect.fnUntraced(function* (one: Served, command: string, answer: RegExp) {
  const { id } = yield* tell(one, command)
  return yield* heard(one, answer, id)
})

const everybody = { concurrency: "unbounded" } as const

it.live(
  "people of several tenants see by every command and button only what is their tenant's",
  () =>
    Effect.gen(function* () {
      const emulator = yield* BotApiEmulator
      const acme = yield* served("acme")
      const other = yield* served("other")
      const third = yield* served("third")
      const both = yield* newPerson({ name: "Both" })
      const people = [
        acme,
        other,
        third,
        yield* joined(acme, yield* newPerson({ name: "Second" })),
        yield* joined(acme, both),
        yield* joined(other, both)
      ]
      const strangersTo = (one: Served) => [acme, other, third].filter(({ tenant }) => tenant !== one.tenant)

      yield* Effect.forEach(
        people,
        (one) =>
          Effect.gen(function* () {
            for (const nth of [1, 2]) yield* tell(one, secretOf(one, nth))
            yield* heard(one, /^✅/u)
            yield* asked(one, `/note ${secretOf(one, 3)}`, /^✅/u)
          }),
        everybody
      )
      yield* Effect.forEach(people, (one) =>
        eventually(
          `all of ${one.person.id} is in the notes of ${one.tenant}`,
          Effect.map(notesOf(one), (notes) => [1, 2, 3].every((nth) => notes.includes(secretOf(one, nth)))),
          { seconds: 60 }
        )
      )
      // Only now is nobody's note still on its way.
      const written = yield* Effect.forEach(people, notesOf)
      for (const [nth, one] of people.entries()) {
        for (const stranger of strangersTo(one)) assert.notInclude(written[nth]!, anySecretOf(stranger))
      }

      // What was given to others: their buttons, pressed in one's own chat and in theirs.
      const buttons = yield* Effect.forEach(people, (one) =>
        Effect.map(shown(one), (all) =>
          all.flatMap(({ id, buttons }) =>
            buttons.flat().flatMap(({ data }) => (data === undefined ? [] : [{ of: one, id, data }]))
          )
        )
      )
      assert.isAbove(buttons.flat().length, people.length)
      let forged = 0
      for (const thief of people) {
        for (const { data, id, of } of buttons.flat()) {
          if (of.tenant === thief.tenant) continue
          for (const chat of new Set([thief.person.id, of.person.id])) {
            const from = { id: thief.person.id, is_bot: false, first_name: "Thief" }
            yield* emulator.inject({
              bot: thief.botId,
              update: {
                callback_query: {
                  id: `forged-${forged++}`,
                  from,
                  chat_instance: "1",
                  data,
                  message: {
                    message_id: id,
                    date: 1_700_000_000,
                    chat: { id: chat, type: "private", first_name: "Somebody" },
                    text: "a note"
                  }
                }
              }
            })
          }
        }
      }
      assert.isAbove(forged, 0)

      yield* Effect.forEach(
        people,
        (one) =>
          Effect.gen(function* () {
            yield* asked(one, "/recent", /secret/)
            yield* asked(one, "/status", /./)
            yield* asked(one, "/help", /./)
          }),
        everybody
      )
      yield* Effect.forEach([acme, other, third], (one) =>
        eventually(
          `every press at ${one.tenant} was taken`,
          Effect.map(emulator.pending({ bot: one.botId }), ({ count }) => count === 0)
        )
      )
      // Answered in turn with what was pressed before it.
      yield* Effect.forEach(people, (one) => asked(one, "/status", /./), everybody)
      for (const [nth, one] of people.entries()) {
        const texts = (yield* shown(one)).map(({ text }) => text).join("\n")
        assert.include(texts, anySecretOf(one))
        for (const stranger of strangersTo(one)) assert.notInclude(texts, anySecretOf(stranger))
        assert.strictEqual(yield* notesOf(one), written[nth], `the notes of ${one.tenant} are as they were`)
      }

      // Undone by one of them, it is undone for that tenant alone.
      yield* asked(acme, "/undo", /./)
      yield* eventually(
        "the latest note of acme is gone",
        Effect.map(notesOf(acme), (notes) => notes !== written[0])
      )
      assert.strictEqual(yield* notesOf(other), written[1])
      assert.strictEqual(yield* notesOf(third), written[2])
    }).pipe(Effect.provide(world)),
  400_000
)
