/**
 * Supervised background fibers: who runs, since when, for whom. Closing the Layer's scope interrupts every
 * task and waits for its finalizers.
 */
import {
  Cause,
  Clock,
  Context,
  Duration,
  Effect,
  Exit,
  Fiber,
  Layer,
  Metric,
  PubSub,
  Schedule,
  Schema,
  Stream,
  type Take
} from "effect"
import { AppId, TenantId } from "../domain/Ids.ts"

export const TaskStatus = Schema.Literals(["running", "waiting", "succeeded", "failed", "interrupted"])
export type TaskStatus = typeof TaskStatus.Type

export const TaskOwner = Schema.Struct({ tenant: TenantId, app: Schema.optionalKey(AppId) })
export type TaskOwner = typeof TaskOwner.Type

/** Times in Unix milliseconds. `waiting`: between a failure and its restart. */
export const TaskInfo = Schema.Struct({
  id: Schema.String,
  kind: Schema.String,
  description: Schema.String,
  owner: TaskOwner,
  status: TaskStatus,
  started: Schema.Int,
  ended: Schema.optionalKey(Schema.Int),
  restarts: Schema.Int,
  error: Schema.optionalKey(Schema.String)
})
export type TaskInfo = typeof TaskInfo.Type

export class TaskExists extends Schema.TaggedError<TaskExists>()("TaskExists", { id: Schema.String }) {
  override get message() {
    return `Task ${this.id} is already running; stop it first or choose another id`
  }
}
export class TaskUnknown extends Schema.TaggedError<TaskUnknown>()("TaskUnknown", { id: Schema.String }) {
  override get message() {
    return `There is no task ${this.id}; the list of tasks shows the ids there are`
  }
}
export class TaskManagerStopped extends Schema.TaggedError<TaskManagerStopped>()("TaskManagerStopped", {
  id: Schema.String
}) {
  override get message() {
    return `Task ${this.id} was not started: the process is shutting down`
  }
}

export interface TaskOptions {
  readonly id: string
  /** A word for all tasks alike: `poller`, `outbox`, `window`, `projection`, … Label of the metrics. */
  readonly kind: string
  readonly description: string
  readonly owner: TaskOwner
  /**
   * Restarts the task when it fails or dies, with jitter (±20 %) added. Absent: it runs once. A schedule never
   * starts afresh after a healthy stretch: bound its delay (`Schedule.min`) where a task lives for long.
   */
  readonly restart?: Schedule.Schedule<unknown, unknown>
}

export class TaskManager extends Context.Service<
  TaskManager,
  {
    /** Returns once the fiber runs. The effect keeps the context of the caller, not its scope. */
    readonly start: <E, R>(
      options: TaskOptions,
      effect: Effect.Effect<void, E, R>
    ) => Effect.Effect<void, TaskExists | TaskManagerStopped, R>
    /** Interrupts the task and waits for its finalizers. One that has already ended is left as it is. */
    readonly stop: (id: string) => Effect.Effect<void, TaskUnknown>
    readonly status: (id: string) => Effect.Effect<TaskInfo, TaskUnknown>
    /** Running and waiting tasks, oldest first, then the last 100 ended ones, newest first. */
    readonly list: Effect.Effect<ReadonlyArray<TaskInfo>>
    /**
     * Every change of status from now on; ends when the manager does. A subscriber that falls 4,096 changes
     * behind misses the oldest.
     */
    readonly changes: Stream.Stream<TaskInfo>
  }
>()("zapiska/task/TaskManager") {
  static readonly layer: Layer.Layer<TaskManager> = Layer.effect(
    TaskManager,
    Effect.suspend(() => make)
  )
}

/** How many ended tasks `list` remembers. */
export const endedKept = 100
const changesKept = 4096

const tasksByStatus = Metric.gauge("tasks", { description: "Tasks alive, by kind and status" })
const tasksEnded = Metric.counter("tasks_ended_total", {
  description: "Tasks ended, by kind and how",
  incremental: true
})
const taskRestarts = Metric.counter("task_restarts_total", {
  description: "Restarts of tasks after a failure, by kind",
  incremental: true
})

/** One small object a task, for there are ten thousand: what is shown of it is built when somebody asks. */
interface Task {
  readonly options: TaskOptions
  readonly started: number
  status: TaskStatus
  restarts: number
  ended: number | undefined
  error: string | undefined
  fiber: Fiber.Fiber<void, unknown> | undefined
}

const infoOf = (task: Task): TaskInfo => ({
  id: task.options.id,
  kind: task.options.kind,
  description: task.options.description,
  owner: named(task.options.owner),
  status: task.status,
  started: task.started,
  ...(task.ended === undefined ? {} : { ended: task.ended }),
  restarts: task.restarts,
  ...(task.error === undefined ? {} : { error: task.error })
})

const isAlive = (status: TaskStatus) => status === "running" || status === "waiting"

const statusOf = (exit: Exit.Exit<unknown, unknown>): TaskStatus => {
  if (Exit.isSuccess(exit)) return "succeeded"
  return Cause.hasInterruptsOnly(exit.cause) ? "interrupted" : "failed"
}

/** One line for a person; the whole cause is in the log. */
const errorOf = (cause: Cause.Cause<unknown>): string => {
  const error = Cause.squash(cause)
  const text = error instanceof Error ? error.message || error.name : String(error)
  return text.slice(0, 500)
}

/** Only these: who starts tasks gives a bot with all it has. */
const named = ({ tenant, app }: TaskOwner): TaskOwner => (app === undefined ? { tenant } : { tenant, app })

const labelsOf = ({ id, kind, owner }: TaskOptions) => ({ task: id, kind, tenant: owner.tenant })

const make = Effect.gen(function* () {
  const tasks = new Map<string, Task>()
  const ended: Array<Task> = []
  const changes = yield* PubSub.sliding<Take.Take<TaskInfo>>(changesKept)
  let stopping = false

  yield* Effect.addFinalizer(() =>
    Effect.suspend(() => {
      stopping = true
      return Fiber.interruptAll([...tasks.values()].flatMap((task) => task.fiber ?? []))
    }).pipe(Effect.andThen(PubSub.end(changes, Exit.void)))
  )

  const move = (task: Task, to: TaskStatus, from?: TaskStatus) =>
    Effect.contextWith((context: Context.Context<never>) =>
      Effect.sync(() => {
        const count = (metric: Metric.Metric<number, unknown>, status: TaskStatus, by: number) =>
          Metric.withAttributes(metric, { kind: task.options.kind, status }).modifyUnsafe(by, context)
        task.status = to
        if (from !== undefined) count(tasksByStatus, from, -1)
        if (isAlive(to)) count(tasksByStatus, to, 1)
        else count(tasksEnded, to, 1)
        PubSub.publishUnsafe(changes, [infoOf(task)])
      })
    )

  const finish = Effect.fnUntraced(function* (task: Task, exit: Exit.Exit<void, unknown>) {
    task.ended = yield* Clock.currentTimeMillis
    if (Exit.isSuccess(exit)) task.error = undefined
    const status = statusOf(exit)
    if (status === "failed" && Exit.isFailure(exit)) {
      task.error = errorOf(exit.cause)
      yield* Effect.logError("A task failed and is not restarted", exit.cause).pipe(
        Effect.annotateLogs(labelsOf(task.options))
      )
    }
    tasks.delete(task.options.id)
    task.fiber = undefined
    ended.push(task)
    if (ended.length > endedKept) ended.shift()
    yield* move(task, status, task.status)
  })

  const rest = Effect.fnUntraced(function* (
    task: Task,
    cause: Cause.Cause<unknown>,
    delay: Duration.Duration
  ) {
    task.error = errorOf(cause)
    yield* Effect.logWarning(`A task failed; it restarts in ${Duration.format(delay)}`, cause).pipe(
      Effect.annotateLogs(labelsOf(task.options))
    )
    yield* move(task, "waiting", task.status)
  })

  const again = Effect.fnUntraced(function* (task: Task) {
    task.restarts++
    yield* Metric.update(Metric.withAttributes(taskRestarts, { kind: task.options.kind }), 1)
    yield* move(task, "running", task.status)
  })

  const restarting = <E, R>(
    task: Task,
    effect: Effect.Effect<void, E, R>,
    schedule: Schedule.Schedule<unknown, unknown>
  ): Effect.Effect<void, E, R> =>
    Effect.suspend(() => (task.status === "waiting" ? Effect.andThen(again(task), effect) : effect)).pipe(
      Effect.sandbox,
      Effect.retry(
        schedule.pipe(
          Schedule.jittered,
          Schedule.setInputType<Cause.Cause<E>>(),
          Schedule.while(({ input }) => !Cause.hasInterruptsOnly(input)),
          Schedule.tap(({ input, duration }) => rest(task, input, duration))
        )
      ),
      Effect.catch(Effect.failCause)
    )

  const lifecycle = <E, R>(task: Task, effect: Effect.Effect<void, E, R>) =>
    Effect.andThen(
      move(task, "running"),
      task.options.restart === undefined ? effect : restarting(task, effect, task.options.restart)
    ).pipe(Effect.onExit((exit) => finish(task, exit)))

  const find = (id: string): Task | undefined =>
    tasks.get(id) ?? ended.findLast((task) => task.options.id === id)

  return TaskManager.of({
    // Without a span: it would stay in the context of every task for as long as the task lives.
    start: Effect.fnUntraced(function* <E, R>(options: TaskOptions, effect: Effect.Effect<void, E, R>) {
      const context = yield* Effect.context<R>()
      const started = yield* Clock.currentTimeMillis
      // One synchronous step: nobody can come between the check, the entry and the fiber.
      return yield* Effect.suspend((): Effect.Effect<void, TaskExists | TaskManagerStopped> => {
        if (stopping) return Effect.fail(new TaskManagerStopped({ id: options.id }))
        if (tasks.has(options.id)) return Effect.fail(new TaskExists({ id: options.id }))
        const task: Task = {
          options,
          started,
          status: "running",
          restarts: 0,
          ended: undefined,
          error: undefined,
          fiber: undefined
        }
        tasks.set(options.id, task)
        const fiber = Effect.runForkWith(context)(
          // What is done for somebody is told in their name.
          Effect.annotateSpans(lifecycle(task, effect), { ...named(options.owner) })
        )
        if (isAlive(task.status)) task.fiber = fiber
        return Effect.void
      })
    }),
    stop: Effect.fn("TaskManager.stop")(function* (id: string) {
      const task = find(id)
      if (task === undefined) return yield* new TaskUnknown({ id })
      if (task.fiber !== undefined) yield* Fiber.interrupt(task.fiber)
    }),
    status: Effect.fn("TaskManager.status")(function* (id: string) {
      const task = find(id)
      if (task === undefined) return yield* new TaskUnknown({ id })
      return infoOf(task)
    }),
    list: Effect.sync(() => [...tasks.values(), ...ended.toReversed()].map(infoOf)),
    changes: Stream.fromPubSubTake(changes)
  })
})
