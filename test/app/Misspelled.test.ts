import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import { editDistance, meantBy } from "../../src/app/Misspelled.ts"
import { variableNames } from "../../src/app/Variables.ts"

describe("editDistance", () => {
  it("counts insertions, deletions, substitutions and swaps of neighbours", () => {
    assert.strictEqual(editDistance("abc", "abc"), 0)
    assert.strictEqual(editDistance("abc", "abxc"), 1)
    assert.strictEqual(editDistance("abc", "ac"), 1)
    assert.strictEqual(editDistance("abc", "axc"), 1)
    assert.strictEqual(editDistance("abc", "acb"), 1)
    assert.strictEqual(editDistance("kitten", "sitting"), 3)
    assert.strictEqual(editDistance("", "ab"), 2)
  })

  it("is symmetric, and zero only between equal words", () => {
    const word = fc.string({ maxLength: 8 })
    fc.assert(
      fc.property(word, word, (a, b) => {
        const distance = editDistance(a, b)
        return distance === editDistance(b, a) && (distance === 0) === (a === b)
      })
    )
  })
})

describe("meantBy", () => {
  it("finds the name a slip of the fingers away", () => {
    assert.strictEqual(meantBy("TELEGRAM_BOT_TOKN", variableNames), "TELEGRAM_BOT_TOKEN")
    assert.strictEqual(meantBy("TELEGARM_BOT_TOKENS", variableNames), "TELEGRAM_BOT_TOKEN")
    assert.strictEqual(meantBy("HTTP_PROT", variableNames), "HTTP_PORT")
    assert.strictEqual(meantBy("DATABASE_URI", variableNames), "DATABASE_URL")
    assert.strictEqual(meantBy("log_level", variableNames), "LOG_LEVEL")
  })

  it("says nothing of the names of others", () => {
    for (const name of ["PATH", "HTTP_PROXY", "HTTPS_PROXY", "NODE_ENV", "LOGNAME", "TERM", "LANG", "DATA"])
      assert.isUndefined(meantBy(name, variableNames), name)
    for (const name of variableNames) assert.isUndefined(meantBy(name, variableNames))
  })

  it("finds every known name with two neighbouring letters swapped", () => {
    fc.assert(
      fc.property(fc.constantFrom(...variableNames), fc.nat(), (name, at) => {
        const i = at % (name.length - 1)
        const slip = name.slice(0, i) + name[i + 1] + name[i] + name.slice(i + 2)
        return slip === name || meantBy(slip, variableNames) === name
      })
    )
  })
})
