/** What people send becomes notes: the whole assistant as a process, with its PostgreSQL, git and an emulator. */
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
  mediaOf,
  newPerson,
  noteSaved,
  notesSaved,
  press,
  rawMessage,
  saved,
  say
} from "../support/Assistant.ts"

/** A file that looks like what its name says and is like no other. */
const jpeg = (seed: string) => Buffer.concat([Buffer.from([0xff, 0xd8, 0xff, 0xe0]), Buffer.from(seed)])

const origin = (name: string) => ({
  kind: "channel" as const,
  name,
  username: "gazette",
  link: "https://t.me/gazette/77",
  date: 1_700_000_000
})

/** Only what ends a window closes it. */
const environment = { NOTE_WINDOW: "1 minute", NOTE_WINDOW_MAX: "2 minutes" }

layer(Assistant.layer({ env: environment }), { excludeTestServices: true, timeout: "3 minutes" })(
  "messages",
  (it) => {
    const together = { concurrent: true }

    it.effect(
      "a burst becomes one note, its status message the one result, each message marked as seen",
      () =>
        Effect.gen(function* () {
          const emulator = yield* BotApiEmulator
          const ann = yield* newPerson()
          const sent = yield* say(ann, "Buy milk #shop", "and **bread** #later", "https://example.org/a_b")
          yield* finish(ann)
          const note = yield* noteSaved(ann.id)
          assert.deepStrictEqual(
            note.messages,
            sent.map(({ id }) => id)
          )
          assert.strictEqual(note.title, "Buy milk")
          assert.strictEqual(note.category, "shop")
          assert.deepStrictEqual(note.tags, ["shop", "later"])
          assert.match(
            note.body,
            /Buy milk #shop\n.*and \\\*\\\*bread\\\*\\\* #later\n.*<https:\/\/example\.org\/a_b>/s
          )
          const [result, ...more] = yield* answers(ann.id)
          assert.deepStrictEqual(more, [])
          assert.isDefined(result?.editDate)
          assert.include(result?.text, note.path)
          assert.deepStrictEqual(
            result?.buttons.flat().map(({ text }) => text),
            ["Undo", "Open"]
          )
          yield* eventually(
            "every message has a reaction",
            Effect.map(emulator.messages({ chat: ann.id }), (all) =>
              all
                .filter(({ from, text }) => !from.isBot && text !== "/done")
                .every(({ reactions }) => reactions.length === 1)
            )
          )
          const calls = yield* emulator.journal({ chat: ann.id })
          assert.strictEqual(calls.filter(({ method }) => method.toLowerCase() === "sendmessage").length, 1)
          assert.isTrue(calls.some(({ method }) => method.toLowerCase() === "editmessagetext"))
        }),
      together
    )

    it.effect(
      "an album is one note; its photos are in git with their bytes, where the note's links lead",
      () =>
        Effect.gen(function* () {
          const emulator = yield* BotApiEmulator
          const ann = yield* newPerson()
          const photos = [jpeg("one"), jpeg("two"), jpeg("three")]
          const sent = yield* emulator.sendAlbum({
            chat: ann.id,
            files: photos.map((bytes, index) => ({
              kind: "photo" as const,
              bytes,
              ...(index === 0 ? { caption: "Our garden" } : {})
            }))
          })
          yield* finish(ann)
          const [note, ...more] = yield* eachNotedOnce(
            ann.id,
            sent.map(({ id }) => id)
          )
          assert.deepStrictEqual(more, [])
          assert.strictEqual(note!.title, "Our garden")
          assert.deepStrictEqual(
            (yield* mediaOf(note!)).map(({ bytes }) => bytes.toString()),
            photos.map((bytes) => bytes.toString())
          )
          assert.match(note!.body, /!\[Photo\]/)
        }),
      together
    )

    it.effect(
      "photos of an album that come late join its note",
      () =>
        Effect.gen(function* () {
          const emulator = yield* BotApiEmulator
          const ann = yield* newPerson()
          const late = yield* emulator.sendFile({
            chat: ann.id,
            file: { kind: "photo", bytes: jpeg("late") }
          })
          yield* finish(ann)
          yield* noteSaved(ann.id)
          const photo = (id: number, fileId: string) =>
            inject({
              message: rawMessage(ann, id, {
                media_group_id: "4711",
                photo: [{ file_id: fileId, file_unique_id: `u${id}`, width: 10, height: 10, file_size: 8 }],
                ...(id === 9001 ? { caption: "A trip" } : {})
              })
            })
          yield* photo(9001, late.media!.fileId)
          yield* finish(ann)
          yield* notesSaved(ann.id, 2)
          yield* photo(9002, late.media!.fileId)
          yield* finish(ann)
          const notes = yield* eachNotedOnce(ann.id, [9001, 9002])
          assert.strictEqual(notes.length, 2)
          yield* answered(ann.id, /^✏️ Added to A trip/u)
          assert.strictEqual((yield* mediaOf(notes[1]!)).length, 2)
        }),
      together
    )

    it.effect(
      "a burst of forwards and its comment are one note; forwards are quotes that name and link their origin",
      () =>
        Effect.gen(function* () {
          const emulator = yield* BotApiEmulator
          const ann = yield* newPerson()
          const hidden = { kind: "hidden_user" as const, name: "Quiet Q", date: 1_700_000_000 }
          const user = { kind: "user" as const, name: "Bob", username: "bob_bobson", date: 1_700_000_000 }
          const sent = yield* emulator.sendTexts({
            messages: [
              { chat: ann.id, text: "Read these #press" },
              { chat: ann.id, text: "First news\nin two lines", origin: origin("The Gazette") },
              { chat: ann.id, text: "A secret", origin: hidden },
              { chat: ann.id, text: "Hi from Bob", origin: user }
            ]
          })
          yield* finish(ann)
          const [note, ...more] = yield* eachNotedOnce(
            ann.id,
            sent.map(({ id }) => id)
          )
          assert.deepStrictEqual(more, [])
          assert.strictEqual(note!.category, "press")
          assert.include(
            note!.body,
            "> Forwarded from [The Gazette](https://t.me/gazette/77), 2023-11-14 22:13 UTC\n>"
          )
          assert.match(note!.body, /> First news.*\n> in two lines/)
          assert.include(note!.body, "> Forwarded from Quiet Q, ")
          assert.include(note!.body, "> Forwarded from [Bob](https://t.me/bob_bobson), ")
        }),
      together
    )

    it.effect(
      "a reply quotes what it answers",
      () =>
        Effect.gen(function* () {
          const emulator = yield* BotApiEmulator
          const ann = yield* newPerson()
          const [first] = yield* say(ann, "When do we meet?")
          yield* finish(ann)
          yield* noteSaved(ann.id)
          yield* emulator.sendText({ chat: ann.id, text: "At noon", replyTo: first!.id })
          yield* finish(ann)
          const notes = yield* notesSaved(ann.id, 2)
          assert.match(notes[1]!.body, /> ↩ \*\*Ann\*\*: *\n> When do we meet\?\n\nAt noon/)
        }),
      together
    )

    it.effect(
      "10,000 characters pasted, which Telegram cuts in three, are one note; Open shows all of it",
      () =>
        Effect.gen(function* () {
          const ann = yield* newPerson()
          const pasted = Array.from(
            { length: 1250 },
            (_, index) => `word${String(index).padStart(4, "0")}`
          ).join("")
          const sent = yield* say(ann, pasted.slice(0, 4096), pasted.slice(4096, 8192), pasted.slice(8192))
          yield* finish(ann)
          const [note, ...more] = yield* eachNotedOnce(
            ann.id,
            sent.map(({ id }) => id)
          )
          assert.deepStrictEqual(more, [])
          const words = (text: string) => new Set(text.match(/word\d{4}/g))
          assert.isAtLeast(words(note!.body).size, 1248)
          const result = yield* answered(ann.id, saved)
          yield* press(result, "Open")
          yield* answered(ann.id, /word1249/)
          const [shown, ...others] = (yield* answers(ann.id)).slice(1)
          assert.deepStrictEqual(others, [])
          assert.isDefined(shown?.rich)
          assert.include(shown?.text.replace(/\s/g, ""), pasted.slice(0, 4000))
        }),
      together
    )

    it.effect(
      "a text of nothing but white space is a readable note, not an error",
      () =>
        Effect.gen(function* () {
          const ann = yield* newPerson()
          const sent = yield* say(ann, "   \n\t ")
          yield* inject({ message: rawMessage(ann, 9001, { text: "" }) })
          yield* finish(ann)
          const [note] = yield* eachNotedOnce(ann.id, [sent[0]!.id, 9001])
          assert.match(note!.body, /Message without text.*Message without text/s)
          assert.notStrictEqual(note!.title.trim(), "")
        }),
      together
    )

    it.effect(
      "every kind of file is kept with its bytes and name, or said in a line",
      () =>
        Effect.gen(function* () {
          const emulator = yield* BotApiEmulator
          const ann = yield* newPerson()
          const kinds = {
            photo: {},
            document: { name: "report final.pdf", mime: "application/pdf" },
            video: { name: "clip.mp4", mime: "video/mp4", duration: 62 },
            animation: { name: "cat.mp4", mime: "video/mp4" },
            audio: { title: "Song", performer: "Singer", mime: "audio/mpeg", duration: 200 },
            voice: { duration: 5, mime: "audio/ogg" },
            video_note: { duration: 7 },
            sticker: { emoji: "🦊" }
          } as const
          const sent: Array<number> = []
          for (const [kind, extra] of Object.entries(kinds)) {
            const file = { kind: kind as keyof typeof kinds, bytes: jpeg(`bytes of ${kind}`), ...extra }
            sent.push((yield* emulator.sendFile({ chat: ann.id, file })).id)
          }
          yield* finish(ann)
          const notes = yield* eachNotedOnce(ann.id, sent)
          const body = notes.map((note) => note.body).join("\n")
          for (const words of [
            /!\[Photo\]/,
            /📎 \[report final\.pdf\]/,
            /🎬 \[clip\.mp4\].*1:02/,
            /🎞 \[cat\.mp4\]/
          ]) {
            assert.match(body, words)
          }
          for (const words of [
            /🎵 \[Singer — Song\].*3:20/,
            /🎤 \[Voice message\]/,
            /📹 \[Video message\]/,
            /🦊 Sticker/
          ]) {
            assert.match(body, words)
          }
          const media = (yield* Effect.forEach(notes, mediaOf)).flat()
          assert.sameMembers(
            media.map(({ bytes }) => bytes.toString("latin1")),
            Object.keys(kinds)
              .filter((kind) => kind !== "sticker")
              .map((kind) => jpeg(`bytes of ${kind}`).toString("latin1"))
          )
          assert.isTrue(media.some(({ path }) => path.endsWith(".pdf")))
        }),
      together
    )

    it.effect(
      "places, contacts, polls and dice are readable lines",
      () =>
        Effect.gen(function* () {
          const emulator = yield* BotApiEmulator
          const ann = yield* newPerson()
          const place = { latitude: 48.85837, longitude: 2.294481 }
          const sent = [
            yield* emulator.sendLocation({ chat: ann.id, location: place }),
            yield* emulator.sendLocation({
              chat: ann.id,
              location: { ...place, title: "Tower", address: "Paris" }
            }),
            yield* emulator.sendContact({
              chat: ann.id,
              contact: { phone: "+4912345", firstName: "Eve", lastName: "X" }
            }),
            yield* emulator.sendPoll({ chat: ann.id, question: "Tea?", options: ["yes", "*no*"] }),
            yield* emulator.sendDice({ chat: ann.id, value: 4 })
          ]
          yield* finish(ann)
          const notes = yield* eachNotedOnce(
            ann.id,
            sent.map(({ id }) => id)
          )
          const body = notes.map((note) => note.body).join("\n")
          assert.match(body, /📍 Location: \[48\.85837, 2\.29448\]\(https:/)
          assert.match(body, /📍 \[Tower\]\(https:.*\), Paris/)
          assert.match(body, /👤 Contact: Eve X, \+4912345/)
          assert.match(body, /📊 Poll: Tea\?\n\n- yes\n- \\\*no\\\*/)
          assert.match(body, /🎲 Dice: 4/)
        }),
      together
    )

    it.effect(
      "a file above 20 MB is said in the note, with its name and size; its caption is kept",
      () =>
        Effect.gen(function* () {
          const emulator = yield* BotApiEmulator
          const ann = yield* newPerson()
          const file = {
            kind: "document" as const,
            bytes: jpeg("big"),
            name: "film.mkv",
            caption: "The film"
          }
          yield* emulator.sendFile({ chat: ann.id, file: { ...file, size: 30 * 1024 * 1024 } })
          yield* finish(ann)
          const note = yield* noteSaved(ann.id)
          assert.match(
            note.body,
            /📎 film\.mkv \(30 MB, not kept: Telegram gives bots files up to 20 MB only\)\n\nThe film/
          )
        }),
      together
    )

    it.effect(
      "hostile names of files, people and topics are only names",
      () =>
        Effect.gen(function* () {
          const emulator = yield* BotApiEmulator
          const { git } = yield* Assistant
          const names = [
            "../../../../etc/passwd",
            ".git/hooks/post-commit",
            "-rf.txt",
            `${"n".repeat(300)}.txt`,
            "🦊🦊.txt",
            "\u202Etxt.exe",
            "a\u0000b.txt",
            "CON.txt",
            "x](javascript:alert(1)).png"
          ]
          const ann = yield* newPerson({ name: "../\u202Eevil\n---\nid: x" })
          const sent: Array<number> = []
          for (const name of names) {
            const file = { kind: "document" as const, bytes: jpeg(name), name }
            sent.push((yield* emulator.sendFile({ chat: ann.id, file })).id)
          }
          yield* finish(ann)
          const notes = yield* eachNotedOnce(ann.id, sent)
          const media = (yield* Effect.forEach(notes, mediaOf)).flat()
          assert.deepStrictEqual(
            media.map(({ bytes }) => bytes.toString()),
            names.map((name) => jpeg(name).toString())
          )
          const paths = (yield* git("ls-tree", "-r", "--name-only", "-z", "HEAD"))
            .split("\0")
            .filter((path) => path !== "")
          for (const path of paths) assert.match(path, /^(?:index\.md|(?:topics|media)\/[^\p{Cc}\u202E:]+)$/u)
          assert.isTrue(paths.every((path) => !/(?:^|\/)(?:\.|-)/.test(path)))
        }),
      together
    )

    it.effect(
      "hostile texts stay texts: in titles, categories, front matter and the body",
      () =>
        Effect.gen(function* () {
          const { git } = yield* Assistant
          const texts = [
            "../../.git/config #..",
            "---\nid: aaaaaaaaaaaa\ntitle: forged\n---\n",
            "--upload-pack=touch x",
            `${"T".repeat(300)} end`,
            "\u202Egnp.exe <script>alert(1)</script> ![](http://evil.example/x.png)",
            "[[link]] %% hidden %% ==x== $(id) `rm -rf` {{x}}",
            "CON #con #.git #-rf"
          ]
          const people = yield* Effect.forEach(texts, () => newPerson())
          yield* Effect.forEach(people, (person, index) => say(person, texts[index]!))
          yield* Effect.forEach(people, finish)
          const notes = yield* Effect.forEach(people, (person) => noteSaved(person.id))
          for (const note of notes) {
            assert.match(note.path, /^topics\/[^/.-][^/]*\/\d{4}-\d\d\/\d\d-[^/]+\.md$/u)
            assert.isAtMost(Buffer.byteLength(note.path), 255)
            assert.isAtMost(note.title.length, 80)
            assert.notInclude(note.text, "\u0000")
          }
          assert.notStrictEqual(notes[1]!.title, "forged")
          assert.notMatch(notes[4]!.body, /(?<!\\)<script>|(?<!\\)!\[/)
          yield* inject({ message: rawMessage(people[0]!, 9001, { text: "a\u0000b\ud800c" }) })
          yield* finish(people[0]!)
          yield* eachNotedOnce(people[0]!.id, [9001])
          yield* git("fsck", "--strict")
        }),
      together
    )

    it.effect("afterwards the repository is whole and clean, and no window is open", () =>
      Effect.gen(function* () {
        const { git, application } = yield* Assistant
        assert.strictEqual(yield* git("status", "--porcelain"), "")
        yield* git("fsck", "--strict")
        const metrics = yield* Effect.promise(() =>
          fetch(`${application.url}/metrics`).then((answer) => answer.text())
        )
        assert.match(metrics, /^zapiska_windows_open 0$/m)
        const lines = application.output().trim().split("\n")
        assert.deepStrictEqual(
          lines.filter((line) => /"level":"(?:WARN|ERROR)/.test(line)),
          []
        )
      })
    )
  }
)
