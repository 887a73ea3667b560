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

/** The slow way: every place of every word, and those that overlap are one. */
const covered = (text: string, words: ReadonlyArray<string>) => {
  const places = words
    .flatMap((word) =>
      Array.from(text, (_, at) => ({ at, end: at + word.length })).filter(({ at }) =>
        text.startsWith(word, at)
      )
    )
    .sort((a, b) => a.at - b.at)
  const gaps: Array<{ at: number; end: number }> = []
  for (const place of places) {
    const last = gaps.at(-1)
    if (last !== undefined && place.at < last.end) last.end = Math.max(last.end, place.end)
    else gaps.push({ ...place })
  }
  return gaps.reduceRight((rest, { at, end }) => `${rest.slice(0, at)}<hidden>${rest.slice(end)}`, text)
}

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

  it.effect(
    "hides exactly what belongs to a secret, however they lie in each other and beside each other",
    () =>
      Effect.sync(() => {
        const few = fc.string({ unit: fc.constantFrom("a", "b", "c"), minLength: 8, maxLength: 12 })
        const text = fc.array(fc.oneof(few, fc.constantFrom("a", "b", "c", " ")), { maxLength: 30 })
        fc.assert(
          fc.property(fc.array(few, { minLength: 1, maxLength: 6 }), text, (some, parts) => {
            const secrets = some.flatMap((one) => (one.length > 9 ? [one, one.slice(1, 9)] : [one]))
            const all = [...parts, ...secrets, ...parts].join("")
            const scrubber = Effect.runSync(
              Effect.provide(
                Scrubber.use((one) =>
                  Effect.as(
                    Effect.forEach(secrets, (secret) => one.register(Redacted.make(secret))),
                    one
                  )
                ),
                Scrubber.layer
              )
            )
            assert.strictEqual(scrubber.text(all), covered(all, secrets.flatMap(spellings)))
          })
        )
      })
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
