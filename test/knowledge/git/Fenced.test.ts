import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, layer as layerOf } from "@effect/vitest"
import { Effect, Fiber, Schedule, Tracer } from "effect"
import { SqlError } from "effect/sql"
import { GitProjection } from "../../../src/knowledge/GitProjection.ts"
import { RevisionLog } from "../../../src/knowledge/RevisionLog.ts"
import { Lease } from "../../../src/lock/Locks.ts"
import type { Connection } from "../../../src/store/DatabaseOwner.ts"
import { TestDatabase } from "../../support/Postgres.ts"
import { plain } from "../../support/TestServer.ts"
import { addTenant, baseOf } from "../Harness.ts"
import { asSole, expectSound, git, layer, record, root, save, settle, show, trusting } from "./Harness.ts"

/** Another process that follows the same repositories, under the lease with this fence. */
const another = (connection: Connection, options: { readonly fence: number; readonly freezeAt: string }) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const child = spawn(process.execPath, [fileURLToPath(new URL("projector.ts", import.meta.url))], {
        stdio: ["pipe", "pipe", "pipe"],
        env: { ...process.env, NODE_COMPILE_CACHE: join(root, "compiled") }
      })
      const said: Array<string> = []
      child.stderr!.setEncoding("utf8").on("data", (text: string) => said.push(text))
      child.stdout!.setEncoding("utf8").on("data", (text: string) => said.push(...text.trim().split("\n")))
      const place = { connection: plain(connection), directory: join(root, "kb"), name: "fenced", settle }
      child.stdin!.write(`${JSON.stringify({ ...place, ...options })}\n`)
      return { child, said }
    }),
    ({ child }) =>
      Effect.promise(async () => {
        child.kill("SIGKILL")
        if (child.exitCode === null && child.signalCode === null) await once(child, "exit")
      })
  )

const until = (what: string, done: () => boolean, detail = () => "") =>
  Effect.gen(function* () {
    while (!done()) yield* Effect.sleep("20 millis")
  }).pipe(
    Effect.timeoutOrElse({
      duration: "40 seconds",
      orElse: () => Effect.die(new Error(`it never came to this: ${what} ${detail()}`))
    })
  )

const goOn = (child: ChildProcess) => Effect.sync(() => child.kill("SIGCONT"))

layerOf(layer, { excludeTestServices: true })("two projectors on one repository", (it) => {
  it.effect(
    "the older one, frozen between its fence and the branch, moves nothing back and stops",
    () =>
      Effect.gen(function* () {
        const key = baseOf("fenced")
        const { owner } = yield* TestDatabase
        const projection = yield* GitProjection
        const directory = projection.directory(key)
        const branch = () => show(directory, ".git/refs/heads/main")?.trim()
        /** Every place the branch was ever at, oldest first. */
        const history = () =>
          git(directory, "reflog", "show", "--format=%H", "main").trim().split("\n").reverse()

        /** So many commits, and nothing in the working tree besides. */
        const shows = (revisions: number) => () =>
          branch() !== undefined &&
          git(directory, "rev-list", "--count", "main").trim() === String(revisions) &&
          git(directory, "status", "--porcelain") === ""

        yield* record(key, { "a.md": "one\n" })
        const older = yield* another(owner, { fence: 1, freezeAt: "accepted" })
        yield* until("it is ready", () => older.said.includes("ready"))
        older.child.stdin!.write("go\n")
        yield* until("it is frozen", () => older.said.includes("frozen"))
        assert.isUndefined(branch())

        // What it was about to show is revision 1. The newer one waits until the database gives it up, and goes on.
        yield* record(key, { "a.md": "two\n", "b.md": "b\n" })
        const newer = yield* projection.follow(key.tenant).pipe(
          Effect.provideService(Lease, trusting(2)),
          // As a task would: it waits for the older one's transaction as long as a lock may be waited for.
          Effect.retry({ while: SqlError.isSqlError, schedule: Schedule.spaced("200 millis") }),
          Effect.forkChild({ startImmediately: true })
        )
        yield* until("revision 2 is shown", shows(2))
        git(directory, "config", "core.logAllRefUpdates", "true")
        yield* record(key, { "a.md": "three\n" })
        yield* until("revision 3 is shown", shows(3))
        const before = branch()

        yield* goOn(older.child)
        // By something to publish it learns that it is not the one any more.
        yield* Fiber.interrupt(newer)
        yield* record(key, { "a.md": "four\n" })
        yield* until(
          "the older one is refused",
          () => older.said.includes("FenceStale"),
          () => older.said.join("\n")
        )
        assert.strictEqual(branch(), before)

        save(directory, "mine.md", "by hand\n")
        yield* projection
          .follow(key.tenant)
          .pipe(Effect.provideService(Lease, trusting(3)), Effect.raceFirst(until("all is shown", shows(5))))
        const places = history()
        for (const [index, place] of places.entries())
          if (index > 0) git(directory, "merge-base", "--is-ancestor", places[index - 1]!, place)
        assert.isAtLeast(places.length, 2)
        assert.deepStrictEqual(yield* expectSound(key), [])
        assert.strictEqual(show(directory, "a.md"), "four\n")
        const log = yield* RevisionLog
        const kinds = (yield* log.read(key, 0, 10)).map(({ kind }) => kind)
        assert.deepStrictEqual(kinds, ["note", "note", "note", "note", "person"])
      }),
    120_000
  )

  it.effect("who follows under an older fence, or projects without a lease, is refused", () =>
    Effect.gen(function* () {
      const tenant = yield* addTenant("refused")
      const key = { ...baseOf("notes"), tenant }
      const projection = yield* GitProjection
      const directory = projection.directory(key)
      const follow = (fence: number) =>
        Effect.provideService(projection.follow(tenant), Lease, trusting(fence))
      yield* record(key, { "a.md": "a\n" })
      yield* Effect.raceFirst(
        follow(7),
        until("it is projected", () => show(directory, "a.md") === "a\n")
      )
      yield* record(key, { "a.md": "b\n" })
      assert.strictEqual((yield* Effect.flip(follow(6)))._tag, "FenceStale")
      assert.strictEqual((yield* Effect.flip(projection.project(key)))._tag, "FenceStale")
      assert.strictEqual(show(directory, "a.md"), "a\n")
      yield* Effect.raceFirst(
        follow(8),
        until("it is projected", () => show(directory, "a.md") === "b\n")
      )
    })
  )

  it.effect("at a repository that rests no git is asked, and a person in it is noticed", () =>
    Effect.gen(function* () {
      const tenant = yield* addTenant("resting")
      const key = { ...baseOf("notes"), tenant }
      const projection = yield* GitProjection
      const log = yield* RevisionLog
      const directory = projection.directory(key)
      let asked = 0
      const tracer = Tracer.make({
        span: (given) => {
          if (given.name.startsWith("git ")) asked += 1
          return new Tracer.NativeSpan(given)
        }
      })
      yield* record(key, { "a.md": "a\n" })
      yield* asSole(projection.follow(tenant)).pipe(
        Effect.provideService(Tracer.Tracer, tracer),
        Effect.forkScoped
      )
      yield* until("it is projected", () => show(directory, "a.md") === "a\n")
      let before = -1
      while (before !== asked) {
        before = asked
        yield* Effect.sleep("600 millis")
      }
      save(directory, "b.md", "mine\n")
      while ((yield* log.head(key)) < 2) yield* Effect.sleep("20 millis")
      assert.isAbove(asked, before)
    }).pipe(Effect.scoped)
  )
})
