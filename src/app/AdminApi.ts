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
import { defaultTenant } from "../domain/Ids.ts"
import { AdminOnly, adminOnly } from "../ops/HttpApi.ts"
import { Scrubber } from "../ops/Scrub.ts"
import { TaskInfo, TaskManager } from "../task/TaskManager.ts"
import { page, Undelivered, UndeliveredRow } from "../telegram/Undelivered.ts"

/** Every supervised background fiber; of those that ended, the last 100. */
export class TasksGroup extends HttpApiGroup.make("tasks")
  .add(HttpApiEndpoint.get("list", "/tasks", { success: Schema.Array(TaskInfo) }))
  .middleware(AdminOnly)
  .prefix("/api") {}

/** Messages nobody may have got. `before`: the id of the last row seen. */
export class OutboxGroup extends HttpApiGroup.make("outbox")
  .add(
    HttpApiEndpoint.get("undelivered", "/outbox", {
      query: { before: Schema.optionalKey(Schema.FiniteFromString.check(Schema.isInt())) },
      success: Schema.Array(UndeliveredRow)
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Messages whose fate is unknown, and those that were given up",
        description: `The newest ${page} first: where each was going, why it ended and when, never what it says`
      })
    )
  )
  .middleware(AdminOnly)
  .prefix("/api") {}

export class AdminApi extends HttpApi.make("zapiska")
  .add(TasksGroup)
  .add(OutboxGroup)
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

const outboxHandlers = HttpApiBuilder.group(
  AdminApi,
  "outbox",
  Effect.fn(function* (handlers) {
    const undelivered = yield* Undelivered
    const scrubber = yield* Scrubber
    return handlers.handleAll({
      undelivered: ({ query }) =>
        undelivered.list(defaultTenant, query.before).pipe(
          Effect.map((rows) => rows.map((row) => ({ ...row, reason: scrubber.text(row.reason) }))),
          Effect.orDie
        )
    })
  })
)

/** The routes of the API, its OpenAPI document and the page that shows it. */
export const adminRoutes = Layer.mergeAll(
  HttpApiBuilder.layer(AdminApi, { openapiPath: "/api/openapi.json" }).pipe(
    Layer.provide([tasksHandlers, outboxHandlers]),
    Layer.provide(adminOnly)
  ),
  HttpApiSwagger.layer(AdminApi, { path: "/api/docs" })
)

export const adminLink = { path: "/api/docs", words: "Admin API" } as const
