/** Commands, buttons, languages and groups, as people use them. */
import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { BotApiEmulator } from "../../src/sandbox/Control.ts"
import { eventually } from "../support/Application.ts"
import {
  Assistant,
  answered,
  answers,
  newPerson,
  noteSaved,
  notesSaved,
  press,
  saved,
  say
} from "../support/Assistant.ts"

// Long enough that only a command or a button closes a window.
const environment = { NOTE_WINDOW: "1 minute", NOTE_WINDOW_MAX: "2 minutes" }

layer(Assistant.layer({ env: environment }), { excludeTestServices: true, timeout: "3 minutes" })(
  "commands",
  (it) => {
    const together = { concurrent: true }
    const languages = ["en", "ru"] as const
    const words = {
      en: {
        start: /^Hello, Ann!/,
        help: /^What I do\n/,
        nothing: /^Nothing is being collected right now/,
        collecting: /^✍️ Collecting/u,
        status: /^Collecting: 2 messages\.\nNotes: \d+/,
        recent: /^Latest notes\n1\. /,
        undone: /^↩️ Taken back: Alone/u,
        unknown: /^I do not know \/dance/,
        noteMode: /\/note/,
        saved: /^✅ Saved: /u,
        saveNow: "Save now",
        menu: "Save what is being collected"
      },
      ru: {
        start: /^Здравствуйте, Ann!/,
        help: /^Что я умею\n/,
        nothing: /^Сейчас ничего не собирается/,
        collecting: /^✍️ Собираю/u,
        status: /^Собираю, сообщений: 2\.\nЗаметок: \d+/,
        recent: /^Последние заметки\n1\. /,
        undone: /^↩️ Отменено: Alone/u,
        unknown: /^Команды \/dance я не знаю/,
        noteMode: /\/note/,
        saved: /^✅ Сохранено: /u,
        saveNow: "Сохранить сейчас",
        menu: "Сохранить собираемое"
      }
    }

    for (const language of languages) {
      const said = words[language]

      it.effect(
        `${language}: greets, helps, and tells kindly what it does not know`,
        () =>
          Effect.gen(function* () {
            const emulator = yield* BotApiEmulator
            const ann = yield* newPerson({ language })
            yield* emulator.start({ user: ann.id })
            yield* answered(ann.id, said.start)
            yield* say(ann, "/help")
            yield* answered(ann.id, said.help)
            yield* say(ann, "/done")
            yield* answered(ann.id, said.nothing)
            yield* say(ann, "/dance")
            yield* answered(ann.id, said.unknown)
            yield* say(ann, "/note")
            yield* answered(ann.id, said.noteMode, { times: 2 })
          }),
        together
      )

      it.effect(
        `${language}: /status counts the open window, /done and the button close it, /recent lists`,
        () =>
          Effect.gen(function* () {
            const ann = yield* newPerson({ language })
            yield* say(ann, "One", "two")
            yield* answered(ann.id, said.collecting)
            yield* say(ann, "/status")
            yield* answered(ann.id, said.status)
            yield* say(ann, "/done")
            yield* noteSaved(ann.id)
            yield* answered(ann.id, said.saved)
            yield* say(ann, "Three")
            const status = yield* answered(ann.id, said.collecting)
            yield* press(status, said.saveNow)
            const notes = yield* notesSaved(ann.id, 2)
            assert.strictEqual(notes[1]!.title, "Three")
            yield* say(ann, "/recent")
            const list = yield* answered(ann.id, said.recent)
            const numbers = list.text.match(/^\d+(?=\. )/gm)
            assert.deepStrictEqual(
              list.buttons.flat().map(({ text }) => text),
              numbers
            )
            // One status message a window, which became the result.
            assert.strictEqual((yield* answers(ann.id)).filter(({ text }) => said.saved.test(text)).length, 2)
            assert.strictEqual(
              (yield* answers(ann.id)).filter(({ text }) => said.collecting.test(text)).length,
              0
            )
          }),
        together
      )

      it.effect(
        `${language}: /note saves one text at once beside an open window, /undo takes it back`,
        () =>
          Effect.gen(function* () {
            const { notes } = yield* Assistant
            const ann = yield* newPerson({ language })
            yield* say(ann, "Waiting", "/note Alone #single")
            const note = yield* noteSaved(ann.id)
            assert.strictEqual(note.title, "Alone")
            assert.strictEqual(note.category, "single")
            assert.notInclude(note.body, "Waiting")
            yield* say(ann, "/undo")
            yield* answered(ann.id, said.undone)
            yield* eventually(
              "the note is gone",
              Effect.map(notes(ann.id), (all) => all.length === 0)
            )
            yield* say(ann, "/done")
            yield* notesSaved(ann.id, 1)
          }),
        together
      )

      it.effect(
        `${language}: the menu is in the person's language`,
        () =>
          Effect.gen(function* () {
            const { commands } = yield* BotApiEmulator
            const ann = yield* newPerson({ language })
            yield* eventually(
              "the menu",
              Effect.map(commands({ user: ann.id }), (menu) =>
                menu.some(({ command, description }) => command === "done" && description === said.menu)
              )
            )
            const menu = yield* commands({ user: ann.id })
            assert.deepStrictEqual(
              menu.map(({ command }) => command),
              [
                "start",
                "help",
                "note",
                "done",
                "status",
                "undo",
                "recent",
                "invite",
                "login",
                "follow",
                "unfollow"
              ]
            )
          }),
        together
      )
    }

    it.effect(
      "Undo under a result takes that note back and says so in its place; pressing again changes nothing",
      () =>
        Effect.gen(function* () {
          const { notes, git } = yield* Assistant
          const ann = yield* newPerson()
          yield* say(ann, "/note A mistake")
          yield* noteSaved(ann.id)
          const result = yield* answered(ann.id, saved)
          const toasts = yield* Effect.all([press(result, "Undo"), press(result, "Undo")], { concurrency: 2 })
          assert.deepStrictEqual(toasts.map(({ text }) => text ?? "").sort(), [
            "",
            "This has been pressed before; it works once"
          ])
          const undone = yield* answered(ann.id, /^↩️ Taken back/u)
          assert.strictEqual(undone.id, result.id)
          yield* eventually(
            "the note is gone",
            Effect.map(notes(ann.id), (all) => all.length === 0)
          )
          const log = yield* git("log", "--format=%s")
          assert.strictEqual(log.match(/Undo revision \d+: .*A mistake/g)?.length, 1)
          yield* say(ann, "/undo")
          yield* answered(ann.id, /^There is nothing of yours to take back/)
        }),
      together
    )

    it.effect(
      "where a later change touched the note too, Undo asks first",
      () =>
        Effect.gen(function* () {
          const emulator = yield* BotApiEmulator
          const { notes } = yield* Assistant
          const ann = yield* newPerson()
          const [sent] = yield* say(ann, "The first wording")
          yield* say(ann, "/done")
          yield* noteSaved(ann.id)
          const result = yield* answered(ann.id, saved)
          yield* emulator.editText({ chat: ann.id, messageId: sent!.id, text: "The second wording" })
          yield* eventually(
            "the note follows",
            Effect.map(notes(ann.id), ([note]) => note?.body.includes("second wording") === true)
          )
          yield* press(result, "Undo")
          const asked = yield* answered(ann.id, /^Later changes touched the same note/)
          assert.strictEqual((yield* notes(ann.id)).length, 1)
          yield* press(asked, "Undo anyway")
          yield* answered(ann.id, /^↩️ Taken back/u)
          yield* eventually(
            "the note is gone",
            Effect.map(notes(ann.id), (all) => all.length === 0)
          )
        }),
      together
    )

    it.effect(
      "Open shows a long note as its file, with a summary",
      () =>
        Effect.gen(function* () {
          const emulator = yield* BotApiEmulator
          const ann = yield* newPerson()
          yield* say(
            ann,
            "A long story",
            ...Array.from({ length: 7 }, () => "words and more of them. ".repeat(160))
          )
          yield* say(ann, "/done")
          const note = yield* noteSaved(ann.id)
          yield* press(yield* answered(ann.id, saved), "Open")
          const { media, text } = yield* answered(ann.id, /All of it is in the file/)
          assert.match(
            text,
            /^A long story\n\n[\s\S]{400,}…\n\nAll of it is in the file: 2\d,\d{3} characters\.$/
          )
          assert.strictEqual(media?.name, note.path.split("/").at(-1))
          const { bytes } = yield* emulator.file({ fileId: media?.fileId ?? "" })
          assert.strictEqual(new TextDecoder().decode(bytes), note.text)
        }),
      together
    )

    it.effect(
      "Open shows the note, as often as one likes; of one that is gone it says so",
      () =>
        Effect.gen(function* () {
          const ann = yield* newPerson()
          yield* say(ann, "/note Look at **this** #shown")
          yield* noteSaved(ann.id)
          yield* say(ann, "/recent")
          const result = yield* answered(ann.id, saved)
          yield* press(result, "Open")
          yield* press(result, "Open")
          const look = /^Look at this\n\n\d\d:\d\d UTC\n\nLook at \*\*this\*\* #shown$/
          const { rich } = yield* answered(ann.id, look, { times: 2 })
          assert.deepStrictEqual(rich?.[0], { type: "heading", text: "Look at this", size: 1 })
          const list = yield* answered(ann.id, /^Latest notes/)
          const mine = list.text.split("\n").findIndex((line) => line.includes("Look at")) - 1
          yield* press(result, "Undo")
          yield* answered(ann.id, /^↩️ Taken back/u)
          yield* press(list, String(mine + 1))
          yield* answered(ann.id, /^This note is no longer there/)
        }),
      together
    )

    it.effect(
      "in a group with topics each answer goes to its topic, and a button obeys its owner alone",
      () =>
        Effect.gen(function* () {
          const emulator = yield* BotApiEmulator
          const { notes } = yield* Assistant
          const [ann, bob] = [
            yield* newPerson({ name: "Ann" }),
            yield* newPerson({ name: "Bob", language: "ru" })
          ]
          const group = yield* emulator.createGroup({
            title: "Club",
            members: [ann.id, bob.id],
            forum: true
          })
          const [books, films] = [
            yield* emulator.createTopic({ chat: group.id, name: "Books" }),
            yield* emulator.createTopic({ chat: group.id, name: "../films" })
          ]
          const write = (from: number, thread: number | undefined, text: string) =>
            emulator.sendText({ chat: group.id, from, text, ...(thread === undefined ? {} : { thread }) })
          yield* write(ann.id, books.id, "A book")
          yield* write(bob.id, books.id, "Another book")
          yield* write(ann.id, films.id, "A film")
          yield* write(ann.id, undefined, "In general")
          const inBooks = yield* answered(group.id, /^✍️ Collecting/u, { thread: books.id })
          const bobs = yield* answered(group.id, /^✍️ Собираю/u, { thread: books.id })
          const inFilms = yield* answered(group.id, /^✍️/u, { thread: films.id })
          const refused = yield* press(inBooks, "Save now", bob.id)
          assert.match(refused.text ?? "", /чужая кнопка/)
          assert.strictEqual((yield* notes(group.id)).length, 0)
          yield* press(inBooks, "Save now", ann.id)
          yield* answered(group.id, /^✅ Saved: A book/u, { thread: books.id })
          yield* press(bobs, "Сохранить сейчас", bob.id)
          yield* answered(group.id, /^✅ Сохранено: Another book/u, { thread: books.id })
          yield* press(inFilms, "Save now", ann.id)
          const film = yield* answered(group.id, /^✅ Saved: A film/u, { thread: films.id })
          assert.strictEqual(film.id, inFilms.id)
          assert.match((yield* press(film, "Undo", bob.id)).text ?? "", /чужая кнопка/)
          yield* write(ann.id, undefined, "/start@some_other_bot")
          yield* write(ann.id, undefined, "/done@some_other_bot")
          yield* write(ann.id, undefined, "/status@Zapiska_Sandbox_Bot")
          yield* answered(group.id, /^Collecting: 1 message\./)
          yield* write(ann.id, undefined, "/done@zapiska_sandbox_bot")
          yield* answered(group.id, /^✅ Saved: In general/u)
          yield* eventually(
            "four notes",
            Effect.map(notes(group.id), (all) => all.length === 4)
          )
          assert.notMatch((yield* answers(group.id)).map(({ text }) => text).join("\n"), /Hello, Ann/)
        }),
      together
    )

    it.effect(
      "the edit of a command changes the note by its text alone; one that makes a command makes no note",
      () =>
        Effect.gen(function* () {
          const emulator = yield* BotApiEmulator
          const { notes } = yield* Assistant
          const ann = yield* newPerson()
          const [wrong, milk] = yield* say(ann, "/recnt", "/note Buy milk")
          yield* noteSaved(ann.id)
          yield* emulator.editText({ chat: ann.id, messageId: wrong!.id, text: "/recent" })
          yield* emulator.editText({ chat: ann.id, messageId: milk!.id, text: "/note Buy oat milk" })
          yield* eventually(
            "the note follows",
            Effect.map(notes(ann.id), (all) => all[0]?.body.includes("Buy oat milk") === true)
          )
          yield* say(ann, "/status")
          yield* answered(ann.id, /^Nothing is being collected/)
          const all = yield* notes(ann.id)
          assert.strictEqual(all.length, 1)
          assert.notMatch(all[0]!.text, /\/note|\/recent/)
        }),
      together
    )

    it.effect("afterwards no line of the log is a warning", () =>
      Effect.gen(function* () {
        const { application, git } = yield* Assistant
        yield* git("fsck", "--strict")
        assert.deepStrictEqual(
          application
            .output()
            .split("\n")
            .filter((line) => /"level":"(?:WARN|ERROR)"/.test(line)),
          []
        )
      })
    )
  }
)
