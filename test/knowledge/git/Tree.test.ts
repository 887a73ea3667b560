import { assert, describe, it } from "@effect/vitest"
import { quotePath } from "../../../src/knowledge/git/FastImport.ts"
import { conflictCopy } from "../../../src/knowledge/git/PersonChanges.ts"
import {
  blobOid,
  parseBatch,
  parseChanges,
  parseStatus,
  unprojectable
} from "../../../src/knowledge/git/Tree.ts"

const latin = (text: string) => Buffer.from(text, "latin1")
const oid = (digit: string) => digit.repeat(40)

describe("trees", () => {
  it("names that would leave the repository, or mean something to git, are left out", () => {
    for (const path of [
      "",
      "/a",
      "a//b",
      "a/",
      "..",
      "a/../b",
      "./a",
      ".git",
      "a/.GIT/x",
      ".git /x",
      ".git...",
      ".git::$INDEX_ALLOCATION/x",
      "GIT~1",
      ".g\u200dit",
      "a\\..\\b",
      "a\0b",
      "\uD800",
      "index.md",
      "ж".repeat(128),
      "d/".repeat(2001)
    ])
      assert.isDefined(unprojectable(path), JSON.stringify(path))
    for (const path of [
      ".gitignore",
      ".github/a",
      "a/index.md",
      "git",
      "..a",
      "a b",
      "ж".repeat(127),
      "-x",
      "*?"
    ])
      assert.isUndefined(unprojectable(path), path)
  })

  it("paths are quoted so that fast-import reads them as they are", () => {
    assert.strictEqual(quotePath('a "b"\\\n\x7f ж'), String.raw`"a \"b\"\\\012\177 ж"`)
  })

  it("a conflict copy lies next to its file and keeps the extension", () => {
    assert.deepStrictEqual(
      ["a/b.md", "b", "a.b/c", ".profile", "x.tar.gz"].map((path) => conflictCopy(path, 12)),
      [
        "a/b.conflict-12.md",
        "b.conflict-12",
        "a.b/c.conflict-12",
        ".profile.conflict-12",
        "x.tar.conflict-12.gz"
      ]
    )
  })

  it("reads differences, statuses and contents whatever the names and bytes are", () => {
    assert.deepStrictEqual(
      parseChanges(
        latin(
          `:000000 100644 ${oid("0")} ${oid("1")} A\0new\nline\0:100755 000000 ${oid("2")} ${oid("0")} D\0bad\xff\0`
        )
      ),
      [
        { path: "new\nline", garbled: false, before: undefined, after: { mode: "100644", oid: oid("1") } },
        { path: "bad\uFFFD", garbled: true, before: { mode: "100755", oid: oid("2") }, after: undefined }
      ]
    )
    const entry = (state: string, path: string) =>
      `1 ${state} N... 100644 100644 100644 ${oid("3")} ${oid("4")} ${path}\0`
    assert.deepStrictEqual(
      parseStatus(
        latin(`${entry(".M", "a b")}${entry("M.", "staged")}${entry("AD", "c")}? new file\0! ignored\0`)
      ),
      [
        { path: "a b", garbled: false, before: { mode: "100644", oid: oid("4") } },
        { path: "c", garbled: false, before: { mode: "100644", oid: oid("4") } },
        { path: "new file", garbled: false, before: undefined }
      ]
    )
    const contents = parseBatch(
      latin(`${oid("5")} blob 3\na\nb\n${oid("6")} missing\n${oid("7")} blob 0\n\n`)
    )
    assert.deepStrictEqual(
      [...contents].map(([key, bytes]) => [key, Buffer.from(bytes).toString()]),
      [
        [oid("5"), "a\nb"],
        [oid("7"), ""]
      ]
    )
    assert.strictEqual(blobOid(latin("hello\n")), "ce013625030ba8dba906f756967f9e9ca394464a")
  })
})
