/**
 * Which of their own chats a person has become notes, chosen in the chat with the bot: the list with its buttons, and
 * what a choice does. Telegram may be asked for it, so nothing of this belongs into a transaction.
 */
import { Clock, Effect, Option } from "effect"
import type { SqlError } from "effect/sql"
import type { ChatName } from "../domain/ChatName.ts"
import { dayOf } from "../domain/Day.ts"
import type { FormattedText } from "../domain/FormattedText.ts"
import { ChatFollows } from "../session/ChatFollows.ts"
import { KnownAccounts } from "../session/KnownAccounts.ts"
import type { SessionInfo } from "../session/SessionRow.ts"
import { isLoggedIn } from "../session/SessionState.ts"
import type { Button, TextContent } from "../telegram/BotPort.ts"
import type { Source } from "../telegram/UserClient.ts"
import { chatsButton, followButton } from "./Buttons.ts"
import { followTexts } from "./FollowTexts.ts"
import type { UserContext } from "./UserContext.ts"

export interface Choice {
  readonly chat: ChatName
  /** Unix seconds; from now on without it. */
  readonly since?: number
}

interface Listed {
  readonly source: Source
  readonly title: string
}

/** Of the list at once. */
const perPage = 20
/** Characters of a title on a button. */
const longestTitle = 40

const shortened = (title: string): string => {
  const letters = [...title]
  return letters.length > longestTitle ? `${letters.slice(0, longestTitle - 1).join("")}…` : title
}

/** Of everything, the page that `from` is on, and where the ones beside it begin. */
export const pageOf = <A>(all: ReadonlyArray<A>, from: number) => {
  const last = Math.max(0, Math.ceil(all.length / perPage) - 1)
  const nth = Math.min(Math.max(0, Math.floor(from / perPage)), last)
  const begin = nth * perPage
  return {
    begin,
    shown: all.slice(begin, begin + perPage),
    before: nth > 0 ? begin - perPage : undefined,
    after: nth < last ? begin + perPage : undefined
  }
}

/** Their own account, and nobody else's that the tenant has. */
const ownSession = (user: UserContext) =>
  Effect.map(
    KnownAccounts.use(({ sessions }) => sessions(user.tenant)),
    (all): SessionInfo | undefined =>
      all.find(({ account, state }) => account?.id === user.sender && isLoggedIn(state))
  )

const text = (said: FormattedText): TextContent => ({ _tag: "Text", text: said })

const awayFor =
  (user: UserContext, operation: string) =>
  ({ message }: { readonly message: string }) =>
    Effect.logInfo(`Somebody's own account cannot be asked: ${message}`).pipe(
      Effect.annotateLogs({ tenant: user.tenant, operation })
    )

/** The chats of their account, each a button that chooses it or ends that. */
export const chatMenu = Effect.fn("ChatChoice.menu")(function* (user: UserContext, from: number) {
  const words = followTexts[user.language]
  const session = yield* ownSession(user)
  if (session === undefined) return text(words.notLoggedIn)
  const follows = yield* ChatFollows
  const followed = (yield* Effect.catchTag(follows.list(session), "SessionUnknown", () =>
    Effect.succeed([])
  )).filter(({ account }) => account === user.sender)
  const known = yield* follows
    .chats(session)
    .pipe(Effect.tapError(awayFor(user, "ChatChoice.menu")), Effect.option)
  const listed = Option.match(known, {
    onNone: (): ReadonlyArray<Listed> => [],
    onSome: (chats) => chats.map(({ id, title }) => ({ source: id, title }))
  })
  const isListed = new Set<Source>(["saved", ...listed.map(({ source }) => source)])
  const all: ReadonlyArray<Listed> = [
    { source: "saved", title: words.saved },
    // They left it, or nobody can tell now.
    ...followed.filter(({ source }) => !isListed.has(source)),
    ...listed
  ]
  const { after, before, begin, shown } = pageOf(all, from)
  const chosen = new Set<Source>(followed.map(({ source }) => source))
  const buttons: ReadonlyArray<ReadonlyArray<Button>> = shown.map(({ source, title }) => [
    followButton(user, { chat: source, title: shortened(title), followed: chosen.has(source), from: begin })
  ])
  const turns = [
    ...(before === undefined ? [] : [chatsButton(user, "◀", before)]),
    ...(after === undefined ? [] : [chatsButton(user, "▶", after)])
  ]
  const content: TextContent = {
    ...text(words.menu({ followed: chosen.size, listed: Option.isSome(known) })),
    buttons: turns.length === 0 ? buttons : [...buttons, turns]
  }
  return content
})

/** What came of it, in words. Done twice it is as if it were done once. */
export const choose = Effect.fn("ChatChoice.choose")(function* (
  user: UserContext,
  kind: "follow" | "unfollow",
  { chat, since }: Choice
): Effect.fn.Return<FormattedText, SqlError.SqlError, ChatFollows | KnownAccounts> {
  const words = followTexts[user.language]
  const session = yield* ownSession(user)
  if (session === undefined) return words.notLoggedIn
  const follows = yield* ChatFollows
  const actor = `user:${user.sender}` as const
  const begun = Math.floor((yield* Clock.currentTimeMillis) / 1000) - 1
  const titleOf = (title: string) => (chat === "saved" ? words.saved : title)
  const done =
    kind === "follow"
      ? Effect.map(
          follows.follow(session, { chat, ...(since === undefined ? {} : { since }) }, actor),
          (one) => {
            const isNow = since === undefined && one.since > begun
            return words.followed(titleOf(one.title), isNow ? undefined : dayOf(one.since))
          }
        )
      : Effect.gen(function* () {
          const all = yield* follows.list(session)
          yield* follows.unfollow(session, chat, actor)
          const one = all.find(({ source }) => String(source) === chat)
          return words.unfollowed(titleOf(one?.title ?? chat))
        })
  return yield* Effect.catch(done, (error) => {
    switch (error._tag) {
      case "SqlError":
        return Effect.fail(error)
      case "ChatUnknown":
        return Effect.succeed(words.noSuchChat(chat))
      case "NotFollowed":
        return Effect.succeed(words.notFollowed(titleOf(chat)))
      default:
        return Effect.as(awayFor(user, "ChatChoice.choose")(error), words.notNow)
    }
  })
})
