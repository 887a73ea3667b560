import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import fc from "fast-check"
import { Scrubber, scrubShapes, spellings } from "../../src/ops/Scrub.ts"

const token = "123456789:AAbbCCddEEffGGhhIIjjKKllMMnnOOppQQr"

describe("scrubShapes", () => {
  it("hides a bot token wherever it stands", () => {
    for (const [text, expected] of [
      [token, "<hidden>"],
      [`https://api.telegram.org/bot${token}/getMe`, "https://api.telegram.org/<hidden>/getMe"],
      [`{"token":"${token}"}`, '{"token":"<hidden>"}'],
      [`bot${encodeURIComponent(token)}`, "<hidden>"],
      [`two ${token} and ${token}.`, "two <hidden> and <hidden>."]
    ] as const)
      assert.strictEqual(scrubShapes(text), expected)
  })

  it("hides the login in a URL and leaves the rest", () => {
    assert.strictEqual(scrubShapes("postgres://owner:pa%20ss@db:5432/z"), "postgres://<hidden>@db:5432/z")
    assert.strictEqual(scrubShapes("redis://:secret@h and a@b.c"), "redis://<hidden>@h and a@b.c")
  })

  it("leaves ordinary words, times and addresses as they are", () => {
    for (const text of [
      "12:30 in chat -100123456789",
      "http://127.0.0.1:8080/health/ready",
      "2026-11-22T12:00:00.000Z",
      "note 0123456789ab at topics/inbox/2026-11/22-a-title.md"
    ])
      assert.strictEqual(scrubShapes(text), text)
  })
})

describe("Scrubber", () => {
  it.effect("hides a registered secret in every way it can be spelled", () =>
    Effect.gen(function* () {
      const scrubber = yield* Scrubber
      const secret = 'pa"ss\\wörd/with+all'
      yield* scrubber.register(Redacted.make(secret))
      for (const spelling of spellings(secret))
        assert.strictEqual(scrubber.text(`<${spelling}>`), "<<hidden>>", spelling)
      assert.notInclude(scrubber.text(JSON.stringify({ a: [secret] })), "rd/with")
    }).pipe(Effect.provide(Scrubber.layer))
  )

  it.effect("hides the longer of two secrets whole when one is part of the other", () =>
    Effect.gen(function* () {
      const scrubber = yield* Scrubber
      yield* scrubber.register(Redacted.make("password"))
      yield* scrubber.register(Redacted.make("password-of-the-owner"))
      assert.strictEqual(scrubber.text("password-of-the-owner"), "<hidden>")
    }).pipe(Effect.provide(Scrubber.layer))
  )

  it.effect("does not tear holes into words for a short secret", () =>
    Effect.gen(function* () {
      const scrubber = yield* Scrubber
      yield* scrubber.register(Redacted.make("note"))
      assert.strictEqual(scrubber.text("a note"), "a note")
    }).pipe(Effect.provide(Scrubber.layer))
  )

  it.effect("leaves nothing of any secret behind, whatever is around it", () =>
    Effect.gen(function* () {
      const scrubber = yield* Scrubber
      const secrets = fc.sample(fc.string({ minLength: 8, maxLength: 40 }), 20)
      for (const secret of secrets) yield* scrubber.register(Redacted.make(secret))
      fc.assert(
        fc.property(fc.string(), fc.constantFrom(...secrets), fc.string(), (before, secret, after) => {
          const inJson = scrubber.text(JSON.stringify({ text: `${before}\u0000${secret}\u0000${after}` }))
          return (
            !scrubber.text(`${before}\u0000${secret}\u0000${after}`).includes(`\u0000${secret}\u0000`) &&
            !inJson.includes(JSON.stringify(`\u0000${secret}\u0000`).slice(1, -1))
          )
        })
      )
    }).pipe(Effect.provide(Scrubber.layer))
  )
})
