import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { plain } from "../../src/domain/FormattedText.ts"
import { BlobHash, ChatId, MessageId } from "../../src/domain/Ids.ts"
import { type Attachment, IncomingMessage, type Sender } from "../../src/domain/IncomingMessage.ts"
import {
  accountUpdate,
  asForwarded,
  fetchedOf,
  isOfAccount,
  withFetched
} from "../../src/telegram/AccountMessage.ts"
import { decodeUpdate } from "../../src/telegram/UpdateDecoder.ts"
import { messageUpdate } from "./updates.ts"

const ada: Sender = { id: 7, kind: "user", name: "Ada", language: "ru" }
const bob: Sender = { id: 8, kind: "user", name: "Bob", username: "bob" }
const saved = { id: ChatId.make(7), kind: "private" as const }
const news = { id: ChatId.make(-1_000_000_001_500), kind: "channel" as const, title: "News" }
const group = { id: ChatId.make(-1_000_000_001_600), kind: "supergroup" as const, title: "Group" }

const message = (fields: Partial<ConstructorParameters<typeof IncomingMessage>[0]> = {}) =>
  new IncomingMessage({
    messageId: MessageId.make(5),
    chat: news,
    sender: { id: news.id, kind: "chat", name: "News" },
    date: 1_700_000_000,
    text: plain("it rains"),
    attachments: [],
    ...fields
  })

const document = (unique: string): Attachment => ({
  _tag: "Document",
  file: { fileId: `account:${unique}`, fileUniqueId: unique, size: 10, name: "a.pdf" }
})

describe("a message of an account", () => {
  it("comes back from where it is stored as it was, and is told from those of bots", () => {
    for (const edited of [false, true]) {
      const worded = asForwarded(message({ editDate: 1_700_000_009, attachments: [document("u")] }), ada)
      const raw = accountUpdate(worded, edited)
      const stored = JSON.parse(JSON.stringify(raw))
      assert.isTrue(isOfAccount(stored))
      const update = decodeUpdate(stored)
      assert.strictEqual(update._tag, edited ? "EditedMessage" : "Message")
      assert(update._tag === "Message" || update._tag === "EditedMessage")
      assert.strictEqual(update.updateId, raw.update_id)
      assert.deepStrictEqual(update.message, worded)
    }
    assert.isFalse(isOfAccount(messageUpdate(1, { text: "hello" })))
    assert.isFalse(isOfAccount("nothing"))
  })

  it("has the same name however often it is told, and another than any other message or edit", () => {
    const name = (one: IncomingMessage, edited = false) => accountUpdate(one, edited).update_id
    assert.strictEqual(name(message()), name(message({ text: plain("it pours"), editDate: 1_700_000_009 })))
    const names = [
      name(message()),
      name(message({ messageId: MessageId.make(6) })),
      name(message({ chat: group })),
      name(message({ editDate: 1_700_000_009 }), true),
      name(message({ editDate: 1_700_000_010 }), true)
    ]
    assert.lengthOf(new Set(names), names.length)
    for (const one of names) assert.isTrue(Number.isSafeInteger(one) && one > 0)
  })

  it("that is not understood is an update like any other that is not", () => {
    const update = decodeUpdate({ update_id: 3, account_message: { edited: false, message: { text: 1 } } })
    assert.strictEqual(update._tag, "Unknown")
  })

  it("is worded as its person would have forwarded it", () => {
    const post = asForwarded(message(), ada)
    assert.deepStrictEqual(post.sender, ada)
    assert.deepStrictEqual(post.origin, {
      _tag: "Channel",
      date: 1_700_000_000,
      chat: news,
      messageId: MessageId.make(5),
      link: "https://t.me/c/1500/5"
    })
    const said = asForwarded(message({ chat: group, sender: bob }), ada)
    assert.deepStrictEqual(said.origin, { _tag: "User", date: 1_700_000_000, user: bob })
    const anonymous = asForwarded(
      message({ chat: group, sender: { id: group.id, kind: "chat", name: "Group" } }),
      ada
    )
    assert.deepStrictEqual(anonymous.origin, { _tag: "Chat", date: 1_700_000_000, chat: group })
    // What they wrote themselves is theirs; what was forwarded before keeps where it came from.
    assert.isUndefined(asForwarded(message({ chat: saved, sender: ada }), ada).origin)
    const origin = { _tag: "HiddenUser" as const, date: 1, name: "Somebody" }
    assert.deepStrictEqual(asForwarded(message({ origin }), ada).origin, origin)
  })

  it("says of each file what came of it, once that is known", () => {
    const blob = BlobHash.make("a".repeat(64))
    const fetched = new Map([["one", { _tag: "Stored" as const, blob }]])
    const both = withFetched(message({ attachments: [document("one"), document("two")] }), fetched)
    const ids = both.attachments.map((attachment) => ("file" in attachment ? attachment.file.fileId : ""))
    assert.deepStrictEqual(fetchedOf(ids[0]!), { _tag: "Stored", blob })
    assert.isUndefined(fetchedOf(ids[1]!))
    assert.isTrue(Schema.is(IncomingMessage)(both))
    assert.isUndefined(fetchedOf("fetched:nonsense"))
  })
})
