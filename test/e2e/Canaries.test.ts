/**
 * Secrets that would be known again, through every trouble that can be made from outside: none of them is anywhere
 * but where it is kept, sealed or in a file of its own that nobody else can read.
 */
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { PgConnection } from "@effect/sql-pg"
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { BotApiEmulator } from "../../src/sandbox/Control.ts"
import { eventually, launch, start } from "../support/Application.ts"
import { connectionOf } from "../support/Assistant.ts"
import { dump, emptyDataDir, found, placesIn, reachable } from "../support/canaries.ts"
import { collector } from "../support/collector.ts"
import { emulatorLayer } from "../support/emulator.ts"
import { freePort } from "../support/freePort.ts"

const adminToken = "canary-admin-token-0123456789abcdef"
const key = Buffer.alloc(32, "canary key of the house").toString("base64")

/** The process of the database; none while it is away. */
const postmasterOf = (dataDir: string): number | undefined => {
  const file = join(dataDir, "db/data/postmaster.pid")
  return existsSync(file) ? Number(readFileSync(file, "utf8").split("\n")[0]) : undefined
}

it.live(
  "no secret is in logs, traces, metrics, answers, the database, the repositories or any other file",
  () =>
    Effect.gen(function* () {
      const emulator = yield* BotApiEmulator
      const { received, url } = yield* collector()
      const dataDir = yield* emptyDataDir
      const application = yield* start({
        dataDir,
        emulator,
        env: {
          OTEL_EXPORTER_OTLP_ENDPOINT: url,
          LOG_LEVEL: "trace",
          NOTE_WINDOW: "500 millis",
          ADMIN_TOKEN: adminToken,
          SECRETS_KEY: key
        }
      })
      const answers: Array<string> = []
      const ask = (path: string, body?: unknown, bearer = adminToken) =>
        Effect.promise(async (signal) => {
          const answer = await fetch(`${application.url}${path}`, {
            signal,
            method: body === undefined ? "GET" : "POST",
            headers: { authorization: `Bearer ${bearer}`, "content-type": "application/json" },
            ...(body === undefined ? {} : { body: JSON.stringify(body) })
          })
          const text = await answer.text()
          return { status: answer.status, text }
        })
      const told = (path: string, body?: unknown, bearer?: string) =>
        Effect.tap(ask(path, body, bearer), ({ text }) => Effect.sync(() => answers.push(text)))
      const ann = yield* emulator.createUser({ firstName: "Ann" })
      const says = (text: string) => emulator.sendText({ chat: ann.id, text })
      const noted = (text: string) =>
        eventually(
          `"${text}" is saved`,
          Effect.map(emulator.messages({ chat: ann.id }), (all) =>
            all.some((one) => one.from.isBot && one.text.startsWith("✅"))
          ),
          { seconds: 60, detail: application.output }
        )

      // A bot more, and one whose token is wrong; an invite; a bearer that is wrong.
      const second = yield* emulator.createBot({ username: "second_bot", name: "Second" })
      const wrong = `7000000009:${"WrongCanary".repeat(4)}`
      yield* told("/api/tenants", { tenant: "acme" })
      assert.isBelow(
        (yield* told("/api/tenants/acme/apps", { app: "second", token: second.token })).status,
        300
      )
      assert.isAtLeast((yield* told("/api/tenants/acme/apps", { app: "wrong", token: wrong })).status, 400)
      assert.isAtLeast((yield* told("/api/tenants/acme/apps/second/rotate", { token: wrong })).status, 400)
      const bearer = "canary-of-a-wrong-bearer-000000"
      assert.strictEqual((yield* told("/api/tenants", undefined, bearer)).status, 401)
      // The one answer that holds a secret: the link is shown once.
      const invite = yield* ask("/api/tenants/acme/invites", { role: "member", uses: 2 })
      const { code } = JSON.parse(invite.text) as { readonly code: string }

      // A page to log in on, looked at, opened, and gone on with.
      const apiHash = "cafe".repeat(8)
      yield* told("/api/tenants/acme/sessions", { app: "own", apiId: 1, apiHash })
      const login = JSON.parse((yield* ask("/api/tenants/acme/sessions/own/link", {})).text) as {
        readonly url: string
      }
      const ticket = yield* Effect.promise(async () => {
        await fetch(login.url)
        const opened = await fetch(login.url, { method: "POST" })
        const [cookie = ""] = (opened.headers.get("set-cookie") ?? "").split(";")
        await fetch(`${login.url}/live`, { headers: { cookie } })
        await fetch(`${login.url}/nothing`)
        return cookie.split("=")[1] ?? ""
      })
      assert.lengthOf(ticket, 43)

      // Telegram that answers with what it was sent, and every other trouble of it.
      const troubles = [
        { _tag: "Refuse", code: 400, description: `bad /bot${emulator.bot.token}/sendMessage` },
        { _tag: "Refuse", code: 500, description: emulator.bot.token },
        { _tag: "Html", status: 502 },
        { _tag: "DropBefore" },
        { _tag: "Reset" },
        { _tag: "Truncate" },
        { _tag: "Refuse", code: 404, description: `no ${emulator.bot.token}` }
      ] as const
      for (const effect of troubles) {
        // A poll that is refused is not tried again for long: what is refused are messages.
        const method = effect._tag === "Refuse" ? "sendMessage" : "*"
        yield* emulator.addFault({ effect, method, times: 2 })
      }
      yield* says("through every trouble")
      // What is refused is not said again: the next message is answered.
      yield* eventually(
        "Telegram's troubles are met",
        Effect.map(emulator.journal({}), (all) => all.length > 8),
        { seconds: 60, detail: application.output }
      )
      yield* Effect.sleep("3 seconds")
      yield* emulator.clearFaults({})
      yield* says("after every trouble")
      yield* noted("after every trouble")

      // Its token is revoked; what is in the vault is damaged; the database goes away and comes back.
      yield* emulator.revokeToken({ bot: second.id })
      yield* Effect.scoped(
        Effect.flatMap(PgConnection.make(connectionOf(dataDir)), (connection) =>
          connection.query("UPDATE zapiska.vault_secrets SET sealed = sealed || '\\x00'::bytea")
        )
      )
      yield* told("/api/tenants/acme/apps/second/disable", {})
      yield* told("/api/tenants/acme/apps/second/enable", {})
      yield* told("/api/tenants/acme/secrets/rotate", {})
      const postmaster = postmasterOf(dataDir)
      process.kill(postmaster!, "SIGQUIT")
      yield* says("while the database is away")
      yield* told("/api/tenants")
      yield* eventually(
        "the database is back",
        Effect.map(
          ask("/api/tenants"),
          ({ status }) => status === 200 && ![undefined, postmaster].includes(postmasterOf(dataDir))
        ),
        { seconds: 60, detail: application.output }
      )
      yield* Effect.forEach(["/metrics", "/health/ready", "/api/tasks", "/api/docs", "/"], (path) =>
        told(path)
      )
      yield* told("/api/tenants/acme/apps")
      yield* told("/api/tenants/acme/audit")
      assert.deepStrictEqual(reachable(dataDir), [])
      const rows = yield* dump(dataDir)
      const databasePassword = readFileSync(join(dataDir, "db/password"), "utf8").trim()
      yield* application.signal("SIGTERM")

      const secrets = {
        "the bot's token": emulator.bot.token,
        "its secret part": emulator.bot.token.split(":")[1]!,
        "the second bot's": second.token.split(":")[1]!,
        "a wrong token": wrong.split(":")[1]!,
        "the admin token": adminToken,
        "a wrong bearer": bearer,
        "the key": key,
        "the database's password": databasePassword,
        "an invite's code": code,
        "an API hash": apiHash,
        "a login link": login.url.split(".").at(-1)!,
        "its ticket": ticket
      }
      const places = {
        "its output": application.output(),
        "what was exported": received.map(({ body }) => body).join("\n"),
        "answers over HTTP": answers.join("\n"),
        "the database": rows,
        ...placesIn(dataDir)
      }
      assert.isAbove(received.length, 0)
      assert.isAbove(rows.length, 1_000)
      assert.deepStrictEqual(found(places, secrets), [])
      assert.isAbove(code.length, 10)
    }).pipe(Effect.scoped, Effect.provide(emulatorLayer())),
  400_000
)

it.live(
  "what is refused at the start, and a Redis that is away, tell no password",
  () =>
    Effect.gen(function* () {
      const emulator = yield* BotApiEmulator
      const port = yield* freePort
      const password = "canary-of-a-password"
      const tell = Effect.fnUntraced(function* (env: Readonly<Record<string, string>>, pattern: RegExp) {
        const dataDir = yield* emptyDataDir
        const application = yield* launch({ dataDir, emulator, env: { LOG_LEVEL: "trace", ...env } })
        yield* eventually(
          `it says ${pattern}`,
          Effect.sync(() => pattern.test(application.output())),
          {
            seconds: 60,
            detail: application.output
          }
        )
        yield* application.signal("SIGTERM")
        assert.notInclude(application.output(), password)
        assert.notInclude(application.output(), emulator.bot.token)
      })
      yield* tell({ DATABASE_URL: `postgres://me:${password}@127.0.0.1:${port}/x` }, /cannot be used/)
      yield* tell({ DATABASE_URL: `nonsense://me:${password}@h/x` }, /DATABASE_URL/)
      yield* tell({ SECRETS_KEY: password }, /SECRETS_KEY/)
      yield* tell({ TELEGRAM_BOT_TOKEN: `12:${password}` }, /TELEGRAM_BOT_TOKEN/)
      yield* tell({ REDIS_URL: `redis://:${password}@127.0.0.1:${port}/0` }, /Redis/)
    }).pipe(Effect.scoped, Effect.provide(emulatorLayer())),
  400_000
)
