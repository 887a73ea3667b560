import { assert, describe, it } from "@effect/vitest"
import { Redacted } from "effect"
import fc from "fast-check"
import { AppId, TenantId } from "../../src/domain/Ids.ts"
import { addressOf, mayTake, secretOf, troubleOf, webhookAdvice } from "../../src/telegram/WebhookRules.ts"

const slug = fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,20}$/)
const key = fc.record({
  tenant: slug.map((text) => TenantId.make(text)),
  app: slug.map((text) => AppId.make(text))
})

describe("a bot's webhook", () => {
  it("has a secret Telegram accepts, of no use for another bot or installation", () => {
    fc.assert(
      fc.property(key, key, fc.string(), fc.string(), (one, other, mine, theirs) => {
        const secret = secretOf({ secret: Redacted.make(mine) }, one)
        assert.match(secret, /^[A-Za-z0-9_-]{1,256}$/)
        assert.strictEqual(secret, secretOf({ secret: Redacted.make(mine) }, { ...one }))
        if (one.tenant !== other.tenant || one.app !== other.app)
          assert.notStrictEqual(secret, secretOf({ secret: Redacted.make(mine) }, other))
        if (mine !== theirs) assert.notStrictEqual(secret, secretOf({ secret: Redacted.make(theirs) }, one))
      })
    )
  })

  it("has an address below the one of the server", () => {
    const bot = { tenant: TenantId.make("acme"), app: AppId.make("ann") }
    assert.strictEqual(
      addressOf({ url: "https://x.example/z", secret: Redacted.make("s") }, bot),
      "https://x.example/z/telegram/acme/ann"
    )
  })

  it("is in trouble while Telegram fails to deliver, with what to do about it, and not for ever after", () => {
    const info = { pending_update_count: 3, last_error_date: 1000, last_error_message: "Wrong response: 401" }
    assert.isUndefined(troubleOf({ pending_update_count: 3 }, 1000))
    assert.include(troubleOf(info, 1020), "20 s ago (Wrong response: 401); 3 wait")
    assert.include(troubleOf(info, 1020), "TELEGRAM_WEBHOOK_SECRET")
    assert.isUndefined(troubleOf(info, 1301))
    const says = (message: string) => troubleOf({ ...info, last_error_message: message }, 1000)
    assert.include(says("Wrong response from the webhook: 403 Forbidden"), "Host")
    assert.include(says("Wrong response from the webhook: 404 Not Found"), "POST /telegram/")
    assert.include(says("SSL error {certificate verify failed}"), "self-signed")
    assert.include(says("Connection refused"), "from the Internet")
  })

  it("that is refused is told with what Telegram wants", () => {
    const advice = webhookAdvice({ _tag: "Refused", reason: "bad webhook: HTTPS url must be provided" })
    for (const word of ["https://", "443", "8443", "TELEGRAM_WEBHOOK_URL", "bad webhook"])
      assert.include(advice, word)
  })
})

it("as many noisy bots as there are places leave one for a bot that has none, and all share alike", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 127 }), (noisy) => {
      const own = Array.from({ length: noisy }, () => 0)
      const free = () => 128 - own.reduce((sum, one) => sum + one, 0)
      for (let taken = true; taken; ) {
        taken = false
        for (const [bot, places] of own.entries())
          if (mayTake({ own: places, free: free() })) {
            own[bot] = places + 1
            taken = true
          }
      }
      assert.isTrue(mayTake({ own: 0, free: free() }))
      assert.isAtMost(Math.max(...own) - Math.min(...own), 1)
      assert.isAtLeast(own[0]!, Math.floor(128 / (noisy + 1)))
    })
  )
})
