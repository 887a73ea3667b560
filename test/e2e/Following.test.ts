/** Chats of a person's own account become notes: the whole assistant, and the real client of Telegram. */
import { createHash } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import { Long } from "@mtcute/core"
import { Effect, Layer, type Schema } from "effect"
import { BotApiEmulator } from "../../src/sandbox/Control.ts"
import {
  type Application,
  type ApplicationOptions,
  eventually,
  launch,
  start,
  temporaryDirectory
} from "../support/Application.ts"
import { answered, answers, reading, say } from "../support/Assistant.ts"
import { emulatorLayer } from "../support/emulator.ts"
import { LoopbackTelegram } from "../support/mtproto/LoopbackTelegram.ts"
import { fileBytes } from "../support/mtproto/World.ts"

const adminToken = "canary-admin-token-0123456789"
const news = { id: 1_500, title: "News", username: "news" }
const newsChat = -1_000_000_001_500
const busy = { id: 1_600, title: "Busy" }
const busyChat = -1_000_000_001_600
const sessions = "/api/tenants/default/sessions"
const day = 86_400

const layer = Layer.merge(LoopbackTelegram.layer, emulatorLayer())
const now = () => Math.floor(Date.now() / 1000)

/** One request to the admin API; what it answers, if that is what it should be. */
const api = Effect.fnUntraced(function* (
  { url }: Application,
  method: string,
  path: string,
  payload?: Schema.Json
) {
  const answer = yield* Effect.promise(() =>
    fetch(`${url}${path}`, {
      method,
      headers: { authorization: `Bearer ${adminToken}`, "content-type": "application/json" },
      ...(payload === undefined ? {} : { body: JSON.stringify(payload) })
    }).then(async (response) => ({ ok: response.ok, text: await response.text() }))
  )
  assert.isTrue(answer.ok, `${method} ${path}: ${answer.text}`)
  return answer.text === "" ? undefined : JSON.parse(answer.text)
})

/** A person with a bot and an account, and the assistant they share a disk with. */
const world = Effect.gen(function* () {
  const telegram = yield* LoopbackTelegram
  const emulator = yield* BotApiEmulator
  const person = yield* emulator.createUser({ firstName: "Ada", language: "en" })
  yield* telegram.addAccount({ id: person.id, phone: "491701112233", name: "Ada" })
  yield* telegram.addChannel(news, [person.id])
  yield* telegram.addChannel(busy, [person.id])
  const dataDir = yield* temporaryDirectory
  const options = (failpoint?: ApplicationOptions["failpoint"]): ApplicationOptions => ({
    dataDir,
    emulator,
    dataCentre: telegram.dataCentre,
    ...(failpoint === undefined ? {} : { failpoint }),
    env: { ADMIN_TOKEN: adminToken, NOTE_WINDOW: "1 second", NOTE_WINDOW_MAX: "5 seconds" }
  })
  const run = (failpoint?: ApplicationOptions["failpoint"]) => start(options(failpoint))
  /** Ends at the failpoint, be it before it is ready. */
  const killed = (failpoint: ApplicationOptions["failpoint"]) =>
    Effect.gen(function* () {
      const application = yield* launch(options(failpoint))
      assert.strictEqual((yield* application.ended).signal, "SIGKILL", application.output())
    })

  const logIn = Effect.fnUntraced(function* (application: Application) {
    yield* api(application, "POST", sessions, {
      app: "ada",
      apiId: 4242,
      apiHash: "0123456789abcdef0123456789abcdef"
    })
    yield* api(application, "POST", `${sessions}/ada/login`, { phone: "491701112233" })
    const state = (wanted: string) =>
      eventually(
        `the login is ${wanted}`,
        Effect.map(api(application, "GET", `${sessions}/ada/login`), ({ _tag }) => _tag === wanted)
      )
    yield* state("CodeSent")
    yield* api(application, "POST", `${sessions}/ada/login/code`, { code: "54321" })
    yield* state("Authorized")
  })
  const follow = (application: Application, chat: string, since?: number) =>
    api(application, "POST", `${sessions}/ada/follows`, { chat, ...(since === undefined ? {} : { since }) })
  const followed = (application: Application) => api(application, "GET", `${sessions}/ada/follows`)

  const { notes } = reading(dataDir)
  /** Waits until exactly these messages of a chat are in notes, each in one. */
  const noted = Effect.fnUntraced(function* (chat: number, ids: ReadonlyArray<number>, seconds = 60) {
    let found: ReadonlyArray<number> = []
    const wanted = [...ids].sort((a, b) => a - b)
    yield* eventually(
      `the messages ${wanted} of ${chat} are noted`,
      Effect.map(notes(chat), (all) => {
        found = all.flatMap(({ messages }) => messages).sort((a, b) => a - b)
        return wanted.every((id) => found.includes(id))
      }),
      { seconds, detail: () => `found: ${found}` }
    )
    assert.deepStrictEqual(found, wanted)
    return yield* notes(chat)
  })
  return { telegram, emulator, person, dataDir, run, killed, logIn, follow, followed, notes, noted }
})

describe("following", () => {
  it.live(
    "has each message of the chosen chats in the notes once: history, what happens, and what happened while it was down",
    () =>
      Effect.gen(function* () {
        const { telegram, person, dataDir, run, logIn, follow, followed, notes, noted } = yield* world
        const { gitBytes } = reading(dataDir)
        const ago = (days: number) => now() - days * day
        const before = yield* telegram.post(news.id, { text: "an old story", date: ago(30) })
        const story = yield* telegram.post(news.id, { text: "a story", date: ago(3) })
        const another = yield* telegram.post(news.id, { text: "another story", date: ago(2) })
        const shopping = yield* telegram.say(person.id, { text: "/done is a word", date: ago(1) })
        const many = yield* Effect.forEach(Array.from({ length: 130 }), (_, nth) =>
          telegram.post(busy.id, { text: `post ${nth}`, date: ago(20) + nth * 600 })
        )

        const first = yield* run()
        yield* say(person, "/status")
        const { text: answer } = yield* answered(person.id, /./)
        yield* logIn(first)
        // By a login alone what is saved from then on is, and nothing else.
        const fresh = yield* telegram.say(person.id, { text: "saved just now" })
        yield* noted(person.id, [fresh])
        const chosen = yield* followed(first)
        assert.deepStrictEqual(
          chosen.map(({ source }: { readonly source: unknown }) => source),
          ["saved"]
        )
        yield* follow(first, "@news", ago(5))
        yield* follow(first, "saved", ago(5))
        const storyNotes = yield* noted(newsChat, [story, another])
        assert.deepStrictEqual(
          storyNotes.map(({ messages }) => messages),
          [[story], [another]]
        )
        assert.include(storyNotes[0]!.body, "Forwarded from [News](https://t.me/news")
        assert.include(storyNotes[0]!.text, "sender: Ada")
        const mine = [fresh, shopping]
        const shoppingNote = (yield* noted(person.id, mine)).find(({ messages }) =>
          messages.includes(shopping)
        )
        assert.include(shoppingNote!.body, "/done is a word")
        assert.notInclude(shoppingNote!.body, "Forwarded")

        // In the middle of a history Telegram asks to wait, longer than a call does by itself.
        yield* telegram.refuse("messages.getHistory", { code: 420, text: "FLOOD_WAIT_11", times: 1 })
        yield* follow(first, String(busyChat), 0)
        // While its second page is waited for, one of the oldest is edited: behind the back of the reading.
        yield* eventually(
          "the first page is taken",
          Effect.map(followed(first), (all: ReadonlyArray<{ source: unknown; lastMessage: number }>) =>
            all.some(({ source, lastMessage }) => source === busyChat && lastMessage >= many[50]!)
          ),
          { seconds: 120 }
        )
        yield* telegram.editPost(busy.id, many[0]!, "edited behind its back")
        const manyNotes = yield* noted(busyChat, many, 120)
        assert.lengthOf(manyNotes, many.length)

        yield* eventually(
          "the edit is in the note",
          Effect.map(notes(busyChat), (all) =>
            all.some(({ body }) => body.includes("edited behind its back"))
          ),
          { seconds: 120 }
        )

        // What happens.
        const live = yield* telegram.post(news.id, { text: "it rains" })
        const milk = yield* telegram.say(person.id, { text: "buy milk" })
        yield* noted(newsChat, [story, another, live])
        yield* noted(person.id, [...mine, milk])
        yield* telegram.editPost(news.id, live, "it pours")
        yield* telegram.edit(person.id, milk, "buy oat milk")
        yield* telegram.editPost(news.id, before, "an old story, told anew")
        const says = (chat: number, ids: ReadonlyArray<number>, text: string) =>
          eventually(
            `a note says ${text}`,
            Effect.map(noted(chat, ids), (all) => all.some(({ body }) => body.includes(text)))
          )
        yield* says(newsChat, [story, another, live], "it pours")
        yield* says(person.id, [...mine, milk], "buy oat milk")
        // An album is one note, with its files.
        const files = yield* Effect.forEach([3000, 700_000], (size, nth) =>
          telegram.addFile({ size, name: `scan-${nth}.pdf`, mime: "application/pdf" })
        )
        const album = Long.fromNumber(77)
        const scans = yield* Effect.forEach(files, (file) =>
          telegram.say(person.id, { text: "", media: telegram.attachment(file), album })
        )
        const withScans = yield* noted(person.id, [...mine, milk, ...scans])
        const scansNote = withScans.find(({ messages }) => messages.includes(scans[0]!))
        assert(scansNote !== undefined)
        assert.deepStrictEqual(scansNote.messages, scans)
        const links = [...scansNote.body.matchAll(/media\/[^)>]*/g)].map(([path]) => path)
        for (const [nth, path] of links.entries())
          assert.isTrue(
            (yield* gitBytes("show", `HEAD:${path}`)).equals(fileBytes(files[nth]!, 0, files[nth]!.size))
          )
        assert.lengthOf(links, files.length)
        // The note is the person's copy.
        yield* telegram.removePosts(news.id, [story])
        yield* telegram.remove(person.id, [milk])

        // While it is down; of one channel more than Telegram tells one by one, with an edit nobody is told of.
        yield* first.signal("SIGTERM")
        telegram.reading.channelGap = 3
        const missed = yield* Effect.forEach(Array.from({ length: 8 }), (_, nth) =>
          telegram.post(busy.id, { text: `missed ${nth}` }, "silent")
        )
        yield* telegram.editPost(busy.id, many.at(-1)!, "edited meanwhile", "silent")
        const gap = yield* telegram.post(news.id, { text: "meanwhile" }, "silent")
        const thought = yield* telegram.say(person.id, { text: "a thought" }, { how: "silent" })
        const second = yield* run()
        yield* noted(newsChat, [story, another, live, gap])
        yield* noted(person.id, [...mine, milk, ...scans, thought])
        yield* noted(busyChat, [...many, ...missed])
        yield* says(busyChat, [...many, ...missed], "edited meanwhile")

        // Nobody is told what they did not write to the bot.
        assert.deepStrictEqual(
          (yield* answers(person.id)).map(({ text }) => text),
          [answer]
        )
        yield* api(second, "DELETE", `${sessions}/ada/follows/@news`)
        yield* telegram.post(news.id, { text: "unheard" })
        const last = yield* telegram.say(person.id, { text: "still heard" })
        yield* noted(person.id, [...mine, milk, ...scans, thought, last])
        yield* noted(newsChat, [story, another, live, gap])
      }).pipe(Effect.provide(layer)),
    900_000
  )

  it.live(
    "has each message in the notes once when it is killed between storing and remembering",
    () =>
      Effect.gen(function* () {
        const { telegram, person, run, killed, logIn, follow, noted } = yield* world
        const date = now() - day
        const posts = yield* Effect.forEach(Array.from({ length: 12 }), (_, nth) =>
          telegram.post(news.id, { text: `post ${nth}`, date: date + nth * 600 })
        )
        const first = yield* run({ name: "stored", count: 5 })
        yield* logIn(first)
        yield* follow(first, "@news", date - day)
        assert.strictEqual((yield* first.ended).signal, "SIGKILL")
        const thought = yield* telegram.say(person.id, { text: "a thought" }, { how: "silent" })
        yield* killed({ name: "committed", count: 4 })
        const third = yield* run()
        yield* noted(newsChat, posts)
        yield* noted(person.id, [thought])
        // Of what happens: stored, and no position kept of it.
        yield* third.signal("SIGTERM")
        const fourth = yield* run({ name: "stored", count: 1 })
        const live = yield* telegram.post(news.id, { text: "it rains" })
        assert.strictEqual((yield* fourth.ended).signal, "SIGKILL")
        yield* run()
        const after = yield* telegram.post(news.id, { text: "it pours" })
        const notes = yield* noted(newsChat, [...posts, live, after])
        assert.lengthOf(
          notes.flatMap(({ messages }) => messages),
          posts.length + 2
        )
      }).pipe(Effect.provide(layer)),
    600_000
  )

  it.live(
    "fetches a file that is too large for the bot through the account of who sent it, and says so without one",
    () =>
      Effect.gen(function* () {
        const { telegram, emulator, person, dataDir, run, logIn } = yield* world
        const size = 25 * 1024 * 1024 + 17
        const { id: botId } = emulator.bot
        yield* telegram.addBot({ id: botId, username: emulator.bot.username })
        const file = yield* telegram.addFile({ size, name: "film.bin", mime: "application/octet-stream" })
        const application = yield* run()
        const send = emulator.sendFile({
          chat: person.id,
          file: { kind: "document", bytes: new Uint8Array(8), size, name: "film.bin", caption: "the film" }
        })
        const { gitBytes, notes } = reading(dataDir)
        yield* send
        yield* eventually(
          "the note says why the file is not there",
          Effect.map(notes(person.id), (all) =>
            all.some(({ body }) => body.includes("files up to 20 MB only"))
          )
        )

        yield* logIn(application)
        // Both copies of a message have its date, a few seconds off at most; this is before it is known here.
        for (let date = now() - 4; date < now() + 30; date += 4)
          yield* telegram.say(
            person.id,
            { text: "the film", media: telegram.attachment(file), date },
            { to: botId }
          )
        const sent = yield* send
        let path = ""
        yield* eventually(
          "the file is in the repository",
          Effect.gen(function* () {
            const all = yield* notes(person.id)
            const body = all.find(({ messages }) => messages.includes(sent.id))?.body ?? ""
            path = /media\/[^)>]*/.exec(body)?.[0] ?? ""
            return path !== ""
          }),
          { seconds: 90 }
        )
        const expected = createHash("sha256")
        for (let at = 0; at < size; at += 1 << 20) expected.update(fileBytes(file, at, 1 << 20))
        const got = createHash("sha256").update(yield* gitBytes("show", `HEAD:${path}`))
        assert.strictEqual(got.digest("hex"), expected.digest("hex"))
      }).pipe(Effect.provide(layer)),
    600_000
  )
})
