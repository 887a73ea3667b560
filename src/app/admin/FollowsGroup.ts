/** What the admin API does with the chats of people's accounts that become notes. */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api"
import { ChatName } from "../../domain/ChatName.ts"
import { AppId, TenantId } from "../../domain/Ids.ts"
import { FollowedChat } from "../../session/FollowedChat.ts"
import { FollowableChat } from "../../telegram/UserClient.ts"
import { Conflict, Missing } from "./Refusals.ts"

const params = { tenant: TenantId, app: AppId }
const path = "/tenants/:tenant/sessions/:app"
const words = (summary: string, description: string) => OpenApi.annotations({ summary, description })

export class FollowsGroup extends HttpApiGroup.make("follows")
  .add(
    HttpApiEndpoint.get("chats", `${path}/chats`, {
      params,
      success: Schema.Array(FollowableChat),
      error: [Missing, Conflict]
    }).annotateMerge(
      words("What an account is in", "Its channels and groups, asked of Telegram now and then")
    ),
    HttpApiEndpoint.get("list", `${path}/follows`, {
      params,
      success: Schema.Array(FollowedChat),
      error: Missing
    }).annotateMerge(words("The chats of an account that become notes", "And how far each is taken")),
    HttpApiEndpoint.post("follow", `${path}/follows`, {
      params,
      payload: Schema.Struct({
        chat: ChatName.annotateKey({
          description: "`saved`, or a channel or group by its id or by its name as `@news`"
        }),
        since: Schema.optionalKey(Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))).annotateKey({
          description: "Unix seconds; what was written before is left alone. From now on without it"
        })
      }),
      success: FollowedChat,
      error: [Missing, Conflict]
    }).annotateMerge(words("Follow a chat", "Also: another beginning for one that is followed")),
    HttpApiEndpoint.delete("unfollow", `${path}/follows/:chat`, {
      params: { ...params, chat: ChatName },
      error: [Missing, Conflict]
    }).annotateMerge(words("Follow a chat no longer", "The notes that were made of it stay"))
  )
  .annotateMerge(
    OpenApi.annotations({
      description: "Saved Messages, channels and groups of people's own accounts, from which notes are made"
    })
  ) {}
