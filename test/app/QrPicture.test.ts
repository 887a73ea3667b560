import { assert, it } from "@effect/vitest"
import fc from "fast-check"
import { encode } from "uqr"
import { qrPath } from "../../src/app/QrPicture.ts"

/** What the path paints, as a browser would. */
const painted = (path: string, size: number) => {
  const dark = Array.from({ length: size }, () => Array.from({ length: size }, () => false))
  for (const [, x, y, width, back] of path.matchAll(/M(\d+) (\d+)h(\d+)v1H(\d+)z/g)) {
    assert.strictEqual(back, x)
    dark[Number(y)]!.fill(true, Number(x), Number(x) + Number(width))
  }
  return dark
}

it("the path paints every dark module of the code, and no other", () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1, maxLength: 200 }), (text) => {
      const { path, size } = qrPath(text)
      assert.match(path, /^(M\d+ \d+h\d+v1H\d+z)+$/)
      const code = encode(text, { border: 4 })
      assert.strictEqual(size, code.size)
      assert.deepStrictEqual(painted(path, size), code.data)
    })
  )
})
