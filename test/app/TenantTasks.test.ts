import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as TenantTasks from "../../src/app/TenantTasks.ts"
import { defaultTenant, TenantId } from "../../src/domain/Ids.ts"
import { GitProjection } from "../../src/knowledge/GitProjection.ts"
import { Fences } from "../../src/lock/Fences.ts"
import * as LocksMemory from "../../src/lock/LocksMemory.ts"
import { Replicas } from "../../src/session/Replicas.ts"
import { Audit } from "../../src/store/Audit.ts"
import { Directory } from "../../src/store/Directory.ts"
import { EngineSql } from "../../src/store/EngineSql.ts"
import { Tenants } from "../../src/store/Tenants.ts"
import { TaskManager } from "../../src/task/TaskManager.ts"
import { eventually } from "../support/Application.ts"
import { TestDatabase } from "../support/Postgres.ts"

/** The little of the engine's tables that is asked for. */
const engine = Layer.effectDiscard(
  Effect.gen(function* () {
    const { client: sql } = yield* EngineSql
    yield* sql`CREATE TABLE cluster_messages (
      id bigint PRIMARY KEY, entity_type text, entity_id text, payload text, processed boolean)`
    yield* sql`CREATE TABLE cluster_replies (id bigint PRIMARY KEY, request_id bigint)`
  })
)

const world = Layer.mergeAll(
  Directory.layer,
  Tenants.layer,
  TaskManager.layer,
  NodeFileSystem.layer,
  engine,
  LocksMemory.layer.pipe(Layer.provide(Fences.layer)),
  Replicas.layerSole,
  Layer.mock(GitProjection, { directory: ({ tenant }) => tenant, follow: () => Effect.never })
).pipe(Layer.provideMerge(Audit.layer), Layer.provideMerge(TestDatabase.layer))

/** A folder of repositories, each with something in it. */
const repositories = (...names: ReadonlyArray<string>) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const directory = mkdtempSync(join(tmpdir(), "zapiska-tenants-"))
      for (const name of names) {
        mkdirSync(join(directory, name, "notes"), { recursive: true })
        writeFileSync(join(directory, name, "notes", "index.md"), name)
      }
      return directory
    }),
    (directory) => Effect.sync(() => rmSync(directory, { recursive: true, force: true }))
  )

const followed = Effect.map(
  TaskManager.use(({ list }) => list),
  (all) =>
    all.flatMap(({ kind, owner, status }) =>
      kind === "projection" && status === "running" ? [owner.tenant as string] : []
    )
)

const follow = (directory: string) =>
  Effect.forkScoped(TenantTasks.follow(directory), { startImmediately: true })

const comesTo = (...wanted: ReadonlyArray<string>) =>
  eventually(
    `the repositories of ${wanted} are followed`,
    Effect.map(followed, (now) => now.toSorted().join() === wanted.join())
  )

it.live("the knowledge bases of every enabled tenant are followed, as tenants come and go", () =>
  Effect.gen(function* () {
    const tenants = yield* Tenants
    yield* follow(yield* repositories())
    yield* comesTo("default")
    const { id: acme } = yield* tenants.add({ id: "acme" }, "admin")
    yield* comesTo("acme", "default")
    yield* tenants.disable(acme, "admin")
    yield* comesTo("default")
    yield* tenants.enable(acme, "admin")
    yield* tenants.disable(defaultTenant, "admin")
    yield* comesTo("acme")
    yield* tenants.remove(acme, "admin")
    yield* comesTo()
  }).pipe(Effect.provide(world))
)

it.live("one that begins again takes over what an earlier one started", () =>
  Effect.gen(function* () {
    const tenants = yield* Tenants
    const directory = yield* repositories()
    yield* Effect.scoped(Effect.andThen(follow(directory), comesTo("default")))
    yield* follow(directory)
    const { id: acme } = yield* tenants.add({ id: "acme" }, "admin")
    yield* comesTo("acme", "default")
    yield* tenants.disable(defaultTenant, "admin")
    yield* comesTo("acme")
    yield* tenants.disable(acme, "admin")
    yield* comesTo()
  }).pipe(Effect.provide(world))
)

it.live("the files of a removed tenant are removed, also when it was removed before; unknown ones stay", () =>
  Effect.gen(function* () {
    const tenants = yield* Tenants
    for (const id of ["before", "during", "staying"]) yield* tenants.add({ id }, "admin")
    yield* tenants.remove(TenantId.make("before"), "admin")
    const directory = yield* repositories("before", "during", "staying", "default", "unknown", "Not A Tenant")
    yield* follow(directory)
    const gone = (name: string) =>
      eventually(
        `the files of ${name} are gone`,
        Effect.sync(() => !existsSync(join(directory, name)))
      )
    yield* gone("before")
    assert.isTrue(existsSync(join(directory, "during", "notes", "index.md")))
    yield* tenants.remove(TenantId.make("during"), "admin")
    yield* gone("during")
    assert.sameMembers(readdirSync(directory), ["staying", "default", "unknown", "Not A Tenant"])
  }).pipe(Effect.provide(world))
)

it.live(
  "what the engine keeps of a removed tenant goes, once it is done with; what it keeps of others stays",
  () =>
    Effect.gen(function* () {
      const tenants = yield* Tenants
      const { client: sql } = yield* EngineSql
      const { id: acme } = yield* tenants.add({ id: "acme" }, "admin")
      yield* sql`INSERT INTO cluster_messages VALUES
      (1, 'Conversation', 'acme/bot/1/0/1', '{"update":"secret"}', true),
      (2, 'Conversation', 'acme/bot/1/0/1', '{"update":"later"}', false),
      (3, 'Conversation', 'default/default/1/0/1', '{"tenant":"acme"}', true),
      (4, 'Workflow/FetchMedia', 'abc', '{"tenant":"acme"}', true),
      (5, 'Workflow/FetchMedia', 'def', '{"tenant":"default"}', true),
      (6, 'Workflow/FetchMedia', 'ghi', NULL, true),
      (7, 'Conversation', 'acmeplus/bot/1/0/1', '{}', false)`
      yield* sql`INSERT INTO cluster_replies VALUES (11, 1), (13, 3), (14, 4)`
      const kept = Effect.map(
        sql<{
          id: bigint
        }>`SELECT id FROM cluster_messages UNION ALL SELECT id FROM cluster_replies ORDER BY 1`,
        (rows) => rows.map(({ id }) => Number(id))
      )
      yield* follow(yield* repositories())
      yield* comesTo("acme", "default")
      yield* tenants.remove(acme, "admin")
      yield* eventually(
        "its rows are gone",
        Effect.map(kept, (ids) => ids.join() === "2,3,5,6,7,13")
      )
    }).pipe(Effect.provide(world))
)
