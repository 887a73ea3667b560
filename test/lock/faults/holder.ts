/**
 * A process that wants the same locks as its siblings, again and again. Under each lease it reads a counter,
 * waits, and writes it back one higher, in transactions that compare the fence. Told on standard output: one
 * line an event, with its lock and the time of day. SIGUSR2 blocks its event loop for `BLOCK` milliseconds.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Effect, Layer, Random, Redacted } from "effect"
import { defaultTenant } from "../../../src/domain/Ids.ts"
import { accept, Fences } from "../../../src/lock/Fences.ts"
import { Lease, Locks } from "../../../src/lock/Locks.ts"
import * as LocksRedis from "../../../src/lock/LocksRedis.ts"
import * as Database from "../../../src/store/Database.ts"
import { DatabaseOwner } from "../../../src/store/DatabaseOwner.ts"
import { TenantScope } from "../../../src/store/TenantScope.ts"
import { redacted, secretsKey } from "../../support/TestServer.ts"

const { BLOCK, ENDS, FENCED, KEYS, OWNER, REDIS, TTL } = process.env
const ttl = Number(TTL)

const say = (event: string, name = "-") =>
  Effect.sync(() => process.stdout.write(`${event} ${name} ${Date.now()}\n`))

process.on("SIGUSR2", () => {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Number(BLOCK))
})

const work = Effect.fnUntraced(function* (name: string) {
  const { fence } = yield* Lease
  yield* say("held", name)
  const scope = yield* TenantScope
  while (true) {
    yield* scope.transaction(defaultTenant, (sql) =>
      Effect.gen(function* () {
        if (FENCED === "yes") yield* accept(sql, defaultTenant, name, fence)
        const [row] = yield* sql<{ value: number }>`SELECT value FROM faults_counters WHERE name = ${name}`
        yield* Effect.sleep(yield* Random.nextIntBetween(0, 20))
        yield* sql`UPDATE faults_counters SET value = ${row!.value + 1} WHERE name = ${name}`
        yield* sql`INSERT INTO faults_history (name, fence) VALUES (${name}, ${fence}::bigint)`
      })
    )
    yield* say("wrote", name)
    if ((yield* Random.next) < Number(ENDS)) return
  }
})

const want = (name: string) =>
  Effect.gen(function* () {
    const locks = yield* Locks
    while (true) {
      const ended = yield* work(name).pipe(
        Effect.as("finished"),
        locks.withLease({ tenant: defaultTenant, name }, { ttl }),
        Effect.catch((error) => Effect.succeed(error._tag))
      )
      yield* say(ended, name)
      yield* Effect.sleep(yield* Random.nextIntBetween(1, 30))
    }
  })

const database = Database.layer({
  secretsKey: Redacted.make(secretsKey),
  poolSize: 8,
  enginePoolSize: 1
}).pipe(Layer.provide(Layer.succeed(DatabaseOwner, { connection: redacted(JSON.parse(OWNER!)) })))

NodeRuntime.runMain(
  Effect.gen(function* () {
    yield* say("ready")
    yield* Effect.forEach(KEYS!.split(","), want, { concurrency: "unbounded", discard: true })
  }).pipe(
    Effect.provide(
      LocksRedis.layer({ url: Redacted.make(REDIS!), longest: ttl }).pipe(
        Layer.provideMerge(Fences.layer),
        Layer.provideMerge(database)
      )
    )
  )
)
