/** What an outcome is called outside: the errors of the port. Pure. */
import type { ChatId } from "../domain/Ids.ts"
import {
  Ambiguous,
  type BotPortError,
  Migrated,
  RateLimited,
  Refused,
  TargetGone,
  Unauthorized,
  Unavailable,
  Unreachable
} from "./BotError.ts"
import type { Outcome } from "./Outcome.ts"

/** `until`: Unix milliseconds of the end of a park. */
export const errorOf = (
  outcome: Exclude<Outcome, { readonly _tag: "Done" }>,
  { method, chat, until }: { readonly method: string; readonly chat?: ChatId; readonly until: number }
): BotPortError => {
  switch (outcome._tag) {
    case "Wait":
      return new RateLimited({ method, until: Math.ceil(until) })
    case "Retry":
      return new Unavailable({ method, reason: outcome.reason })
    case "Unknown":
      return new Ambiguous({ method, reason: outcome.reason })
    case "Migrated":
      return new Migrated({ method, to: outcome.to })
    case "TargetGone":
      return new TargetGone({ method, reason: outcome.reason })
    case "Unreachable":
      return new Unreachable({ method, reason: outcome.reason, ...(chat === undefined ? {} : { chat }) })
    case "Unauthorized":
      return new Unauthorized({ method })
    case "Refused":
      return new Refused({ method, code: outcome.code, reason: outcome.reason })
    case "TooLarge":
      return new Refused({ method, code: 413, reason: outcome.reason })
    case "FileExpired":
      return new Refused({ method, code: 404, reason: outcome.reason })
    case "Conflict":
      return new Refused({ method, code: 409, reason: `another ${outcome.by} is active` })
    case "PlainText":
    case "WithoutThread":
    case "WithoutReply":
      return new Refused({ method, code: 400, reason: outcome.reason })
  }
}
