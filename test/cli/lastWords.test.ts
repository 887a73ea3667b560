import { assert, describe, it } from "@effect/vitest"
import { Cause } from "effect"
import { CliError } from "effect/cli"
import { ConfigInvalid } from "../../src/app/AppConfig.ts"
import { lastWords } from "../../src/cli/lastWords.ts"

const invalid = new ConfigInvalid({ problems: [{ variable: "A", wrong: "it is odd", allowed: "even" }] })

describe("lastWords", () => {
  it("a foreseen problem is told in its own words, without a stack", () => {
    assert.strictEqual(lastWords(Cause.fail(invalid)), invalid.message)
  })

  it("the same problem met twice is told once", () => {
    assert.strictEqual(lastWords(Cause.combine(Cause.fail(invalid), Cause.fail(invalid))), invalid.message)
  })

  it("an unforeseen one comes with its stack, for who mends it", () => {
    assert.match(lastWords(Cause.die(new Error("torn"))) ?? "", /should not have happened:\n.*torn\n +at /s)
  })

  it("nothing is said of being stopped, nor of a command line that was answered with help", () => {
    assert.isUndefined(lastWords(Cause.interrupt(1)))
    assert.isUndefined(lastWords(Cause.fail(new CliError.ShowHelp({ commandPath: ["zapiska"], errors: [] }))))
  })

  it("what is in a name and moves the cursor is not printed, and lines stay lines", () => {
    assert.strictEqual(lastWords(Cause.fail(new Error("a\u001b[2Jb\nc\u202ed"))), "a [2Jb\nc d")
  })

  it("a bot's token in a message is hidden", () => {
    const token = `123456789:${"x".repeat(35)}`
    assert.notInclude(lastWords(Cause.fail(new Error(`GET /bot${token}/getMe`))) ?? "", token)
  })
})
