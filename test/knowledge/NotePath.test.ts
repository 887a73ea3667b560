import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import { BlobHash, NoteId } from "../../src/domain/Ids.ts"
import { foldersOf, mediaPath, notePaths, pathProblem, slugOf } from "../../src/knowledge/NotePath.ts"

const id = NoteId.make("0123456789ab")
const hash = BlobHash.make("ab".repeat(32))
const created = Date.UTC(2026, 10, 5, 23, 59)

const hostile = fc.oneof(
  fc.string({ unit: "binary", maxLength: 400 }),
  fc.string({ unit: "grapheme", maxLength: 400 }),
  fc
    .array(
      fc.oneof(
        fc.constantFrom(
          ..."../|..\\|.git|.GIT|git~1|.g\u200cit|.git::$INDEX_ALLOCATION|.git .|\0|-|--|~|con|NUL|aux.md|COM¹|\u202e|\u200f".split(
            "|"
          ),
          ..."\ufeff|\u2028|\ud800|e\u0301|\u0301|İ|ß|ﬁ|\u3164|👩‍👩‍👧|❤️|/|C:|\n---\n|%2e%2e|\u{e0001}".split(
            "|"
          )
        ),
        fc.string({ unit: "binary", maxLength: 5 })
      ),
      { maxLength: 80 }
    )
    .map((parts) => parts.join(""))
)

describe("NotePath", () => {
  it("no title and no category escapes its folder, hides, or breaks a checkout", () => {
    fc.assert(
      fc.property(hostile, hostile, fc.integer(), (title, category, when) => {
        for (const path of notePaths({ id, title, category, created: when })) {
          assert.isUndefined(pathProblem(path), JSON.stringify(path))
          assert.match(path, /^topics\/[^/.-][^/]*\/\d{4}-\d{2}\/\d{2}-[^/.-][^/]*\.md$/u)
        }
      }),
      { numRuns: 10_000 }
    )
  })

  it("a slug is bounded, lower case, and does not change when made again", () => {
    fc.assert(
      fc.property(hostile, (title) => {
        const slug = slugOf(title)
        assert.isAtMost([...slug].length, 60)
        assert.isAtMost(new TextEncoder().encode(slug).length, 120)
        assert.strictEqual(slugOf(slug), slug)
        assert.strictEqual(slug, slug.toLowerCase())
      }),
      { numRuns: 5_000 }
    )
  })

  it("keeps words of any script readable", () => {
    assert.strictEqual(slugOf("План: на Неделю!"), "план-на-неделю")
    assert.strictEqual(slugOf("Cafe\u0301 — 100 %"), "café-100")
    assert.strictEqual(slugOf("हिन्दी में"), "हिन्दी-में")
    assert.strictEqual(slugOf("👍 ❤️"), "note")
    assert.strictEqual(slugOf("con"), "note-con")
    assert.strictEqual([...slugOf("x".repeat(300))].length, 60)
    assert.strictEqual(slugOf("ж".repeat(300)), "ж".repeat(60))
    assert.strictEqual(slugOf("漢".repeat(300)), "漢".repeat(40))
  })

  it("names a note by the UTC day it was created, then numbers, then its id", () => {
    const paths = notePaths({ id, title: "Hello", category: "Inbox", created })
    assert.strictEqual(paths[0], "topics/inbox/2026-11/05-hello.md")
    assert.strictEqual(paths[1], "topics/inbox/2026-11/05-hello-2.md")
    assert.strictEqual(paths.at(-1), `topics/inbox/2026-11/05-hello-${id}.md`)
    assert.strictEqual(new Set(paths).size, paths.length)
    assert.deepStrictEqual(foldersOf(paths[0]!), ["topics", "topics/inbox", "topics/inbox/2026-11"])
  })

  it("gives media a safe name whatever the original was called", () => {
    assert.strictEqual(mediaPath(hash, "Photo.JPG"), `media/ab/${hash}.jpg`)
    assert.strictEqual(mediaPath(hash, "../../.git/config"), `media/ab/${hash}.bin`)
    fc.assert(fc.property(hostile, (name) => assert.isUndefined(pathProblem(mediaPath(hash, name)))))
  })

  it("refuses every path that leads out, into .git, or cannot be checked out", () => {
    for (const path of [
      ...["", "/etc/passwd", "a//b", "a/", "./a", "a/../b", "..", "C:/a", "a\\..\\b", "a\0b", "a\nb"],
      ...[".git/config", "a/.GIT/x", ".git /x", ".git./x", "git~1/x", "GIT~1", ".gitmodules", "gi7eba~1"],
      ...[".g\u200cit/x", ".git\u200d/x", ".git::$INDEX_ALLOCATION/x", "a/.gitattributes", "\u202egnp.md"],
      ...["nul", "a/CON.md", "com1.txt", "a ", "a.", "e\u0301.md", "\ud800.md", "x".repeat(256)],
      `${"abcdefghi/".repeat(100)}x`
    ])
      assert.isString(pathProblem(path), JSON.stringify(path))
    for (const path of ["a.md", "topics/работа/2026-11/05-план.md", "media/ab/x.tar.gz", "a b/c (1).md"])
      assert.isUndefined(pathProblem(path), path)
  })
})
