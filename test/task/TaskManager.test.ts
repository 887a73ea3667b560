import { assert, it } from "@effect/vitest"
import {
  Cause,
  Clock,
  Deferred,
  Effect,
  Exit,
  Fiber,
  Layer,
  Logger,
  Metric,
  Ref,
  References,
  Schedule,
  Schema,
  Scope,
  Stream
} from "effect"
import { TestClock } from "effect/testing"
import { AppId, defaultTenant } from "../../src/domain/Ids.ts"
import { endedKept, TaskManager, type TaskOptions } from "../../src/task/TaskManager.ts"

class Broken extends Schema.TaggedError<Broken>()("Broken", { times: Schema.Int }) {
  override get message() {
    return `broken ${this.times} times`
  }
}

const task = (id: string, more: Partial<TaskOptions> = {}): TaskOptions => ({
  id,
  kind: "test",
  description: `the task ${id}`,
  owner: { tenant: defaultTenant },
  ...more
})

const test = (
  name: string,
  body: (tasks: TaskManager["Service"]) => Effect.Effect<unknown, unknown, Scope.Scope>
) => it.effect(name, () => TaskManager.use(body).pipe(Effect.provide(TaskManager.layer)))

/** A manager whose scope the test closes itself. */
const closable = Effect.gen(function* () {
  const scope = yield* Scope.make()
  const context = yield* Layer.buildWithScope(TaskManager.layer, scope)
  const tasks = yield* TaskManager.pipe(Effect.provide(context))
  return { tasks, close: Scope.close(scope, Exit.void) }
})

/** The value of a gauge or counter as an operator would find it; 0 when there is none. */
const metric = (name: string, labels: Record<string, string>) =>
  Effect.map(Metric.snapshot, (all) => {
    const found = all.find(
      (one) =>
        one.id === name &&
        Object.entries(labels).every(
          ([label, value]) => (one.attributes as Record<string, string> | undefined)?.[label] === value
        )
    )
    if (found?.type === "Gauge") return Number(found.state.value)
    return found?.type === "Counter" ? Number(found.state.count) : 0
  })

test("a started task runs at once and is listed with who, what and since when", (tasks) =>
  Effect.gen(function* () {
    yield* TestClock.setTime(5_000)
    yield* tasks.start(task("a", { kind: "poller" }), Effect.never)
    assert.deepStrictEqual(yield* tasks.list, [
      {
        id: "a",
        kind: "poller",
        description: "the task a",
        owner: { tenant: defaultTenant },
        status: "running",
        started: 5_000,
        restarts: 0
      }
    ])
    assert.deepStrictEqual(yield* tasks.status("a"), (yield* tasks.list)[0])
  }))

test("a task that ends is remembered with its end, and its id is free again", (tasks) =>
  Effect.gen(function* () {
    yield* tasks.start(task("a"), Effect.sleep("2 seconds"))
    yield* TestClock.adjust("2 seconds")
    const info = yield* tasks.status("a")
    assert.strictEqual(info.status, "succeeded")
    assert.strictEqual(info.ended, 2_000)
    yield* tasks.start(task("a"), Effect.never)
    assert.strictEqual((yield* tasks.status("a")).status, "running")
    assert.deepStrictEqual(
      (yield* tasks.list).map((one) => one.status),
      ["running", "succeeded"]
    )
  }))

test("a task that ends before its start returns is not left behind as running", (tasks) =>
  Effect.gen(function* () {
    yield* tasks.start(task("a"), Effect.void)
    assert.strictEqual((yield* tasks.status("a")).status, "succeeded")
    yield* tasks.start(task("a"), Effect.void)
  }))

test("a second task with the id of a living one is refused and the first goes on", (tasks) =>
  Effect.gen(function* () {
    const second = yield* Ref.make(false)
    yield* tasks.start(task("a"), Effect.never)
    const error = yield* Effect.flip(tasks.start(task("a"), Ref.set(second, true)))
    assert.strictEqual(error._tag, "TaskExists")
    assert.include(error.message, "a is already running")
    assert.isFalse(yield* Ref.get(second))
    assert.strictEqual((yield* tasks.status("a")).status, "running")
  }))

test("of many starts of one id at once exactly one wins", (tasks) =>
  Effect.gen(function* () {
    const exits = yield* Effect.forEach(
      Array.from({ length: 50 }, (_, n) => n),
      () => Effect.exit(Effect.andThen(Effect.yieldNow, tasks.start(task("a"), Effect.never))),
      { concurrency: "unbounded" }
    )
    assert.strictEqual(exits.filter(Exit.isSuccess).length, 1)
    assert.strictEqual((yield* tasks.list).length, 1)
  }))

test("an unknown id is a typed error for stop and for status", (tasks) =>
  Effect.gen(function* () {
    assert.strictEqual((yield* Effect.flip(tasks.stop("nobody")))._tag, "TaskUnknown")
    assert.strictEqual((yield* Effect.flip(tasks.status("nobody")))._tag, "TaskUnknown")
  }))

test("stop interrupts the task and returns after its finalizers", (tasks) =>
  Effect.gen(function* () {
    const log = yield* Ref.make<ReadonlyArray<string>>([])
    const note = (line: string) => Ref.update(log, (lines) => [...lines, line])
    yield* tasks.start(
      task("a"),
      Effect.never.pipe(
        Effect.ensuring(Effect.andThen(note("closing"), Effect.sleep("3 seconds"))),
        Effect.ensuring(note("closed"))
      )
    )
    const stopping = yield* Effect.forkChild(Effect.andThen(tasks.stop("a"), note("stopped")))
    yield* TestClock.adjust("2 seconds")
    assert.deepStrictEqual(yield* Ref.get(log), ["closing"])
    assert.strictEqual((yield* tasks.status("a")).status, "running")
    yield* TestClock.adjust("1 second")
    yield* Fiber.join(stopping)
    assert.deepStrictEqual(yield* Ref.get(log), ["closing", "closed", "stopped"])
    assert.strictEqual((yield* tasks.status("a")).status, "interrupted")
    yield* tasks.stop("a")
  }))

test("a task may stop itself", (tasks) =>
  Effect.gen(function* () {
    yield* tasks.start(task("a"), Effect.andThen(Effect.sleep("1 second"), Effect.orDie(tasks.stop("a"))))
    yield* TestClock.adjust("1 second")
    assert.strictEqual((yield* tasks.status("a")).status, "interrupted")
  }))

test("a task outlives the scope of whoever started it", (tasks) =>
  Effect.gen(function* () {
    yield* Effect.scoped(tasks.start(task("a"), Effect.never))
    const starter = yield* Effect.forkChild(tasks.start(task("b"), Effect.never))
    yield* Fiber.join(starter)
    assert.deepStrictEqual(
      (yield* tasks.list).map((one) => one.status),
      ["running", "running"]
    )
  }))

it.effect("closing interrupts every task and waits for all finalizers", () =>
  Effect.gen(function* () {
    const { tasks, close } = yield* closable
    const closed = yield* Ref.make(0)
    for (let n = 0; n < 20; n++) {
      yield* tasks.start(
        task(`${n}`, n % 2 === 0 ? {} : { restart: Schedule.spaced("1 second") }),
        Effect.never.pipe(
          Effect.ensuring(
            Effect.andThen(
              Effect.sleep("1 second"),
              Ref.update(closed, (count) => count + 1)
            )
          )
        )
      )
    }
    const closing = yield* Effect.forkChild(close)
    yield* TestClock.adjust("999 millis")
    assert.isUndefined(closing.pollUnsafe())
    yield* TestClock.adjust("1 millis")
    yield* Fiber.join(closing)
    assert.strictEqual(yield* Ref.get(closed), 20)
    assert.isTrue((yield* tasks.list).every((one) => one.status === "interrupted" && one.restarts === 0))
  })
)

it.effect("a start during and after shutdown is a typed error and runs nothing", () =>
  Effect.gen(function* () {
    const { tasks, close } = yield* closable
    const ran = yield* Ref.make(false)
    const late = yield* Deferred.make<string>()
    const start = tasks.start(task("late"), Ref.set(ran, true))
    yield* tasks.start(
      task("a"),
      Effect.never.pipe(
        Effect.ensuring(
          Effect.flatMap(Effect.flip(start), (error) => Deferred.succeed(late, error._tag)).pipe(Effect.orDie)
        )
      )
    )
    yield* close
    assert.strictEqual(yield* Deferred.await(late), "TaskManagerStopped")
    assert.strictEqual((yield* Effect.flip(start))._tag, "TaskManagerStopped")
    assert.isFalse(yield* Ref.get(ran))
  })
)

test("a failing task restarts by its schedule with jitter, counted, and waits in between", (tasks) =>
  Effect.gen(function* () {
    const runs = yield* Ref.make<ReadonlyArray<number>>([])
    const body = Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      const times = (yield* Ref.updateAndGet(runs, (all) => [...all, now])).length
      if (times === 2) return yield* Effect.die(new Error("worse"))
      if (times < 4) return yield* new Broken({ times })
      return yield* Effect.never
    })
    yield* tasks.start(task("a", { kind: "restarted", restart: Schedule.spaced("10 seconds") }), body)
    const first = yield* tasks.status("a")
    assert.strictEqual(first.status, "waiting")
    assert.strictEqual(first.error, "broken 1 times")
    assert.strictEqual(yield* metric("tasks", { kind: "restarted", status: "waiting" }), 1)
    yield* TestClock.adjust("7999 millis")
    assert.strictEqual((yield* Ref.get(runs)).length, 1)
    yield* TestClock.adjust("4001 millis")
    assert.strictEqual((yield* tasks.status("a")).error, "worse")
    yield* TestClock.adjust("1 minute")
    const info = yield* tasks.status("a")
    assert.strictEqual(info.status, "running")
    assert.strictEqual(info.restarts, 3)
    assert.strictEqual(info.started, 0)
    const times = yield* Ref.get(runs)
    const gaps = times.slice(1).map((time, n) => time - times[n]!)
    assert.isTrue(gaps.every((gap) => gap >= 8_000 && gap <= 12_000))
    assert.isTrue(new Set(gaps).size > 1, `no jitter in ${gaps}`)
    assert.strictEqual(yield* metric("task_restarts_total", { kind: "restarted" }), 3)
    assert.strictEqual(yield* metric("tasks", { kind: "restarted", status: "waiting" }), 0)
    assert.strictEqual(yield* metric("tasks", { kind: "restarted", status: "running" }), 1)
  }))

test("a task whose schedule is used up has failed", (tasks) =>
  Effect.gen(function* () {
    yield* tasks.start(
      task("a", { restart: Schedule.upTo(Schedule.spaced("1 second"), { times: 2 }) }),
      new Broken({ times: 9 })
    )
    yield* TestClock.adjust("1 minute")
    const info = yield* tasks.status("a")
    assert.strictEqual(info.status, "failed")
    assert.strictEqual(info.restarts, 2)
    assert.strictEqual(info.error, "broken 9 times")
  }))

test("stopping a waiting task keeps it from restarting", (tasks) =>
  Effect.gen(function* () {
    const runs = yield* Ref.make(0)
    yield* tasks.start(
      task("a", { restart: Schedule.spaced("1 second") }),
      Effect.andThen(
        Ref.update(runs, (n) => n + 1),
        new Broken({ times: 1 })
      )
    )
    yield* tasks.stop("a")
    yield* TestClock.adjust("1 minute")
    assert.strictEqual(yield* Ref.get(runs), 1)
    assert.strictEqual((yield* tasks.status("a")).status, "interrupted")
  }))

test("a task that interrupts itself is not restarted", (tasks) =>
  Effect.gen(function* () {
    yield* tasks.start(task("a", { restart: Schedule.spaced("1 second") }), Effect.interrupt)
    yield* TestClock.adjust("1 minute")
    const info = yield* tasks.status("a")
    assert.strictEqual(info.status, "interrupted")
    assert.strictEqual(info.restarts, 0)
  }))

it.effect("every failure is logged with its cause, the task and the tenant", () =>
  Effect.gen(function* () {
    const lines: Array<{ level: string; text: string; task: unknown; tenant: unknown }> = []
    const logger = Logger.make(({ cause, fiber, logLevel }) => {
      const annotations = fiber.getRef(References.CurrentLogAnnotations)
      lines.push({
        level: logLevel,
        text: Cause.pretty(cause),
        task: annotations.task,
        tenant: annotations.tenant
      })
    })
    yield* Effect.gen(function* () {
      const tasks = yield* TaskManager
      yield* tasks.start(task("once"), new Broken({ times: 1 }))
      yield* tasks.start(task("died"), Effect.die(new Error("a defect")))
      yield* tasks.start(task("often", { restart: Schedule.spaced("1 hour") }), new Broken({ times: 2 }))
      yield* tasks.start(task("stopped"), Effect.never)
      yield* tasks.stop("stopped")
    }).pipe(Effect.provide(TaskManager.layer.pipe(Layer.provideMerge(Logger.layer([logger])))))
    assert.deepStrictEqual(
      lines.map(({ level, task, tenant }) => [level, task, tenant]),
      [
        ["Error", "once", "default"],
        ["Error", "died", "default"],
        ["Warn", "often", "default"]
      ]
    )
    assert.include(lines[0]?.text, "broken 1 times")
    assert.include(lines[1]?.text, "a defect")
  })
)

test("the last hundred ended tasks are listed, newest first, after the living", (tasks) =>
  Effect.gen(function* () {
    yield* tasks.start(task("alive"), Effect.never)
    for (let n = 1; n <= endedKept + 5; n++) yield* tasks.start(task(`${n}`), Effect.void)
    const ids = (yield* tasks.list).map((one) => one.id)
    assert.deepStrictEqual(ids.slice(0, 3), ["alive", `${endedKept + 5}`, `${endedKept + 4}`])
    assert.strictEqual(ids.length, endedKept + 1)
    assert.strictEqual((yield* Effect.flip(tasks.status("1")))._tag, "TaskUnknown")
  }))

it.effect("changes tells every change of status from now on and ends with the manager", () =>
  Effect.gen(function* () {
    const { tasks, close } = yield* closable
    yield* tasks.start(task("before"), Effect.never)
    const seen = yield* Effect.forkChild(Stream.runCollect(tasks.changes), { startImmediately: true })
    yield* tasks.start(
      task("a", { restart: Schedule.spaced("1 second") }),
      Effect.flatMap(Clock.currentTimeMillis, (now) => (now === 0 ? Effect.fail("not yet") : Effect.void))
    )
    yield* TestClock.adjust("2 seconds")
    yield* close
    assert.deepStrictEqual(
      (yield* Fiber.join(seen)).map((info) => [info.id, info.status]),
      [
        ["a", "running"],
        ["a", "waiting"],
        ["a", "running"],
        ["a", "succeeded"],
        ["before", "interrupted"]
      ]
    )
  })
)

it.effect("after the end nothing counts as alive", () =>
  Effect.gen(function* () {
    const { tasks, close } = yield* closable
    const of = (id: string) => task(id, { kind: "counted" })
    yield* tasks.start(of("a"), Effect.never)
    yield* tasks.start(of("b"), Effect.fail("no"))
    assert.strictEqual(yield* metric("tasks", { kind: "counted", status: "running" }), 1)
    yield* close
    assert.strictEqual(yield* metric("tasks", { kind: "counted", status: "running" }), 0)
    assert.strictEqual(yield* metric("tasks_ended_total", { kind: "counted", status: "failed" }), 1)
  })
)

test("a task keeps the context of its caller", (tasks) =>
  Effect.gen(function* () {
    const name = yield* Deferred.make<string>()
    yield* tasks
      .start(
        task("a"),
        Effect.flatMap(Effect.currentSpan, (span) => Deferred.succeed(name, span.name)).pipe(Effect.orDie)
      )
      .pipe(Effect.withSpan("the caller"))
    assert.strictEqual(yield* Deferred.await(name), "the caller")
  }))

test("the spans of a task say whose it is, and nothing else its owner has", (tasks) =>
  Effect.gen(function* () {
    const attributes = yield* Deferred.make<Record<string, unknown>>()
    const owner = { tenant: defaultTenant, app: AppId.make("helper"), token: "secret" }
    yield* tasks.start(
      task("a", { owner }),
      Effect.currentSpan.pipe(
        Effect.flatMap((span) => Deferred.succeed(attributes, Object.fromEntries(span.attributes))),
        Effect.orDie,
        Effect.withSpan("its work")
      )
    )
    const whose = { tenant: "default", app: "helper" }
    assert.deepStrictEqual(yield* Deferred.await(attributes), whose)
    assert.deepStrictEqual((yield* tasks.list)[0]!.owner as unknown, whose)
  }))
