/** Answers for invites: what `Invites` does, with a link for each bot of the tenant. */
import { Clock, Effect, Option, Redacted } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import type { TenantId } from "../../domain/Ids.ts"
import { BotPort } from "../../telegram/BotPort.ts"
import { Bots } from "../../telegram/Bots.ts"
import { Invites, inviteLink } from "../../telegram/Invites.ts"
import { AdminApi } from "./Api.ts"
import { databaseAway } from "./databaseAway.ts"
import { missing } from "./Refusals.ts"
import { actor, lookUp } from "./TenantsHandlers.ts"

/** Milliseconds a bot has to tell its name: the code works without a link. */
const patience = 3_000

export const invitesHandlers = HttpApiBuilder.group(
  AdminApi,
  "invites",
  Effect.fn(function* (handlers) {
    const invites = yield* Invites
    const bots = yield* Bots
    const port = yield* BotPort
    const existing = yield* lookUp

    const linksOf = Effect.fnUntraced(function* (tenant: TenantId, code: Redacted.Redacted<string>) {
      const deadline = (yield* Clock.currentTimeMillis) + patience
      const named = yield* Effect.forEach(
        (yield* bots.list).filter((bot) => bot.tenant === tenant),
        (bot) =>
          port.identity(bot, { deadline }).pipe(
            Effect.map(({ username }) => Option.some(inviteLink(username, code))),
            Effect.catch((error) => Effect.as(Effect.logDebug(error.message), Option.none<string>()))
          ),
        { concurrency: "unbounded" }
      )
      return named.flatMap(Option.toArray)
    })

    return handlers.handleAll({
      list: ({ params: { tenant } }) =>
        existing(tenant).pipe(
          Effect.andThen(invites.list(tenant)),
          Effect.catchTag("SqlError", databaseAway)
        ),
      create: ({ params: { tenant }, payload }) =>
        Effect.gen(function* () {
          yield* existing(tenant)
          const { code, ...invite } = yield* invites.create(tenant, payload, actor)
          return { invite, code: Redacted.value(code), links: yield* linksOf(tenant, code) }
        }).pipe(Effect.catchTag("TenantUnknown", missing), Effect.catchTag("SqlError", databaseAway)),
      revoke: ({ params: { tenant, invite } }) =>
        invites
          .revoke(tenant, invite, actor)
          .pipe(Effect.catchTag("InviteUnknown", missing), Effect.catchTag("SqlError", databaseAway))
    })
  })
)
