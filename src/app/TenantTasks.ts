/**
 * What is done for each tenant apart, while it is enabled: its knowledge bases are kept in git. Tenants come and go
 * while the process runs; of one that was removed the files go, too.
 */
import { join } from "node:path"
import { Effect, FileSystem, Option, Schedule, Schema, Stream } from "effect"
import * as Purge from "../conversation/Purge.ts"
import { TenantId } from "../domain/Ids.ts"
import { Directory, enabledTenants, type Listing } from "../store/Directory.ts"
import { Tenants } from "../store/Tenants.ts"
import { TaskManager } from "../task/TaskManager.ts"
import * as Projecting from "./Projecting.ts"

const backoff = Schedule.min([Schedule.exponential("500 millis"), Schedule.spaced("30 seconds")])

/** What could not be removed is tried again: an editor may hold a file, an update be under way. */
const tidiedEvery = "1 hour"

const idOf = (tenant: TenantId) => `projection/${tenant}`

const tenantOf = Schema.decodeUnknownOption(TenantId)

/**
 * Removes the repositories of tenants that were removed, also while this process was not there. A folder of a name
 * that merely is not known stays: it may be of another database.
 */
const tidy = Effect.fnUntraced(function* (repositories: string, { tenants }: Listing) {
  const files = yield* FileSystem.FileSystem
  const { wasRemoved } = yield* Tenants
  const folders = yield* files.readDirectory(repositories)
  for (const tenant of folders.flatMap((name) => Option.toArray(tenantOf(name)))) {
    if (tenants.has(tenant) || !(yield* wasRemoved(tenant))) continue
    yield* files.remove(join(repositories, tenant), { recursive: true, force: true })
    yield* Effect.logInfo("The files of a tenant that was removed are removed").pipe(
      Effect.annotateLogs({ tenant })
    )
  }
})

/** Until interrupted. `repositories`: where the knowledge bases are, a folder for each tenant. */
export const follow = Effect.fnUntraced(function* (repositories: string) {
  const directory = yield* Directory
  const tasks = yield* TaskManager

  /** Also those an earlier run of this started. */
  const served = Effect.map(
    tasks.list,
    (all) =>
      new Set(
        all.flatMap(({ id, owner, status }) =>
          id === idOf(owner.tenant) && (status === "running" || status === "waiting") ? [owner.tenant] : []
        )
      )
  )

  const start = (tenant: TenantId) =>
    tasks
      .start(
        {
          id: idOf(tenant),
          kind: "projection",
          description: "Keeps the git copies of the knowledge bases",
          owner: { tenant },
          restart: backoff
        },
        Projecting.keep(tenant)
      )
      .pipe(
        Effect.catchTag("TaskManagerStopped", () => Effect.void),
        Effect.catchTag("TaskExists", Effect.die)
      )

  const stop = (tenant: TenantId) => Effect.catchTag(tasks.stop(idOf(tenant)), "TaskUnknown", Effect.die)

  const settle = Effect.fnUntraced(function* (listing: Listing) {
    const enabled = new Set(enabledTenants(listing))
    const now = yield* served
    yield* Effect.forEach(now.difference(enabled), stop, { concurrency: "unbounded", discard: true })
    yield* Effect.forEach(enabled.difference(now), start, { discard: true })
  })

  const cleared = (listing: Listing) =>
    Effect.andThen(tidy(repositories, listing), Purge.purgeRemoved()).pipe(
      Effect.catch((error) =>
        Effect.logWarning(`What is left of removed tenants is not removed yet: ${error.message}`)
      )
    )

  const changed = Stream.map(directory.changes, () => "changed" as const)
  const due = Stream.map(
    Stream.fromSchedule(Schedule.jittered(Schedule.spaced(tidiedEvery))),
    () => "due" as const
  )
  let known: ReadonlySet<TenantId> | undefined
  return yield* Stream.merge(changed, due).pipe(
    Stream.runForEach((why) =>
      Effect.gen(function* () {
        const listing = yield* directory.listing
        yield* settle(listing)
        const now = new Set(listing.tenants.keys())
        // Before the first listing some may have gone, too.
        if (why === "due" || known === undefined || !known.isSubsetOf(now)) yield* cleared(listing)
        known = now
      })
    ),
    Effect.andThen(Effect.never)
  )
})
