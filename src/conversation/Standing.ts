/** What a person may do now: looked at when it is done, for it may have changed since they wrote. */
import { Clock, Duration, Effect, Option } from "effect"
import type { SqlError } from "effect/sql"
import { mayAs, type Role } from "../domain/Role.ts"
import type { OutgoingContent } from "../telegram/BotPort.ts"
import { Outbox, type OutboxAction } from "../telegram/Outbox.ts"
import { Permission } from "../telegram/Permission.ts"
import { entriesOf } from "./Answers.ts"
import { peopleTexts } from "./PeopleTexts.ts"
import type { UserContext } from "./UserContext.ts"

/** How often a reader is told that nothing is kept of what they send. */
const reminded = Duration.toMillis(Duration.hours(6))

export const makeStanding = Effect.gen(function* () {
  const outbox = yield* Outbox
  const permission = yield* Permission

  /** `undefined`: they are strangers by now. */
  const roleOf = (user: UserContext): Effect.Effect<Role | undefined, SqlError.SqlError> =>
    Effect.map(permission.role(user, user.sender), Option.getOrUndefined)

  return {
    roleOf,
    /** Of an account its follower decides: what is not to be noted any more is not handed on. */
    mayNote: (user: UserContext) =>
      user.unanswered ? Effect.succeed(true) : Effect.map(roleOf(user), (role) => mayAs(role, "member")),

    /** Tells a reader that they may only look: once in a while, or in the place of a status message, each time. */
    tellReader: Effect.fnUntraced(function* (
      user: UserContext,
      resolving?: { readonly key: string; readonly action: (content: OutgoingContent) => OutboxAction }
    ) {
      // A stranger is told nothing.
      if ((yield* roleOf(user)) === undefined && resolving === undefined) return
      const period = Math.floor((yield* Clock.currentTimeMillis) / reminded)
      const { chat, thread, sender } = user
      yield* outbox.enqueue(
        user.tenant,
        entriesOf(
          user,
          resolving?.key ?? `reader:${chat}:${thread ?? 0}:${sender}:${period}`,
          [{ _tag: "Text", text: peopleTexts[user.language].readersLook }],
          resolving?.action
        )
      )
    })
  }
})
