import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import { GrammyError, HttpError } from "grammy"
import { ChatId } from "../../src/domain/Ids.ts"
import {
  type Attempt,
  attemptOf,
  classify,
  isOutage,
  NotBotApi,
  type Outcome
} from "../../src/telegram/Outcome.ts"

const answered = (code: number, description: string, parameters: object = {}) =>
  new GrammyError(
    "Call to 'sendMessage' failed!",
    { ok: false, error_code: code, description, parameters },
    "sendMessage",
    {}
  )
const broken = (code: string, extra: object = {}) =>
  new HttpError(
    "Network request for 'sendMessage' failed!",
    Object.assign(new TypeError("fetch failed"), { cause: Object.assign(new Error("x"), { code, ...extra }) })
  )
const tag = (thrown: unknown, idempotent: boolean): Outcome["_tag"] =>
  classify(attemptOf(thrown), { idempotent })._tag

type Row = readonly [what: string, thrown: unknown, once: Outcome["_tag"], again: Outcome["_tag"]]

/** Sent once (send, copy, forward) and repeatable (edit, delete, get, react, actions). */
const table: ReadonlyArray<Row> = [
  ["before bytes: name not found", broken("ENOTFOUND"), "Retry", "Retry"],
  ["before bytes: name service down", broken("EAI_AGAIN"), "Retry", "Retry"],
  ["before bytes: connection refused", broken("ECONNREFUSED"), "Retry", "Retry"],
  ["before bytes: network unreachable", broken("ENETUNREACH"), "Retry", "Retry"],
  ["before bytes: connect timeout", broken("UND_ERR_CONNECT_TIMEOUT"), "Retry", "Retry"],
  ["before bytes: timeout while connecting", broken("ETIMEDOUT", { syscall: "connect" }), "Retry", "Retry"],
  ["before bytes: certificate refused", broken("CERT_HAS_EXPIRED"), "Retry", "Retry"],
  ["ambiguous: reset", broken("ECONNRESET"), "Unknown", "Retry"],
  ["ambiguous: broken pipe", broken("EPIPE"), "Unknown", "Retry"],
  ["ambiguous: closed by the other side", broken("UND_ERR_SOCKET"), "Unknown", "Retry"],
  ["ambiguous: read timeout", broken("ETIMEDOUT", { syscall: "read" }), "Unknown", "Retry"],
  ["ambiguous: aborted", new HttpError("x", new DOMException("aborted", "AbortError")), "Unknown", "Retry"],
  ["ambiguous: an answer that is not JSON", new HttpError("x", new NotBotApi(502)), "Unknown", "Retry"],
  ["ambiguous: whatever else was thrown", { strange: true }, "Unknown", "Retry"],
  ["429", answered(429, "Too Many Requests: retry after 7", { retry_after: 7 }), "Wait", "Wait"],
  ["500", answered(500, "Internal Server Error"), "Retry", "Retry"],
  ["503", answered(503, "Service Unavailable"), "Retry", "Retry"],
  ["502 in JSON", answered(502, "Bad Gateway"), "Unknown", "Retry"],
  ["504 in JSON", answered(504, "Gateway Timeout"), "Unknown", "Retry"],
  [
    "500 sent and taken back",
    answered(500, "Internal Server Error: sent message was immediately deleted"),
    "Refused",
    "Refused"
  ],
  [
    "400 not modified",
    answered(400, "Bad Request: message is not modified: specified new message content is the same"),
    "Done",
    "Done"
  ],
  ["400 entities", answered(400, "Bad Request: can't parse entities: offset 3"), "PlainText", "PlainText"],
  ["400 entity bounds", answered(400, "Bad Request: ENTITY_BOUNDS_INVALID"), "PlainText", "PlainText"],
  ["400 too long", answered(400, "Bad Request: message is too long"), "Refused", "Refused"],
  [
    "400 migrated",
    answered(400, "Bad Request: group chat was upgraded to a supergroup chat", {
      migrate_to_chat_id: -100123
    }),
    "Migrated",
    "Migrated"
  ],
  ["400 thread", answered(400, "Bad Request: message thread not found"), "WithoutThread", "WithoutThread"],
  [
    "400 reply target",
    answered(400, "Bad Request: message to be replied not found"),
    "WithoutReply",
    "WithoutReply"
  ],
  ["400 edit target", answered(400, "Bad Request: message to edit not found"), "TargetGone", "TargetGone"],
  ["400 not editable", answered(400, "Bad Request: message can't be edited"), "TargetGone", "TargetGone"],
  [
    "400 old button",
    answered(400, "Bad Request: query is too old and response timeout expired"),
    "TargetGone",
    "TargetGone"
  ],
  ["400 chat", answered(400, "Bad Request: chat not found"), "Unreachable", "Unreachable"],
  ["400 file too big", answered(400, "Bad Request: file is too big"), "TooLarge", "TooLarge"],
  [
    "400 file id",
    answered(400, "Bad Request: wrong file_id or the file is temporarily unavailable"),
    "FileExpired",
    "FileExpired"
  ],
  ["400 anything else", answered(400, "Bad Request: BUTTON_DATA_INVALID"), "Refused", "Refused"],
  ["401", answered(401, "Unauthorized"), "Unauthorized", "Unauthorized"],
  ["403 blocked", answered(403, "Forbidden: bot was blocked by the user"), "Unreachable", "Unreachable"],
  ["403 deactivated", answered(403, "Forbidden: user is deactivated"), "Unreachable", "Unreachable"],
  [
    "403 kicked",
    answered(403, "Forbidden: bot was kicked from the group chat"),
    "Unreachable",
    "Unreachable"
  ],
  ["404 file", answered(404, "Not Found"), "FileExpired", "FileExpired"],
  ["404 method", answered(404, "Not Found: method not found"), "Refused", "Refused"],
  [
    "409 another poller",
    answered(409, "Conflict: terminated by other getUpdates request"),
    "Conflict",
    "Conflict"
  ],
  [
    "409 webhook",
    answered(409, "Conflict: can't use getUpdates method while webhook is active"),
    "Conflict",
    "Conflict"
  ],
  ["413", answered(413, "Request Entity Too Large"), "TooLarge", "TooLarge"],
  ["413 as a page", new HttpError("x", new NotBotApi(413)), "TooLarge", "TooLarge"],
  ["a code of no known kind", answered(418, "I'm a teapot"), "Refused", "Refused"]
]

describe("Outcome", () => {
  describe.each(table)("%s", (_what, thrown, once, again) => {
    it(`comes to ${once} for a send`, () => assert.strictEqual(tag(thrown, false), once))
    it(`comes to ${again} for an edit`, () => assert.strictEqual(tag(thrown, true), again))
  })

  it("keeps how long to wait, where a group went and who else polls", () => {
    assert.deepStrictEqual(
      classify(attemptOf(answered(429, "x", { retry_after: 7 })), { idempotent: false }),
      { _tag: "Wait", seconds: 7 }
    )
    const moved = classify(attemptOf(answered(400, "x", { migrate_to_chat_id: -1001 })), { idempotent: true })
    assert.deepStrictEqual(moved, { _tag: "Migrated", to: ChatId.make(-1001) })
    const polled = classify(attemptOf(answered(409, "Conflict: webhook is active")), { idempotent: true })
    assert.deepStrictEqual(polled, { _tag: "Conflict", by: "webhook" })
  })

  it("repeats a send that failed with 5xx at most twice, an edit at most five times", () => {
    const attempt: Attempt = { _tag: "Answered", code: 500, description: "Internal Server Error" }
    assert.deepInclude(classify(attempt, { idempotent: false }), { limit: 2, cause: "server" })
    assert.deepInclude(classify(attempt, { idempotent: true }), { limit: 5, cause: "server" })
  })

  it("has an outcome for every description and code, and never calls a refusal an outage", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 200, max: 499 }),
        fc.string(),
        fc.boolean(),
        (code, description, idempotent) => {
          const outcome = classify(attemptOf(answered(code, description)), { idempotent })
          assert.isString(outcome._tag)
          assert.isFalse(isOutage(outcome))
        }
      )
    )
  })

  it("never repeats a send after bytes have left, whatever broke", () => {
    fc.assert(
      fc.property(
        fc.constantFrom("ECONNRESET", "EPIPE", "UND_ERR_SOCKET", "UND_ERR_BODY_TIMEOUT", "X_NEW"),
        (code) => {
          assert.strictEqual(tag(broken(code), false), "Unknown")
        }
      )
    )
  })

  it("drops whatever looks like a token from a description", () => {
    const attempt = attemptOf(answered(400, "Bad Request: /bot123456:AAAAAAAAAAAAAAAAAAAAAAAAAAAAA/x"))
    assert.notInclude(JSON.stringify(attempt), "AAAAAAAAAA")
  })
})
