/** How a person asks for the page on which they log their own account in. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { BotApiEmulator } from "../../src/sandbox/Control.ts"
import { Assistant, answered, answers, newPerson, query, rowsWith, say } from "../support/Assistant.ts"
import { claimed, owner } from "../support/claimed.ts"
import { command } from "../support/cli.ts"

it.live(
  "an owner gets a link to a page for their account alone, once the operator gave an API id and hash",
  () =>
    Effect.gen(function* () {
      const emulator = yield* BotApiEmulator
      const { application, dataDir } = yield* Assistant
      const ann = yield* owner
      yield* say(ann, "/login")
      yield* answered(
        ann.id,
        /^The operator has to give me an API id and hash [\s\S]*zapiska session add default me --api-id/
      )
      const group = yield* emulator.createGroup({ title: "Club", members: [ann.id] })
      yield* emulator.sendText({ chat: group.id, from: ann.id, text: "/login" })
      yield* answered(group.id, /^Everybody here would see the link/)

      const apiHash = "0123456789abcdef0123456789abcdef"
      const added = yield* command(
        { dataDir, input: apiHash },
        ..."session add default me --api-id 12345".split(" ")
      )
      assert.strictEqual(added.code, 0, added.err)
      yield* say(ann, "/login")
      const { text } = yield* answered(ann.id, /^Log your account in\n\nOpen this page on another screen/)
      assert.match(text, /It opens only on the machine I run on/)
      assert.match(text, /works once, for 10 minutes, and for your account only\. Give it to nobody/)
      const [url, secret] = /http:\/\/127\.0\.0\.1:\d+\/login\/default\.([\w-]{43})/.exec(text) ?? ["", ""]
      const page = () => Effect.promise(() => fetch(url).then((answer) => answer.text()))
      assert.include(yield* page(), `default/user-${ann.id}`)
      assert.deepStrictEqual(
        yield* query(
          "SELECT app, expected_user_id::int, api_key_alias FROM zapiska.sessions WHERE kind = 'user' ORDER BY app"
        ),
        [
          ["me", null, "me"],
          [`user-${ann.id}`, ann.id, "me"]
        ]
      )
      // Telegram's look at the link and ours have not opened it; a new one ends it.
      assert.include(yield* page(), "Show a QR code")
      yield* say(ann, "/login")
      yield* answered(ann.id, /^Log your account in/, { times: 2 })
      assert.include(yield* page(), "This link works no longer")
      assert.strictEqual((yield* answers(ann.id)).filter(({ text }) => text.includes(url)).length, 1)
      assert.deepStrictEqual(yield* rowsWith(secret!), [])
      assert.notInclude(application.output(), secret)
      assert.notInclude(application.output(), apiHash)
    }).pipe(Effect.provide(claimed))
)

it.live("in Russian too, and nobody but an owner", () =>
  Effect.gen(function* () {
    const { dataDir } = yield* Assistant
    yield* owner
    const boris = yield* newPerson({ name: "Boris", language: "ru" })
    const role = (name: string) =>
      Effect.map(command({ dataDir }, "user", "add", "default", String(boris.id), name), ({ code, err }) =>
        assert.strictEqual(code, 0, err)
      )
    yield* role("member")
    yield* say(boris, "/login")
    yield* answered(boris.id, /^Это могут только владельцы/)
    const promoted = yield* command({ dataDir }, "user", "role", "default", String(boris.id), "owner")
    assert.strictEqual(promoted.code, 0, promoted.err)
    yield* say(boris, "/login")
    yield* answered(boris.id, /^Сначала оператор должен дать мне API id/)
  }).pipe(Effect.provide(claimed))
)
