/**
 * A database with everything that keeps rows of tenants, and what a command on it answers in a form in which two
 * such databases can be compared.
 */
import { createHash } from "node:crypto"
import { PgConnection } from "@effect/sql-pg"
import { Cause, Effect, Exit, Layer, Logger, Option, Redacted } from "effect"
import { Blobs } from "../../../src/knowledge/Blobs.ts"
import { KnowledgeBase } from "../../../src/knowledge/KnowledgeBase.ts"
import { RevisionLog } from "../../../src/knowledge/RevisionLog.ts"
import { Fences } from "../../../src/lock/Fences.ts"
import { Scrubber } from "../../../src/ops/Scrub.ts"
import { Apps } from "../../../src/session/Apps.ts"
import { FollowStore } from "../../../src/session/FollowStore.ts"
import { SessionSecrets } from "../../../src/session/SessionSecrets.ts"
import { SessionStore } from "../../../src/session/SessionStore.ts"
import { Vault } from "../../../src/session/Vault.ts"
import { Audit } from "../../../src/store/Audit.ts"
import { HandledUpdates } from "../../../src/store/HandledUpdates.ts"
import { Tenants } from "../../../src/store/Tenants.ts"
import { BotPort } from "../../../src/telegram/BotPort.ts"
import { Bots } from "../../../src/telegram/Bots.ts"
import { Callbacks } from "../../../src/telegram/Callbacks.ts"
import { Chats } from "../../../src/telegram/Chats.ts"
import { GrammyApi } from "../../../src/telegram/GrammyApi.ts"
import { Invites } from "../../../src/telegram/Invites.ts"
import { LimitCounters } from "../../../src/telegram/LimitCounters.ts"
import { Members } from "../../../src/telegram/Members.ts"
import { Outbox } from "../../../src/telegram/Outbox.ts"
import { Pacer } from "../../../src/telegram/Pacer.ts"
import { Permission } from "../../../src/telegram/Permission.ts"
import { Undelivered } from "../../../src/telegram/Undelivered.ts"
import { TestDatabase } from "../../support/Postgres.ts"

const key = Redacted.make(new Uint8Array(32).fill(7))
/** Nobody listens there: Telegram is never asked. */
const nowhere = "http://127.0.0.1:1"

export const world = Layer.mergeAll(
  KnowledgeBase.layer.pipe(Layer.provideMerge(RevisionLog.layer), Layer.provideMerge(Blobs.layer)),
  Apps.layer({ apiRoot: nowhere }).pipe(
    Layer.provide(GrammyApi.layer),
    Layer.provideMerge(Vault.layer({ masterKey: key })),
    Layer.provideMerge(Tenants.layer),
    Layer.provideMerge(Audit.layer),
    Layer.provideMerge(SessionStore.layer({ replica: "one" }).pipe(Layer.provide(Scrubber.layer)))
  ),
  Permission.layer({ allowed: "claim", digestKey: key }).pipe(
    Layer.provideMerge(Invites.layer({ key })),
    Layer.provideMerge(Layer.mergeAll(Outbox.layer, Members.layer)),
    Layer.provide([Pacer.layer, Audit.layer, LimitCounters.layerMemory]),
    Layer.provideMerge(BotPort.layerRecording)
  ),
  SessionSecrets.layer.pipe(Layer.provide([Scrubber.layer, Vault.layer({ masterKey: key })])),
  FollowStore.layer.pipe(Layer.provide(Audit.layer)),
  HandledUpdates.layer,
  Undelivered.layer,
  Callbacks.layer,
  Chats.layer,
  Fences.layer
).pipe(
  Layer.provideMerge(Bots.layer([])),
  Layer.provideMerge(TestDatabase.layerWith({ poolSize: 2 })),
  Layer.provide(Logger.layer([]))
)

export type World = Layer.Success<typeof world>

/** Of the database, of the clock or of chance: two that do the same disagree. */
const chance = new Set(["at", "changed", "lastActivity", "nextTry", "trace"])
const isTime = (text: string) => /^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(text)

/** Data that two answers which say the same have in common. */
export const plain = (value: unknown): unknown => {
  if (Redacted.isRedacted(value)) return `secret ${plain(Redacted.value(value))}`
  if (Option.isOption(value)) return Option.isSome(value) ? { some: plain(value.value) } : "none"
  if (value instanceof Uint8Array) return `bytes ${Buffer.from(value).toString("utf8")}`
  if (value instanceof Map) return [...value].map(plain)
  if (value instanceof Set) return [...value].map(plain)
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value === "string" && isTime(value)) return "a time"
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      // Numbers of rows are the database's; the names of notes are the caller's.
      .filter(
        ([name, one]) => one !== undefined && !chance.has(name) && !(name === "id" && typeof one === "number")
      )
      .map(([name, one]) => [name, plain(one)])
  )
}

interface Failed {
  readonly _tag: string
  readonly reason?: { readonly _tag: string }
}

const failure = (error: Failed) => (error._tag === "SqlError" ? error.reason?._tag : plain({ ...error }))

export const outcome = (
  exit: Exit.Exit<unknown, unknown>
): { readonly answer?: unknown; readonly failed?: unknown } =>
  Exit.isSuccess(exit)
    ? { answer: plain(exit.value) }
    : {
        failed: exit.cause.reasons.map((reason) =>
          Cause.isFailReason(reason) ? failure(reason.error as Failed) : reason._tag
        )
      }

/** Policies for nobody: then it is the queries alone that keep tenants apart. */
export const withoutPolicies = Effect.gen(function* () {
  const { superuser } = yield* TestDatabase
  const connection = yield* PgConnection.make(superuser)
  const tables = yield* connection.queryValues(
    "SELECT relname FROM pg_class WHERE relnamespace = 'zapiska'::regnamespace AND relrowsecurity"
  )
  for (const [table] of tables)
    yield* connection.query(`ALTER TABLE zapiska.${table} DISABLE ROW LEVEL SECURITY`)
}).pipe(Effect.scoped)

/** A digest of all rows of each tenant, in whatever table, seen by one whom no policy meets. */
export const rowsByTenant = Effect.gen(function* () {
  const { superuser } = yield* TestDatabase
  const connection = yield* PgConnection.make(superuser)
  const tables = (yield* connection.queryValues(
    `SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'
     WHERE c.relnamespace = 'zapiska'::regnamespace AND c.relkind = 'r' AND NOT a.attisdropped`
  )) as ReadonlyArray<readonly [string]>
  const all = tables
    .map(([name]) => `SELECT tenant_id, '${name} ' || t::text AS line FROM zapiska.${name} t`)
    .join(" UNION ALL ")
  return Effect.map(connection.queryValues(`${all} ORDER BY 1, 2`), (rows) => {
    const digests = new Map<string, ReturnType<typeof createHash>>()
    for (const [tenant, line] of rows as ReadonlyArray<readonly [string, string]>) {
      const digest = digests.get(tenant) ?? createHash("sha256")
      digests.set(tenant, digest.update(line))
    }
    return new Map([...digests].map(([tenant, digest]) => [tenant, digest.digest("hex")]))
  })
})
