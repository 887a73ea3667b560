import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import type { FileState } from "../../src/assistant/Media.ts"
import { blockOf } from "../../src/assistant/NoteText.ts"
import { plain } from "../../src/domain/FormattedText.ts"
import { BlobHash, ChatId, MessageId, UserId } from "../../src/domain/Ids.ts"
import type { Attachment, IncomingMessage, MediaFile } from "../../src/domain/IncomingMessage.ts"
import { messageOf, noon, saying } from "./messages.ts"
import { renderedLines } from "./rendered.ts"

const english = { language: "en", created: noon * 1000 } as const
const block = (message: IncomingMessage, files: ReadonlyMap<string, FileState> = new Map()) =>
  blockOf(message, files, english)
const file = (id: string, more: Partial<MediaFile> = {}): MediaFile => ({
  fileId: id,
  fileUniqueId: id,
  ...more
})
const stored = (id: string, path: string) =>
  new Map<string, FileState>([[id, { _tag: "Stored", blob: BlobHash.make("a".repeat(64)), path }]])
const attached = (attachment: Attachment, files?: ReadonlyMap<string, FileState>) =>
  block(messageOf({ attachments: [attachment] }), files).replace("**14:05** UTC\n\n", "")

describe("the block of a message", () => {
  it("begins with its time, and with its date when it is not the note's day", () => {
    assert.strictEqual(block(saying("Hello *you*")), "**14:05** UTC\n\nHello \\*you\\*")
    assert.strictEqual(
      blockOf(saying("x"), new Map(), { language: "en", created: (noon - 86_400) * 1000 }),
      "**2026-11-22 14:05** UTC\n\nx"
    )
  })

  it("a message without text says so instead of vanishing", () => {
    assert.strictEqual(block(saying("")), "**14:05** UTC\n\n*Message without text*")
    assert.strictEqual(block(saying(" \n\t ")), "**14:05** UTC\n\n*Message without text*")
  })

  it("a forward is a quote with its origin, linked, and its time", () => {
    const channel = { id: ChatId.make(-1001), kind: "channel", title: "News [daily]" } as const
    const origin = {
      _tag: "Channel",
      date: noon - 3600,
      chat: channel,
      messageId: MessageId.make(4),
      link: "https://t.me/news/4"
    } as const
    assert.strictEqual(
      block(messageOf({ text: plain("One\n\nTwo"), origin })),
      "**14:05** UTC\n\n> Forwarded from [News \\[daily\\]](https://t.me/news/4), 2026-11-22 13:05 UTC\n>\n> One\n>\n> Two"
    )
    const user = { id: 8, kind: "user", name: "Bo", username: "bo" } as const
    assert.include(
      block(messageOf({ origin: { _tag: "User", date: noon, user } })),
      "> Forwarded from [Bo](https://t.me/bo)"
    )
    assert.include(
      block(messageOf({ origin: { _tag: "HiddenUser", date: noon, name: "Cy" } })),
      "> Forwarded from Cy,"
    )
  })

  it("a reply quotes what it answers, apart from its own text", () => {
    assert.strictEqual(
      block(messageOf({ text: plain("Yes"), replyTo: { author: "Bo", excerpt: "Tea?\n\nOr coffee?" } })),
      "**14:05** UTC\n\n> ↩ **Bo**:  \n> Tea?  \n> Or coffee?\n\nYes"
    )
    assert.include(block(messageOf({ replyTo: { excerpt: "" } })), "\n\n> ↩\n\n")
  })

  it("says the same in Russian", () => {
    const origin = { _tag: "HiddenUser", date: noon, name: "Вера" } as const
    assert.include(
      blockOf(messageOf({ origin }), new Map(), { language: "ru", created: noon * 1000 }),
      "> Переслано от Вера, 2026-11-22 14:05 UTC\n>\n> *Сообщение без текста*"
    )
  })
})

describe("attachments", () => {
  it("a picture is shown with its caption below, a file is linked by its name and size", () => {
    const photo = messageOf({ attachments: [{ _tag: "Photo", file: file("p") }], text: plain("Sea") })
    assert.strictEqual(
      block(photo, stored("p", "media/aa/x.jpg")),
      "**14:05** UTC\n\n![Photo](../../../media/aa/x.jpg)\n\nSea"
    )
    const report = {
      _tag: "Document",
      file: file("d", { name: "re_port [1].pdf", size: 1_300_000 })
    } as const
    assert.strictEqual(
      attached(report, stored("d", "media/aa/x.pdf")),
      "📎 [re_port \\[1\\].pdf](../../../media/aa/x.pdf) (1.2 MB)"
    )
    const png = { _tag: "Document", file: file("d", { name: "a.png", mime: "image/png" }) } as const
    assert.strictEqual(attached(png, stored("d", "media/aa/x.png")), "![a.png](../../../media/aa/x.png)")
    const voice = { _tag: "Voice", file: file("v", { duration: 65, size: 900 }) } as const
    assert.strictEqual(
      attached(voice, stored("v", "media/aa/x.ogg")),
      "🎤 [Voice message](../../../media/aa/x.ogg) (1:05, 900 B)"
    )
  })

  it("a file that is not there says what it was and why", () => {
    const film = {
      _tag: "Video",
      file: file("v", { name: "film.mp4", size: 50 * 1024 * 1024, duration: 3700 })
    } as const
    const with_ = (state: FileState) => attached(film, new Map([["v", state]]))
    assert.strictEqual(
      with_({ _tag: "TooLarge", limit: 20 * 1024 * 1024 }),
      "🎬 film.mp4 (1:01:40, 50 MB, not kept: Telegram gives bots files up to 20 MB only)"
    )
    assert.include(with_({ _tag: "Pending" }), "not fetched yet")
    assert.include(with_({ _tag: "Refused", reason: "secret" }), "did not give the file")
    assert.notInclude(with_({ _tag: "Refused", reason: "secret" }), "secret")
    assert.include(attached(film), "not fetched yet")
  })

  it("everything that is no file is said in a readable line", () => {
    const place = { latitude: 55.7558, longitude: 37.6173 }
    const map = "https://www.openstreetmap.org/?mlat=55.75580&mlon=37.61730#map=16/55.75580/37.61730"
    const lines: ReadonlyArray<readonly [Attachment, string]> = [
      [{ _tag: "Sticker", file: file("s"), emoji: "🙂", setName: "Cats_1" }, "🙂 Sticker (Cats_1)"],
      [{ _tag: "Location", ...place }, `📍 Location: [55.75580, 37.61730](${map})`],
      [{ _tag: "Venue", ...place, title: "Café #1", address: "1 St" }, `📍 [Café #1](${map}), 1 St`],
      [{ _tag: "Contact", phone: "+123", firstName: "Bo", lastName: "Lee" }, "👤 Contact: Bo Lee, +123"],
      [
        { _tag: "Poll", question: "Tea?", options: ["Yes", "No *way*"] },
        "📊 Poll: Tea?\n\n- Yes\n- No \\*way\\*"
      ],
      [{ _tag: "Dice", emoji: "🎯", value: 4 }, "🎯 Dice: 4"],
      [
        { _tag: "Unsupported", kinds: ["hologram", "story"] },
        "❔ Content of a kind that cannot be kept yet: hologram, story"
      ]
    ]
    for (const [attachment, line] of lines) assert.strictEqual(attached(attachment), line)
  })
})

describe("blocks in a row", () => {
  const hostile = fc
    .array(
      fc.constantFrom(
        "a",
        "```",
        "> ",
        "- ",
        "1. ",
        "<div>",
        "<!--",
        "|",
        "---",
        "\n",
        "\n\n",
        "    ",
        "**",
        "[x]: y",
        "$$",
        "~~~",
        "#"
      ),
      {
        maxLength: 10
      }
    )
    .map((pieces) => pieces.join(""))
  const text = fc
    .tuple(hostile, fc.constantFrom("", "pre", "blockquote", "code", "bold"))
    .map(([said, type]) => ({
      text: said,
      entities: type === "" ? [] : [{ type, offset: 0, length: said.length }]
    }))
  const message = fc
    .record({ text, reply: fc.option(hostile), forward: fc.boolean(), file: fc.option(hostile) })
    .map(({ text, reply, forward, file: name }) =>
      messageOf({
        text,
        ...(reply === null ? {} : { replyTo: { author: reply, excerpt: reply } }),
        ...(forward
          ? {
              origin: {
                _tag: "User" as const,
                date: noon,
                user: { id: UserId.make(1), kind: "user", name: "B" }
              }
            }
          : {}),
        attachments: name === null ? [] : [{ _tag: "Document", file: file("d", { name }) }]
      })
    )

  it("none reaches into the next one", () => {
    fc.assert(
      fc.property(message, message, (one, two) => {
        const [first, second] = [block(one), block(two)]
        assert.deepStrictEqual(renderedLines(`${first}\n\n${second}`), [
          ...renderedLines(first),
          ...renderedLines(second)
        ])
        assert.match(first, /^\*\*14:05\*\* UTC\n\n./)
      }),
      { numRuns: 2000 }
    )
  })
})
