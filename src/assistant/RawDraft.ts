/**
 * The last resort: a note of a unit that cannot be composed as it should be. Nothing in here looks into the
 * messages, so that whatever is wrong with them cannot be wrong again.
 */
import type { Language } from "../domain/Language.ts"
import type { NoteDraft, UnitMember } from "../domain/Note.ts"
import { noteWords } from "./NoteWords.ts"
import { type NoteSource, noteIdOf } from "./UnitDraft.ts"

/** A fence longer than any run of backticks inside. */
const fenced = (text: string): string => {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map((run) => run[0].length))
  const fence = "`".repeat(longest + 1)
  return `${fence}json\n${text}\n${fence}`
}

export const rawDraftOf = (
  source: NoteSource,
  members: readonly [UnitMember, ...ReadonlyArray<UnitMember>],
  language: Language
): NoteDraft => {
  const [first] = members
  const created = first.message.date * 1000
  return {
    id: noteIdOf(source, first.updateId),
    title: noteWords[language].rawTitle,
    category: "inbox",
    tags: [],
    created,
    updated: created,
    source: { chat: first.message.chat.id, messages: members.map((one) => one.message.messageId) },
    members: members.map(({ updateId, message }) => ({
      botId: source.botId,
      updateId,
      chat: message.chat.id,
      messageId: message.messageId,
      date: message.date,
      block: fenced(JSON.stringify(message, null, 2))
    })),
    media: []
  }
}
