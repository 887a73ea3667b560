import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import { parse } from "yaml"
import { BotId, ChatId, MessageId, NoteId, UpdateId } from "../../src/domain/Ids.ts"
import type { NoteDraft, NoteMember } from "../../src/domain/Note.ts"
import { split } from "../../src/knowledge/FrontMatter.ts"
import * as NoteFile from "../../src/knowledge/NoteFile.ts"

const member = (messageId: number, block: string, date = messageId): NoteMember => ({
  botId: BotId.make(1),
  updateId: UpdateId.make(messageId),
  chat: ChatId.make(-5),
  messageId: MessageId.make(messageId),
  date,
  block
})

const draft = (members: ReadonlyArray<NoteMember>, more: Partial<NoteDraft> = {}): NoteDraft => ({
  id: NoteId.make("0123456789ab"),
  title: "A title",
  category: "inbox",
  tags: ["one"],
  created: Date.UTC(2026, 10, 5, 10),
  updated: Date.UTC(2026, 10, 5, 10),
  source: { chat: -5, messages: members.map((one) => one.messageId) },
  members,
  media: [],
  ...more
})

const bytes = (text: string) => new TextEncoder().encode(text)
const text = (file: Uint8Array) => new TextDecoder("utf-8", { ignoreBOM: true }).decode(file)
const write = (one: NoteDraft) => text(NoteFile.render(NoteFile.cleanDraft(one)))

const later = Date.UTC(2026, 10, 6, 9, 30)
const amend = (file: string, known: ReadonlyArray<NoteMember>, ...members: ReadonlyArray<NoteMember>) => {
  const result = NoteFile.amend(bytes(file), known, { members, tags: [], updated: later })
  return result === undefined ? file : text(result.file)
}
const bodyOf = (file: string) => split(file).body

describe("NoteFile.render", () => {
  it("writes front matter, the title and the blocks in order", () => {
    assert.strictEqual(
      write(
        draft([member(1, "first\nline"), member(2, ""), member(3, "\n\nsecond\n")], {
          tags: ["#One", "two words", "one"]
        })
      ),
      `---
id: "0123456789ab"
title: A title
created: 2026-11-05T10:00:00.000Z
updated: 2026-11-05T10:00:00.000Z
category: inbox
tags:
  - One
  - two-words
source:
  chat: -5
  messages:
    - 1
    - 2
    - 3
---

# A title

first
line

second
`
    )
  })

  it("does not repeat a title that the first block brings as its heading", () => {
    const body = bodyOf(write(draft([member(1, "## A *title*\n\ntext")])))
    assert.strictEqual(body, "\n## A *title*\n\ntext\n")
  })

  it("shows a title with markup characters as it was typed", () => {
    const heading = (title: string) => bodyOf(write(draft([], { title }))).trim()
    assert.strictEqual(heading("snake_case in C# & co = 100%"), "# snake_case in C# & co = 100%")
    assert.strictEqual(
      heading("# *a* [[b]] <i> _c_ &amp; #d"),
      "# \\# \\*a\\* \\[\\[b\\]\\] \\<i\\> \\_c\\_ \\&amp; \\#d"
    )
  })

  it("reads back exactly, whatever title, tags, source and blocks hold", () => {
    const hostile = fc.oneof(
      fc.string({ unit: "binary", maxLength: 300 }),
      fc.constantFrom(
        "---",
        "a: b",
        "'\"",
        "x\n---\ny",
        "\0",
        "\u202egnp",
        "- x",
        "👩‍👩‍👧",
        "!!js/function",
        "&a *a",
        "\ud800",
        "\u2028",
        "y".repeat(300)
      )
    )
    fc.assert(
      fc.property(hostile, fc.array(hostile), fc.array(hostile), hostile, (title, tags, blocks, from) => {
        const clean = NoteFile.cleanDraft(
          draft(
            blocks.map((block, index) => member(index, block)),
            { title, tags, category: title, source: { from, [from]: [from] } }
          )
        )
        const file = text(NoteFile.render(clean))
        assert.notInclude(file, "\0")
        const { yaml, body } = split(file)
        const front = parse(yaml) as Record<string, unknown>
        assert.deepStrictEqual(Object.keys(front), [
          "id",
          "title",
          "created",
          "updated",
          "category",
          "tags",
          "source"
        ])
        assert.strictEqual(front.title, clean.title)
        assert.deepStrictEqual(front.tags, clean.tags)
        assert.deepStrictEqual(front.source, clean.source)
        assert.isAtMost([...clean.title].length, 200)
        assert.notMatch(clean.title, /[\n\0\u202e]/)
        const ranges = NoteFile.locate(body, clean.members)
        let end = 0
        for (const [index, one] of clean.members.entries()) {
          const range = ranges[index]
          if (one.block === "") continue
          assert.isDefined(range)
          assert.strictEqual(body.slice(range!.start, range!.end), one.block)
          assert.isAtLeast(range!.start, end)
          end = range!.end
        }
      }),
      { numRuns: 500 }
    )
  })

  it("stores a member's block without NUL, half surrogates and Windows line endings", () => {
    assert.strictEqual(NoteFile.cleanMember(member(1, "a\0\r\nb\ud800")).block, "a\uFFFD\nb\uFFFD")
  })
})

describe("NoteFile.amend", () => {
  const known = [member(1, "one"), member(2, "ok"), member(3, "ok"), member(5, "book\n\nok too")]
  const file = write(draft(known))

  it("replaces the edited message's own block, also among equal ones", () => {
    assert.strictEqual(
      bodyOf(amend(file, known, member(3, "changed"))),
      "\n# A title\n\none\n\nok\n\nchanged\n\nbook\n\nok too\n"
    )
    assert.strictEqual(
      bodyOf(amend(file, known, member(2, "changed"))),
      "\n# A title\n\none\n\nchanged\n\nok\n\nbook\n\nok too\n"
    )
  })

  it("puts a late message at its place by date and id", () => {
    const at = (one: NoteMember) =>
      bodyOf(amend(file, known, one))
        .trim()
        .split("\n\n")
        .indexOf(one.block)
    assert.strictEqual(at(member(0, "zeroth")), 1)
    assert.strictEqual(at(member(4, "fourth")), 4)
    assert.strictEqual(at(member(9, "ninth")), 6)
    const both = bodyOf(amend(file, known, member(7, "seventh"), member(6, "sixth")))
    assert.match(both, /ok too\n\nsixth\n\nseventh\n$/)
  })

  it("updates the front matter with the change and keeps what people added to it", () => {
    const mine = file.replace("tags:", "mood: good # mine\ntags:")
    const amended = amend(mine, known, member(9, "new"))
    assert.strictEqual(
      split(amended).yaml,
      split(mine)
        .yaml.replace("updated: 2026-11-05T10:00", "updated: 2026-11-06T09:30")
        .replace("    - 5\n", "    - 5\n    - 9\n")
    )
    const tagged = NoteFile.amend(bytes(file), known, { members: [], tags: ["ONE", "two"], updated: later })
    assert.include(text(tagged!.file), "  - one\n  - two\n")
  })

  it("keeps a block the person rewrote and adds the edit below, marked with its time", () => {
    const mine = file.replace("\none\n", "\none, in my words\n").replace("id: ", "id: [broken\nid: ")
    const amended = amend(mine, known, member(1, "edited"))
    assert.strictEqual(amended, `${mine}\n*✎ 2026-11-06 09:30 UTC*\n\nedited\n`)
    const again = amend(amended, [member(1, "edited"), ...known.slice(1)], member(1, "edited twice"))
    assert.strictEqual(again, amended.replace("edited\n", "edited twice\n"))
  })

  it("finds blocks a person moved", () => {
    const moved = file.replace("one\n\n", "").replace(/\n$/, "\n\none\n")
    assert.strictEqual(
      bodyOf(amend(moved, known, member(1, "uno"))),
      bodyOf(moved).replace(/one\n$/, "uno\n")
    )
  })

  it("keeps Windows line endings, byte order marks and bytes that are not text", () => {
    const windows = `\uFEFF${file.replaceAll("\n", "\r\n")}`
    assert.strictEqual(
      amend(windows, known, member(1, "a\nb")),
      `\uFEFF${amend(file, known, member(1, "a\nb")).replaceAll("\n", "\r\n")}`
    )
    const binary = new Uint8Array([0xff, 0xfe, 0x00, 0x80])
    const result = NoteFile.amend(binary, known, {
      members: [member(1, "edited")],
      tags: ["t"],
      updated: later
    })
    assert.deepStrictEqual([...result!.file], [...binary, ...bytes("\n\nedited\n")])
  })

  it("writes into an emptied file and one without front matter", () => {
    assert.strictEqual(amend("", known, member(9, "new")), "new\n")
    assert.strictEqual(amend("mine\n", known, member(9, "new")), "mine\n\nnew\n")
  })

  it("does nothing when the note holds it all already", () => {
    assert.isUndefined(NoteFile.amend(bytes(file), known, { members: known, tags: ["One"], updated: later }))
  })

  it("the same amendment a second time changes nothing, whatever people did to the file in between", () => {
    const block = fc.constantFrom("ok", "ok\n\nok", "a", "a\nb", "# h", "---", "", "- [ ] x")
    const members = fc
      .uniqueArray(fc.tuple(fc.nat(12), block), { selector: ([id]) => id })
      .map((list) => list.map(([id, one]) => member(id, one, Math.floor(id / 2))))
    const person = fc.array(
      fc.tuple(fc.nat(400), fc.nat(9), fc.constantFrom("", "ok", "\n", "\r\n", "mine ")),
      { maxLength: 4 }
    )
    fc.assert(
      fc.property(
        members,
        members,
        fc.array(fc.constantFrom("x", "y")),
        person,
        (before, change, tags, edits) => {
          let current = write(draft(before))
          const front = current.length - bodyOf(current).length
          for (const [at, length, insert] of edits)
            current = current.slice(0, front + at) + insert + current.slice(front + at + length)
          const amendment = { members: change, tags: NoteFile.cleanTags(tags), updated: later }
          const once = NoteFile.amend(bytes(current), before, amendment)
          if (once === undefined) return
          const now = [
            ...before.filter((one) => !change.some((other) => NoteFile.sameMessage(one, other))),
            ...change
          ]
          assert.isUndefined(NoteFile.amend(once.file, now, { ...amendment, updated: later + 1 }))
          for (const one of once.members)
            if (one.block !== "") assert.include(text(once.file).replaceAll("\r\n", "\n"), one.block)
        }
      ),
      { numRuns: 500 }
    )
  })
})
