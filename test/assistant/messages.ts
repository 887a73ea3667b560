/** Messages for tests, with only what matters in them said. */
import { plain } from "../../src/domain/FormattedText.ts"
import { ChatId, MessageId, UpdateId } from "../../src/domain/Ids.ts"
import { IncomingMessage } from "../../src/domain/IncomingMessage.ts"
import type { UnitMember } from "../../src/domain/Note.ts"

/** 2026-11-22 14:05 UTC */
export const noon = 1_795_356_300

export const messageOf = (fields: Partial<ConstructorParameters<typeof IncomingMessage>[0]> = {}) =>
  new IncomingMessage({
    messageId: MessageId.make(1),
    chat: { id: ChatId.make(7), kind: "private" },
    sender: { id: 7, kind: "user", name: "Ann" },
    date: noon,
    text: plain(""),
    attachments: [],
    ...fields
  })

export const saying = (text: string) => messageOf({ text: plain(text) })

export const memberOf = (update: number, message: IncomingMessage): UnitMember => ({
  updateId: UpdateId.make(update),
  message
})
