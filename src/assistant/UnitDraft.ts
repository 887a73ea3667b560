/** A closed unit of messages as the draft of a note. */
import { createHash } from "node:crypto"
import type { Schema } from "effect"
import { type BotId, NoteId, type TenantId, type UpdateId } from "../domain/Ids.ts"
import type { ForwardOrigin, IncomingMessage } from "../domain/IncomingMessage.ts"
import type { Language } from "../domain/Language.ts"
import type { NoteDraft, NoteMedia, NoteMember, UnitMember } from "../domain/Note.ts"
import { originName } from "../telegram/MessageDecoder.ts"
import type { NoteFiles } from "./AttachmentText.ts"
import { spansOf } from "./InlineSpans.ts"
import { linkTarget } from "./MarkdownEscape.ts"
import { filesOf } from "./Media.ts"
import { type BlockOptions, blockOf, shownTime } from "./NoteText.ts"
import { categoryOf, tagsOf, titleOf } from "./NoteTitle.ts"

/** Which bot of which tenant brought the messages. */
export interface NoteSource {
  readonly tenant: TenantId
  readonly botId: BotId
}

const crockford = "0123456789abcdefghjkmnpqrstvwxyz"

/** The same unit has the same id however often it is delivered: 60 bits of a SHA-256. */
export const noteIdOf = (source: NoteSource, first: UpdateId): NoteId => {
  const digest = createHash("sha256").update(`${source.tenant}/${source.botId}/${first}`).digest()
  const bits = digest.readBigUInt64BE() >> 4n
  const digits = Array.from(
    { length: 12 },
    (_, place) => crockford[Number((bits >> BigInt(5 * place)) & 31n)]
  )
  return NoteId.make(digits.join(""))
}

export const noteMemberOf = (
  source: NoteSource,
  { updateId, message }: UnitMember,
  files: NoteFiles,
  options: BlockOptions
): NoteMember => ({
  botId: source.botId,
  updateId,
  chat: message.chat.id,
  messageId: message.messageId,
  ...(message.albumId === undefined ? {} : { albumId: message.albumId }),
  date: message.date,
  edited: message.editDate ?? message.date,
  block: blockOf(message, files, options)
})

/** The stored files of the messages, each once. */
export const noteMediaOf = (
  messages: ReadonlyArray<IncomingMessage>,
  files: NoteFiles
): ReadonlyArray<NoteMedia> => {
  const media = new Map<string, NoteMedia>()
  for (const { file } of messages.flatMap(filesOf)) {
    const state = files.get(file.fileUniqueId)
    if (state?._tag === "Stored") media.set(state.path, { path: state.path, blob: state.blob })
  }
  return [...media.values()]
}

const originSource = (origin: ForwardOrigin): { readonly [key: string]: string } => {
  const username = origin._tag === "User" ? origin.user.username : undefined
  const link = origin._tag === "Channel" ? origin.link : undefined
  return {
    name: originName(origin),
    ...(username === undefined ? {} : { username }),
    ...(link === undefined ? {} : { link }),
    date: `${shownTime(origin.date)}Z`
  }
}

/** Addresses in the text and behind it; not the people it names. */
const linksIn = ({ text }: IncomingMessage): ReadonlyArray<string> => {
  const entities = text.entities.filter(({ type }) => !["mention", "text_mention", "email"].includes(type))
  const links = spansOf({ ...text, entities }, []).filter(({ kind }) => kind === "link")
  return links.sort((a, b) => a.start - b.start).flatMap(({ url = "" }) => linkTarget(url) ?? [])
}

const unique = <A>(items: ReadonlyArray<A>): Array<A> => [
  ...new Map(items.map((item) => [JSON.stringify(item), item])).values()
]

/** Front matter `source`: chat, sender, message ids, forward origins and links, the latter when there are any. */
const sourceOf = (messages: ReadonlyArray<IncomingMessage>): NoteDraft["source"] => {
  const first = messages[0]
  const forwards = unique(
    messages.flatMap(({ origin }) => (origin === undefined ? [] : [originSource(origin)]))
  )
  const links = unique(messages.flatMap(linksIn))
  const source: { [key: string]: Schema.Json } = {
    ...(first === undefined ? {} : { chat: first.chat.id, sender: first.sender.name }),
    messages: messages.map(({ messageId }) => messageId)
  }
  if (first?.chat.title !== undefined) source.chat_title = first.chat.title
  if (forwards.length > 0) source.forwards = forwards
  if (links.length > 0) source.links = links
  return source
}

/** `members` in order, at least one. `language`: of the words the note itself adds. */
export const noteDraftOf = (
  source: NoteSource,
  members: ReadonlyArray<UnitMember>,
  files: NoteFiles,
  language: Language
): NoteDraft => {
  const messages = members.map(({ message }) => message)
  const created = Math.min(...messages.map(({ date }) => date)) * 1000
  return {
    id: noteIdOf(source, members[0]!.updateId),
    title: titleOf(messages, language),
    category: categoryOf(messages),
    tags: tagsOf(messages),
    created,
    updated: Math.max(...messages.map(({ date, editDate }) => editDate ?? date)) * 1000,
    source: sourceOf(messages),
    members: members.map((member) => noteMemberOf(source, member, files, { language, created })),
    media: noteMediaOf(messages, files)
  }
}
