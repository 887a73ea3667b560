/** Where the bot speaks, and what it says there. */
import { Effect } from "effect"
import { Address } from "../../../src/domain/Address.ts"
import { plain } from "../../../src/domain/FormattedText.ts"
import { ChatId, defaultApp, defaultTenant, MessageId, ThreadId } from "../../../src/domain/Ids.ts"
import { BotApiEmulator } from "../../../src/sandbox/Control.ts"
import type { OutboxAction } from "../../../src/telegram/Outbox.ts"
import { botApi, calling } from "../../support/emulator.ts"

export const bot = { tenant: defaultTenant, app: defaultApp }

/** One place people are spoken to in, with a message of the bot's that may be edited. */
export interface Place {
  readonly address: Address
  readonly placeholder: MessageId
}

export const said = (value: string) => ({ _tag: "Text", text: plain(value) }) as const

/** Three people, a group, and a group with topics in which two lanes share a chat. */
export const makePlaces = Effect.gen(function* () {
  const emulator = yield* BotApiEmulator
  const api = yield* botApi
  const people = yield* Effect.forEach(["Ada", "Bob", "Cy"], (firstName) =>
    emulator.createUser({ firstName })
  )
  for (const { id } of people) yield* emulator.start({ user: id })
  const members = people.map(({ id }) => id)
  const group = yield* emulator.createGroup({ title: "Group", members })
  const forum = yield* emulator.createGroup({ title: "Forum", members, forum: true })
  const topic = yield* emulator.createTopic({ chat: forum.id, name: "Topic" })
  const all = [
    ...members.map((chat) => ({ chat, thread: undefined })),
    { chat: group.id, thread: undefined },
    { chat: forum.id, thread: undefined },
    { chat: forum.id, thread: topic.id }
  ]
  const places = yield* Effect.forEach(all, ({ chat, thread }) =>
    Effect.map(
      calling(() =>
        api.sendMessage(
          chat,
          `placeholder ${chat}/${thread}`,
          thread === undefined ? {} : { message_thread_id: thread }
        )
      ),
      ({ message_id }): Place => ({
        address: new Address({
          ...bot,
          chat: ChatId.make(chat),
          ...(thread === undefined ? {} : { thread: ThreadId.make(thread) })
        }),
        placeholder: MessageId.make(message_id)
      })
    )
  )
  // What that cost is whole again.
  yield* Effect.sleep("2 minutes")
  return places
}).pipe(Effect.orDie)

export const send = (value: string): OutboxAction => ({ _tag: "Send", content: said(value) })
export const resolve = (status: string, value: string): OutboxAction => ({
  _tag: "Resolve",
  status,
  content: said(value)
})
export const edit = (message: MessageId, value: string): OutboxAction => ({
  _tag: "Edit",
  message,
  content: said(value)
})
