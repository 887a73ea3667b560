/** What the admin API does with the people of a tenant. */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { TenantId, UserId } from "../../domain/Ids.ts"
import { Member } from "../../domain/Member.ts"
import { Role } from "../../domain/Role.ts"
import { Name } from "./Name.ts"
import { Conflict, Missing } from "./Refusals.ts"

const userAllowed = "the number Telegram knows the person by, such as 123456789"
export const PersonId = UserId.check(Schema.isGreaterThan(0, { message: userAllowed }))
/** As it stands in a path or is typed. */
export const UserIdFromString = Schema.String.check(
  Schema.isPattern(/^[1-9]\d{0,14}$/, { message: userAllowed })
).pipe(Schema.decodeTo(Schema.FiniteFromString), Schema.decodeTo(UserId))

const params = { tenant: TenantId, user: UserIdFromString }
const path = "/tenants/:tenant/users"

export class UsersGroup extends HttpApiGroup.make("users")
  .add(
    HttpApiEndpoint.get("list", path, {
      params: { tenant: TenantId },
      success: Schema.Array(Member),
      error: Missing
    }).annotateMerge(
      OpenApi.annotations({
        summary: "The people of a tenant",
        description: "Owners first, then members, then readers"
      })
    ),
    HttpApiEndpoint.post("add", path, {
      params: { tenant: TenantId },
      payload: Schema.Struct({
        user: PersonId,
        role: Role,
        name: Schema.optionalKey(Name).annotateKey({
          description: "Until they write for the first time"
        })
      }),
      success: Member.pipe(HttpApiSchema.status(201)),
      error: [Missing, Conflict]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Let somebody use the bots of a tenant",
        description: "A reader may search and read, a member may also write, an owner may also invite"
      })
    ),
    HttpApiEndpoint.put("setRole", `${path}/:user/role`, {
      params,
      payload: Schema.Struct({ role: Role }),
      success: Member,
      error: [Missing, Conflict]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Give somebody another role",
        description: "A tenant keeps at least one owner"
      })
    ),
    HttpApiEndpoint.delete("remove", `${path}/:user`, {
      params,
      success: HttpApiSchema.NoContent,
      error: [Missing, Conflict]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Take somebody's access away",
        description: "What they wrote stays. A tenant keeps at least one owner"
      })
    )
  )
  .annotateMerge(OpenApi.annotations({ description: "Who may use the bots of a tenant, and how" })) {}
