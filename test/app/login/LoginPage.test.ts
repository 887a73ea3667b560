/** The page of a login in a real browser, against a Telegram that speaks MTProto with the real client. */
import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { SessionManager } from "../../../src/session/SessionManager.ts"
import { key } from "../../session/support.ts"
import { eventually } from "../../support/Application.ts"
import { calling } from "../../support/emulator.ts"
import { answer, begun, newLink, picture, site, step } from "../../support/loginPage.ts"
import { ada } from "../../support/mtproto/accounts.ts"
import { LoopbackTelegram } from "../../support/mtproto/LoopbackTelegram.ts"
import { Chromium, noChromium } from "../../support/sandboxPage.ts"

layer(Chromium.layer, { excludeTestServices: true, timeout: "60 seconds" })("the login page", (it) => {
  it.effect(
    "shows each fresh code, the scan, asks for the password, says a wrong one, and who is logged in",
    () =>
      Effect.gen(function* () {
        const telegram = yield* LoopbackTelegram
        yield* telegram.addAccount(ada)
        telegram.login.qrSeconds = 2
        const { complaints, page } = yield* begun(yield* newLink())
        const first = yield* picture(page)
        assert.match(first, /^(M\d+ \d+h\d+v1H\d+z)+$/)
        yield* eventually(
          "another code",
          Effect.map(picture(page), (now) => now !== first)
        )
        yield* eventually("a scan of a code that is good", telegram.scan(ada.id))
        yield* answer(page, "password", "wrong horse")
        yield* calling(() => page.getByText("The password is wrong; 2 more can be tried").waitFor())
        assert.strictEqual(
          yield* calling(() => page.locator("#hint").textContent()),
          "Your hint: a comic strip"
        )
        yield* calling(() => page.getByText("2 tries are left").waitFor())
        assert.strictEqual(yield* calling(() => page.inputValue("#password-input")), "")
        yield* answer(page, "password", ada.password)
        yield* step(page, "done")
        assert.strictEqual(yield* calling(() => page.locator("#who").textContent()), "Ada")
        assert.strictEqual((yield* SessionManager.use(({ status }) => status(key))).state, "AUTHORIZED")
        assert.deepStrictEqual(complaints, [])
      }).pipe(Effect.scoped, Effect.provide(site())),
    { skip: noChromium !== undefined }
  )
})
