/**
 * The sandbox's page on a real server over the real emulator, with a small bot that answers, a shelf of notes
 * in memory instead of the knowledge base, and Chromium to look at it.
 */
import { createHash } from "node:crypto"
import { existsSync } from "node:fs"
import { Clock, Context, Effect, Layer, Option, PubSub, Stream } from "effect"
import type { Api } from "grammy"
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core"
import { listen, localUrl, serve } from "../../src/ops/HttpServer.ts"
import { type KnowledgeCommit, SandboxKnowledge } from "../../src/sandbox/SandboxKnowledge.ts"
import * as SandboxPage from "../../src/sandbox/SandboxPage.ts"
import { botApi, calling, emulatorLayer } from "./emulator.ts"

/** Files and commits a test puts there by hand. */
export class Shelf extends Context.Service<
  Shelf,
  {
    readonly put: (path: string, content: string | Uint8Array, message: string) => Effect.Effect<void>
    readonly knowledge: SandboxKnowledge["Service"]
  }
>()("test/Shelf") {
  static readonly layer = Layer.effect(
    Shelf,
    Effect.gen(function* () {
      const files = new Map<string, Uint8Array>()
      const commits: Array<KnowledgeCommit & { readonly path: string; readonly diff: string }> = []
      const hub = yield* PubSub.unbounded<void>()
      return {
        put: (path, content, message) =>
          Effect.gen(function* () {
            const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content
            const before = files.get(path)
            files.set(path, bytes)
            const lines = (text: string, sign: string) => text.split("\n").map((line) => `${sign}${line}`)
            const text = (one: Uint8Array | undefined) =>
              one === undefined || one.includes(0) ? "" : new TextDecoder().decode(one)
            commits.unshift({
              commit: createHash("sha1").update(`${commits.length}${path}`).digest("hex"),
              date: yield* Clock.currentTimeMillis,
              author: "Zapiska",
              message,
              revision: commits.length + 1,
              path,
              diff: [
                "@@ -1 +1 @@",
                ...(before === undefined ? [] : lines(text(before), "-")),
                ...lines(text(bytes), "+")
              ].join("\n")
            })
            yield* PubSub.publish(hub, undefined)
          }),
        knowledge: {
          location: "data/kb/default/notes",
          tree: Effect.sync(() => [...files.keys()]),
          file: (path) => Effect.sync(() => Option.fromUndefinedOr(files.get(path))),
          log: ({ path }) =>
            Effect.sync(() =>
              commits
                .filter((one) => path === undefined || one.path === path)
                .map(({ path: _path, diff: _diff, ...commit }) => commit)
            ),
          diff: (commit) => Effect.sync(() => commits.find((one) => one.commit === commit)?.diff ?? ""),
          changes: Stream.fromPubSub(hub)
        }
      }
    })
  )
}

const knowledge = Layer.effect(
  SandboxKnowledge,
  Effect.map(Shelf, (shelf) => shelf.knowledge)
)

/** The page on a free port of loopback. */
export const pageLayer = serve(SandboxPage.layer.pipe(Layer.provide(knowledge)), []).pipe(
  Layer.provideMerge(listen({ host: "127.0.0.1", port: 0, alternatives: 0 })),
  Layer.provideMerge(Layer.merge(Shelf.layer, emulatorLayer()))
)

export const pageUrl = Effect.map(localUrl, (url) => new URL("/sandbox", url).href)

/** One answer of the small bot to one message of a person. */
export type Answer = (
  api: Api,
  message: { readonly chat: number; readonly id: number; readonly text: string }
) => Effect.Effect<unknown, unknown>

/** Polls until the scope closes; every button is answered with a toast that names it. */
export const runBot = Effect.fnUntraced(function* (answer: Answer) {
  const api = yield* botApi
  yield* calling(() =>
    api.setMyCommands([
      { command: "start", description: "Begin" },
      { command: "note", description: "Start a note" },
      { command: "status", description: "What is waiting" }
    ])
  )
  let offset = 0
  yield* Effect.forkScoped(
    Effect.forever(
      Effect.gen(function* () {
        const updates = yield* calling((signal) => api.getUpdates({ offset, timeout: 10 }, signal as never))
        for (const update of updates) {
          offset = update.update_id + 1
          const { message, callback_query: pressed } = update
          if (pressed !== undefined) {
            yield* calling(() => api.answerCallbackQuery(pressed.id, { text: `Done: ${pressed.data}` }))
          }
          if (message !== undefined) {
            yield* answer(api, {
              chat: message.chat.id,
              id: message.message_id,
              text: message.text ?? message.caption ?? ""
            })
          }
        }
      })
    ).pipe(Effect.tapCause((cause) => Effect.logError("the small bot stopped", cause)))
  )
})

/** Where Chromium is, or why it is not used. */
export const chromiumPath = process.env.CHROMIUM_PATH ?? "/usr/bin/chromium"
export const noChromium = existsSync(chromiumPath)
  ? undefined
  : `no Chromium at ${chromiumPath}; set CHROMIUM_PATH`

/** One Chromium for the tests of a file; each opens contexts of its own in it. */
export class Chromium extends Context.Service<Chromium, Browser>()("test/Chromium") {
  static readonly layer = Layer.effect(
    Chromium,
    Effect.acquireRelease(
      calling(() =>
        chromium.launch({
          executablePath: chromiumPath,
          args: [
            "--no-sandbox",
            "--headless=new",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync"
          ]
        })
      ),
      (one) => Effect.promise(() => one.close())
    )
  )
}

/** A page, and everything it complained about: errors, refused resources, requests to elsewhere. */
export const openAt = Effect.fnUntraced(function* (url: string, options: BrowserContextOptions = {}) {
  const on = yield* Chromium
  const context = yield* Effect.acquireRelease(
    calling(() => on.newContext({ viewport: { width: 1440, height: 900 }, locale: "en-GB", ...options })),
    (one) => Effect.promise(() => one.close())
  )
  const page: Page = yield* calling(() => context.newPage())
  page.setDefaultTimeout(90_000)
  const complaints: Array<string> = []
  page.on("console", (line) => {
    if (line.type() === "error" || line.type() === "warning") complaints.push(line.text())
  })
  page.on("pageerror", (error) => complaints.push(String(error)))
  page.on("dialog", (dialog) => {
    complaints.push(`a dialog of a script: ${dialog.message()}`)
    void dialog.dismiss()
  })
  page.on("request", (request) => {
    const to = new URL(request.url())
    if (to.origin !== new URL(url).origin && to.protocol !== "blob:") complaints.push(`asked ${to.href}`)
  })
  yield* calling(() => page.goto(url))
  return { page, complaints, context }
})

export const openPage = Effect.fnUntraced(function* (options?: BrowserContextOptions) {
  const opened = yield* openAt(yield* pageUrl, options)
  yield* calling(() => opened.page.locator(".me strong").waitFor({ state: "attached" }))
  return opened
})
