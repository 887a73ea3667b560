/**
 * What one call to the Bot API came to, and what follows from it. Pure and total: whatever grammY throws
 * has an outcome, and nothing of the thrown error (which carries the token) survives in it.
 */

import { Schema } from "effect"
import { GrammyError, HttpError } from "grammy"
import { ChatId } from "../domain/Ids.ts"

/** One attempt that did not succeed, stripped of everything secret. */
export type Attempt =
  /** The Bot API answered `ok: false`. `retryAfter` in seconds. */
  | {
      readonly _tag: "Answered"
      readonly code: number
      readonly description: string
      readonly retryAfter?: number
      readonly migrateTo?: number
    }
  /** No byte of the request left. */
  | { readonly _tag: "NotSent"; readonly reason: string }
  /** The request may have been processed: the connection broke, or the answer was not the Bot API's. */
  | { readonly _tag: "Lost"; readonly reason: string; readonly status?: number }

export const Outcome = Schema.Union([
  /** Already as asked. */
  Schema.TaggedStruct("Done", {}),
  /** Certainly not done, or harmless to repeat: at most `limit` more times. */
  Schema.TaggedStruct("Retry", {
    reason: Schema.String,
    limit: Schema.Int,
    cause: Schema.Literals(["network", "server"])
  }),
  /** 429: nothing to this chat for so many seconds. */
  Schema.TaggedStruct("Wait", { seconds: Schema.Finite }),
  /** Perhaps done, and not harmless to repeat. */
  Schema.TaggedStruct("Unknown", { reason: Schema.String }),
  /** The entities are not accepted: the same text without them. */
  Schema.TaggedStruct("PlainText", { reason: Schema.String }),
  Schema.TaggedStruct("WithoutThread", { reason: Schema.String }),
  Schema.TaggedStruct("WithoutReply", { reason: Schema.String }),
  Schema.TaggedStruct("Migrated", { to: ChatId }),
  Schema.TaggedStruct("TargetGone", { reason: Schema.String }),
  Schema.TaggedStruct("Unreachable", { reason: Schema.String }),
  Schema.TaggedStruct("Unauthorized", {}),
  /** Of getUpdates: another process polls, or a webhook is set. */
  Schema.TaggedStruct("Conflict", { by: Schema.Literals(["poller", "webhook"]) }),
  /** The file or its address is no longer valid: ask for it again. */
  Schema.TaggedStruct("FileExpired", { reason: Schema.String }),
  Schema.TaggedStruct("TooLarge", { reason: Schema.String }),
  Schema.TaggedStruct("Refused", { code: Schema.Int, reason: Schema.String })
])
export type Outcome = typeof Outcome.Type

/** How often an attempt that is certainly not done, or idempotent, is repeated. */
export const retryLimit = { many: 5, few: 2 } as const

const starts = (description: string, prefixes: ReadonlyArray<string>) =>
  prefixes.some((prefix) => description.startsWith(prefix))

/** Lower case, without the class of the error: descriptions are matched by their beginning. */
export const normalise = (description: string): string =>
  description
    .toLowerCase()
    .replaceAll("’", "'")
    .replace(
      /^(bad request|forbidden|unauthorized|not found|conflict|internal server error|\[error\])\s*:\s*/,
      ""
    )
    .trim()

const notModified = ["message is not modified", "message_not_modified", "chat_not_modified"]
const badEntities = ["can't parse", "entity_", "entities_", "unsupported start tag"]
const threadGone = ["message thread not found", "topic_deleted", "topic_id_invalid", "thread not found"]
const replyGone = [
  "message to be replied not found",
  "message to reply not found",
  "replied message not found",
  "reply message not found",
  "reply_message_id_invalid"
]
const targetGone = [
  "message to edit not found",
  "message can't be edited",
  "message to delete not found",
  "message can't be deleted",
  "message to react not found",
  "message not found",
  "message_id_invalid",
  "query is too old",
  "query_id_invalid"
]
const chatGone = [
  "chat not found",
  "peer_id_invalid",
  "user not found",
  "user_is_blocked",
  "user is deactivated",
  "input_user_deactivated",
  "chat_write_forbidden",
  "chat_restricted",
  "chat_send_plain_forbidden",
  "have no rights to send",
  "not enough rights to send",
  "need administrator rights",
  "bot was blocked",
  "bot was kicked",
  "bot is not a member",
  "group is deactivated",
  "group chat was deactivated"
]
const fileGone = ["wrong file_id", "file_reference_expired", "file reference", "invalid file_id"]
const tooLarge = ["file is too big", "request entity too large", "photo_invalid_dimensions"]

const badRequest = (attempt: Extract<Attempt, { _tag: "Answered" }>): Outcome => {
  const text = normalise(attempt.description)
  const reason = attempt.description
  if (starts(text, notModified)) return { _tag: "Done" }
  if (starts(text, badEntities)) return { _tag: "PlainText", reason }
  if (starts(text, threadGone)) return { _tag: "WithoutThread", reason }
  if (starts(text, replyGone)) return { _tag: "WithoutReply", reason }
  if (starts(text, targetGone)) return { _tag: "TargetGone", reason }
  if (starts(text, chatGone)) return { _tag: "Unreachable", reason }
  if (starts(text, fileGone)) return { _tag: "FileExpired", reason }
  if (starts(text, tooLarge)) return { _tag: "TooLarge", reason }
  return { _tag: "Refused", code: attempt.code, reason }
}

const serverError = (attempt: Extract<Attempt, { _tag: "Answered" }>, idempotent: boolean): Outcome => {
  const reason = `${attempt.code} ${attempt.description}`
  // Telegram did send it and took it back: sending again would end the same.
  if (normalise(attempt.description).startsWith("sent message was immediately deleted"))
    return { _tag: "Refused", code: attempt.code, reason: attempt.description }
  if (idempotent) return { _tag: "Retry", reason, limit: retryLimit.many, cause: "server" }
  // A gateway answers these for a request it did pass on.
  if (attempt.code === 502 || attempt.code === 504) return { _tag: "Unknown", reason }
  return { _tag: "Retry", reason, limit: retryLimit.few, cause: "server" }
}

const answered = (attempt: Extract<Attempt, { _tag: "Answered" }>, idempotent: boolean): Outcome => {
  const { code, description } = attempt
  if (attempt.migrateTo !== undefined) return { _tag: "Migrated", to: ChatId.make(attempt.migrateTo) }
  if (code === 429 || attempt.retryAfter !== undefined)
    return { _tag: "Wait", seconds: Math.max(attempt.retryAfter ?? 1, 0) }
  if (code === 400) return badRequest(attempt)
  if (code === 401) return { _tag: "Unauthorized" }
  if (code === 403) return { _tag: "Unreachable", reason: description }
  if (code === 404)
    return normalise(description).startsWith("method")
      ? { _tag: "Refused", code, reason: description }
      : { _tag: "FileExpired", reason: description }
  if (code === 409) return { _tag: "Conflict", by: /webhook/i.test(description) ? "webhook" : "poller" }
  if (code === 413) return { _tag: "TooLarge", reason: description }
  if (code >= 500) return serverError(attempt, idempotent)
  return { _tag: "Refused", code, reason: description }
}

/** The table of outcomes: every attempt, for calls that may be repeated and for those that may not. */
export const classify = (attempt: Attempt, options: { readonly idempotent: boolean }): Outcome => {
  switch (attempt._tag) {
    case "NotSent":
      return { _tag: "Retry", reason: attempt.reason, limit: retryLimit.many, cause: "network" }
    case "Lost":
      return options.idempotent
        ? { _tag: "Retry", reason: attempt.reason, limit: retryLimit.many, cause: "network" }
        : { _tag: "Unknown", reason: attempt.reason }
    case "Answered":
      return answered(attempt, options.idempotent)
  }
}

/** What an outcome says about Telegram's health: only 5xx and network failures speak against it. */
export const isOutage = (outcome: Outcome): boolean => outcome._tag === "Retry" || outcome._tag === "Unknown"

/** The answer had no Bot API in it: a proxy's page, a truncated body. Thrown inside the transport only. */
export class NotBotApi extends Error {
  readonly status: number
  constructor(status: number) {
    super(`the answer (HTTP ${status}) is not the Bot API's`)
    this.status = status
  }
}

/** Before any byte of the request: the name, the route, the connection, the certificate. */
const beforeBytes = new Set([
  "ENOTFOUND",
  "EAI_AGAIN",
  "EAI_FAIL",
  "ECONNREFUSED",
  "ENETUNREACH",
  "EHOSTUNREACH",
  "EHOSTDOWN",
  "EADDRNOTAVAIL",
  "ENETDOWN",
  "UND_ERR_CONNECT_TIMEOUT",
  "CERT_HAS_EXPIRED",
  "CERT_NOT_YET_VALID",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "ERR_TLS_CERT_ALTNAME_INVALID",
  "ERR_SSL_WRONG_VERSION_NUMBER",
  "ERR_INVALID_URL"
])

const field = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined

/** The error codes along the chain of causes. Codes are words of the platform: nothing secret in them. */
const trail = (error: unknown, depth = 0): ReadonlyArray<{ code: string; connecting: boolean }> => {
  if (depth > 5 || typeof error !== "object" || error === null) return []
  const code = field(error, "code")
  const syscall = field(error, "syscall")
  const here =
    typeof code === "string" && /^[A-Z][A-Z0-9_]{2,60}$/.test(code)
      ? [{ code, connecting: syscall === "connect" || syscall === "getaddrinfo" }]
      : []
  const several = field(error, "errors")
  const next = Array.isArray(several) ? several.slice(0, 4) : []
  return [
    ...here,
    ...[field(error, "cause"), field(error, "error"), ...next].flatMap((inner) => trail(inner, depth + 1))
  ]
}

const transportFailure = (error: unknown): Attempt => {
  const codes = trail(error)
  const refused = codes.find(({ code, connecting }) => connecting || beforeBytes.has(code))
  if (refused !== undefined) return { _tag: "NotSent", reason: refused.code }
  return { _tag: "Lost", reason: codes[0]?.code ?? "the connection broke" }
}

/** A description is shown to operators: without anything like an address or a token, written or encoded, and short. */
export const scrub = (description: string): string =>
  description
    .replaceAll(/https?:\/\/\S+/gi, "<address>")
    .replaceAll(/\d{3,}(?::|%3a)[\w-]{20,}/gi, "<token>")
    .slice(0, 300)

/** What happened, from whatever was thrown. */
export const attemptOf = (thrown: unknown): Attempt => {
  if (thrown instanceof GrammyError) {
    const { retry_after, migrate_to_chat_id } = thrown.parameters
    return {
      _tag: "Answered",
      code: thrown.error_code,
      description: scrub(thrown.description),
      ...(typeof retry_after === "number" ? { retryAfter: retry_after } : {}),
      ...(typeof migrate_to_chat_id === "number" ? { migrateTo: migrate_to_chat_id } : {})
    }
  }
  const inner = thrown instanceof HttpError ? thrown.error : thrown
  if (inner instanceof NotBotApi) {
    // A proxy that refuses the size has not passed the request on; any other page proves nothing.
    return inner.status === 413
      ? { _tag: "Answered", code: 413, description: "the request is too large" }
      : { _tag: "Lost", reason: inner.message, status: inner.status }
  }
  return transportFailure(inner)
}
