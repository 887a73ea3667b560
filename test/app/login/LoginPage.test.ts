/** The page of a login in a real browser, against a Telegram that speaks MTProto with the real client. */
import { assert, describe, layer } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { UserId } from "../../../src/domain/Ids.ts"
import { makeMemoryStore } from "../../../src/lock/LocksMemory.ts"
import { localUrl } from "../../../src/ops/HttpServer.ts"
import { SessionManager } from "../../../src/session/SessionManager.ts"
import { beneath, key, locksOf, state } from "../../session/support.ts"
import { eventually } from "../../support/Application.ts"
import { calling } from "../../support/emulator.ts"
import { answer, begun, newLink, picture, replica, site, step } from "../../support/loginPage.ts"
import { ada } from "../../support/mtproto/accounts.ts"
import { LoopbackTelegram } from "../../support/mtproto/LoopbackTelegram.ts"
import { Chromium, noChromium, openAt } from "../../support/sandboxPage.ts"

const { hint: _, password, ...withoutPassword } = ada

/** A phone scans what is shown now; that may just be changing. */
const scan = (telegram: LoopbackTelegram["Service"]) =>
  eventually("a scan of a code that is good", telegram.scan(ada.id))

describe.skipIf(noChromium !== undefined)(`the login page ${noChromium ?? ""}`, () => {
  layer(Chromium.layer, { excludeTestServices: true, timeout: "3 minutes" })((it) => {
    it.effect("shows each fresh code, asks for the password, says a wrong one, and who is logged in", () =>
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
        yield* scan(telegram)
        yield* answer(page, "password", "wrong horse")
        yield* calling(() => page.getByText("The password is wrong; 2 more can be tried").waitFor())
        yield* calling(() => page.getByText("2 tries are left").waitFor())
        assert.strictEqual(
          yield* calling(() => page.locator("#hint").textContent()),
          "Your hint: a comic strip"
        )
        assert.strictEqual(yield* calling(() => page.inputValue("#password-input")), "")
        yield* answer(page, "password", password)
        yield* step(page, "done")
        assert.strictEqual(yield* calling(() => page.locator("#who").textContent()), "Ada")
        assert.strictEqual(yield* state, "AUTHORIZED")
        assert.deepStrictEqual(complaints, [])
      }).pipe(Effect.scoped, Effect.provide(site()))
    )

    it.effect("takes a code sent to the phone instead, also from whoever began with a picture", () =>
      Effect.gen(function* () {
        const telegram = yield* LoopbackTelegram
        yield* telegram.addAccount(withoutPassword)
        const { complaints, page } = yield* begun(yield* newLink())
        yield* calling(() => page.getByRole("button", { name: "Use a code instead" }).click())
        yield* calling(() => page.fill("#phone", "+49 170 1112233"))
        yield* calling(() => page.press("#phone", "Enter"))
        yield* step(page, "code")
        assert.strictEqual(
          yield* calling(() => page.locator("#via").textContent()),
          "Telegram sent a code of 5 digits in your Telegram app."
        )
        yield* answer(page, "code", "00000")
        yield* calling(() => page.getByText("The code is wrong; 2 more can be tried").waitFor())
        yield* answer(page, "code", ada.code)
        yield* step(page, "done")
        assert.deepStrictEqual(complaints, [])
      }).pipe(Effect.scoped, Effect.provide(site()))
    )

    it.effect("says in Russian, too, how it goes and what went wrong", () =>
      Effect.gen(function* () {
        const telegram = yield* LoopbackTelegram
        yield* telegram.addAccount(ada)
        const { complaints, page } = yield* openAt(yield* newLink(), { locale: "ru-RU" })
        const reads = (text: string) =>
          calling(() => page.locator("section:not([hidden])", { hasText: text }).waitFor({ timeout: 30_000 }))
        yield* calling(() => page.fill("#phone", "+49 170 1112233"))
        yield* calling(() => page.press("#phone", "Enter"))
        yield* reads("Telegram прислал код (цифр: 5) в приложение Telegram.")
        yield* answer(page, "code", "00000")
        yield* reads("Код неверен")
        yield* reads("Осталось попыток: 2.")
        yield* answer(page, "code", ada.code)
        yield* reads("Ваша подсказка: a comic strip")
        for (const nth of [1, 2, 3]) {
          yield* answer(page, "password", `wrong ${nth}`)
          if (nth === 2) yield* reads("Это последняя попытка.")
          else if (nth === 1) yield* reads("Осталось попыток: 2.")
        }
        yield* reads("Пароль слишком много раз был неверен. Начните заново.")
        assert.deepStrictEqual(complaints, [])
      }).pipe(Effect.scoped, Effect.provide(site()))
    )

    it.effect("goes on in its browser after a reload and a cut socket, and in no other browser", () =>
      Effect.gen(function* () {
        const telegram = yield* LoopbackTelegram
        yield* telegram.addAccount(ada)
        const url = yield* newLink()
        const { context, page } = yield* begun(url)
        const [cookie] = yield* calling(() => context.cookies())
        assert.deepInclude(cookie, { httpOnly: true, sameSite: "Lax", path: new URL(url).pathname })
        const other = yield* openAt(url)
        yield* calling(() => other.page.getByText("This link works no longer").waitFor())
        // The same link again, in a chat of Telegram's web page.
        yield* calling(() =>
          page.route("https://web.telegram.example/", (route) =>
            route.fulfill({ contentType: "text/html", body: `<a href="${url}">the link</a>` })
          )
        )
        yield* calling(() => page.goto("https://web.telegram.example/"))
        yield* calling(() => page.getByText("the link").click())
        yield* step(page, "qr")
        yield* calling(() => page.reload())
        yield* step(page, "qr")
        yield* scan(telegram)
        yield* step(page, "password")

        let sockets = 0
        let cut = () => {}
        yield* calling(() =>
          page.routeWebSocket(/\/live$/, (route) => {
            sockets += 1
            const server = route.connectToServer()
            cut = () => void Promise.all([server.close(), route.close({ code: 1011 })])
          })
        )
        yield* calling(() => page.reload())
        yield* step(page, "password")
        cut()
        yield* eventually(
          "another socket",
          Effect.sync(() => sockets === 2)
        )
        yield* calling(() => page.locator("#lost").waitFor({ state: "hidden" }))
        yield* answer(page, "password", password)
        yield* step(page, "done")
      }).pipe(Effect.scoped, Effect.provide(site()))
    )

    it.effect("says that a login took too long, and begins again", () =>
      Effect.gen(function* () {
        const { page } = yield* openAt(yield* newLink())
        yield* calling(() => page.getByRole("button", { name: "Show a QR code" }).click())
        yield* calling(() => page.locator("#why", { hasText: "took too long" }).waitFor())
        assert.strictEqual(yield* state, "ABSENT")
        yield* calling(() => page.getByRole("button", { name: "Begin again" }).click())
        yield* step(page, "choose")
      }).pipe(Effect.scoped, Effect.provide(site({ within: "2 seconds" })))
    )

    it.effect("says that another account was scanned, or that it was cancelled", () =>
      Effect.gen(function* () {
        const telegram = yield* LoopbackTelegram
        yield* telegram.addAccount(withoutPassword)
        const { page } = yield* begun(yield* newLink({ expected: UserId.make(42) }))
        const ended = (text: string) => calling(() => page.locator("#why", { hasText: text }).waitFor())
        yield* scan(telegram)
        yield* ended("Another account than 42 was logged in")
        assert.strictEqual(yield* telegram.loggedIn(ada.id), 0)
        yield* calling(() => page.getByRole("button", { name: "Begin again" }).click())
        yield* calling(() => page.getByRole("button", { name: "Show a QR code" }).click())
        yield* step(page, "qr")
        yield* calling(() => page.locator("#qr").getByRole("button", { name: "Cancel" }).click())
        yield* ended("was cancelled")
        assert.strictEqual(yield* state, "ABSENT")
      }).pipe(Effect.scoped, Effect.provide(site()))
    )

    it.effect("that comes to another process says so, and begins anew there when its person wants that", () =>
      Effect.gen(function* () {
        const telegram = yield* LoopbackTelegram
        yield* telegram.addAccount(withoutPassword)
        const store = yield* makeMemoryStore
        const started = (owner: string) =>
          Layer.build(replica({ replica: owner, locks: locksOf({ ...store, owner }) }).pipe(Layer.fresh))
        const one = yield* started("one")
        const other = yield* started("other")
        const url = yield* Effect.provideContext(newLink(), one)
        const { page } = yield* begun(url)
        // A cookie belongs to a host, whichever port: as behind a load balancer.
        const elsewhere = new URL(new URL(url).pathname, yield* Effect.provideContext(localUrl, other)).href
        yield* calling(() => page.goto(elsewhere))
        yield* step(page, "elsewhere")
        assert.strictEqual(yield* calling(() => page.locator("#owner").textContent()), ", by one")
        yield* calling(() => page.getByRole("button", { name: "Look again" }).click())
        yield* step(page, "elsewhere")
        yield* calling(() => page.getByRole("button", { name: "Begin anew" }).click())
        yield* calling(() => page.getByRole("button", { name: "Show a QR code" }).click())
        yield* step(page, "qr")
        yield* scan(telegram)
        yield* step(page, "done")
        const { status } = Context.get(one, SessionManager)
        assert.deepInclude(yield* status(key), { state: "AUTHORIZED", owner: "other" })
      }).pipe(Effect.scoped, Effect.provide(Layer.merge(LoopbackTelegram.layer, beneath)))
    )
  })
})
