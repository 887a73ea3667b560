/** The routes of the admin API, its OpenAPI document and the page that shows it. */
import { Layer } from "effect"
import { HttpApiBuilder, HttpApiSwagger } from "effect/http-api"
import { adminOnly } from "../ops/HttpApi.ts"
import { AdminApi } from "./admin/Api.ts"
import { appsHandlers } from "./admin/AppsHandlers.ts"
import { auditHandlers } from "./admin/AuditHandlers.ts"
import { followsHandlers } from "./admin/FollowsHandlers.ts"
import { invitesHandlers } from "./admin/InvitesHandlers.ts"
import { limitsHandlers } from "./admin/LimitsHandlers.ts"
import { outboxHandlers } from "./admin/OutboxHandlers.ts"
import { refusing } from "./admin/Refusals.ts"
import { secretsHandlers } from "./admin/SecretsHandlers.ts"
import { sessionsHandlers } from "./admin/SessionsHandlers.ts"
import { tasksHandlers } from "./admin/TasksHandlers.ts"
import { tenantsHandlers } from "./admin/TenantsHandlers.ts"
import { usersHandlers } from "./admin/UsersHandlers.ts"

export const adminRoutes = Layer.mergeAll(
  HttpApiBuilder.layer(AdminApi, { openapiPath: "/api/openapi.json" }).pipe(
    Layer.provide([
      tenantsHandlers,
      appsHandlers,
      usersHandlers,
      invitesHandlers,
      limitsHandlers,
      secretsHandlers,
      auditHandlers,
      tasksHandlers,
      outboxHandlers,
      sessionsHandlers,
      followsHandlers
    ]),
    Layer.provide([adminOnly, refusing])
  ),
  HttpApiSwagger.layer(AdminApi, { path: "/api/docs" })
)

export const adminLink = { path: "/api/docs", words: "Admin API" } as const
