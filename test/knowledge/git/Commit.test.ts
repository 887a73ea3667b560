import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import { RevisionNumber } from "../../../src/domain/Ids.ts"
import { commitMessage, plainCommit, readCommit, signature } from "../../../src/knowledge/git/Commit.ts"

const number = RevisionNumber.make(7)
const text = fc.string({ unit: "binary", maxLength: 60 })

describe("commits", () => {
  it("a message is normalised and ends with the revision's trailer", () => {
    const cases: ReadonlyArray<readonly [string, string]> = [
      ["Title", "Title"],
      ["  Title  \r\n\r\n\r\n\r\nbody\t \r\n", "Title\n\nbody"],
      ["a\0b\u0007c\u009b", "abc"],
      ["\n\n", "Revision 7"],
      ["\u{1F600} \uD800", "\u{1F600} \uFFFD"]
    ]
    for (const [message, expected] of cases)
      assert.strictEqual(commitMessage({ message, number }), `${expected}\n\nZapiska-Revision: 7\n`)
  })

  it("a signature says who and when in a way git's fsck accepts, whoever they are", () => {
    fc.assert(
      fc.property(text, text, fc.maxSafeInteger(), (name, email, date) => {
        assert.match(
          signature({ author: { name, email }, date }),
          /^[^<>\n\0]*[^<>\n\0 ] <[^<>\n\0 ]*> \d{1,10} \+0000$/u
        )
      })
    )
    assert.strictEqual(
      signature({ author: { name: " <A>\nB ", email: "a b@c" }, date: 1_700_000_000_999 }),
      "A B <ab@c> 1700000000 +0000"
    )
    assert.strictEqual(signature({ author: { name: "<>", email: "" }, date: -5 }), "Unknown <> 0 +0000")
  })

  const lines = [
    `tree ${"a".repeat(40)}`,
    `parent ${"b".repeat(40)}`,
    "author Ä B <a@b> 1700000000 +0530",
    "committer C <c@d> 1700000001 -0800"
  ]
  const raw = (head: ReadonlyArray<string>, message: string) =>
    Buffer.from(`${head.join("\n")}\n\n${message}`)

  it("reads what a person's commit says", () => {
    assert.deepStrictEqual(readCommit(raw(lines, "Subject\n\nBody\n")), {
      tree: "a".repeat(40),
      parents: ["b".repeat(40)],
      author: { name: "Ä B", email: "a@b" },
      date: 1_700_000_000_000,
      message: "Subject\n\nBody"
    })
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void readCommit(bytes)))
  })

  it("only commits that fast-import writes byte for byte are plain", () => {
    const plain = plainCommit(raw(lines, "any\0bytes"))
    assert.deepStrictEqual(
      [plain?.author, plain?.committer, Buffer.from(plain?.message ?? []).toString()],
      ["Ä B <a@b> 1700000000 +0530", "C <c@d> 1700000001 -0800", "any\0bytes"]
    )
    const [tree = "", parent = "", author = "", committer = ""] = lines
    for (const head of [
      [...lines, "gpgsig -----BEGIN", " x"],
      [...lines, "encoding latin1"],
      [tree, parent, parent, author, committer],
      [tree, author.replace("1700000000", "99999999999"), committer],
      [tree, author.replace("+0530", "+9900"), committer],
      [tree, author.replace("Ä B ", ""), committer],
      [tree, committer, author]
    ])
      assert.isUndefined(plainCommit(raw(head, "x")), head.join("|"))
    assert.isUndefined(
      plainCommit(
        Buffer.concat([Buffer.from(`${tree}\nauthor `), Buffer.from([0xff]), Buffer.from(" <a> 1 +0000\n")])
      )
    )
  })
})
