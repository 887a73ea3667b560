import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import type { Sender } from "../../src/domain/IncomingMessage.ts"
import {
  claimCodeOf,
  claimIn,
  isAllowed,
  mayTry,
  refusalChat,
  sameCode,
  withoutClaim
} from "../../src/telegram/PermissionRules.ts"
import { decodeUpdate } from "../../src/telegram/UpdateDecoder.ts"
import { messageUpdate } from "./updates.ts"

const person = (id: number, kind: Sender["kind"] = "user"): Sender => ({ id, kind, name: "x" })
const said = (text: string, more: object = {}) => decodeUpdate(messageUpdate(1, { text, ...more }))

describe("who may use a bot", () => {
  it("listed people, members where there is no list, and with `*` everyone but bots", () => {
    const isMember = (id: number) => id === 7
    assert.isTrue(isAllowed([7], () => false, person(7)))
    assert.isFalse(isAllowed([8], isMember, person(7)))
    assert.isTrue(isAllowed("claim", isMember, person(7)))
    assert.isFalse(isAllowed("claim", isMember, person(8)))
    assert.isTrue(isAllowed("everyone", () => false, person(8)))
    assert.isTrue(isAllowed("everyone", () => false, person(-8, "chat")))
    assert.isFalse(isAllowed("everyone", () => false, person(8, "bot")))
    assert.isFalse(isAllowed([7], () => false, person(7, "chat")))
  })
})

describe("the claim code", () => {
  it("is eight readable characters, recognised however it is typed", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 8, maxLength: 8 }), (random) => {
        const code = claimCodeOf(random)
        assert.match(code, /^[0-9a-hjkmnp-tv-z]{4}-[0-9a-hjkmnp-tv-z]{4}$/)
        assert.isTrue(sameCode(code.toUpperCase().replace("-", " "), code))
        assert.strictEqual(claimIn(said(`/start ${code}`)), code)
        assert.strictEqual(claimIn(said(code.replace("-", ""))), code.replace("-", ""))
      })
    )
    assert.isTrue(sameCode("OLI0-1234", "0110-1234"))
    assert.isFalse(sameCode("abcd-efg", "abcd-efgh"))
    assert.isFalse(sameCode("", "abcd-efgh"))
  })

  it("is looked for in private messages a person wrote, nowhere else", () => {
    assert.strictEqual(claimIn(said("/start")), undefined)
    assert.strictEqual(claimIn(said("hello there")), undefined)
    assert.strictEqual(
      claimIn(said("/start abcd", { chat: { id: -5, type: "group", title: "g" } })),
      undefined
    )
    assert.strictEqual(
      claimIn(said("abcd-efgh", { forward_origin: { type: "hidden_user", date: 1, sender_user_name: "x" } })),
      undefined
    )
  })

  it("is taken out of the update that is kept", () => {
    const raw = messageUpdate(1, { text: "abcd-efgh" })
    assert.notInclude(JSON.stringify(withoutClaim(raw)), "abcd")
    const kept = decodeUpdate(withoutClaim(raw))
    assert.isTrue(kept._tag === "Message" && kept.message.text.text === "/start")
    assert.strictEqual(kept.updateId, 1)
  })

  it("may be tried five times an hour by one person and fifty times by all", () => {
    const tries = (count: number, user: (n: number) => number, at: number) =>
      Array.from({ length: count }, (_, n) => ({ user: user(n), at }))
    const now = 10_000_000
    assert.isTrue(
      mayTry(
        tries(4, () => 7, now),
        7,
        now
      )
    )
    assert.isFalse(
      mayTry(
        tries(5, () => 7, now),
        7,
        now
      )
    )
    assert.isTrue(
      mayTry(
        tries(5, () => 8, now),
        7,
        now
      )
    )
    assert.isTrue(
      mayTry(
        tries(49, (n) => n + 100, now),
        7,
        now
      )
    )
    assert.isFalse(
      mayTry(
        tries(50, (n) => n + 100, now),
        7,
        now
      )
    )
    assert.isTrue(
      mayTry(
        tries(50, (n) => n + 100, now - 3_600_000),
        7,
        now
      )
    )
  })
})

describe("a refusal", () => {
  it("answers a person in a private chat, and is silent in groups and about membership", () => {
    assert.isDefined(refusalChat(said("x")))
    assert.isUndefined(refusalChat(said("x", { chat: { id: -5, type: "supergroup", title: "g" } })))
    const membership = {
      chat: { id: 7, type: "private" },
      from: { id: 7, first_name: "A" },
      new_chat_member: { status: "kicked" }
    }
    assert.isUndefined(refusalChat(decodeUpdate({ update_id: 1, my_chat_member: membership })))
  })
})
