import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import { parse } from "yaml"
import * as FrontMatter from "../../src/knowledge/FrontMatter.ts"

interface Front {
  readonly [key: string]: unknown
  readonly updated: string
  readonly tags: ReadonlyArray<string>
  readonly source: { readonly messages: ReadonlyArray<number> }
}

const written = `# my own comment
aliases: [ 'one',two ]
id: 0123456789ab   # keep
title: "Plan: a"
created: 2026-11-05T10:00:00.000Z
updated: 2026-11-05T10:00:00.000Z # when
category: inbox
tags:
    - first   # why
    - Second
big: 123456789012345678901234567890

source:
  chat: -1001234567890
  messages:
  - 7
  - 8
  links: []
`

describe("FrontMatter", () => {
  it("is told apart from the body, and a text without it is all body", () => {
    assert.deepStrictEqual(FrontMatter.split("---\na: 1\n---\nbody\n---\n"), {
      head: "---\n",
      yaml: "a: 1\n",
      tail: "---\n",
      body: "body\n---\n"
    })
    assert.strictEqual(FrontMatter.split("\uFEFF---\n---").yaml, "")
    for (const text of ["", "---", "--- \nx", "text\n---\na: 1\n---\n", "----\na\n---\n"])
      assert.deepStrictEqual(FrontMatter.split(text), { head: "", yaml: "", tail: "", body: text })
    fc.assert(
      fc.property(fc.array(fc.constantFrom("---", "\n", "a: 1", " ", "--- ", "\uFEFF", "x")), (parts) => {
        const text = parts.join("")
        const { head, yaml, tail, body } = FrontMatter.split(text)
        assert.strictEqual(head + yaml + tail + body, text)
      })
    )
  })

  it("changes single values and leaves every other byte as the person wrote it", () => {
    const changed = FrontMatter.update(written, {
      updated: "2026-11-06T00:00:00.000Z",
      category: "работа",
      tags: ["FIRST", "third", "x: y"],
      messages: [8, 9]
    })
    assert.strictEqual(
      changed,
      written
        .replace("updated: 2026-11-05T10", "updated: 2026-11-06T00")
        .replace("category: inbox", "category: работа")
        .replace("    - Second\n", '    - Second\n    - third\n    - "x: y"\n')
        .replace("  - 8\n", "  - 8\n  - 9\n")
    )
    assert.strictEqual(
      FrontMatter.update(changed, { tags: ["third", "X: Y"], messages: [7, 9], category: "работа" }),
      changed
    )
  })

  it("adds to lists in brackets, empty ones too", () => {
    assert.strictEqual(FrontMatter.update("tags: []\n", { tags: ["a", "b"] }), "tags: [a, b]\n")
    assert.strictEqual(FrontMatter.update("tags: [a,] # x\n", { tags: ["b"] }), "tags: [a, b] # x\n")
    assert.strictEqual(
      FrontMatter.update("tags:\n- a", { tags: ["yes", "12"] }),
      'tags:\n- a\n- "yes"\n- "12"'
    )
  })

  it("leaves alone what a person removed, broke, or wrote in a way not foreseen", () => {
    const change = { updated: "2027-01-01T00:00:00.000Z", category: "x", tags: ["n"], messages: [1] }
    for (const yaml of [
      "",
      "title: only\n",
      "tags: none\nupdated: [1]\nsource: {}\n",
      "tags:\nsource:\n",
      "a: [\ntags: []\n",
      "- just\n- a list\n",
      "tags: [a, # comment to the end\n]\n",
      "tags: *unknown\n",
      `big: ${"x".repeat(200_000)}\ntags: []\n`
    ])
      assert.strictEqual(FrontMatter.update(yaml, change), yaml)
  })

  it("stays readable and keeps the other keys whatever is added", () => {
    const scalar = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.string(),
      fc.integer(),
      fc.boolean(),
      fc.constant(null)
    )
    const other = fc.dictionary(fc.stringMatching(/^[a-z]{1,5}$/), fc.oneof(scalar, fc.array(scalar)))
    const text = fc.string({ unit: "binary", minLength: 1 }).map((one) => one.toWellFormed())
    fc.assert(
      fc.property(other, fc.array(text), fc.array(text), fc.array(fc.nat()), (rest, tags, more, messages) => {
        const yaml = FrontMatter.write({ ...rest, updated: "x", tags, source: { messages: [1] } })
        const after = FrontMatter.update(yaml, { updated: "2026-11-06T00:00:00.000Z", tags: more, messages })
        const { updated, tags: now, source, ...kept } = parse(after) as Front
        const { updated: _u, tags: _t, source: _s, ...before } = parse(yaml) as Front
        assert.deepStrictEqual(kept, before)
        assert.strictEqual(updated, "2026-11-06T00:00:00.000Z")
        const lower = (list: ReadonlyArray<string>) => new Set(list.map((tag) => tag.toLowerCase()))
        assert.deepStrictEqual(lower(now), lower([...tags, ...more]))
        assert.deepStrictEqual(new Set(source.messages), new Set([1, ...messages]))
      })
    )
  })

  it("reads what it knows and shrugs at the rest", () => {
    assert.deepStrictEqual(FrontMatter.read(written), {
      id: "0123456789ab",
      title: "Plan: a",
      category: "inbox",
      tags: ["first", "Second"]
    } as never)
    assert.deepStrictEqual(FrontMatter.read("id: nope\ntitle: [1]\ncategory: ''\ntags: a"), {})
    assert.deepStrictEqual(FrontMatter.read("tags: [1, true, {a: b}, x]").tags, ["1", "true", "x"])
    assert.deepStrictEqual(FrontMatter.read("{"), {})
    assert.isUndefined(FrontMatter.idIn("idle: 0123456789ab\n id: 0123456789ab\nid: 0123456789abc\n"))
  })
})
