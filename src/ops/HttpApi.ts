/**
 * The admin API: its contract, its one door, its handlers. A later part adds a group to `AdminApi` and gives
 * its handlers as a Layer beside `tasksHandlers`.
 */
import { createHash, timingSafeEqual } from "node:crypto"
import { Context, Effect, Layer, Redacted, Schema } from "effect"
import {
  HttpApi,
  HttpApiBuilder,
  HttpApiEndpoint,
  HttpApiGroup,
  HttpApiMiddleware,
  HttpApiSecurity,
  HttpApiSwagger,
  OpenApi
} from "effect/http-api"
import { TaskInfo, TaskManager } from "../task/TaskManager.ts"
import { Scrubber } from "./Scrub.ts"

export class Unauthorized extends Schema.TaggedError<Unauthorized>()(
  "Unauthorized",
  { message: Schema.String },
  { httpApiStatus: 401 }
) {}

/** The bearer every request to the API carries. */
export class AdminToken extends Context.Service<AdminToken, Redacted.Redacted>()("zapiska/ops/AdminToken") {}

export class AdminOnly extends HttpApiMiddleware.Service<AdminOnly>()("zapiska/ops/AdminOnly", {
  security: { bearer: HttpApiSecurity.bearer },
  error: Unauthorized
}) {}

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

const digest = (text: string) => createHash("sha256").update(text).digest()

/** Takes the same time whatever is wrong with the token, its length included. */
export const sameSecret = (given: string, wanted: string): boolean =>
  timingSafeEqual(digest(given), digest(wanted))

export const adminOnly: Layer.Layer<AdminOnly, never, AdminToken> = Layer.effect(
  AdminOnly,
  Effect.gen(function* () {
    const token = Redacted.value(yield* AdminToken)
    return AdminOnly.of({
      bearer: (handle, { credential }) =>
        sameSecret(Redacted.value(credential), token)
          ? handle
          : new Unauthorized({
              message:
                "Send the header `Authorization: Bearer <ADMIN_TOKEN>`; the start of the log says where it is"
            })
    })
  })
)

export const tasksHandlers = HttpApiBuilder.group(
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
