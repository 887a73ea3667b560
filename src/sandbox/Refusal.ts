/**
 * The ways Telegram refuses a call, in its own codes and words: bots tell them apart by both.
 */
import { Result } from "effect"

export interface Refusal {
  readonly code: number
  readonly description: string
  readonly parameters?: { readonly retry_after?: number; readonly migrate_to_chat_id?: number }
}

export type Answer<A> = Result.Result<A, Refusal>

const refuse =
  (code: number, kind: string) =>
  (what: string): Result.Result<never, Refusal> =>
    Result.fail({ code, description: `${kind}: ${what}` })

export const badRequest = refuse(400, "Bad Request")
export const forbidden = refuse(403, "Forbidden")
export const conflict = refuse(409, "Conflict")

export const unauthorized: Refusal = { code: 401, description: "Unauthorized" }
export const notFound: Refusal = { code: 404, description: "Not Found" }
export const methodNotFound: Refusal = { code: 404, description: "Not Found: method not found" }
export const tooLargeRequest: Refusal = { code: 413, description: "Request Entity Too Large" }
export const internal: Refusal = { code: 500, description: "Internal Server Error" }

export const tooManyRequests = (retryAfter: number): Refusal => ({
  code: 429,
  description: `Too Many Requests: retry after ${retryAfter}`,
  parameters: { retry_after: retryAfter }
})

export const refusalBody = (refusal: Refusal) => ({
  ok: false,
  error_code: refusal.code,
  description: refusal.description,
  ...(refusal.parameters === undefined ? {} : { parameters: refusal.parameters })
})
