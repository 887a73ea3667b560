/** `zapiska session chats | following | follow | unfollow`: which chats of an account become notes. */
import { Effect, Option } from "effect"
import { Command, Flag } from "effect/cli"
import { ChatName } from "../domain/ChatName.ts"
import { Day, dayOf } from "../domain/Day.ts"
import { argument, flag, session, tenant } from "./Arguments.ts"
import { ask, show, showRows } from "./Asking.ts"

const where = { tenant, app: session }
const chat = argument(
  "chat",
  ChatName,
  "saved for Saved Messages, or a channel or group: its id, or its name as @news"
)

const chats = Command.make(
  "chats",
  where,
  Effect.fnUntraced(function* (params) {
    const found = yield* ask((client) => client.follows.chats({ params }))
    yield* showRows(found, {
      columns: ["id", "kind", "name", "title"],
      row: ({ id, kind, title, username }) => ({
        id: String(id),
        kind,
        name: username === undefined ? "" : `@${username}`,
        title
      }),
      none: "The account is in no channel or group; `saved` can be followed"
    })
  })
).pipe(Command.withDescription("The channels and groups an account is in"))

const following = Command.make(
  "following",
  where,
  Effect.fnUntraced(function* (params) {
    const found = yield* ask((client) => client.follows.list({ params }))
    yield* showRows(found, {
      columns: ["chat", "title", "since", "last message", "taken", "error"],
      row: ({ lastError, lastMessage, since, source, takenAt, title }) => ({
        chat: String(source),
        title,
        since: dayOf(since),
        "last message": String(lastMessage),
        taken: takenAt === undefined ? "" : new Date(takenAt).toISOString().slice(0, 19).replace("T", " "),
        error: lastError ?? ""
      }),
      none: `Nothing is followed; choose: zapiska session follow ${params.tenant} ${params.app} saved`
    })
  })
).pipe(Command.withDescription("The chats of an account that become notes, and how far each is taken"))

const follow = Command.make(
  "follow",
  {
    ...where,
    chat,
    since: flag("since", Day, "From this day on (UTC), such as 2026-01-31; from now on without it").pipe(
      Flag.optional
    )
  },
  Effect.fnUntraced(function* ({ chat, since, ...params }) {
    const payload = { chat, ...(Option.isNone(since) ? {} : { since: since.value }) }
    const followed = yield* ask((client) => client.follows.follow({ params, payload }))
    yield* show(followed, `${followed.title} becomes notes from ${dayOf(followed.since)} on`)
  })
).pipe(Command.withDescription("Make notes of Saved Messages, a channel or a group of an account"))

const unfollow = Command.make(
  "unfollow",
  { ...where, chat },
  Effect.fnUntraced(function* (params) {
    yield* ask((client) => client.follows.unfollow({ params }))
    yield* show({ ...params }, `${params.chat} is followed no longer; the notes made of it stay`)
  })
).pipe(Command.withDescription("Make no more notes of a chat"))

export const followCommands = [chats, following, follow, unfollow] as const
