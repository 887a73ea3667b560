/** What the admin API says of supervised background fibers. */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api"
import { TenantId } from "../../domain/Ids.ts"
import { TaskInfo } from "../../task/TaskManager.ts"
import { Missing } from "./Refusals.ts"

const description =
  "Those that run, and of those that ended the last 100, with their errors. Times are in Unix milliseconds"

export class TasksGroup extends HttpApiGroup.make("tasks")
  .add(
    HttpApiEndpoint.get("list", "/tasks", { success: Schema.Array(TaskInfo) }).annotateMerge(
      OpenApi.annotations({ summary: "The background tasks of this process", description })
    ),
    HttpApiEndpoint.get("listOf", "/tenants/:tenant/tasks", {
      params: { tenant: TenantId },
      error: Missing,
      success: Schema.Array(TaskInfo)
    }).annotateMerge(OpenApi.annotations({ summary: "The background tasks of one tenant", description }))
  )
  .annotateMerge(OpenApi.annotations({ description: "What runs in the background" })) {}
