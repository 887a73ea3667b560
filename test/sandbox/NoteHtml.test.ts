import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import { renderNote, resolvePath } from "../../src/sandbox/NoteHtml.ts"

const path = "topics/home/2026-11/22-garden.md"

describe("a note as the page shows it", () => {
  it("has its front matter as rows and its Markdown as HTML", () => {
    const note = renderNote(
      path,
      "---\ntitle: The garden\ntags: [home, plants]\nsource:\n  chat: 7\n  messages: [1, 2]\n  origins:\n    - name: Sky\n      link: https://t.me/sky/5\nempty:\n---\n\n**Basil**\n"
    )
    assert.strictEqual(note.title, "The garden")
    assert.deepStrictEqual(note.properties, [
      { name: "tags", values: ["home", "plants"] },
      { name: "source.chat", values: ["7"] },
      { name: "source.messages", values: ["1", "2"] },
      { name: "source.origins", values: ["Sky", "https://t.me/sky/5"] }
    ])
    assert.strictEqual(note.html, "<p><strong>Basil</strong></p>\n")
  })

  it("shows what is no front matter as text, whatever a person wrote there", () => {
    const circular = renderNote(path, "---\na: &x [*x]\n---\nbody")
    assert.deepStrictEqual(circular.properties, [])
    assert.include(circular.html, "body")
    assert.deepStrictEqual(renderNote(path, "---\n- a list\n---\n").properties, [])
    assert.deepStrictEqual(renderNote(path, `---\na: ${"[".repeat(5000)}\n---\n`).properties, [])
    fc.assert(
      fc.property(fc.string(), fc.string(), (head, body) => {
        assert.isString(renderNote(path, `---\n${head}\n---\n${body}`).html)
      })
    )
  })

  it("finds pictures, files and other notes of the knowledge base, and none outside", () => {
    const { html } = renderNote(
      path,
      "![leaf](../../../media/a%20b.png) [pond](23-pond.md) [list](/media/list.pdf) ![x](../../../../etc/x.png) ![y](https://example.org/y.png) [z](../../../../z.md)"
    )
    assert.include(html, `<img src="/sandbox/api/kb/media?path=media%2Fa%20b.png" alt="leaf"`)
    assert.include(html, `data-note="topics/home/2026-11/23-pond.md"`)
    assert.include(html, `href="/sandbox/api/kb/media?path=media%2Flist.pdf"`)
    assert.strictEqual(html.split("<img").length, 2)
    assert.include(html, `<span class="outside-image">y</span>`)
    assert.include(html, `<a class="dead-link">z</a>`)
    assert.isUndefined(resolvePath("a/b.md", "../../c"))
  })

  it("has no HTML, style or scheme of the note's own", () => {
    const { html } = renderNote(
      path,
      "<b onclick=x>a</b>\n\n[b](javascript:alert(1)) [c](data:text/html,x) [d](https://example.org/)\n\n| a | b |\n|:-:|--:|\n| 1 | 2 |\n"
    )
    assert.notMatch(html, /<b |href="(?:javascript|data):|style=/)
    assert.include(html, `<td class="align-center">`)
    assert.include(html, `rel="noopener noreferrer nofollow"`)
  })
})
