/** HTTP to the Bot API, at the edge of grammY's promises: what is not the Bot API's answer is told apart. */
import type { BotAccount } from "./Bots.ts"
import { NotBotApi } from "./Outcome.ts"

/** Telegram's own Bot API server. */
const telegram = "https://api.telegram.org"

/** The base URL of a bot's Bot API server. */
export const rootOf = (account: BotAccount): string => (account.apiRoot ?? telegram).replace(/\/+$/, "")

const isBotApi = (body: unknown): boolean => {
  if (typeof body !== "object" || body === null || !("ok" in body)) return false
  if (body.ok === true) return "result" in body
  return (
    "error_code" in body &&
    typeof body.error_code === "number" &&
    "description" in body &&
    typeof body.description === "string"
  )
}

/** What grammY reads as the answer; rejects when there is no Bot API in it. */
const read = (response: Response): Promise<{ readonly json: () => unknown }> =>
  response.text().then((text) => {
    const notBotApi = () => Promise.reject(new NotBotApi(response.status))
    return Promise.resolve(text)
      .then(JSON.parse)
      .then((body) => (isBotApi(body) ? { json: () => body } : notBotApi()), notBotApi)
  })

/**
 * The transport under grammY, at the edge of its promises: the platform's fetch instead of node-fetch,
 * whose agent reuses sockets the server has already closed. This one drops them after 4 idle seconds,
 * sooner when the server says so.
 */
export const transport =
  (connection: "shared" | "fresh") =>
  (
    url: string,
    init: {
      body?: NonNullable<RequestInit["body"]>
      headers?: Record<string, string>
      signal?: EventTarget & { aborted: boolean }
    }
  ): Promise<{ readonly json: () => unknown }> => {
    const abort = new AbortController()
    if (init.signal?.aborted) abort.abort()
    init.signal?.addEventListener("abort", () => abort.abort(), { once: true })
    const request: RequestInit & { duplex: "half" } = {
      method: "POST",
      headers: { ...init.headers, connection: connection === "fresh" ? "close" : "keep-alive" },
      signal: abort.signal,
      duplex: "half",
      ...(init.body === undefined ? {} : { body: init.body })
    }
    return fetch(url, request).then(read)
  }
