/** What Telegram's refusals mean: every one means something, and none tells more than it may. */
import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import { endsSession, reasonOf } from "../../../src/telegram/mtproto/Reasons.ts"

const table: ReadonlyArray<readonly [code: number, text: string, tag: string]> = [
  [401, "AUTH_KEY_UNREGISTERED", "AuthKeyUnregistered"],
  [401, "AUTH_KEY_INVALID", "AuthKeyUnregistered"],
  [401, "SOMETHING_NEW", "AuthKeyUnregistered"],
  [401, "SESSION_REVOKED", "SessionRevoked"],
  [401, "SESSION_EXPIRED", "SessionRevoked"],
  [406, "AUTH_KEY_DUPLICATED", "AuthKeyDuplicated"],
  [401, "USER_DEACTIVATED", "AccountGone"],
  [401, "USER_DEACTIVATED_BAN", "AccountGone"],
  [303, "USER_MIGRATE_4", "AccountMoved"],
  [303, "NETWORK_MIGRATE_4", "AccountMoved"],
  [400, "PHONE_NUMBER_BANNED", "AccountGone"],
  [401, "SESSION_PASSWORD_NEEDED", "PasswordNeeded"],
  [400, "PASSWORD_HASH_INVALID", "PasswordWrong"],
  [400, "PHONE_NUMBER_INVALID", "PhoneWrong"],
  [400, "PHONE_CODE_INVALID", "CodeWrong"],
  [400, "PHONE_CODE_EMPTY", "CodeWrong"],
  [400, "PHONE_CODE_EXPIRED", "CodeExpired"],
  [400, "API_ID_INVALID", "ApiCredentialsRefused"],
  [400, "API_ID_PUBLISHED_FLOOD", "ApiCredentialsRefused"],
  [420, "FLOOD_WAIT_17", "FloodWait"],
  [420, "FLOOD_PREMIUM_WAIT_3", "FloodWait"],
  [420, "SLOWMODE_WAIT_5", "FloodWait"],
  [406, "PHONE_PASSWORD_FLOOD", "FloodWait"],
  [400, "CHANNEL_PRIVATE", "ChatClosed"],
  [400, "PEER_ID_INVALID", "ChatClosed"],
  [400, "FILE_REFERENCE_EXPIRED", "FileGone"],
  [400, "LOCATION_INVALID", "FileGone"],
  [500, "INTERNAL", "TelegramTrouble"],
  [-503, "Timeout", "TelegramTrouble"],
  [400, "MESSAGE_ID_INVALID", "CallRefused"],
  [303, "FILE_MIGRATE_4", "CallRefused"]
]

describe("reasons", () => {
  for (const [code, text, tag] of table) {
    it(`${code} ${text} is ${tag}`, () => {
      const error = reasonOf("messages.getHistory", { code, text })
      assert.strictEqual(error._tag, tag)
      assert.isAbove(error.message.length, 20)
    })
  }

  it("tell how long a flood wait is", () => {
    const error = reasonOf("auth.sendCode", { code: 420, text: "FLOOD_WAIT_86401" })
    assert(error._tag === "FloodWait")
    assert.strictEqual(error.seconds, 86_401)
  })

  it("end a session only where its key is worth nothing any more", () => {
    const ending = new Set([
      "AuthKeyUnregistered",
      "SessionRevoked",
      "AuthKeyDuplicated",
      "AccountMoved",
      "AccountGone"
    ])
    for (const [code, text, tag] of table) {
      assert.strictEqual(endsSession(reasonOf("x", { code, text })), ending.has(tag), text)
    }
  })

  it("are found for whatever Telegram says, and repeat nothing but its own words", () => {
    const shaped = fc.stringMatching(/^[A-Z]{0,4}_?\d{0,8}_?[A-Z]{0,4}$/)
    const codes = fc.oneof(fc.integer(), fc.integer({ min: 300, max: 499 }))
    fc.assert(
      fc.property(codes, fc.oneof(fc.string({ unit: "binary" }), shaped), (code, text) => {
        const error = reasonOf("messages.getHistory", { code, text })
        const telegramsOwn = /^[A-Z0-9_]{1,64}$/.test(text) && !/\d{5}/.test(text)
        if (error._tag === "CallRefused") assert.strictEqual(error.reason, telegramsOwn ? text : "UNKNOWN")
      })
    )
  })

  it("repeat no phone number and no code, should Telegram ever say one", () => {
    for (const text of ["NO_491701112233", "54321_IS_WRONG", "491701112233"]) {
      const error = reasonOf("auth.signIn", { code: 400, text })
      assert.notMatch(JSON.stringify([error, error.message]), /491701112233|54321/)
    }
  })

  it("are not taken from what every object has", () => {
    assert.strictEqual(reasonOf("x", { code: 400, text: "constructor" })._tag, "CallRefused")
    assert.strictEqual(reasonOf("x", { code: 400, text: "__proto__" })._tag, "CallRefused")
  })
})
