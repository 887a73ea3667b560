import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import MarkdownIt from "markdown-it"
import {
  candidates,
  escapeMarkdown,
  type IndexedNote,
  indexed,
  link,
  renderIndex
} from "../../../src/knowledge/git/IndexFile.ts"

const markdown = new MarkdownIt()

const note = (path: string, more: Partial<IndexedNote> = {}): IndexedNote => ({
  path,
  title: path,
  created: "",
  ...more
})

describe("index.md", () => {
  it("lists the newest notes first, by day and then by time, and counts the others", () => {
    const paths = [
      "topics/work/2026-10/31-old.md",
      "topics/inbox/2026-11/05-b.md",
      "topics/inbox/2026-11/05-a.md",
      "media/ab/x.md",
      "mine/2026-11/05-not-a-note.md"
    ]
    const page = renderIndex(paths, [
      note(paths[0]!, { title: "Old" }),
      note(paths[1]!, { title: "Earlier", created: "2026-11-05T08:00:00Z" }),
      note(paths[2]!, { title: "Later", created: "2026-11-05T09:00:00Z" })
    ])
    assert.deepStrictEqual(
      page.split("\n").filter((line) => line.startsWith("- ")),
      [
        "- 2026-11-05 [Later](topics/inbox/2026-11/05-a.md)",
        "- 2026-11-05 [Earlier](topics/inbox/2026-11/05-b.md)",
        "- 2026-10-31 [Old](topics/work/2026-10/31-old.md)",
        "- [inbox](topics/inbox): 2",
        "- [work](topics/work): 1",
        "- 2026-11: 2",
        "- 2026-10: 1"
      ]
    )
    assert.include(page, "\n3 notes.")
  })

  it("stays small however many notes, categories and months there are", () => {
    const paths = Array.from(
      { length: 20_000 },
      (_, index) =>
        `topics/c${index % 700}/${2000 + (index % 80)}-0${1 + (index % 9)}/0${1 + (index % 9)}-n${index}.md`
    )
    const newest = candidates(paths)
    assert.isAtLeast(newest.length, 50)
    assert.isBelow(newest.length, 400)
    const page = renderIndex(
      paths,
      newest.map((path) => note(path, { title: "t".repeat(1000) }))
    )
    assert.isBelow(page.length, 20_000)
    assert.include(page, "and 600 more categories")
  })

  it("is the same whatever order the files come in", () => {
    const paths = ["topics/a/2026-11/05-a.md", "topics/b/2026-11/05-b.md", "topics/b/2026-11/04-c.md"]
    const notes = paths.map((path) => note(path))
    assert.strictEqual(renderIndex([...paths].reverse(), [...notes].reverse()), renderIndex(paths, notes))
  })

  it("whatever a title or a name holds, one link with that text is shown", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "binary", maxLength: 80 }),
        fc.string({ maxLength: 20 }),
        (title, name) => {
          const path = `topics/a/2026-11/05-${name.replaceAll("/", "")}x.md`
          const [inline] = markdown.parseInline(`[${escapeMarkdown(title)}](${link(path)})`, {})
          const tokens = inline?.children ?? []
          const text = tokens.filter((one) => one.type.startsWith("text")).map((one) => one.content)
          assert.deepStrictEqual(
            tokens.map((one) => one.type).filter((type) => !type.startsWith("text")),
            ["link_open", "link_close"]
          )
          assert.strictEqual(decodeURIComponent(String(tokens[0]?.attrGet("href"))), path)
          assert.strictEqual(
            text.join(""),
            title
              .toWellFormed()
              .replace(/[\u200E\u200F\u202A-\u202E\u2066-\u2069]/g, "")
              .replace(/[\p{Cc}\p{Zl}\p{Zp}\s]+/gu, " ")
              .trim()
          )
        }
      ),
      { numRuns: 150 }
    )
  })

  it("takes the title from the front matter, a heading, or the name", () => {
    const path = "topics/a/2026-11/05-the-name.md"
    assert.deepStrictEqual(
      indexed(path, "---\ntitle: Front\ncreated: 2026-11-05T01:02:03Z\n---\n\n# Head\n"),
      {
        path,
        title: "Front",
        created: "2026-11-05T01:02:03Z"
      }
    )
    assert.strictEqual(indexed(path, "text\n\n## Head\n").title, "Head")
    assert.strictEqual(indexed(path, "text").title, "the-name")
  })
})
