/** The page of all sessions in a real browser, over the admin API as it is served. */
import { assert, describe, layer } from "@effect/vitest"
import { Clock, Effect, Schedule } from "effect"
import { AppId, defaultTenant } from "../../../src/domain/Ids.ts"
import { localUrl } from "../../../src/ops/HttpServer.ts"
import { SessionStore } from "../../../src/session/SessionStore.ts"
import { makeFakeTelegram } from "../../session/FakeTelegram.ts"
import { ann, apiHash, bob } from "../../session/support.ts"
import { adminApiWith, adminToken, call } from "../../support/adminApi.ts"
import { calling } from "../../support/emulator.ts"
import { Chromium, noChromium, openAt } from "../../support/sandboxPage.ts"

const add = (tenant: string, app: string) =>
  call("POST", `/api/tenants/${tenant}/sessions`, { payload: { app, apiId: 12345, apiHash } })

const opened = Effect.gen(function* () {
  const url = new URL("/sessions", yield* localUrl).href
  const { complaints, page } = yield* openAt(url)
  const row = (name: string) => page.locator(`tr[data-session="${name}"]`)
  const sees = (name: string, text: string | RegExp) =>
    calling(() => row(name).filter({ hasText: text }).waitFor())
  const enter = Effect.fnUntraced(function* (token: string) {
    yield* calling(() => page.fill("#token", token))
    yield* calling(() => page.press("#token", "Enter"))
  })
  const press = (name: string, words: string) =>
    calling(() => row(name).getByRole("button", { name: words }).click())
  return { complaints, page, row, sees, enter, press }
})

describe.skipIf(noChromium !== undefined)(`the page of all sessions ${noChromium ?? ""}`, () => {
  layer(Chromium.layer, { excludeTestServices: true, timeout: "3 minutes" })((it) => {
    it.effect("shows nothing without the token, and keeps that out of every address", () => {
      const { layer: users } = makeFakeTelegram([])
      return Effect.gen(function* () {
        yield* add("default", "mine")
        const { enter, page, sees } = yield* opened
        const asked: Array<string> = []
        page.on("request", (request) => asked.push(request.url()))
        yield* enter("wrong-token-000000")
        yield* calling(() => page.getByText("The token is not the right one").waitFor())
        assert.strictEqual(yield* calling(() => page.locator("#rows tr").count()), 0)
        yield* enter(adminToken)
        yield* sees("default/mine", "ABSENT")
        yield* calling(() => page.reload())
        yield* sees("default/mine", "ABSENT")
        assert.notInclude(asked.join(), adminToken)
        assert.deepStrictEqual(yield* calling(() => page.context().cookies()), [])
        yield* calling(() => page.getByRole("button", { name: "Forget token" }).click())
        assert.strictEqual(yield* calling(() => page.locator("#rows tr").count()), 0)
        yield* calling(() => page.reload())
        yield* calling(() => page.locator("#enter:not([hidden])").waitFor())
      }).pipe(Effect.scoped, Effect.provide(adminApiWith(users)))
    })

    it.effect("follows sessions of all tenants as they move, with their trouble, and acts on them", () => {
      const { layer: users, world } = makeFakeTelegram([ann, bob])
      return Effect.gen(function* () {
        yield* call("POST", "/api/tenants", { payload: { tenant: "acme" } })
        yield* add("acme", "boss")
        yield* add("default", "mine")
        const { complaints, enter, page, press, row, sees } = yield* opened
        yield* enter(adminToken)
        yield* sees("acme/boss", "ABSENT")
        yield* sees("default/mine", "ABSENT")

        yield* call("POST", "/api/tenants/default/sessions/mine/login", { payload: {} })
        yield* sees("default/mine", "PENDING_QR")
        yield* Effect.repeat(world.scan({ _tag: "Accepted", account: ann.id }), {
          until: (told) => told,
          schedule: Schedule.spaced("10 millis")
        })
        yield* sees("default/mine", /AUTHORIZED.*Ann \(42\).*test.*(now|s ago)/)
        const now = yield* Clock.currentTimeMillis
        const own = { tenant: defaultTenant, app: AppId.make("mine") }
        yield* SessionStore.use(({ move }) =>
          move(
            own,
            "flood_wait",
            { actor: "system" },
            {
              error: "Telegram asked to wait 7000 s",
              nextTry: now + 7_000_000,
              nextTryBecause: "flood"
            }
          )
        )
        yield* sees("default/mine", /STALE.*Telegram asked to wait 7000 s.*next try in 1 h/)
        yield* press("default/mine", "Moves")
        const moves = page.locator(".moves li")
        yield* calling(() => moves.nth(2).waitFor())
        const told = yield* calling(() => moves.allTextContents())
        assert.match(told[0]!, /AUTHORIZED → STALEflood wait, by system$/)
        assert.match(told[1]!, /PENDING_QR → AUTHORIZEDauthorization success, by admin$/)
        assert.match(told[2]!, /ABSENT → PENDING_QRqr started, by admin$/)

        yield* press("default/mine", "Log out")
        yield* calling(() => page.getByRole("button", { name: "Keep it" }).click())
        yield* sees("default/mine", "STALE")
        yield* press("default/mine", "Log out")
        yield* calling(() => page.locator("#sure").getByRole("button", { name: "Log out" }).click())
        yield* sees("default/mine", "REVOKED")
        yield* calling(() => page.getByText("It is logged out", { exact: true }).waitFor())
        assert.strictEqual(world.valid(), 0)
        assert.strictEqual(yield* calling(() => row("default/mine").getByRole("button").count()), 1)

        yield* calling(() => page.fill("#filter", "acme"))
        yield* calling(() => row("default/mine").waitFor({ state: "detached" }))
        assert.deepStrictEqual(complaints, [])
      }).pipe(Effect.scoped, Effect.provide(adminApiWith(users)))
    })
  })
})
