import { assert, describe, it } from "@effect/vitest"
import { Option } from "effect"
import fc from "fast-check"
import { keyIdOf, newKey, open, seal } from "../../src/session/Envelope.ts"

const key = newKey()
const binding = fc.array(
  fc.string({ maxLength: 8 }).map((part) => part.replaceAll("\0", "")),
  { maxLength: 4 }
)
const secret = fc.uint8Array({ maxLength: 80 })

describe("a sealed secret", () => {
  it("opens under its key and binding, and says which key that is", () => {
    fc.assert(
      fc.property(binding, secret, (bound, bytes) => {
        const envelope = seal(key, bound, bytes)
        assert.deepStrictEqual(Option.getOrThrow(keyIdOf(envelope)), key.id)
        assert.deepStrictEqual([...Option.getOrThrow(open(key, bound, envelope))], [...bytes])
      })
    )
  })

  it("opens nowhere else: not under another binding, not under another key", () => {
    const other = { ...newKey(), id: key.id }
    fc.assert(
      fc.property(binding, binding, secret, (bound, elsewhere, bytes) => {
        fc.pre(JSON.stringify(bound) !== JSON.stringify(elsewhere))
        const envelope = seal(key, bound, bytes)
        assert.isTrue(Option.isNone(open(key, elsewhere, envelope)))
        assert.isTrue(Option.isNone(open(other, bound, envelope)))
      })
    )
  })

  it("does not open with a byte changed or cut off, and never throws", () => {
    fc.assert(
      fc.property(secret, fc.nat(), fc.integer({ min: 1, max: 255 }), (bytes, at, flip) => {
        const envelope = seal(key, ["a"], bytes)
        const changed = Uint8Array.from(envelope)
        changed[at % changed.length]! ^= flip
        assert.isTrue(Option.isNone(open(key, ["a"], changed)))
        assert.isTrue(Option.isNone(open(key, ["a"], envelope.subarray(0, at % envelope.length))))
      })
    )
  })

  it("is never the same twice", () => {
    const bytes = new Uint8Array(16)
    assert.notDeepEqual([...seal(key, ["a"], bytes)], [...seal(key, ["a"], bytes)])
  })
})
