import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import { defaultApp, defaultTenant, TenantId } from "../../src/domain/Ids.ts"
import {
  claimCodeOf,
  claimIn,
  holdsStartCode,
  inviteCodeOf,
  inviteDigest,
  inviteIn,
  sameCode,
  withoutCode
} from "../../src/telegram/CodeRules.ts"
import { decodeUpdate } from "../../src/telegram/UpdateDecoder.ts"
import { messageUpdate } from "./updates.ts"

const bot = { tenant: defaultTenant, app: defaultApp }
const said = (text: string, more: object = {}) => decodeUpdate(messageUpdate(1, { text, ...more }))

describe("the claim code", () => {
  it("is eight readable characters, recognised however it is typed", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (key) => {
        const code = claimCodeOf(key, bot)
        assert.notStrictEqual(claimCodeOf(key, { ...bot, tenant: TenantId.make("other") }), code)
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
    assert.notInclude(JSON.stringify(withoutCode(raw)), "abcd")
    const kept = decodeUpdate(withoutCode(raw))
    assert.isTrue(kept._tag === "Message" && kept.message.text.text === "/start")
    assert.strictEqual(kept.updateId, 1)
  })
})

const bytes = fc.uint8Array({ minLength: 32, maxLength: 32 })
const tenant = fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,20}$/).map((id) => TenantId.make(id))

describe("the code of an invite", () => {
  it("is what its link brings, known again, another for each invite, tenant and key", () => {
    fc.assert(
      fc.property(
        bytes,
        bytes,
        tenant,
        tenant,
        fc.uuid(),
        fc.uuid(),
        (key, otherKey, one, other, id, otherId) => {
          const code = inviteCodeOf(key, one, id)
          assert.strictEqual(inviteIn(said(`/start ${code}`)), code)
          assert.isTrue(holdsStartCode(said(`/start ${code}`)))
          assert.match(code, /^[\w-]{1,64}$/, "what Telegram takes as the argument of a link")
          assert.strictEqual(inviteCodeOf(key, one, id), code)
          if (id !== otherId) assert.notStrictEqual(inviteCodeOf(key, one, otherId), code)
          if (one !== other) {
            assert.notStrictEqual(inviteCodeOf(key, other, id), code)
            assert.notDeepEqual(inviteDigest(key, one, code), inviteDigest(key, other, code))
          }
          if (Buffer.compare(key, otherKey) !== 0)
            assert.notStrictEqual(inviteCodeOf(otherKey, one, id), code)
        }
      )
    )
  })

  it("is nothing but the argument of /start, in private, in a person's own words", () => {
    const code = "0123456789abcdef"
    assert.strictEqual(inviteIn(said(`/start ${code}`)), code)
    for (const text of [code, "/start", "/start promo", `/start ${code}0`, `/start ${code.slice(1)}u`])
      assert.isUndefined(inviteIn(said(text)), text)
    assert.isUndefined(inviteIn(said(`/start ${code}`, { chat: { id: -5, type: "group", title: "g" } })))
    assert.isFalse(holdsStartCode(said("/start")))
    assert.isTrue(holdsStartCode(said("/start promo")))
  })
})
