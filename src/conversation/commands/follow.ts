import { Effect, Option, Schema } from "effect"
import { ChatName } from "../../domain/ChatName.ts"
import { Day } from "../../domain/Day.ts"
import { type Choice, chatMenu, choose } from "../ChatChoice.ts"
import { followTexts } from "../FollowTexts.ts"
import type { Command } from "./Command.ts"

const readChat = Schema.decodeUnknownOption(ChatName)
const readDay = Schema.decodeUnknownOption(Day)

/** A name as people have it at hand, which is also a link to the chat. */
const nameIn = (word: string): string => {
  const [, linked] = /^(?:https?:\/\/)?t\.me\/(\w+)\/?$/i.exec(word) ?? []
  if (linked !== undefined) return `@${linked}`
  return word.toLowerCase() === "saved" ? "saved" : word
}

/** `<chat> [day]`. `undefined`: something else. */
export const choiceIn = (argument: string): Choice | undefined => {
  const [chat = "", day, ...more] = argument.trim().split(/\s+/)
  const name = Option.getOrUndefined(readChat(nameIn(chat)))
  if (name === undefined || more.length > 0) return undefined
  if (day === undefined) return { chat: name }
  const since = Option.getOrUndefined(readDay(day))
  return since === undefined ? undefined : { chat: name, since }
}

const commandOf = (name: "follow" | "unfollow"): Command => ({
  name,
  // As the login: the account is theirs, and what comes of it is everybody's.
  least: "owner",
  beforehand: Effect.fn(`command.${name}`)(function* ({ argument, user }) {
    const words = followTexts[user.language]
    if (user.chat !== user.sender) return [{ _tag: "Text", text: words.inPrivate }]
    if (argument.trim() === "") return [yield* chatMenu(user, 0)]
    const choice = choiceIn(argument)
    return [{ _tag: "Text", text: choice === undefined ? words.usage : yield* choose(user, name, choice) }]
  }),
  run: () => Effect.succeed([])
})

export const follow = commandOf("follow")
export const unfollow = commandOf("unfollow")
