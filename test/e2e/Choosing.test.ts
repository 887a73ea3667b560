/** People choose in the chat with the bot which of their own chats become notes. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, it } from "@effect/vitest"
import { Effect, Layer, type Schema } from "effect"
import { BotApiEmulator } from "../../src/sandbox/Control.ts"
import { eventually, start, temporaryDirectory } from "../support/Application.ts"
import { answered, answers, press, reading, say } from "../support/Assistant.ts"
import { command } from "../support/cli.ts"
import { emulatorLayer } from "../support/emulator.ts"
import { LoopbackTelegram } from "../support/mtproto/LoopbackTelegram.ts"

const layer = Layer.merge(LoopbackTelegram.layer, emulatorLayer())
const newsChat = -1_000_000_001_500

it.live(
  "an owner follows and leaves chats of their own account by buttons and by name, and nobody else's",
  () =>
    Effect.gen(function* () {
      const telegram = yield* LoopbackTelegram
      const emulator = yield* BotApiEmulator
      const ada = yield* emulator.createUser({ firstName: "Ada", language: "en" })
      const boris = yield* emulator.createUser({ firstName: "Boris", language: "ru" })
      yield* telegram.addAccount({ id: ada.id, phone: "491701112233", name: "Ada" })
      yield* telegram.addChannel({ id: 1_500, title: "News", username: "news" }, [ada.id])
      const dataDir = yield* temporaryDirectory
      const { url } = yield* start({
        dataDir,
        emulator,
        dataCentre: telegram.dataCentre,
        env: {
          TELEGRAM_ALLOWED_USERS: `${ada.id},${boris.id}`,
          NOTE_WINDOW: "1 second",
          NOTE_WINDOW_MAX: "5 seconds"
        }
      })
      const cli = Effect.fnUntraced(function* (input: string, ...args: ReadonlyArray<string>) {
        const { code, err, out } = yield* command({ dataDir, input }, ...args)
        assert.strictEqual(code, 0, err)
        return out
      })
      yield* say(ada, "/follow")
      yield* answered(ada.id, /^Your own account is not logged in here. \/login does that/)
      yield* cli("0123456789abcdef0123456789abcdef", "session", "add", "default", "ada", "--api-id", "4242")
      const adminToken = readFileSync(join(dataDir, "admin.token"), "utf8").trim()
      const login = (path: string, method = "GET", payload?: Schema.Json) =>
        Effect.promise(async () => {
          const answer = await fetch(`${url}/api/tenants/default/sessions/ada/login${path}`, {
            method,
            headers: { authorization: `Bearer ${adminToken}`, "content-type": "application/json" },
            ...(payload === undefined ? {} : { body: JSON.stringify(payload) })
          })
          return ((await answer.json()) as { readonly _tag: string })._tag
        })
      yield* login("", "POST", { phone: "491701112233" })
      yield* eventually(
        "a code is asked for",
        Effect.map(login(""), (tag) => tag === "CodeSent")
      )
      assert.strictEqual(yield* login("/code", "POST", { code: "54321" }), "Authorized")

      // That the account is logged in is heard of a moment later.
      yield* eventually(
        "the account is known to the bot",
        Effect.andThen(
          say(ada, "/follow"),
          Effect.map(Effect.delay(answers(ada.id), "500 millis"), (all) =>
            all.some(({ text }) => /^Which of your chats/.test(text))
          )
        )
      )
      const menu = yield* answered(ada.id, /^Which of your chats become notes/)
      assert.include(
        menu.buttons.flat().map(({ text }) => text),
        "News"
      )
      const pressed = yield* press(menu, "News")
      assert.strictEqual(pressed.text, "News becomes notes from now on")
      const shown = (caption: string) =>
        eventually(
          `the list says ${caption}`,
          Effect.map(answers(ada.id), (all) =>
            all.some(
              ({ buttons, id }) => id === menu.id && buttons.flat().some(({ text }) => text === caption)
            )
          )
        )
      yield* shown("✅ News")
      const live = yield* telegram.post(1_500, { text: "it rains" })
      const { notes } = reading(dataDir)
      yield* eventually(
        "what is posted then is noted",
        Effect.map(notes(newsChat), (all) => all.some(({ messages }) => messages.includes(live)))
      )

      // It is followed already, and goes on as it is.
      yield* say(ada, "/follow @NEWS")
      yield* answered(ada.id, /^News becomes notes from \d{4}-\d\d-\d\d on/)
      // Nobody is told it begins now where a slip of the year has it begin much later.
      yield* say(ada, "/follow @news 2099-01-31")
      yield* answered(ada.id, /^News becomes notes from 2099-01-31 on/)
      yield* say(ada, "/unfollow t.me/news")
      yield* answered(ada.id, /^@news is followed no longer; the notes stay/)
      yield* say(ada, "/follow @nowhere")
      yield* answered(ada.id, /^Your account is in no channel or group @nowhere/)
      yield* say(ada, "/follow saved 2026-01-31")
      yield* answered(ada.id, /^Saved Messages becomes notes from 2026-01-31 on/)
      yield* say(ada, "/follow the news")
      yield* answered(ada.id, /^Send \/follow to choose from a list/)
      assert.match(
        yield* cli("", "session", "following", "default", "ada"),
        /^saved +Saved Messages +2026-01-31/m
      )
      assert.match(yield* cli("", "audit", "default"), new RegExp(`user:${ada.id} +chat\\.unfollowed +ada`))

      const group = yield* emulator.createGroup({ title: "Club", members: [ada.id, boris.id] })
      yield* emulator.sendText({ chat: group.id, from: ada.id, text: "/follow" })
      yield* answered(group.id, /^Everybody here would see your chats/)
      // Another owner has their own account, or none.
      yield* say(boris, "/follow")
      yield* answered(boris.id, /^Вы ещё не вошли здесь в свой аккаунт/)
    }).pipe(Effect.scoped, Effect.provide(layer))
)
