/**
 * The admin API as both sides know it: what can be asked, how, and what is answered. It loads nothing that answers, so
 * that a command which only asks starts quickly.
 */
import { HttpApi, OpenApi } from "effect/http-api"
import { AdminOnly } from "../../ops/HttpApi.ts"
import { version } from "../version.ts"
import { AppsGroup } from "./AppsGroup.ts"
import { AuditGroup } from "./AuditGroup.ts"
import { FollowsGroup } from "./FollowsGroup.ts"
import { InvitesGroup } from "./InvitesGroup.ts"
import { LimitsGroup } from "./LimitsGroup.ts"
import { OutboxGroup } from "./OutboxGroup.ts"
import { Refusing } from "./Refusals.ts"
import { SecretsGroup } from "./SecretsGroup.ts"
import { SessionsGroup } from "./SessionsGroup.ts"
import { TasksGroup } from "./TasksGroup.ts"
import { TenantsGroup } from "./TenantsGroup.ts"
import { UsersGroup } from "./UsersGroup.ts"

/** A misspelt name is told, not ignored. */
const strict = { errors: "all", onExcessProperty: "error" } as const

export class AdminApi extends HttpApi.make("zapiska")
  .add(
    TenantsGroup,
    AppsGroup,
    UsersGroup,
    InvitesGroup,
    LimitsGroup,
    SecretsGroup,
    AuditGroup,
    TasksGroup,
    OutboxGroup,
    SessionsGroup,
    FollowsGroup
  )
  .middleware(Refusing)
  // The one door, around everything there is.
  .middleware(AdminOnly)
  .prefix("/api")
  .annotate(HttpApi.ParamsParseOptions, { errors: "all" })
  .annotate(HttpApi.QueryParseOptions, strict)
  .annotate(HttpApi.PayloadParseOptions, strict)
  .annotateMerge(
    OpenApi.annotations({
      title: "Zapiska",
      version,
      description:
        "What the operator of an installation can ask and change. Every request carries the admin token"
    })
  ) {}
