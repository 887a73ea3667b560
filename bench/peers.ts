/**
 * The job queues a Node program would otherwise take: each stores the same payloads on the same server, one job an
 * update with its ordinary call, 32 calls at a time over ten connections, and then finishes them.
 */
import { Clock, Effect, Schedule } from "effect"
import { makeWorkerUtils, run } from "graphile-worker"
import PgBoss from "pg-boss"
import { connect, type Login } from "./Product.ts"

export interface PeerFigures {
  readonly storedPerSecond: number
  readonly finishedPerSecond: number
}

type Payload = object

const atOnce = 32
const connections = 10

const seconds = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const begin = yield* Clock.monotonicTimeNanos
    yield* effect
    return Number((yield* Clock.monotonicTimeNanos) - begin) / 1e9
  })

/** A database of its own, dropped with the scope. */
const database = Effect.fnUntraced(function* (login: Login, name: string) {
  const administer = (statement: string) =>
    Effect.scoped(Effect.flatMap(connect(login, "postgres"), (sql) => sql.unsafe(statement)))
  const drop = administer(`DROP DATABASE IF EXISTS ${name}`)
  yield* Effect.acquireRelease(
    Effect.orDie(Effect.andThen(drop, administer(`CREATE DATABASE ${name}`))),
    // A pool that has ended is still closing its connections, and one cut off then is an error nobody catches.
    () =>
      drop.pipe(
        Effect.retry(Schedule.spaced("50 millis").pipe(Schedule.upTo({ duration: "10 seconds" }))),
        Effect.orDie
      )
  )
  return { host: login.host, port: login.port, user: login.user, password: login.password, database: name }
})

/** Jobs are fetched and completed a hundred at a time by four loops: its work() would wait between polls. */
export const pgBoss = Effect.fn("bench.pgBoss")(function* (login: Login, payloads: ReadonlyArray<Payload>) {
  const boss = yield* Effect.acquireRelease(
    Effect.map(
      database(login, "bench_pgboss"),
      (settings) => new PgBoss({ ...settings, max: connections, supervise: false, schedule: false })
    ),
    (opened) => Effect.promise(() => opened.stop({ graceful: false, wait: true }))
  )
  boss.on("error", () => undefined)
  const queue = "updates"
  yield* Effect.promise(() => boss.start())
  yield* Effect.promise(() => boss.createQueue(queue))
  const storing = yield* seconds(
    Effect.forEach(payloads, (payload) => Effect.promise(() => boss.send(queue, payload)), {
      concurrency: atOnce,
      discard: true
    })
  )
  const loop = Effect.gen(function* () {
    while (true) {
      const jobs = yield* Effect.promise(() => boss.fetch(queue, { batchSize: 100 }))
      if (jobs.length === 0) return
      yield* Effect.promise(() =>
        boss.complete(
          queue,
          jobs.map(({ id }) => id)
        )
      )
    }
  })
  const finishing = yield* seconds(Effect.all([loop, loop, loop, loop], { concurrency: 4 }))
  return {
    storedPerSecond: payloads.length / storing,
    finishedPerSecond: payloads.length / finishing
  } satisfies PeerFigures
}, Effect.scoped)

export const graphileWorker = Effect.fn("bench.graphileWorker")(function* (
  login: Login,
  payloads: ReadonlyArray<Payload>
) {
  const settings = yield* database(login, "bench_graphile")
  const { user, password, host } = settings
  const place = {
    connectionString: `postgres://${user}:${encodeURIComponent(password)}@${encodeURIComponent(host)}:${settings.port}/${settings.database}`,
    maxPoolSize: connections
  }
  const silent = {
    info: () => undefined,
    warn: () => undefined,
    error: () => undefined,
    debug: () => undefined,
    scope: () => silent
  }
  const logger = silent as never
  const utils = yield* Effect.acquireRelease(
    Effect.promise(() => makeWorkerUtils({ ...place, logger })),
    (opened) => Effect.promise(() => Promise.resolve(opened.release()))
  )
  yield* Effect.promise(() => utils.migrate())
  const storing = yield* seconds(
    Effect.forEach(payloads, (payload) => Effect.promise(() => utils.addJob("update", payload)), {
      concurrency: atOnce,
      discard: true
    })
  )
  let left = payloads.length
  const finishing = yield* seconds(
    Effect.callback<void>((resume) => {
      const runner = run({
        ...place,
        logger,
        concurrency: atOnce,
        noHandleSignals: true,
        taskList: {
          update: () => {
            left -= 1
          }
        }
      })
      void runner.then((running) => {
        running.events.on("job:complete", () => {
          if (left === 0) void running.stop().then(() => resume(Effect.void))
          if (left === 0) left = -1
        })
      })
    })
  )
  return {
    storedPerSecond: payloads.length / storing,
    finishedPerSecond: payloads.length / finishing
  } satisfies PeerFigures
}, Effect.scoped)
