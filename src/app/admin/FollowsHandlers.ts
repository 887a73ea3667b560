/** Answers for followed chats: what `ChatFollows` does, in the name of who holds the bearer. */
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { ChatFollows } from "../../session/ChatFollows.ts"
import { AdminApi } from "./Api.ts"
import { databaseAway } from "./databaseAway.ts"
import { type Conflict, conflict, type Missing, missing, type Unavailable } from "./Refusals.ts"
import { actor } from "./TenantsHandlers.ts"

type Refusal = Effect.Error<ReturnType<ChatFollows["Service"]["follow" | "unfollow" | "chats" | "list"]>>

const refusing = <A>(effect: Effect.Effect<A, Refusal>) =>
  Effect.catch(effect, (error): Effect.Effect<never, Missing | Conflict | Unavailable> => {
    if (error._tag === "SqlError") return databaseAway(error)
    const isMissing =
      error._tag === "SessionUnknown" || error._tag === "NotFollowed" || error._tag === "ChatUnknown"
    return isMissing ? missing(error) : conflict(error)
  })

export const followsHandlers = HttpApiBuilder.group(
  AdminApi,
  "follows",
  Effect.fn(function* (handlers) {
    const follows = yield* ChatFollows
    return handlers.handleAll({
      chats: ({ params }) => refusing(follows.chats(params)),
      list: ({ params }) =>
        follows
          .list(params)
          .pipe(Effect.catchTag("SessionUnknown", missing), Effect.catchTag("SqlError", databaseAway)),
      follow: ({ params, payload }) => refusing(follows.follow(params, payload, actor)),
      unfollow: ({ params: { chat, ...key } }) => refusing(follows.unfollow(key, chat, actor))
    })
  })
)
