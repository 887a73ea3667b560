/**
 * A Bot API server that misbehaves as told: every request takes the next step of its script, or is answered
 * as `sendMessage` would be. For faults below HTTP that need a socket in hand.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { Effect, type Layer, Redacted } from "effect"
import { type AppId, defaultApp, defaultTenant, type TenantId } from "../../../src/domain/Ids.ts"
import { Bots } from "../../../src/telegram/Bots.ts"

export const token = "7000001:AAcanaryCANARYcanaryCANARYcanary_-x"
export const bot: { readonly tenant: TenantId; readonly app: AppId } = {
  tenant: defaultTenant,
  app: defaultApp
}

export interface Call {
  readonly method: string
  /** Empty for an upload. */
  readonly payload: Record<string, unknown>
  /** Milliseconds of the monotonic clock. */
  readonly at: number
}

export type Step = (call: Call, response: ServerResponse, accept: () => void) => void

export const json =
  (status: number, body: unknown): Step =>
  (_call, response) => {
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body))
  }

export const refuse = (code: number, description: string, parameters?: Record<string, unknown>): Step =>
  json(code, { ok: false, error_code: code, description, ...(parameters ? { parameters } : {}) })

export const page =
  (status: number): Step =>
  (_call, response) => {
    response.writeHead(status, { "content-type": "text/html" }).end("<html>Bad gateway</html>")
  }

/** The connection is cut: before the message is taken, or after. */
export const cut =
  (when: "before" | "after"): Step =>
  (_call, response, accept) => {
    if (when === "after") accept()
    response.socket?.resetAndDestroy()
  }

/** Says it will send more than it does. */
export const truncate: Step = (_call, response, accept) => {
  accept()
  response.writeHead(200, { "content-type": "application/json", "content-length": 500 })
  response.write('{"ok":true,"res', () => response.socket?.destroy())
}

/** Takes the request and never answers. */
export const silence: Step = () => {}

/** Answers when it is told to. */
export const held = () => {
  let letGo = () => {}
  const step: Step = (call, response, accept) => {
    letGo = () => answer(call, response, accept)
  }
  return { step, letGo: Effect.sync(() => letGo()) }
}

/** Answers after so many milliseconds. */
export const late =
  (milliseconds: number): Step =>
  (call, response, accept) => {
    setTimeout(() => answer(call, response, accept), milliseconds)
  }

let nextMessageId = 100

const answer: Step = (call, response, accept) => {
  accept()
  const results: Record<string, unknown> = {
    getMe: { id: 7000001, is_bot: true, first_name: "Notes", username: "notes_bot" },
    sendMessage: { message_id: nextMessageId++, date: 1_700_000_000, chat: { id: 1 } }
  }
  json(200, { ok: true, result: results[call.method] ?? true })(call, response, accept)
}

const body = (request: IncomingMessage, done: (text: string) => void) => {
  let text = ""
  request.on("data", (chunk) => {
    text += chunk
  })
  request.on("end", () => done(text))
}

export interface FaultyServer {
  readonly root: string
  /** Every request, in order of arrival. */
  readonly calls: ReadonlyArray<Call>
  /** The requests that took effect. */
  readonly accepted: ReadonlyArray<Call>
  /** What the next requests meet; `rules` decide for what is left. */
  readonly script: Array<Step>
  readonly rules: Array<(call: Call) => Step | undefined>
  readonly layer: Layer.Layer<Bots>
}

export const faultyServer = Effect.acquireRelease(
  Effect.callback<FaultyServer & { readonly close: () => void }>((resume) => {
    const calls: Array<Call> = []
    const accepted: Array<Call> = []
    const script: Array<Step> = []
    const rules: Array<(call: Call) => Step | undefined> = []
    // Longer than the client keeps an idle connection: which of the two is late must not decide a test.
    const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) =>
      body(request, (text) => {
        const method = request.url?.split("/").at(-1) ?? ""
        const call: Call = {
          method,
          payload: text.startsWith("{") ? JSON.parse(text) : {},
          at: performance.now()
        }
        calls.push(call)
        const step = script.shift() ?? rules.map((rule) => rule(call)).find((found) => found) ?? answer
        step(call, response, () => accepted.push(call))
      })
    )
    server.listen(0, "127.0.0.1", () => {
      const root = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
      const layer = Bots.layer([{ ...bot, token: Redacted.make(token), apiRoot: root }])
      const close = () => {
        server.closeAllConnections()
        server.close()
      }
      resume(Effect.succeed({ root, calls, accepted, script, rules, layer, close }))
    })
  }),
  ({ close }) => Effect.sync(close)
)
