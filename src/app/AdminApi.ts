/** The admin API: its groups, what answers them, its routes. A later part adds a group and its handlers here. */
import { Effect, Layer, Schema } from "effect"
import {
  HttpApi,
  HttpApiBuilder,
  HttpApiEndpoint,
  HttpApiGroup,
  HttpApiSwagger,
  OpenApi
} from "effect/http-api"
import { AdminOnly, adminOnly } from "../ops/HttpApi.ts"
import { Scrubber } from "../ops/Scrub.ts"
import { TaskInfo, TaskManager } from "../task/TaskManager.ts"

/** Every supervised background fiber; of those that ended, the last 100. */
export class TasksGroup extends HttpApiGroup.make("tasks")
  .add(HttpApiEndpoint.get("list", "/tasks", { success: Schema.Array(TaskInfo) }))
  .middleware(AdminOnly)
  .prefix("/api") {}

export class AdminApi extends HttpApi.make("zapiska")
  .add(TasksGroup)
  .annotateMerge(
    OpenApi.annotations({ title: "Zapiska", description: "The admin API of a Zapiska process" })
  ) {}

const tasksHandlers = HttpApiBuilder.group(
  AdminApi,
  "tasks",
  Effect.fn(function* (handlers) {
    const tasks = yield* TaskManager
    const scrubber = yield* Scrubber
    return handlers.handleAll({
      list: () =>
        Effect.map(tasks.list, (all) =>
          all.map((info) => (info.error === undefined ? info : { ...info, error: scrubber.text(info.error) }))
        )
    })
  })
)

/** The routes of the API, its OpenAPI document and the page that shows it. */
export const adminRoutes = Layer.mergeAll(
  HttpApiBuilder.layer(AdminApi, { openapiPath: "/api/openapi.json" }).pipe(
    Layer.provide(tasksHandlers),
    Layer.provide(adminOnly)
  ),
  HttpApiSwagger.layer(AdminApi, { path: "/api/docs" })
)

export const adminLink = { path: "/api/docs", words: "Admin API" } as const
