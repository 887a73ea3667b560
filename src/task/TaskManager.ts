/**
 * Supervised background fibers: who runs, since when, for whom. Closing the Layer's scope interrupts every
 * task and waits for its finalizers.
 */
import { Context, type Effect, type Schedule, Schema, type Stream } from "effect"
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
  /** Restarts the task when it fails or dies, with jitter added. Absent: it runs once. */
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
    /** Interrupts the task and waits for its finalizers. */
    readonly stop: (id: string) => Effect.Effect<void, TaskUnknown>
    readonly status: (id: string) => Effect.Effect<TaskInfo, TaskUnknown>
    /** Running and waiting tasks, then the last 100 ended ones. */
    readonly list: Effect.Effect<ReadonlyArray<TaskInfo>>
    /** Every change of status from now on. */
    readonly changes: Stream.Stream<TaskInfo>
  }
>()("zapiska/task/TaskManager") {}
