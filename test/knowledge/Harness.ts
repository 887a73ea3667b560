/** What the tests of knowledge bases share: the services on a real database, drafts, and a person's commits. */
import { Effect, Layer } from "effect"
import {
  BotId,
  ChatId,
  KnowledgeBaseName,
  MessageId,
  NoteId,
  TenantId,
  UpdateId
} from "../../src/domain/Ids.ts"
import type { NoteDraft, NoteMember, Revision } from "../../src/domain/Note.ts"
import { Blobs } from "../../src/knowledge/Blobs.ts"
import { KnowledgeBase, type RevisionMeta } from "../../src/knowledge/KnowledgeBase.ts"
import { type KnowledgeBaseKey, RevisionLog } from "../../src/knowledge/RevisionLog.ts"
import { TenantScope } from "../../src/store/TenantScope.ts"
import { TestDatabase } from "../support/Postgres.ts"

export const layer = KnowledgeBase.layer.pipe(
  Layer.provideMerge(RevisionLog.layer),
  Layer.provideMerge(Blobs.layer),
  Layer.provideMerge(TestDatabase.layer)
)

/** A knowledge base of the tenant that every database starts with. */
export const baseOf = (name: string): KnowledgeBaseKey => ({
  tenant: TenantId.make("default"),
  name: KnowledgeBaseName.make(name)
})

export const addTenant = Effect.fnUntraced(function* (name: string) {
  const tenant = TenantId.make(name)
  const scope = yield* TenantScope
  yield* scope.transaction(tenant, (sql) => sql`INSERT INTO tenants (tenant_id) VALUES (${tenant})`)
  return tenant
})

/** A valid id from a number. */
export const idOf = (number: number): NoteId => NoteId.make(String(number).padStart(12, "0"))

export const day = Date.UTC(2026, 10, 5, 10)

export const member = (messageId: number, block: string, more: Partial<NoteMember> = {}): NoteMember => ({
  botId: BotId.make(700_000_000_001),
  updateId: UpdateId.make(messageId),
  chat: ChatId.make(-1_001_234_567_890),
  messageId: MessageId.make(messageId),
  date: 1_700_000_000 + messageId,
  block,
  ...more
})

/** A note of one message, both numbered alike. */
export const draft = (number: number, title: string, more: Partial<NoteDraft> = {}): NoteDraft => ({
  id: idOf(number),
  title,
  category: "inbox",
  tags: [],
  created: day,
  updated: day,
  source: { messages: [number] },
  members: [member(number, `text of ${number}`)],
  media: [],
  ...more
})

export const meta = (message: string, date = day): RevisionMeta => ({
  author: { name: "Zapiska", email: "zapiska@localhost" },
  date,
  message
})

export const encode = (text: string) => new TextEncoder().encode(text)

/** The text of a file of the head. */
export const textAt = Effect.fnUntraced(function* (key: KnowledgeBaseKey, path: string) {
  const base = yield* KnowledgeBase
  return new TextDecoder().decode(yield* base.read(key, path))
})

/** A person's commit: each path with its new text, null to remove it. */
export const commit = Effect.fnUntraced(function* (
  key: KnowledgeBaseKey,
  files: Readonly<Record<string, string | null>>,
  more: Partial<Omit<Revision, "number" | "files">> = {}
) {
  const log = yield* RevisionLog
  const blobs = yield* Blobs
  const changes = yield* Effect.forEach(Object.entries(files), ([path, text]) =>
    Effect.gen(function* () {
      const blob = text === null ? null : yield* blobs.put(key.tenant, encode(text))
      return { path, blob, mode: "100644" as const }
    })
  )
  const author = { name: "A person", email: "person@example.org" }
  return yield* log.append(key, {
    kind: "person",
    author,
    date: day,
    message: "By hand",
    ...more,
    files: changes
  })
})
