/** What a test does in the sandbox's page, as a person would, and waits to see. */
import { Effect } from "effect"
import type { JSHandle, Page } from "playwright-core"
import { calling } from "./emulator.ts"
import * as inPage from "./inPage.js"
import { type Answer, openPage, pageLayer } from "./sandboxPage.ts"

/** Waits, in the browser, until it is so. */
export const until = (page: Page, selector: string, text?: string) =>
  calling(() =>
    page
      .locator(selector, text === undefined ? {} : { hasText: text })
      .first()
      .waitFor()
  )
export const count = (page: Page, selector: string, wanted: number) =>
  calling(() => page.waitForFunction(inPage.has, [selector, wanted] as const))
export const say = Effect.fnUntraced(function* (page: Page, text: string) {
  yield* calling(() => page.fill("#input", text))
  yield* calling(() => page.press("#input", "Enter"))
})
export const bubbles = (page: Page) => calling(() => page.locator(".bubble .text").allTextContents())
export const choose = Effect.fnUntraced(function* (page: Page, bubble: string, entry: string) {
  yield* calling(() => page.locator(".bubble", { hasText: bubble }).last().click({ button: "right" }))
  yield* calling(() => page.getByRole("menuitem", { name: entry, exact: true }).click())
})

export const echo: Answer = (api, { chat, id, text }) =>
  calling(() => api.sendMessage(chat, `Got: ${text}`, { reply_parameters: { message_id: id } }))

/** A page whose person has pressed Start. */
export const started = Effect.fnUntraced(function* (options?: Parameters<typeof openPage>[0]) {
  const opened = yield* openPage(options)
  yield* calling(() => opened.page.getByRole("button", { name: "Start", exact: true }).click())
  yield* until(opened.page, ".bubble", "/start")
  return opened
})

/** A picture of one colour, 400 by 300, as a File in the browser. */
export const png = (page: Page, hue: number, name = `${hue}.png`) =>
  calling((): Promise<JSHandle> => page.evaluateHandle(inPage.makePng, [hue, name] as const))

export const dropFiles = Effect.fnUntraced(function* (page: Page, files: ReadonlyArray<JSHandle>) {
  const dataTransfer = yield* calling(
    (): Promise<JSHandle> => page.evaluateHandle(inPage.transfer as (files: unknown) => object, files)
  )
  yield* calling(() => page.dispatchEvent("#chat", "dragenter", { dataTransfer }))
  yield* until(page, "#drop:not([hidden])")
  yield* calling(() => page.dispatchEvent("#chat", "drop", { dataTransfer }))
})

export const pasteFile = (page: Page, file: JSHandle) =>
  calling(() => page.evaluate(inPage.paste as (file: unknown) => void, file))

/** A page, server and emulator of the test's own. */
export const on = <A, E, R>(body: Effect.Effect<A, E, R>) =>
  Effect.scoped(body).pipe(Effect.provide(pageLayer))
