import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import type { FileState } from "../../src/assistant/Media.ts"
import { noteDraftOf, noteIdOf } from "../../src/assistant/UnitDraft.ts"
import { plain } from "../../src/domain/FormattedText.ts"
import {
  BlobHash,
  BotId,
  ChatId,
  defaultTenant,
  MessageId,
  TenantId,
  UpdateId
} from "../../src/domain/Ids.ts"
import { NoteDraft } from "../../src/domain/Note.ts"
import { memberOf, messageOf, noon, saying } from "./messages.ts"

const source = { tenant: defaultTenant, botId: BotId.make(42) }

describe("a unit as a draft", () => {
  it("has every message in order, its files once, and where it all came from", () => {
    const blob = BlobHash.make("b".repeat(64))
    const files = new Map<string, FileState>([["p", { _tag: "Stored", blob, path: "media/bb/b.jpg" }]])
    const photo = { _tag: "Photo", file: { fileId: "p1", fileUniqueId: "p" } } as const
    const origin = {
      _tag: "Channel",
      date: noon,
      chat: { id: ChatId.make(-1001), kind: "channel", title: "News" },
      messageId: MessageId.make(4),
      link: "https://t.me/news/4"
    } as const
    const draft = noteDraftOf(
      source,
      [
        memberOf(
          5,
          messageOf({ text: plain("Sea. #Trip see https://a.org/x_y"), attachments: [photo], albumId: "9" })
        ),
        memberOf(
          6,
          messageOf({ messageId: MessageId.make(2), attachments: [photo], date: noon + 60, origin })
        )
      ],
      files,
      "en"
    )
    assert.isTrue(Schema.is(NoteDraft)(draft))
    assert.deepInclude(draft, {
      title: "Sea",
      category: "trip",
      tags: ["trip"],
      created: noon * 1000,
      updated: (noon + 60) * 1000,
      media: [{ path: "media/bb/b.jpg", blob }],
      source: {
        chat: 7,
        sender: "Ann",
        messages: [1, 2],
        forwards: [{ name: "News", link: "https://t.me/news/4", date: "2026-11-22 14:05Z" }],
        links: ["https://a.org/x_y"]
      }
    })
    assert.deepStrictEqual(
      draft.members.map(({ updateId, messageId, albumId }) => [updateId, messageId, albumId]),
      [
        [5, 1, "9"],
        [6, 2, undefined]
      ] as never
    )
    assert.match(draft.members[1]!.block, /^\*\*14:06\*\* UTC\n\n> Forwarded from/)
  })

  it("is the same for the same messages, and another for another bot, tenant or first update", () => {
    const draft = () => noteDraftOf(source, [memberOf(5, saying("x"))], new Map(), "en")
    assert.deepStrictEqual(draft(), draft())
    const id = (tenant: string, bot: number, update: number) =>
      noteIdOf({ tenant: TenantId.make(tenant), botId: BotId.make(bot) }, UpdateId.make(update))
    const ids = [
      id("default", 42, 5),
      id("default", 42, 6),
      id("default", 425, 1),
      id("default", 42, 51),
      id("other", 42, 5)
    ]
    assert.strictEqual(new Set(ids).size, 5)
    assert.strictEqual(draft().id, ids[0]!)
  })
})
