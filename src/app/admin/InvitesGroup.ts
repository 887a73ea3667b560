/** What the admin API does with invites to a tenant. */
import { Duration, Effect, Option, Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { TenantId } from "../../domain/Ids.ts"
import { defaultInviteLifetime, Invite, InviteRole, mostUses } from "../../domain/Invite.ts"
import { Missing } from "./Refusals.ts"

const path = "/tenants/:tenant/invites"

const longest = Duration.days(365)

export const Uses = Schema.Int.check(
  Schema.isBetween({ minimum: 1, maximum: mostUses }, { message: `a whole number from 1 to ${mostUses}` })
)
const lifetimeAllowed = "a number and a unit, such as `3 days` or `12 hours`, up to 365 days"
const isLifetime = (text: string) =>
  Option.exists(
    Duration.fromInput(text as Duration.Input),
    (given) => Duration.isGreaterThan(given, Duration.zero) && !Duration.isGreaterThan(given, longest)
  )
export const Lifetime = Schema.String.check(
  Schema.makeFilter((text) => isLifetime(text) || lifetimeAllowed)
).pipe(Schema.decodeTo(Schema.DurationFromString))

/** The code is all that somebody needs to come in: it is shown this once. */
export const InviteMade = Schema.Struct({
  invite: Invite,
  code: Schema.String.annotate({ description: "What somebody sends to a bot of the tenant after `/start `" }),
  links: Schema.Array(Schema.String).annotate({ description: "The same as a link to open, one for each bot" })
})

/** As the list shows it. */
export const InviteId = Schema.NonEmptyString.check(
  Schema.isMaxLength(100, { message: "at most 100 characters" })
)

export class InvitesGroup extends HttpApiGroup.make("invites")
  .add(
    HttpApiEndpoint.get("list", path, {
      params: { tenant: TenantId },
      success: Schema.Array(Invite),
      error: Missing
    }).annotateMerge(
      OpenApi.annotations({
        summary: "The open invites of a tenant",
        description: "Those that still let somebody in, the newest first. Their codes are not told again"
      })
    ),
    HttpApiEndpoint.post("create", path, {
      params: { tenant: TenantId },
      payload: Schema.Struct({
        role: InviteRole.pipe(Schema.withDecodingDefaultKey(Effect.succeed("member" as const))),
        uses: Uses.pipe(Schema.withDecodingDefaultKey(Effect.succeed(1))),
        lifetime: Schema.optionalKey(Lifetime).annotateKey({
          description: `How long it works: ${lifetimeAllowed}; ${Duration.format(defaultInviteLifetime)} by default`
        })
      }),
      success: InviteMade.pipe(HttpApiSchema.status(201)),
      error: Missing
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Invite people to a tenant",
        description: "Whoever opens the link becomes a member or a reader, as many as it has uses"
      })
    ),
    HttpApiEndpoint.delete("revoke", `${path}/:invite`, {
      params: { tenant: TenantId, invite: InviteId },
      success: HttpApiSchema.NoContent,
      error: Missing
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Close an invite",
        description: "Those who came in by it stay"
      })
    )
  )
  .annotateMerge(OpenApi.annotations({ description: "Links that make people members of a tenant" })) {}
