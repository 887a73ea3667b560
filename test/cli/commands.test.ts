/** Every command as an operator gives it, against the running assistant; what it does holds without a restart. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { BotApiEmulator } from "../../src/sandbox/Control.ts"
import { eventually, start, temporaryDirectory } from "../support/Application.ts"
import { type Answered, command } from "../support/cli.ts"
import { emulatorLayer } from "../support/emulator.ts"

const done = (wanted: RegExp | string, { code, out, err }: Answered) => {
  assert.deepStrictEqual({ code, err }, { code: 0, err: "" }, out)
  if (typeof wanted === "string") assert.include(out, wanted)
  else assert.match(out, wanted)
  return out
}
const refused = (wanted: string, { code, out, err }: Answered) => {
  assert.deepStrictEqual({ code, out }, { code: 1, out: "" }, err)
  assert.include(err, wanted)
}
const misunderstood = (wanted: string, { code, out, err }: Answered) => {
  assert.deepStrictEqual({ code, out }, { code: 2, out: "" }, err)
  assert.include(err, wanted)
}

/** As a shell takes a line apart. */
const wordsOf = (line: string) => [...line.matchAll(/"([^"]*)"|\S+/g)].map(([word, quoted]) => quoted ?? word)

/** A process of the assistant, and commands to it; everything they print is kept. */
const world = Effect.gen(function* () {
  const emulator = yield* BotApiEmulator
  const dataDir = yield* temporaryDirectory
  // The configuration lets nobody in: only whom the operator names or invites may use a bot.
  const application = yield* start({ dataDir, emulator, env: { TELEGRAM_ALLOWED_USERS: "" } })
  const printed: Array<string> = []
  const zapiska = (line: string, input = "") =>
    Effect.tap(command({ dataDir, input }, ...wordsOf(line)), ({ out, err }) =>
      Effect.sync(() => printed.push(out, err))
    )
  /** Waits for an answer of the bot to somebody. */
  const answered = (bot: number, chat: number, pattern: RegExp) => {
    let said: ReadonlyArray<string> = []
    return eventually(
      `an answer like ${pattern}`,
      Effect.map(emulator.messages({ bot, chat, limit: 50 }), (all) => {
        said = all.filter(({ from }) => from.isBot).map(({ text }) => text)
        return said.some((text) => pattern.test(text))
      }),
      { seconds: 60, detail: () => [...said, application.output()].join("\n---\n") }
    )
  }
  return { emulator, application, printed, zapiska, answered }
})

it.live(
  "tenants and bots are added, rotated, silenced and removed by commands, and the bots follow at once",
  () =>
    Effect.gen(function* () {
      const { emulator, application, printed, zapiska, answered } = yield* world

      done(/^Tenant acme is added.*zapiska app add acme/, yield* zapiska("tenant add acme --name Acme"))
      refused("There is a tenant acme already", yield* zapiska("tenant add acme"))
      misunderstood("1 to 63 of a-z", yield* zapiska("tenant add Acme"))
      done(
        /^TENANT +NAME +STATE +SINCE\nacme +Acme +enabled .*\ndefault +default +enabled /,
        yield* zapiska("tenant list")
      )

      const bot = yield* emulator.createBot({ username: "acme_bot", name: "Acme" })
      refused("nothing came in on the standard input", yield* zapiska("app add acme main"))
      refused("is no bot token", yield* zapiska("app add acme main", "hello\n"))
      misunderstood("Unexpected positional argument", yield* zapiska(`app add acme main ${bot.token}`))
      done(
        /^acme\/main is @acme_bot, and answers from now on\nNobody may use it yet: zapiska user add acme/,
        yield* zapiska("app add acme main", `${bot.token}\n`)
      )
      refused("rotate its token, or choose another name", yield* zapiska("app add acme main", bot.token))
      done(/\nacme +main +\d+ +main +enabled /, yield* zapiska("app list"))
      assert.lengthOf(JSON.parse(done("main", yield* zapiska("app list acme --json"))), 1)

      const olga = yield* emulator.createUser({ firstName: "Olga", language: "en" })
      const chat = { bot: bot.id, chat: olga.id }
      done(`User ${olga.id} is owner of acme`, yield* zapiska(`user add acme ${olga.id} owner --name Olga`))
      yield* emulator.start({ bot: bot.id, user: olga.id })
      yield* emulator.sendText({ ...chat, text: "/note The plan of Acme" })
      yield* answered(bot.id, olga.id, /^✅.*The plan of Acme/su)

      done("acme/main is silent", yield* zapiska("app disable acme main"))
      done(/\nacme +main +\d+ +main +disabled /, yield* zapiska("app list acme"))
      const polled = Effect.map(zapiska("tasks acme --json"), ({ out }) =>
        JSON.parse(out).some(
          ({ id, status }: Record<string, unknown>) => id === "poller/acme/main" && status === "running"
        )
      )
      yield* eventually(
        "the bot is let go of",
        Effect.map(polled, (still) => !still)
      )
      const next = yield* emulator.revokeToken({ bot: bot.id })
      refused("Telegram refuses this token", yield* zapiska("app rotate acme main", bot.token))
      done("acme/main goes on as @acme_bot", yield* zapiska("app rotate acme main", next.token))
      done("acme/main answers again", yield* zapiska("app enable acme main"))
      yield* emulator.sendText({ ...chat, text: "/note With another token" })
      yield* answered(bot.id, olga.id, /^✅.*With another token/su)

      done("1 secret is sealed under a new key", yield* zapiska("secrets rotate acme"))
      done(/Tenant acme: 1 .*\nTenant default: 0 /, yield* zapiska("secrets rotate"))

      done("Tenant acme is disabled", yield* zapiska("tenant disable acme"))
      done(/\nacme +Acme +disabled /, yield* zapiska("tenant list"))
      done("Tenant acme is enabled", yield* zapiska("tenant enable acme"))
      refused("say so with --yes", yield* zapiska("app remove acme main"))
      done("acme/main is removed", yield* zapiska("app remove acme main --yes"))
      refused("has no app main", yield* zapiska("app disable acme main"))
      done("No bots were added", yield* zapiska("app list acme"))
      refused("say so with --yes", yield* zapiska("tenant remove acme"))
      refused("Disable it instead", yield* zapiska("tenant remove default --yes"))
      done("Tenant acme is removed", yield* zapiska("tenant remove acme --yes"))
      refused("There is no tenant acme", yield* zapiska("tenant enable acme"))
      refused("is not given again", yield* zapiska("tenant add acme"))

      const record = done(/^ID +AT +TENANT +ACTOR +ACTION/, yield* zapiska("audit acme"))
      assert.deepStrictEqual(
        record
          .split("\n")
          .slice(1)
          .map((line) => line.split(/ {2,}/)[4])
          .toReversed(),
        [
          "tenant.added",
          "app.added",
          "member.added",
          "app.disabled",
          "app.rotated",
          "app.enabled",
          "secrets.rotated",
          "secrets.rotated",
          "tenant.disabled",
          "tenant.enabled",
          "app.removed",
          "tenant.removed"
        ]
      )
      for (const { token } of [bot, next]) {
        const secret = token.slice(token.indexOf(":") + 1)
        assert.notInclude(printed.join("\n"), secret)
        assert.notInclude(application.output(), secret)
      }
    }).pipe(Effect.provide(emulatorLayer())),
  600_000
)

it.live(
  "people are let in by name or by link, given another role and shut out, by commands",
  () =>
    Effect.gen(function* () {
      const { emulator, application, zapiska, answered } = yield* world
      const { id: bot } = emulator.bot
      const olga = yield* emulator.createUser({ firstName: "Olga", language: "en" })
      const igor = yield* emulator.createUser({ firstName: "Igor", language: "en" })

      done("Nobody may use the bots of default yet", yield* zapiska("user list default"))
      done(`User ${olga.id} is reader`, yield* zapiska(`user add default ${olga.id} reader --name Olga`))
      refused("give them another role instead", yield* zapiska(`user add default ${olga.id} owner`))
      done("(Olga) is owner of default", yield* zapiska(`user role default ${olga.id} owner`))
      done(/^USER +NAME +ROLE +LANGUAGE +SINCE\n\d+ +Olga +owner /, yield* zapiska("user list default"))
      refused("the only owner", yield* zapiska(`user remove default ${olga.id}`))
      misunderstood("king", yield* zapiska(`user role default ${olga.id} king`))
      misunderstood("the number Telegram knows", yield* zapiska("user remove default olga"))
      refused("There is no tenant nobody", yield* zapiska("user list nobody"))

      yield* emulator.start({ bot, user: igor.id })
      yield* answered(bot, igor.id, /personal assistant/)
      misunderstood("a whole number from 1 to 1000", yield* zapiska("invite create default --uses 0"))
      misunderstood("3 days", yield* zapiska("invite create default --for soon"))
      const made = done(
        "An invite for 2 people, for 12h",
        yield* zapiska('invite create default --role reader --uses 2 --for "12 hours"')
      )
      const code = /start=([\w-]+)/.exec(made)?.[1]
      assert.isDefined(code)
      yield* emulator.sendText({ bot, chat: igor.id, text: `/start ${code}` })
      yield* eventually(
        "the invited person is in",
        Effect.map(zapiska("user list default"), ({ out }) => /Igor +reader/.test(out)),
        { detail: () => application.output() }
      )
      const list = done(
        /^INVITE +ROLE +USES LEFT +EXPIRES +BY\n\S+ +reader +1 +\S+ +admin$/,
        yield* zapiska("invite list default")
      )
      const id = list.split("\n")[1]?.split(" ")[0]
      done("lets nobody in any more", yield* zapiska(`invite revoke default ${id}`))
      refused("has no invite", yield* zapiska(`invite revoke default ${id}`))
      done("default has no open invites", yield* zapiska("invite list default"))
      done(
        /^LIMIT +VALUE\nmessages a minute of one person +none \(default\)\n/,
        yield* zapiska("limits show default")
      )
      done(
        /person +20\n(.*\n)*bytes of notes and files +10000000000$/,
        yield* zapiska('limits set default --user-per-day 20 --storage "10 GB"')
      )
      done(
        /a day of one person +none \(default\)\n/,
        yield* zapiska("limits set default --user-per-day default")
      )
      misunderstood(
        "a whole number above 0, or `default`",
        yield* zapiska("limits set default --user-per-day 0")
      )
      misunderstood("a size such as", yield* zapiska("limits set default --storage much"))
      refused("Say which limit", yield* zapiska("limits set default"))

      done("may not use the bots of default any more", yield* zapiska(`user remove default ${igor.id}`))
    }).pipe(Effect.provide(emulatorLayer())),
  600_000
)
