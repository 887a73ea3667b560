import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import fc from "fast-check"
import { type IncomingMessage, IncomingUpdate } from "../../src/domain/IncomingMessage.ts"
import { conversationOf, decodeUpdate, noUpdateId, updateIdOf } from "../../src/telegram/UpdateDecoder.ts"

const ann = {
  id: 7,
  is_bot: false,
  first_name: "Ann",
  last_name: "Lee",
  username: "ann",
  language_code: "ru"
}
const home = { id: 7, type: "private", first_name: "Ann" }
const base = { message_id: 5, date: 1_700_000_000, chat: home, from: ann }
const channel = { id: -1001234567890, type: "channel", title: "News" }
const file = (id: string, more: object = {}) => ({ file_id: id, file_unique_id: `u${id}`, ...more })

const update = (fields: object, kind = "message") => ({ update_id: 11, [kind]: { ...base, ...fields } })
const messageOf = (raw: unknown): IncomingMessage => {
  const decoded = decodeUpdate(raw)
  if (decoded._tag !== "Message") throw new Error(`not a message: ${JSON.stringify(decoded)}`)
  return decoded.message
}
const includes = (actual: unknown, expected: object) => assert.deepInclude(actual as object, expected)
const isUpdate = Schema.is(IncomingUpdate)

describe("messages", () => {
  it("a text keeps its entities, its sender and its dates", () => {
    const message = messageOf(
      update({
        text: "see here",
        edit_date: 1_700_000_009,
        entities: [{ type: "text_link", offset: 4, length: 4, url: "https://example.org", future: 1 }],
        some_future_field: { a: 1 }
      })
    )
    assert.deepStrictEqual(message.text, {
      text: "see here",
      entities: [{ type: "text_link", offset: 4, length: 4, url: "https://example.org" }]
    })
    assert.deepStrictEqual(message.sender, {
      id: 7 as never,
      kind: "user",
      name: "Ann Lee",
      username: "ann",
      language: "ru"
    })
    assert.deepStrictEqual(message.attachments, [])
    assert.strictEqual(message.editDate, 1_700_000_009)
  })

  it("each way a message can come has its own tag", () => {
    const text = { text: "x" }
    assert.strictEqual(decodeUpdate(update(text))._tag, "Message")
    assert.strictEqual(decodeUpdate(update(text, "edited_message"))._tag, "EditedMessage")
    const post = { ...text, chat: channel, from: undefined }
    const posted = decodeUpdate(update(post, "channel_post"))
    includes(conversationOf(posted)?.sender, { id: channel.id, kind: "chat", name: "News" })
    assert.strictEqual(decodeUpdate(update(post, "edited_channel_post"))._tag, "EditedMessage")
    includes(decodeUpdate(update(text, "business_message")), {
      _tag: "Unknown",
      kind: "business_message"
    })
  })

  it("an anonymous administrator speaks as the group, not as the stand-in account", () => {
    const group = { id: -100500, type: "supergroup", title: "Team" }
    const message = messageOf(update({ text: "x", chat: group, sender_chat: group }))
    includes(message.sender, { id: -100500, kind: "chat", name: "Team" })
  })

  it("only a real topic is a thread: General and threads of replies are none", () => {
    const thread = (fields: object) => messageOf(update({ text: "x", ...fields })).thread
    assert.strictEqual(thread({ message_thread_id: 9, is_topic_message: true }), 9)
    assert.strictEqual(thread({ message_thread_id: 1, is_topic_message: true }), undefined)
    assert.strictEqual(thread({ message_thread_id: 9 }), undefined)
  })

  it("entities outside the text are cut to it or left out", () => {
    const entity = (offset: number, length: number) => ({ type: "bold", offset, length })
    const { entities } = messageOf(
      update({
        text: "abcdef",
        entities: [entity(4, 9), entity(-2, 4), entity(6, 1), entity(1, 0), entity(0, 2.5), 7]
      })
    ).text
    assert.deepStrictEqual(entities, [entity(4, 2), entity(0, 2)])
  })

  it("NUL and lone surrogates, which PostgreSQL's text cannot hold, are replaced one for one", () => {
    const message = messageOf(update({ text: "a\0b\uD83Dc", from: { ...ann, first_name: "\uDE00" } }))
    assert.strictEqual(message.text.text, "a\uFFFDb\uFFFDc")
    assert.strictEqual(message.sender.name, "\uFFFD Lee")
  })
})

describe("attachments", () => {
  const attachments = (fields: object) => messageOf(update(fields)).attachments

  it("of a photo the largest size is kept, with caption and album", () => {
    const message = messageOf(
      update({
        photo: [
          file("s", { width: 90, height: 90 }),
          file("l", { width: 1280, height: 960, file_size: 5000 }),
          file("m", { width: 320, height: 240 })
        ],
        caption: "A #view",
        caption_entities: [{ type: "hashtag", offset: 2, length: 5 }],
        media_group_id: "13"
      })
    )
    assert.deepStrictEqual(message.attachments, [
      { _tag: "Photo", file: { fileId: "l", fileUniqueId: "ul", size: 5000, width: 1280, height: 960 } }
    ])
    assert.strictEqual(message.text.text, "A #view")
    assert.strictEqual(message.albumId, "13")
  })

  it("an animation is not also a document, a venue not also a location", () => {
    const place = { latitude: 1.5, longitude: 2.5 }
    assert.deepStrictEqual(
      attachments({ animation: file("a"), document: file("a") }).map((one) => one._tag),
      ["Animation"]
    )
    assert.deepStrictEqual(
      attachments({ venue: { location: place, title: "Café", address: "1 St" }, location: place }),
      [{ _tag: "Venue", ...place, title: "Café", address: "1 St" }]
    )
  })

  it("an animation that cannot be read leaves the document in its place", () => {
    assert.deepStrictEqual(
      attachments({ animation: {}, document: file("a") }).map((one) => one._tag),
      ["Document", "Unsupported"]
    )
  })

  it("every kind of content is understood", () => {
    const kinds: ReadonlyArray<readonly [object, object]> = [
      [{ video: file("v", { duration: 3 }) }, { _tag: "Video" }],
      [{ audio: file("a", { performer: "P", title: "T" }) }, { _tag: "Audio", performer: "P", title: "T" }],
      [{ voice: file("v") }, { _tag: "Voice" }],
      [{ video_note: file("v", { length: 240 }) }, { _tag: "VideoNote" }],
      [{ document: file("d", { file_name: "a.pdf", mime_type: "application/pdf" }) }, { _tag: "Document" }],
      [
        { sticker: file("s", { emoji: "🙂", set_name: "Set" }) },
        { _tag: "Sticker", emoji: "🙂", setName: "Set" }
      ],
      [{ location: { latitude: 1, longitude: 2 } }, { _tag: "Location", latitude: 1, longitude: 2 }],
      [
        { contact: { phone_number: "+1", first_name: "Bo" } },
        { _tag: "Contact", phone: "+1", firstName: "Bo" }
      ],
      [
        { poll: { question: "Q?", options: [{ text: "a" }, { text: "b" }] } },
        { _tag: "Poll", options: ["a", "b"] }
      ],
      [{ dice: { emoji: "🎯", value: 4 } }, { _tag: "Dice", emoji: "🎯", value: 4 }]
    ]
    for (const [fields, expected] of kinds) {
      const [only, ...rest] = attachments(fields)
      assert.deepEqual({ ...only, ...expected }, { ...only }, JSON.stringify(fields))
      assert.strictEqual(rest.length, 0)
    }
  })

  it("content nobody knows is named; beside a text an unknown field is only a description", () => {
    assert.deepStrictEqual(attachments({ hologram: { x: 1 } }), [
      { _tag: "Unsupported", kinds: ["hologram"] }
    ])
    assert.deepStrictEqual(attachments({ hologram: {}, caption: "c" }), [
      { _tag: "Unsupported", kinds: ["hologram"] }
    ])
    assert.deepStrictEqual(attachments({ text: "x", sender_mood: "good" }), [])
    assert.deepStrictEqual(attachments({ text: "x", story: { id: 1 } }), [
      { _tag: "Unsupported", kinds: ["story"] }
    ])
    assert.deepStrictEqual(attachments({ document: { file_name: "no id" } }), [
      { _tag: "Unsupported", kinds: ["document"] }
    ])
  })

  it("the words of rich messages and checklists are kept as text", () => {
    const rich = messageOf(
      update({
        rich_message: {
          blocks: [
            { type: "heading", size: 1, text: "Plan" },
            { type: "paragraph", text: ["one ", { type: "bold", text: "two" }] },
            { type: "list", items: [{ label: "1.", blocks: [{ type: "paragraph", text: "first" }] }] }
          ]
        }
      })
    )
    assert.strictEqual(rich.text.text, "Plan\none two\n1. first")
    const list = messageOf(
      update({
        checklist: {
          title: "Buy",
          tasks: [
            { id: 1, text: "milk", completion_date: 5 },
            { id: 2, text: "tea" }
          ]
        }
      })
    )
    assert.strictEqual(list.text.text, "Buy\n☑ milk\n☐ tea")
    assert.deepStrictEqual(list.attachments, [])
  })
})

describe("forwards and replies", () => {
  const origin = (value: object) =>
    messageOf(update({ text: "x", forward_origin: { date: 3, ...value } })).origin

  it("every kind of origin is kept, a channel with a link to its message", () => {
    includes(origin({ type: "user", sender_user: ann }), { _tag: "User" })
    assert.deepStrictEqual(origin({ type: "hidden_user", sender_user_name: "H" }), {
      _tag: "HiddenUser",
      date: 3,
      name: "H"
    })
    includes(origin({ type: "chat", sender_chat: channel, author_signature: "S" }), {
      _tag: "Chat",
      signature: "S"
    })
    const sent = { type: "channel", message_id: 42 }
    includes(origin({ ...sent, chat: { ...channel, username: "news" } }), {
      link: "https://t.me/news/42"
    })
    includes(origin({ ...sent, chat: channel }), { link: "https://t.me/c/1234567890/42" })
    assert.notProperty(origin({ ...sent, chat: { ...channel, id: -42 } }), "link")
    assert.deepStrictEqual(origin({ type: "planet" }), { _tag: "HiddenUser", date: 3, name: "?" })
  })

  it("a reply keeps its author and the quoted part, else the beginning, uncut inside a character", () => {
    const reply = (fields: object) => messageOf(update({ text: "x", ...fields })).replyTo
    const replied = { ...base, message_id: 4, text: `${"a".repeat(299)}😀tail` }
    assert.deepStrictEqual(reply({ reply_to_message: replied }), {
      messageId: 4 as never,
      author: "Ann Lee",
      excerpt: `${"a".repeat(299)}…`
    })
    includes(reply({ reply_to_message: replied, quote: { text: "aa", position: 0 } }), {
      excerpt: "aa"
    })
    const far = { origin: { type: "hidden_user", date: 1, sender_user_name: "H" }, message_id: 99 }
    assert.deepStrictEqual(reply({ external_reply: far, quote: { text: "far" } }), {
      author: "H",
      excerpt: "far"
    })
    assert.strictEqual(
      reply({ reply_to_message: { ...base, forum_topic_created: { name: "T" } } }),
      undefined
    )
  })
})

describe("what is not a message", () => {
  it("a button names its message, its topic and who pressed", () => {
    const message = { ...base, message_thread_id: 3, is_topic_message: true }
    const pressed = decodeUpdate({ update_id: 1, callback_query: { id: "9", from: ann, data: "d", message } })
    includes(pressed, { _tag: "Button", callbackId: "9", data: "d" })
    includes(conversationOf(pressed), { thread: 3 })
    const gone = { chat: home, message_id: 2, date: 0 }
    includes(
      decodeUpdate({ update_id: 1, callback_query: { id: "9", from: ann, data: "d", message: gone } }),
      {
        message: { chat: { id: 7, kind: "private" }, messageId: 2 }
      }
    )
    const inline = decodeUpdate({ update_id: 1, callback_query: { id: "9", from: ann, data: "d" } })
    assert.strictEqual(inline._tag, "Button")
    assert.strictEqual(conversationOf(inline), undefined)
    assert.strictEqual(
      decodeUpdate({ update_id: 1, callback_query: { id: "9", from: ann, game_short_name: "g" } })._tag,
      "Unknown"
    )
  })

  it("membership follows the new status", () => {
    const status = (value: object) => {
      const decoded = decodeUpdate({
        update_id: 1,
        my_chat_member: { chat: home, from: ann, new_chat_member: value }
      })
      return decoded._tag === "Membership" ? decoded.status : decoded._tag
    }
    assert.strictEqual(status({ status: "member" }), "present")
    assert.strictEqual(status({ status: "kicked" }), "absent")
    assert.strictEqual(status({ status: "restricted", is_member: false }), "absent")
    assert.strictEqual(status({ status: "restricted", is_member: true }), "present")
    assert.strictEqual(status({ status: "levitating" }), "Unknown")
  })

  it("a stopped draft is its person's, whatever else the update says", () => {
    const stopped = { chat: home, draft_id: 77, keep: "no" }
    const decoded = decodeUpdate({ update_id: 1, stopped_message_generation: stopped })
    includes(decoded, { _tag: "DraftStopped", draftId: 77 })
    includes(conversationOf(decoded)?.sender, { id: home.id, kind: "user" })
    const inTopic = { ...stopped, message_thread_id: 5 }
    includes(decodeUpdate({ update_id: 1, stopped_message_generation: inTopic }), { thread: 5 })
    includes(decodeUpdate({ update_id: 1, stopped_message_generation: { chat: home } }), {
      _tag: "Unknown",
      kind: "stopped_message_generation"
    })
  })

  it("service messages say which news they are and where", () => {
    const decoded = decodeUpdate(
      update({ pinned_message: base, message_thread_id: 4, is_topic_message: true })
    )
    includes(decoded, { _tag: "Unknown", kind: "service:pinned_message", thread: 4 })
    includes(conversationOf(decoded)?.sender, { id: 7 })
  })

  it("an update that cannot be read keeps what could be found", () => {
    const reaction = decodeUpdate({ update_id: 1, message_reaction: { chat: home, user: ann, date: 1 } })
    includes(reaction, { _tag: "Unknown", kind: "message_reaction" })
    assert.isDefined(conversationOf(reaction))
    includes(decodeUpdate(update({ date: "soon", text: "x" })), {
      _tag: "Unknown",
      kind: "message"
    })
    assert.deepStrictEqual(decodeUpdate({ update_id: 4 }), {
      _tag: "Unknown",
      updateId: 4 as never,
      kind: "empty"
    })
    for (const odd of [
      undefined,
      null,
      7,
      "x",
      [],
      { update_id: 1, toString: {} },
      { update_id: 1, message: [] }
    ]) {
      assert.strictEqual(decodeUpdate(odd)._tag, "Unknown")
    }
    assert.strictEqual(updateIdOf({ update_id: "1" }), undefined)
    assert.strictEqual(decodeUpdate({ message: { ...base, text: "x" } }).updateId, noUpdateId)
  })
})

describe("any input", () => {
  const json = fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<unknown>
  const field = fc.constantFrom(
    "message_id",
    "date",
    "chat",
    "from",
    "text",
    "entities",
    "photo",
    "document",
    "animation",
    "venue",
    "poll",
    "sticker",
    "forward_origin",
    "reply_to_message",
    "quote",
    "external_reply",
    "rich_message",
    "checklist",
    "constructor",
    "__proto__",
    "media_group_id",
    "message_thread_id"
  )
  const broken = fc.tuple(
    fc.constantFrom(
      "message",
      "edited_message",
      "callback_query",
      "my_chat_member",
      "stopped_message_generation",
      "poll"
    ),
    fc.dictionary(field, json),
    fc.boolean()
  )

  it("never fails and always gives a valid update", () => {
    fc.assert(
      fc.property(broken, ([kind, fields, keep]) => {
        const raw = { update_id: 3, [kind]: keep ? { ...base, ...fields } : fields }
        assert.isTrue(isUpdate(decodeUpdate(raw)), JSON.stringify(raw))
      }),
      { numRuns: 500 }
    )
    fc.assert(fc.property(json, (raw) => isUpdate(decodeUpdate(raw))))
  })
})
