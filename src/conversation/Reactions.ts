/** The sign under a message that it arrived. It costs nothing when it fails, and never delays an answer. */
import { Clock, Effect, FiberSet } from "effect"
import type { BotId } from "../domain/Ids.ts"
import type { IncomingMessage } from "../domain/IncomingMessage.ts"
import { BotPort } from "../telegram/BotPort.ts"
import type { UserContext } from "./UserContext.ts"

/** Telegram lets a bot do some thirty things a second, and answers come first: reactions wait for each other. */
const betweenReactions = 50
/** Of a flood, so many messages wait for their reaction; those beyond go without one. */
const reactionsWaiting = 200

export const ignoring = <E>(what: string, effect: Effect.Effect<unknown, E>): Effect.Effect<void> =>
  effect.pipe(
    Effect.asVoid,
    Effect.catchCause((cause) => Effect.logDebug(`${what} failed and is left out`, cause))
  )

export const makeReactions = Effect.gen(function* () {
  const bot = yield* BotPort
  const reactions = yield* FiberSet.make<void>()
  const next = new Map<BotId, number>()

  /** How long a reaction waits for its turn, in milliseconds. */
  const delay = ({ botId }: UserContext, now: number): number => {
    const at = Math.max(now, next.get(botId) ?? 0)
    next.set(botId, at + betweenReactions)
    return at - now
  }

  /** Returns at once. */
  return Effect.fnUntraced(function* (user: UserContext, message: IncomingMessage) {
    if ((yield* FiberSet.size(reactions)) >= reactionsWaiting) return
    const react = ignoring("A reaction", bot.react(user.address, message.messageId, "👀"))
    const wait = delay(user, yield* Clock.currentTimeMillis)
    yield* FiberSet.run(reactions, Effect.delay(react, wait))
  })
})
