/**
 * One command for each thing a tenant can ask the services that keep rows. All tenants use the same names and numbers,
 * so that whatever forgets the tenant meets another's; what they write says whose it is.
 */
import { Effect, Redacted, Stream } from "effect"
import { ChatId, MessageId, RevisionNumber, UpdateId } from "../../../src/domain/Ids.ts"
import { Blobs } from "../../../src/knowledge/Blobs.ts"
import { KnowledgeBase } from "../../../src/knowledge/KnowledgeBase.ts"
import { RevisionLog } from "../../../src/knowledge/RevisionLog.ts"
import { accept, Fences } from "../../../src/lock/Fences.ts"
import { Apps } from "../../../src/session/Apps.ts"
import { FollowStore } from "../../../src/session/FollowStore.ts"
import { SessionSecrets } from "../../../src/session/SessionSecrets.ts"
import { SessionStore } from "../../../src/session/SessionStore.ts"
import { Vault } from "../../../src/session/Vault.ts"
import { Audit } from "../../../src/store/Audit.ts"
import { HandledUpdates } from "../../../src/store/HandledUpdates.ts"
import { TenantScope } from "../../../src/store/TenantScope.ts"
import { Tenants } from "../../../src/store/Tenants.ts"
import { Callbacks } from "../../../src/telegram/Callbacks.ts"
import { Chats } from "../../../src/telegram/Chats.ts"
import { Invites } from "../../../src/telegram/Invites.ts"
import { Members } from "../../../src/telegram/Members.ts"
import { Outbox } from "../../../src/telegram/Outbox.ts"
import { Permission } from "../../../src/telegram/Permission.ts"
import { Undelivered } from "../../../src/telegram/Undelivered.ts"
import { decodeUpdate } from "../../../src/telegram/UpdateDecoder.ts"
import { encode, idOf, member } from "../../knowledge/Harness.ts"
import { messageUpdate } from "../../telegram/updates.ts"
import {
  type Ask,
  anybodys,
  app,
  bot,
  botId,
  by,
  bytes,
  type Command,
  dispatched,
  drafted,
  followed,
  give,
  kb,
  lock,
  messageOf,
  note,
  outgoing,
  press,
  revision,
  role,
  says,
  secret,
  sender,
  session,
  taken,
  token,
  update,
  updates,
  user
} from "./things.ts"

/** Of a session there is. */
const follow = (ask: Ask) =>
  SessionStore.use((it) => it.add(session(ask), { kind: "user", apiKeyAlias: says(ask) })).pipe(
    Effect.catchTag("SessionExists", () => Effect.void),
    Effect.andThen(
      FollowStore.use((it) =>
        it.follow(
          session(ask),
          { account: user(ask), source: "saved", title: says(ask), since: ask.y },
          "admin"
        )
      )
    )
  )

export const commands: Readonly<Record<string, Command>> = {
  "Blobs.put": (ask) => Blobs.use((it) => it.put(ask.tenant, bytes(ask))),
  "Blobs.putAll": (ask) => Blobs.use((it) => it.putAll(ask.tenant, [bytes(ask), encode("the same for all")])),
  "Blobs.putStream": (ask) => Blobs.use((it) => it.putStream(ask.tenant, Stream.make(bytes(ask)))),
  "Blobs.purge": (ask) => Blobs.use((it) => it.purge(ask.tenant, "1 millis")),
  "Blobs.get": (ask) => Blobs.use((it) => it.get(ask.tenant, anybodys)),
  "Blobs.sizes": (ask) => Blobs.use((it) => it.sizes(ask.tenant, anybodys)),
  "Blobs.read": (ask) =>
    Blobs.use((it) => Effect.forEach(anybodys, (hash) => Stream.runCollect(it.read(ask.tenant, hash)))),

  "RevisionLog.lockHead": (ask) =>
    Effect.flatMap(TenantScope, ({ transaction }) =>
      transaction(ask.tenant, () => RevisionLog.use((it) => it.lockHead(kb(ask))))
    ),
  "RevisionLog.appendAt": (ask) =>
    Effect.flatMap(revision(ask), (one) => RevisionLog.use((it) => it.appendAt(kb(ask), ask.y, one))),
  "RevisionLog.append": (ask) =>
    Effect.flatMap(revision(ask), (one) => RevisionLog.use((it) => it.append(kb(ask), one))),
  "RevisionLog.head": (ask) => RevisionLog.use((it) => it.head(kb(ask))),
  "RevisionLog.read": (ask) => RevisionLog.use((it) => it.read(kb(ask), ask.y, 50)),
  "RevisionLog.files": (ask) => RevisionLog.use((it) => it.files(kb(ask))),
  "RevisionLog.file": (ask) => RevisionLog.use((it) => it.file(kb(ask), `own-${ask.y}.md`)),
  "RevisionLog.versions": (ask) => RevisionLog.use((it) => it.versions(kb(ask), `own-${ask.y}.md`, 0)),
  "RevisionLog.knowledgeBases": (ask) => RevisionLog.use((it) => it.knowledgeBases(ask.tenant)),

  "KnowledgeBase.write": (ask) => KnowledgeBase.use((it) => it.write(kb(ask), drafted(ask), by(ask))),
  "KnowledgeBase.writeAll": (ask) =>
    KnowledgeBase.use((it) =>
      it.writeAll(kb(ask), [
        {
          draft: {
            ...drafted(ask),
            id: idOf(20 + ask.y),
            members: [member(70 + ask.y, says(ask), { botId })]
          },
          meta: by(ask)
        }
      ])
    ),
  "KnowledgeBase.amend": (ask) =>
    KnowledgeBase.use((it) =>
      it.amend(
        kb(ask),
        note(ask),
        {
          members: [member(50 + ask.x, says(ask), { botId })],
          media: [],
          tags: [],
          updated: 1_700_000_000_000
        },
        { ...by(ask), kind: "amend" }
      )
    ),
  "KnowledgeBase.note": (ask) => KnowledgeBase.use((it) => it.note(kb(ask), note(ask))),
  "KnowledgeBase.noteOfMessage": (ask) =>
    KnowledgeBase.use((it) =>
      it.noteOfMessage(kb(ask), ChatId.make(-1_001_234_567_890), MessageId.make(1 + ask.y), botId)
    ),
  "KnowledgeBase.noteOfAlbum": (ask) =>
    KnowledgeBase.use((it) => it.noteOfAlbum(kb(ask), ChatId.make(-1_001_234_567_890), `album-${ask.y}`)),
  "KnowledgeBase.correspondent": (ask) =>
    KnowledgeBase.use((it) => it.correspondent(kb(ask), `own-${ask.y}.md`)),
  "KnowledgeBase.count": (ask) => KnowledgeBase.use((it) => it.count(kb(ask))),
  "KnowledgeBase.recent": (ask) => KnowledgeBase.use((it) => it.recent(kb(ask), 50)),
  "KnowledgeBase.read": (ask) => KnowledgeBase.use((it) => it.read(kb(ask), `own-${ask.y}.md`)),
  "KnowledgeBase.move": (ask) =>
    KnowledgeBase.use((it) => it.move(kb(ask), note(ask), `topics/moved/${ask.x}.md`, by(ask))),
  "KnowledgeBase.remove": (ask) => KnowledgeBase.use((it) => it.remove(kb(ask), note(ask), by(ask))),
  "KnowledgeBase.undo": (ask) =>
    KnowledgeBase.use((it) => it.undo(kb(ask), RevisionNumber.make(1 + ask.y), by(ask), { force: true })),
  "KnowledgeBase.history": (ask) => KnowledgeBase.use((it) => it.history(kb(ask), { limit: 50 })),
  "KnowledgeBase.search": (ask) =>
    KnowledgeBase.use((it) => it.search(kb(ask), ["said", "title", "tag"][ask.y % 3]!, 50)),

  "HandledUpdates.once": (ask) =>
    HandledUpdates.use((it) => it.once(updates(ask), [update(ask)], says(ask), () => Effect.succeed("done"))),
  "HandledUpdates.together": (ask) =>
    HandledUpdates.use((it) =>
      it.together(updates(ask), [{ unit: says(ask), updates: [UpdateId.make(100 + ask.y)] }], () =>
        Effect.succeed("done")
      )
    ),
  "HandledUpdates.among": (ask) =>
    HandledUpdates.use((it) =>
      it.among(
        updates(ask),
        Array.from({ length: 20 }, (_, n) => UpdateId.make(n))
      )
    ),
  "HandledUpdates.forget": (ask) => HandledUpdates.use((it) => it.forget(ask.tenant, ask.x === 0 ? 0 : 9e9)),

  "Outbox.enqueue": (ask) => Outbox.use((it) => it.enqueue(ask.tenant, [outgoing(ask)])),
  "Outbox.enqueueAlone": (ask) => Outbox.use((it) => it.enqueueAlone(ask.tenant, outgoing(ask))),
  "Outbox.shown": (ask) => Outbox.use((it) => it.shown(ask.tenant, botId, [outgoing(ask).key])),
  "Outbox.dispatch": dispatched,
  "Outbox.purge": (ask) => Outbox.use((it) => it.purge(ask.tenant, ask.x === 0 ? 0 : 9e9)),
  "Undelivered.list": (ask) => Undelivered.use((it) => it.list(ask.tenant)),
  "Chats.heard": (ask) =>
    Chats.use((it) =>
      it.heard(bot(ask), botId, [
        { raw: messageUpdate(1 + ask.y, { text: says(ask) }, user(ask)), decoded: messageOf(ask) }
      ])
    ),

  "Callbacks.issue": (ask) =>
    Effect.map(
      Callbacks.use((it) =>
        it.issue(ask.tenant, [
          {
            ...bot(ask),
            key: `button-${ask.x}-${ask.y}`,
            chat: ChatId.make(100 + ask.y),
            user: user(ask),
            purpose: "undo",
            payload: says(ask),
            lifetime: ask.x === 0 ? "1 milli" : "1 hour"
          }
        ])
      ),
      (tokens) => {
        give(ask.buttons, ask.tenant, tokens)
        return tokens.length
      }
    ),
  "Callbacks.redeem": (ask) => Callbacks.use((it) => it.redeem(press(ask, "own"))),
  "Callbacks.redeem of another": (ask) => Callbacks.use((it) => it.redeem(press(ask, "foreign"))),
  "Callbacks.purge": (ask) => Callbacks.use((it) => it.purge(ask.tenant, ask.x === 0 ? 0 : 9e9)),

  "Members.add": (ask) =>
    Members.use((it) => it.add(ask.tenant, { user: user(ask), role: role(ask), name: says(ask) }, "admin")),
  "Members.roll": (ask) => Members.use((it) => it.roll(ask.tenant)),
  "Members.list": (ask) => Members.use((it) => it.list(ask.tenant)),
  "Members.setRole": (ask) => Members.use((it) => it.setRole(ask.tenant, user(ask), role(ask), "admin")),
  "Members.claim": (ask) => Members.use((it) => it.claim(ask.tenant, sender(ask))),
  "Members.join": (ask) => Members.use((it) => it.join(ask.tenant, sender(ask), role(ask))),
  "Members.keepLanguages": (ask) => Members.use((it) => it.keepLanguages(ask.tenant, [sender(ask)])),
  "Members.remove": (ask) => Members.use((it) => it.remove(ask.tenant, user(ask), "admin")),
  "Invites.create": (ask) =>
    Effect.map(
      Invites.use((it) =>
        it.create(ask.tenant, { role: "reader", uses: 1 + ask.y, id: `invite-${ask.x}` }, "admin")
      ),
      ({ code, ...invite }) => {
        give(ask.codes, ask.tenant, [Redacted.value(code)])
        return invite
      }
    ),
  "Invites.list": (ask) => Invites.use((it) => it.list(ask.tenant)),
  "Invites.redeem": (ask) =>
    Invites.use((it) => it.redeem(bot(ask), sender(ask), taken(ask.codes, ask, "own"))),
  "Invites.redeem of another": (ask) =>
    Invites.use((it) => it.redeem(bot(ask), sender(ask), taken(ask.codes, ask, "foreign"))),
  "Invites.revoke": (ask) => Invites.use((it) => it.revoke(ask.tenant, `invite-${ask.x}`, "admin")),
  "Invites.purge": (ask) => Invites.use((it) => it.purge(ask.tenant, ask.x === 0 ? 0 : 9e9)),
  "Permission.role": (ask) => Permission.use((it) => it.role(bot(ask), user(ask))),
  "Permission.takesInvites": (ask) => Permission.use((it) => it.takesInvites(bot(ask))),
  "Permission.heard": (ask) => Permission.use((it) => it.heard(bot(ask), [messageOf(ask)])),
  "Permission.admit": (ask) => Permission.use((it) => it.admit(bot(ask), messageOf(ask))),
  "Permission.claimCode": (ask) =>
    Effect.flatMap(Permission, ({ claimCode, admit }) =>
      Effect.gen(function* () {
        const code = yield* claimCode(bot(ask))
        if (code._tag === "None") return "claimed"
        const claim = messageUpdate(90, { text: `/start ${Redacted.value(code.value)}` }, user(ask))
        return yield* admit(bot(ask), decodeUpdate(claim))
      })
    ),
  "Permission.language": (ask) => Permission.use((it) => it.language(bot(ask), user(ask))),

  "Vault.put": (ask) => Vault.use((it) => it.put(ask.tenant, secret(ask), Redacted.make(says(ask)))),
  "Vault.get": (ask) => Vault.use((it) => it.get(ask.tenant, secret(ask))),
  "Vault.remove": (ask) => Vault.use((it) => it.remove(ask.tenant, secret(ask))),
  "Vault.setAside": (ask) => Vault.use((it) => it.setAside(ask.tenant, secret(ask))),
  "Vault.names": (ask) => Vault.use((it) => it.names(ask.tenant)),
  "Vault.examine": (ask) => Vault.use((it) => it.examine(ask.tenant)),
  "Vault.rotate": (ask) => Vault.use((it) => it.rotate(ask.tenant)),

  "Fences.next": (ask) => Fences.use((it) => it.next(lock(ask))),
  accept: (ask) =>
    Effect.flatMap(TenantScope, ({ transaction }) =>
      transaction(ask.tenant, (sql) => accept(sql, ask.tenant, `thing-${ask.x}`, ask.y))
    ),

  "Tenants.add": (ask) => Tenants.use((it) => it.add({ id: ask.tenant, name: says(ask) }, "admin")),
  "Tenants.get": (ask) => Tenants.use((it) => it.get(ask.tenant)),
  "Tenants.disable": (ask) => Tenants.use((it) => it.disable(ask.tenant, "admin")),
  "Tenants.enable": (ask) => Tenants.use((it) => it.enable(ask.tenant, "admin")),
  "Tenants.wasRemoved": (ask) => Tenants.use((it) => it.wasRemoved(ask.tenant)),
  "Audit.record": (ask) =>
    Audit.use((it) =>
      it.record({ tenant: ask.tenant, actor: "system", action: "test.done", subject: says(ask) })
    ),
  "Audit.list": (ask) => Audit.use((it) => it.list(ask.tenant)),

  "Apps.add": (ask) => Apps.use((it) => it.add({ ...app(ask), token: token(ask) }, "admin")),
  "Apps.rotate": (ask) => Apps.use((it) => it.rotate(app(ask), token(ask), "admin")),
  "Apps.disable": (ask) => Apps.use((it) => it.disable(app(ask), "admin")),
  "Apps.enable": (ask) => Apps.use((it) => it.enable(app(ask), "admin")),
  "Apps.get": (ask) => Apps.use((it) => it.get(app(ask))),
  "Apps.list": (ask) => Apps.use((it) => it.list(ask.tenant)),
  "Apps.remove": (ask) => Apps.use((it) => it.remove(app(ask), "admin")),

  "SessionStore.add": (ask) =>
    SessionStore.use((it) => it.add(session(ask), { kind: "user", apiKeyAlias: says(ask) })),
  "SessionStore.get": (ask) => SessionStore.use((it) => it.get(session(ask))),
  "SessionStore.list": (ask) => SessionStore.use((it) => it.list(ask.tenant)),
  "SessionStore.history": (ask) => SessionStore.use((it) => it.history(session(ask), 50)),
  "SessionStore.move": (ask) =>
    SessionStore.use((it) =>
      it.move(session(ask), (["qr_started", "code_sent", "qr_scanned"] as const)[ask.y % 3]!, {
        actor: `user:${user(ask)}`
      })
    ),
  "SessionStore.note": (ask) =>
    SessionStore.use((it) => it.note(session(ask), { actor: "system" }, { error: says(ask) })),
  "SessionStore.fenced": (ask) =>
    SessionStore.use((it) => it.fenced(session(ask), { actor: "system", fence: 1 + ask.y }, Effect.void)),
  "SessionStore.remove": (ask) => SessionStore.use((it) => it.remove(session(ask))),
  "FollowStore.follow": follow,
  "FollowStore.followSaved": (ask) =>
    Effect.andThen(
      SessionStore.use((it) => it.add(session(ask), { kind: "user" })).pipe(
        Effect.catchTag("SessionExists", () => Effect.void)
      ),
      FollowStore.use((it) => it.followSaved(session(ask), { account: user(ask), at: ask.y }, "admin"))
    ),
  "FollowStore.unfollow": (ask) =>
    Effect.andThen(
      follow(ask),
      FollowStore.use((it) => it.unfollow(session(ask), "saved", "admin"))
    ),
  "FollowStore.list": (ask) => FollowStore.use((it) => it.list(session(ask))),
  "FollowStore.sessions": (ask) => FollowStore.use((it) => it.sessions(ask.tenant)),
  "FollowStore.advance": (ask) =>
    FollowStore.use((it) => it.advance(followed(ask), MessageId.make(100 + ask.y))),
  "FollowStore.reread": (ask) => FollowStore.use((it) => it.reread(followed(ask), "due")),
  "FollowStore.trouble": (ask) => FollowStore.use((it) => it.trouble(followed(ask), says(ask))),
  "SessionSecrets.credentials": (ask) =>
    Effect.flatMap(
      SessionStore.use((it) => it.get(session(ask))),
      (row) => SessionSecrets.use((it) => it.credentials(row))
    ),
  "SessionSecrets.keep": (ask) =>
    SessionSecrets.use((it) => it.keep(session(ask), { session: Redacted.make(says(ask)) })),
  "SessionSecrets.keepPositions": (ask) =>
    SessionSecrets.use((it) => it.keepPositions(session(ask), Redacted.make(says(ask)))),
  "SessionSecrets.kept": (ask) => SessionSecrets.use((it) => it.kept(session(ask))),
  "SessionSecrets.setAside": (ask) => SessionSecrets.use((it) => it.setAside(session(ask))),
  "SessionSecrets.destroy": (ask) => SessionSecrets.use((it) => it.destroy(session(ask))),
  "SessionSecrets.forgetCredentials": (ask) =>
    SessionSecrets.use((it) => it.forgetCredentials(ask.tenant, secret(ask).alias))
}
