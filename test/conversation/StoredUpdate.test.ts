import { assert, describe, it } from "@effect/vitest"
import { commandOf, notedBy } from "../../src/conversation/StoredUpdate.ts"
import { decodeUpdate } from "../../src/telegram/UpdateDecoder.ts"

const said = (text: string, extra: object = {}) => {
  const update = decodeUpdate({
    update_id: 1,
    message: {
      message_id: 1,
      date: 1_700_000_000,
      chat: { id: 1, type: "private", first_name: "Ann" },
      from: { id: 1, is_bot: false, first_name: "Ann" },
      text,
      ...extra
    }
  })
  if (update._tag !== "Message") throw new Error(update._tag)
  return update.message
}

const notedText = (text: string) => {
  const message = said(text)
  return notedBy(message, commandOf(message)!)?.text.text
}

describe("commands", () => {
  it("a command tells its name, its argument and the bot it is for, in small letters", () => {
    assert.deepInclude(commandOf(said("/Done")), { name: "done" })
    assert.notProperty(commandOf(said("/done")), "bot")
    const call = commandOf(said("/note@Other_Bot  Buy milk"))
    assert.deepInclude(call, { name: "note", bot: "other_bot" })
    assert.strictEqual(call?.argument.text, "Buy milk")
  })

  it("text and forwarded commands are no commands", () => {
    assert.isUndefined(commandOf(said("not /done")))
    assert.isUndefined(commandOf(said("/usr/bin")))
    const forwarded = { forward_origin: { type: "hidden_user", date: 1, sender_user_name: "x" } }
    assert.isUndefined(commandOf(said("/done", forwarded)))
  })

  it("only /note with a text stands for a message: its argument", () => {
    assert.strictEqual(notedText("/note Buy oat milk"), "Buy oat milk")
    assert.isUndefined(notedText("/note"))
    assert.isUndefined(notedText("/note  \n"))
    assert.isUndefined(notedText("/recent now"))
  })
})
