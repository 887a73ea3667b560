/** `zapiska session` as an operator gives it, against sessions over a Telegram of the test's own. */
import { assert, it } from "@effect/vitest"
import { Effect, Fiber, Schedule } from "effect"
import { localUrl } from "../../src/ops/HttpServer.ts"
import { code, type FakeTelegram, makeFakeTelegram } from "../session/FakeTelegram.ts"
import { ann, apiHash, bob } from "../session/support.ts"
import { eventually, temporaryDirectory } from "../support/Application.ts"
import { adminApiWith, adminToken, call } from "../support/adminApi.ts"
import { type Answered, command } from "../support/cli.ts"

const done = (wanted: RegExp, { code, out, err }: Answered) => {
  assert.deepStrictEqual({ code, err }, { code: 0, err: "" }, out)
  assert.match(out, wanted)
}
const refused = (wanted: string, { code, err }: Answered) => {
  assert.strictEqual(code, 1, err)
  assert.include(err, wanted)
}

const misunderstood = (wanted: string, { code, err }: Answered) => {
  assert.strictEqual(code, 2, err)
  assert.include(err, wanted)
}

/** Commands to the process that serves the admin API here; all they print is kept. */
const world = Effect.gen(function* () {
  const dataDir = yield* temporaryDirectory
  const url = yield* localUrl
  const printed: Array<string> = []
  const zapiska = (line: string, input = "") =>
    Effect.map(
      command(
        {
          dataDir,
          input,
          env: { ADMIN_TOKEN: adminToken },
          heard: (text) => printed.push(text)
        },
        ...line.split(" "),
        "--url",
        url
      ),
      (answered) => {
        printed.push(answered.err)
        return answered
      }
    )
  return { printed, zapiska }
})

const until = (wanted: string) =>
  Effect.repeat(call("GET", "/api/tenants/default/sessions/mine"), {
    schedule: Schedule.spaced("50 millis"),
    until: ({ body }) => body.session.state === wanted
  }).pipe(Effect.timeout("90 seconds"))

/** Somebody scans the picture that the command has drawn. */
const scanned = (telegram: FakeTelegram, account: number, printed: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    yield* until("PENDING_QR")
    yield* telegram.scan(telegram.qr(1))
    yield* eventually(
      "the picture is drawn",
      Effect.sync(() => printed.join("").includes("Scan it with Telegram"))
    )
    yield* telegram.scan({ _tag: "Accepted", account })
  })

it.live(
  "a session is added, logged in by a picture, asked about, shown, linked to and ended by commands",
  () => {
    const { layer, world: telegram } = makeFakeTelegram([ann, bob])
    return Effect.gen(function* () {
      const { printed, zapiska } = yield* world
      done(/^There are no sessions$/, yield* zapiska("session list"))
      const add = "session add default mine --api-id 12345 --user 43"
      refused("nothing came in on the standard input", yield* zapiska(add))
      refused("32 digits and letters from a to f", yield* zapiska(add, "hash"))
      for (const [wrong, wanted] of [
        ["--api-id 0", "a whole number above 0"],
        ["--api-id x", "a whole number"],
        ["--api-id 1 --user -5", "the number Telegram knows the person by"]
      ] as const)
        misunderstood(wanted, yield* zapiska(`session add default mine ${wrong}`, apiHash))
      done(
        /^default\/mine is added; log in with: zapiska session login default mine$/,
        yield* zapiska(add, apiHash)
      )
      refused("choose another name, or remove it first", yield* zapiska(add, apiHash))
      done(
        /^default\/mine is ABSENT; it has made no move yet$/,
        yield* zapiska("session status default mine")
      )

      done(
        /^https:\/\/notes\.example\/login\/default\.[\w-]{43}\nWhoever opens it logs in as default\/mine\. It works once, until /,
        yield* zapiska("session link default mine")
      )
      refused("none", yield* zapiska("session link default none"))

      for (const command of ["validate", "chats", "status"])
        refused("Tenant default has no session none", yield* zapiska(`session ${command} default none`))
      refused("there is nothing to revoke", yield* zapiska("session revoke default mine --yes"))

      const login = yield* Effect.forkChild(zapiska("session login default mine", bob.password))
      yield* scanned(telegram, bob.id, printed)
      const { code, out } = yield* Fiber.join(login)
      assert.strictEqual(code, 0, out)
      assert.match(out, /█[\s\S]*Scan it with Telegram on your phone: Settings → Devices/)
      assert.match(out, /two-step password; its hint: the dog; 3 tries\n[\s\S]*Logged in as Bob \(43\)\n/)
      assert.match(
        out,
        /Saved Messages become notes from now on\. To stop that: zapiska session unfollow default mine saved$/
      )

      done(
        /^TENANT +APP .*\ndefault +mine +user +AUTHORIZED +Bob \(43\) +test /,
        yield* zapiska("session list")
      )
      assert.lengthOf(JSON.parse((yield* zapiska("session list default --json")).out), 1)
      done(/^default\/mine is AUTHORIZED$/, yield* zapiska("session validate default mine"))
      refused("logged in already", yield* zapiska("session login default mine"))
      refused("logged in already", yield* zapiska("session link default mine"))

      telegram.set("revoked")
      refused("log in", yield* zapiska("session validate default mine"))
      done(
        /\n.+ AUTHORIZED +REVOKED +session_revoked +\S+\n.+ PENDING_PASSWORD +AUTHORIZED +password_verified +admin\n/,
        yield* zapiska("session status default mine")
      )
      const { history, session } = JSON.parse((yield* zapiska("session status default mine --json")).out)
      assert.deepInclude(session, { app: "mine", state: "REVOKED" })
      assert.strictEqual(history[0].to, "REVOKED")

      refused("say so with --yes", yield* zapiska("session remove default mine"))
      done(/^default\/mine is removed; the notes/, yield* zapiska("session remove default mine --yes"))
      refused("has no session mine", yield* zapiska("session remove default mine --yes"))
      done(/^There are no sessions$/, yield* zapiska("session list"))
      done(/^default\/mine is added/, yield* zapiska(add, apiHash))
      for (const secret of [bob.password, apiHash, adminToken]) assert.notInclude(printed.join("\n"), secret)
    }).pipe(Effect.scoped, Effect.provide(adminApiWith(layer)))
  },
  400_000
)

it.live(
  "a login that comes to nothing is a refusal that says why; revoking has to be meant",
  () => {
    const { layer, world: telegram } = makeFakeTelegram([ann, bob])
    return Effect.gen(function* () {
      const { printed, zapiska } = yield* world
      yield* zapiska("session add default mine --api-id 12345", apiHash)
      refused("none", yield* zapiska("session login default none"))
      const cancelled = yield* Effect.forkChild(zapiska("session login default mine"))
      yield* until("PENDING_QR")
      yield* call("DELETE", "/api/tenants/default/sessions/mine/login")
      refused("was cancelled", yield* Fiber.join(cancelled))

      const login = yield* Effect.forkChild(zapiska("session login default mine"))
      yield* scanned(telegram, ann.id, printed)
      done(/Logged in as Ann \(42\)\nIts Saved Messages become notes from now on\./, yield* Fiber.join(login))
      done(/\nsaved +Saved Messages /, yield* zapiska("session following default mine"))
      done(/is followed no longer/, yield* zapiska("session unfollow default mine saved"))
      done(
        /^default\/mine is AUTHORIZED, logged in as Ann \(42\), run by \S+\n\nAT +FROM /,
        yield* zapiska("session status default mine")
      )
      refused("revoke it first", yield* zapiska("session remove default mine --yes"))
      refused("say so with --yes", yield* zapiska("session revoke default mine"))
      assert.strictEqual(telegram.valid(), 1)
      done(/^default\/mine is logged out$/, yield* zapiska("session revoke default mine --yes"))
      assert.strictEqual(telegram.valid(), 0)

      const again = yield* Effect.forkChild(zapiska("session login default mine"))
      yield* scanned(telegram, ann.id, printed)
      done(
        /\nIts Saved Messages do not become notes, for that was ended before\. .* follow default mine saved$/,
        yield* Fiber.join(again)
      )
    }).pipe(Effect.scoped, Effect.provide(adminApiWith(layer)))
  },
  400_000
)

it.live(
  "an account is logged in by the code that is sent to its phone, which nothing prints",
  () => {
    const { layer, world: telegram } = makeFakeTelegram([ann, bob])
    return Effect.gen(function* () {
      const { printed, zapiska } = yield* world
      yield* zapiska("session add default mine --api-id 12345", apiHash)
      const login = "session login default mine --phone"
      refused("nothing came in on the standard input", yield* zapiska(login))
      const { code: status, err, out } = yield* zapiska(login, `${ann.phone}\nwrong\n${code}\n`)
      assert.deepStrictEqual({ status, err }, { status: 0, err: "" }, out)
      assert.match(
        out,
        /Telegram sent a code \(app\); 3 tries\n[\s\S]*2 more can be tried[\s\S]*Logged in as Ann \(42\)\n/
      )
      assert.strictEqual(telegram.valid(), 1)
      done(/^default\/mine is AUTHORIZED/, yield* zapiska("session status default mine"))
      for (const secret of [ann.phone, ann.phone.slice(1), code, apiHash])
        assert.notInclude(printed.join("\n"), secret)
    }).pipe(Effect.scoped, Effect.provide(adminApiWith(layer)))
  },
  120_000
)
