/** What the admin API does with the bots of a tenant. A token comes in and never goes out. */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { AppId, TenantId } from "../../domain/Ids.ts"
import { App, AppKept } from "../../session/AppRows.ts"
import { Conflict, Invalid, Missing } from "./Refusals.ts"

export type { AppKept }

const params = { tenant: TenantId, app: AppId }
const one = { params, success: App, error: Missing }
const path = "/tenants/:tenant/apps"

const Token = Schema.RedactedFromValue(Schema.String).annotate({
  description: "The token @BotFather gave"
})

const aliasAllowed = { message: "1 to 63 characters" }
/** What a credential is kept under. */
export const Alias = Schema.String.check(
  Schema.isNonEmpty(aliasAllowed),
  Schema.isMaxLength(63, aliasAllowed)
)

export class AppsGroup extends HttpApiGroup.make("apps")
  .add(
    HttpApiEndpoint.get("list", path, {
      params: { tenant: TenantId },
      success: Schema.Array(App),
      error: Missing
    }).annotateMerge(
      OpenApi.annotations({
        summary: "The apps of a tenant",
        description: "Those that were added. The bot of TELEGRAM_BOT_TOKEN is not among them"
      })
    ),
    HttpApiEndpoint.post("add", path, {
      params: { tenant: TenantId },
      payload: Schema.Struct({
        app: AppId,
        token: Schema.optionalKey(Token).annotateKey({
          description: "Without it the credential is the one that bears the alias already"
        }),
        alias: Schema.optionalKey(Alias).annotateKey({
          description: "The name of its credential; by default that of the app"
        })
      }),
      success: AppKept.pipe(HttpApiSchema.status(201)),
      error: [Invalid, Missing, Conflict]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Add a bot",
        description:
          "Telegram is asked about the token first. The bot answers from then on, without a restart"
      })
    ),
    HttpApiEndpoint.post("rotate", `${path}/:app/rotate`, {
      params,
      payload: Schema.Struct({ token: Token }),
      success: AppKept,
      error: [Invalid, Missing, Conflict]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Give a bot its new token",
        description:
          "It has to be a token of the same bot. Whoever runs the bot goes on with it, without a restart"
      })
    ),
    HttpApiEndpoint.post("disable", `${path}/:app/disable`, one).annotateMerge(
      OpenApi.annotations({
        summary: "Disable a bot",
        description: "It falls silent. Telegram keeps what people send it for a day"
      })
    ),
    HttpApiEndpoint.post("enable", `${path}/:app/enable`, one).annotateMerge(
      OpenApi.annotations({ summary: "Enable a bot again" })
    ),
    HttpApiEndpoint.delete("remove", `${path}/:app`, one).annotateMerge(
      OpenApi.annotations({
        summary: "Remove a bot",
        description: "Its credential is deleted. The notes that were made through it stay"
      })
    )
  )
  .annotateMerge(OpenApi.annotations({ description: "The bots of a tenant, by the name of the app" })) {}
