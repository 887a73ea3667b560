/** Answers for the background tasks of this process. */
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { Scrubber } from "../../ops/Scrub.ts"
import { TaskManager } from "../../task/TaskManager.ts"
import { AdminApi } from "./Api.ts"
import { lookUp } from "./TenantsHandlers.ts"

export const tasksHandlers = HttpApiBuilder.group(
  AdminApi,
  "tasks",
  Effect.fn(function* (handlers) {
    const tasks = yield* TaskManager
    const scrubber = yield* Scrubber
    const list = Effect.map(tasks.list, (all) =>
      all.map((info) => (info.error === undefined ? info : { ...info, error: scrubber.text(info.error) }))
    )
    const existing = yield* lookUp
    return handlers.handleAll({
      list: () => list,
      listOf: ({ params }) =>
        Effect.andThen(
          existing(params.tenant),
          Effect.map(list, (all) => all.filter(({ owner }) => owner.tenant === params.tenant))
        )
    })
  })
)
