/**
 * A person's account through every way of logging in and every end, in the real process and against a Telegram that
 * speaks its protocol: nothing of it is anywhere but sealed.
 */
import { PgConnection } from "@effect/sql-pg"
import { assert, it } from "@effect/vitest"
import { Effect, Layer, type Schema } from "effect"
import { BotApiEmulator } from "../../src/sandbox/Control.ts"
import { eventually, start } from "../support/Application.ts"
import { connectionOf } from "../support/Assistant.ts"
import { dump, emptyDataDir, found, keyCanaries, placesIn, reachable } from "../support/canaries.ts"
import { command } from "../support/cli.ts"
import { bodiesAt, collector } from "../support/collector.ts"
import { emulatorLayer } from "../support/emulator.ts"
import { live } from "../support/loginSocket.ts"
import { LoopbackTelegram } from "../support/mtproto/LoopbackTelegram.ts"

const key = Buffer.alloc(32, "another canary of the key").toString("base64")
const adminToken = "canary-admin-token-of-sessions-01"
const ada = {
  id: 7_001,
  name: "Ada",
  phone: "491709988776655",
  code: "8081726354453627",
  password: "canary of the right password"
}
const spoken = "+49 170 99 88 77 66 55"
const wrong = { code: "7093847561029384", password: "canary of a wrong password" }
const apiHash = "c0ffee00c0ffee11c0ffee22c0ffee33"

const sessions = "/api/tenants/default/sessions"
const layer = Layer.merge(emulatorLayer(), LoopbackTelegram.layer)

/** The assistant, and everything it answers. */
const world = Effect.gen(function* () {
  const emulator = yield* BotApiEmulator
  const telegram = yield* LoopbackTelegram
  const exported = yield* collector()
  yield* telegram.addAccount(ada)
  const dataDir = yield* emptyDataDir
  const application = yield* start({
    dataDir,
    emulator,
    dataCentre: telegram.dataCentre,
    env: {
      OTEL_EXPORTER_OTLP_ENDPOINT: exported.url,
      LOG_LEVEL: "trace",
      ADMIN_TOKEN: adminToken,
      SECRETS_KEY: key
    }
  })
  const answers: Array<string> = []

  /** For what is shown this once, or looked at again and again. */
  const ask = (method: string, path: string, body?: string) =>
    Effect.promise(async (signal) => {
      const answer = await fetch(new URL(path, application.url), {
        signal,
        method,
        headers: { authorization: `Bearer ${adminToken}`, "content-type": "application/json" },
        ...(body === undefined ? {} : { body })
      })
      const headers = [...answer.headers].join("\n")
      return { status: answer.status, headers, text: await answer.text() }
    })
  const told = Effect.fnUntraced(function* (method: string, path: string, body?: Schema.Json) {
    const answer = yield* ask(method, path, body === undefined ? undefined : JSON.stringify(body))
    answers.push(answer.headers, answer.text)
    return answer
  })
  const is = Effect.fnUntraced(function* (status: number, method: string, path: string, body?: Schema.Json) {
    const answer = yield* told(method, path, body)
    assert.strictEqual(answer.status, status, `${method} ${path}: ${answer.text}\n${application.output()}`)
    return answer.text
  })

  const add = (app: string) => is(201, "POST", sessions, { app, apiId: 12_345, apiHash })
  const at = (app: string) => `${sessions}/${app}`
  /** What the login shows when it has come to it. */
  const shows = Effect.fnUntraced(function* (app: string, step: string) {
    let shown = ""
    yield* eventually(
      `the login of ${app} shows ${step}`,
      Effect.map(ask("GET", `${at(app)}/login`), ({ text }) => {
        shown = text
        return text.includes(`"${step}"`)
      }),
      { seconds: 60, detail: () => shown + application.output() }
    )
    // A QR code is there to be seen.
    if (step !== "Qr") answers.push(shown)
    return shown
  })
  /** The state the session is in. */
  const state = Effect.fnUntraced(function* (app: string) {
    const { session } = JSON.parse(yield* is(200, "GET", at(app))) as { session: { state: string } }
    return session.state
  })
  const begin = (app: string, phone = spoken) => is(200, "POST", `${at(app)}/login`, { phone })
  const code = (app: string, status: number, given: string) =>
    is(status, "POST", `${at(app)}/login/code`, { code: given })
  const password = (app: string, status: number, given: string) =>
    is(status, "POST", `${at(app)}/login/password`, { password: given })
  const logIn = Effect.fnUntraced(function* (app: string) {
    yield* begin(app)
    yield* shows(app, "CodeSent")
    yield* code(app, 409, wrong.code)
    yield* code(app, 200, ada.code)
    yield* password(app, 409, wrong.password)
    yield* password(app, 200, ada.password)
    yield* shows(app, "Authorized")
    assert.strictEqual(yield* state(app), "AUTHORIZED")
  })
  return {
    telegram,
    exported,
    dataDir,
    application,
    answers,
    ask,
    told,
    is,
    add,
    at,
    shows,
    state,
    begin,
    code,
    password,
    logIn
  }
})
type World = Effect.Success<typeof world>

/** Through a link, as a browser does it. Gives what only that browser has. */
const onThePage = Effect.fnUntraced(function* ({ answers, application, ask, at, told }: World, app: string) {
  const { url } = JSON.parse((yield* ask("POST", `${at(app)}/link`)).text) as { readonly url: string }
  yield* told("GET", url)
  yield* told("GET", "/login/default.of-nobody-at-all")
  const { headers } = yield* ask("POST", url)
  const [cookie = "", ticket = ""] = /zapiska_login=([\w-]{43})/.exec(headers) ?? []
  yield* told("GET", url)
  yield* told("POST", url)
  const { closed, socket, told: frames } = yield* live(url, cookie)
  const says = (act: Schema.Json) => Effect.sync(() => socket.send(JSON.stringify(act)))
  const hears = (tag: string, times = 1) =>
    eventually(
      `the page is told ${tag}`,
      Effect.sync(() => frames.filter((text) => text.includes(`"${tag}"`)).length >= times),
      { seconds: 60, detail: () => frames.join("\n") + application.output() }
    )
  yield* says({ _tag: "Join" })
  yield* hears("Idle")
  yield* says({ _tag: "Begin", anew: false })
  yield* hears("Qr")
  yield* says({ _tag: "Begin", anew: true, phone: `+${ada.phone}` })
  yield* hears("CodeSent")
  yield* says({ _tag: "Code", code: wrong.code })
  yield* hears("Refused")
  yield* says({ _tag: "Code", code: ada.code })
  yield* hears("PasswordNeeded")
  yield* says({ _tag: "Password", password: wrong.password })
  yield* hears("Refused", 2)
  yield* says({ _tag: "Password", password: ada.password })
  yield* hears("Authorized")
  yield* says({ _tag: "Password", password: [ada.password] })
  assert.strictEqual(yield* closed, 1008)
  answers.push(...frames)
  return { "a login link": url.split(".").at(-1)!, "its ticket": ticket }
}, Effect.scoped)

/** What somebody sends who has misread the manual. */
const misunderstandings = Effect.fnUntraced(function* ({ answers, ask, at, is }: World, app: string) {
  yield* is(400, "POST", `${at(app)}/login`, { phone: Number(ada.phone) })
  yield* is(400, "POST", `${at(app)}/login/code`, { code: Number(ada.code) })
  yield* is(400, "POST", `${at(app)}/login/password`, { password: [ada.password] })
  yield* is(400, "POST", sessions, { app: "misread", apiId: 1, apiHash: `${apiHash}0` })
  for (const body of [`{"password":"${ada.password}`, `{"password":${ada.password}}`, ada.password])
    answers.push((yield* ask("POST", `${at(app)}/login/password`, body)).text)
})

/** Logins that come to nothing: answers that are wrong or late, and a Telegram that says no in every way it can. */
const inVain = Effect.fnUntraced(function* ({ begin, code, is, add, at, password, shows, telegram }: World) {
  yield* add("vain")
  yield* begin("vain")
  yield* shows("vain", "CodeSent")
  yield* telegram.expireCodes
  yield* code("vain", 409, ada.code)
  yield* shows("vain", "CodeRefused")
  yield* begin("vain")
  yield* shows("vain", "CodeSent")
  yield* code("vain", 200, ada.code)
  for (let tries = 0; tries < 3; tries++) yield* password("vain", 409, wrong.password)
  yield* shows("vain", "PasswordRefused")
  // With the very thing it was sent, although Telegram never does that.
  const no = (text: string) => ({ code: 400, text })
  yield* telegram.refuse("auth.sendCode", no(`NO_${ada.phone}`))
  yield* begin("vain")
  yield* shows("vain", "LoginFailed")
  yield* telegram.refuse("auth.sendCode", no(apiHash))
  yield* begin("vain")
  yield* shows("vain", "LoginFailed")
  yield* begin("vain", "+1 000 000 000 000")
  yield* shows("vain", "LoginFailed")
  yield* begin("vain")
  yield* shows("vain", "CodeSent")
  yield* telegram.refuse("auth.signIn", no(`NO_${ada.code}`))
  yield* code("vain", 409, ada.code)
  yield* shows("vain", "LoginFailed")
  yield* begin("vain")
  yield* shows("vain", "CodeSent")
  yield* code("vain", 200, ada.code)
  yield* telegram.refuse("auth.checkPassword", no(ada.password))
  yield* password("vain", 409, ada.password)
  yield* shows("vain", "LoginFailed")
  yield* is(200, "POST", `${at("vain")}/login`, {})
  const { url } = JSON.parse(yield* shows("vain", "Qr")) as { readonly url: string }
  yield* is(204, "DELETE", `${at("vain")}/login`)
  yield* telegram.refuse("auth.sendCode", { code: 420, text: "FLOOD_WAIT_60" })
  yield* begin("vain")
  yield* shows("vain", "RateLimited")
  yield* begin("vain")
  return { "what a QR code said": new URL(url).searchParams.get("token")! }
})

it.live(
  "nothing of a session is in logs, traces, metrics, answers, the database or any file, whatever becomes of it",
  () =>
    Effect.gen(function* () {
      const all = yield* world
      const { add, answers, application, at, dataDir, exported, is, logIn, state, telegram, told } = all
      yield* add("me")
      yield* misunderstandings(all, "me")
      yield* logIn("me")
      yield* is(200, "POST", `${at("me")}/validate`)
      // It is ended at Telegram.
      yield* telegram.refuseKeys(ada.id, { code: 401, text: "SESSION_REVOKED" })
      yield* told("POST", `${at("me")}/validate`)
      assert.strictEqual(yield* state("me"), "REVOKED")
      yield* telegram.refuseKeys(ada.id, undefined)

      // What is kept of it is damaged.
      yield* add("damaged")
      yield* logIn("damaged")
      // A client that is live has read it already.
      yield* is(204, "DELETE", `${at("damaged")}/follows/saved`)
      yield* Effect.scoped(
        Effect.flatMap(PgConnection.make(connectionOf(dataDir)), (connection) =>
          connection.query(
            "UPDATE zapiska.vault_secrets SET sealed = sealed || '\\x00'::bytea WHERE alias LIKE 'damaged%' AND kind = 'session'"
          )
        )
      )
      yield* eventually(
        "the damage is found",
        Effect.andThen(
          told("POST", `${at("damaged")}/validate`),
          Effect.map(state("damaged"), (now) => now === "ABSENT")
        )
      )
      // Another is logged out by who runs it, and one stays.
      yield* logIn("damaged")
      yield* is(200, "POST", `${at("damaged")}/revoke`)
      assert.strictEqual(yield* state("damaged"), "REVOKED")
      const shown = yield* inVain(all)
      const link = yield* onThePage(all, "me")
      yield* is(200, "POST", `${at("me")}/validate`)

      const pages = [
        "/metrics",
        "/health/ready",
        "/",
        "/sessions",
        "/api/docs",
        "/api/tasks",
        "/api/sessions"
      ]
      yield* Effect.forEach([...pages, "/api/tenants/default/audit", at("vain"), at("me")], (path) =>
        is(200, "GET", path)
      )
      for (const words of ["session list", "session status default me", "session validate default me"]) {
        const { err, out } = yield* command(
          { dataDir, env: { ADMIN_TOKEN: adminToken } },
          ...words.split(" ")
        )
        answers.push(out, err)
      }
      assert.include(answers.join("\n"), "material_corrupted")
      assert.deepStrictEqual(reachable(dataDir), [])
      const rows = yield* dump(dataDir)
      yield* application.signal("SIGTERM")

      const keys = yield* telegram.authKeys
      assert.isAbove(keys.length, 5)
      const { received } = exported
      // There was something to be seen.
      assert.include(bodiesAt(received, "/v1/traces").join("\n"), "UserSession.checkPassword")
      assert.include(bodiesAt(received, "/v1/metrics").join("\n"), "session_state_transitions_total")
      assert.include(bodiesAt(received, "/v1/logs").join("\n"), "material_corrupted")
      assert.include(rows, "material_corrupted")
      const secrets: Record<string, string> = {
        "the phone number": ada.phone,
        "the phone number as it is spoken": spoken.slice(1),
        "the code": ada.code,
        "a wrong code": wrong.code,
        "the password": ada.password,
        "a wrong password": wrong.password,
        "the API hash": apiHash,
        "the key": key,
        "the admin token": adminToken,
        ...shown,
        ...link,
        ...Object.assign({}, ...keys.map((one, nth) => keyCanaries(`key ${nth}`, one)))
      }
      for (const [what, secret] of Object.entries(secrets)) assert.isAbove(secret.length, 10, what)
      const places = {
        "its output": application.output(),
        "what was exported": received.map(({ body }) => body).join("\n"),
        "answers over HTTP": answers.join("\n"),
        "the database": rows,
        ...placesIn(dataDir)
      }
      assert.deepStrictEqual(found(places, secrets), [])
    }).pipe(Effect.scoped, Effect.provide(layer)),
  600_000
)
