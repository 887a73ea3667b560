/** The page of a login as it is served, over real sessions, a real client of Telegram and a Telegram of the test's own. */
import { type Duration, Effect, Layer, Redacted } from "effect"
import type { BrowserContextOptions, Page } from "playwright-core"
import * as LoginPages from "../../src/app/login/LoginPages.ts"
import type { UserId } from "../../src/domain/Ids.ts"
import { listen, localUrl, serve } from "../../src/ops/HttpServer.ts"
import { LoginLinks } from "../../src/session/LoginLinks.ts"
import { Audit } from "../../src/store/Audit.ts"
import * as MtcuteClient from "../../src/telegram/MtcuteClient.ts"
import { UserClient } from "../../src/telegram/UserClient.ts"
import { added, beneath, key, process } from "../session/support.ts"
import { calling } from "./emulator.ts"
import { LoopbackTelegram } from "./mtproto/LoopbackTelegram.ts"
import { openAt } from "./sandboxPage.ts"

/** The real client, which takes the loopback Telegram for the real one. */
const usersOf = ({ dataCentre }: LoopbackTelegram["Service"]) =>
  Layer.effect(
    UserClient,
    UserClient.useSync(({ connect }) =>
      UserClient.of({ connect: (options) => connect({ ...options, dataCentre }) })
    )
  ).pipe(Layer.provide(MtcuteClient.layer))

/** One process of the assistant. `within`: a whole login. */
export const replica = (options: { readonly within?: Duration.Input } & Parameters<typeof process>[1] = {}) =>
  serve(LoginPages.layerWith(options.within === undefined ? {} : { within: options.within }), []).pipe(
    Layer.provideMerge(Layer.unwrap(Effect.map(localUrl, (base) => LoginLinks.layer({ base })))),
    Layer.provideMerge(
      Layer.merge(
        Layer.unwrap(LoopbackTelegram.useSync((telegram) => process(usersOf(telegram), options))),
        Audit.layer
      )
    ),
    Layer.provideMerge(listen({ host: "127.0.0.1", port: 0, alternatives: 0 }))
  )

export const site = (options?: Parameters<typeof replica>[0]) =>
  replica(options).pipe(Layer.provideMerge(LoopbackTelegram.layer), Layer.provideMerge(beneath))

/** A link to a session that is added for it. */
export const newLink = (session?: { readonly expected?: UserId }) =>
  Effect.andThen(
    added(session),
    Effect.map(
      LoginLinks.use((links) => links.create(key, "user:42")),
      ({ url }) => Redacted.value(url)
    )
  )

/** The step the page shows. */
export const step = (page: Page, name: string) =>
  calling(() => page.locator(`#${name}:not([hidden])`).waitFor())

export const begun = Effect.fnUntraced(function* (url: string, options?: BrowserContextOptions) {
  const opened = yield* openAt(url, options)
  yield* calling(() => opened.page.getByRole("button", { name: "Show a QR code" }).click())
  yield* step(opened.page, "qr")
  return opened
})

export const picture = (page: Page) =>
  calling(() => page.locator("#picture path").getAttribute("d")).pipe(Effect.map((path) => path ?? ""))

/** Types it where the page asks for it, and sends it. */
export const answer = Effect.fnUntraced(function* (page: Page, name: "code" | "password", secret: string) {
  yield* step(page, name)
  yield* calling(() => page.fill(`#${name}-input`, secret))
  yield* calling(() => page.press(`#${name}-input`, "Enter"))
})
