/**
 * What a person (and a test) can do in the sandbox's Telegram: the contract of the emulator, one table of
 * actions. The service in this process, the HTTP control API and its client all come from this table.
 */
import { Context, type Effect, Schema, type Stream } from "effect"
import { FaultRule } from "./Fault.ts"
import {
  Bot,
  CallbackAnswer,
  Chat,
  Contact,
  Entity,
  type Event,
  JournalEntry,
  Location,
  MediaKind,
  Message,
  Origin,
  Topic,
  User
} from "./Views.ts"

const optional = Schema.optionalKey

/** The action makes no sense as asked: an unknown chat, a button that is not there, nobody answered. */
export class SandboxRefused extends Schema.TaggedError<SandboxRefused>()("SandboxRefused", {
  action: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `${this.action}: ${this.reason}`
  }
}

/** `bot` absent: the first one. */
const bot = { bot: optional(Schema.Int) }
/** Where: a private chat's id is the person's own. `thread` absent: the chat itself, or General. */
const place = { ...bot, chat: Schema.Int, thread: optional(Schema.Int) }
/** Who and where. `from` absent: in a private chat the person, in a group its first member. */
const said = { ...place, from: optional(Schema.Int), replyTo: optional(Schema.Int) }
const target = { ...bot, chat: Schema.Int, messageId: Schema.Int, from: optional(Schema.Int) }

/** `origin.date` and `origin.name` are enough; `link` (`https://t.me/name/5`) makes a public channel. */
const forwarded = { origin: optional(Origin) }

/** Commands, hashtags, links and mentions are marked as Telegram's clients and server do. */
export const SendText = Schema.Struct({
  ...said,
  ...forwarded,
  text: Schema.String,
  entities: optional(Schema.Array(Entity))
})
export type SendText = typeof SendText.Type

/** `size` claims another size than the bytes have (to test limits without sending 20 MB). */
export const File = Schema.Struct({
  kind: MediaKind,
  bytes: Schema.Uint8ArrayFromBase64,
  size: optional(Schema.Int),
  name: optional(Schema.String),
  mime: optional(Schema.String),
  width: optional(Schema.Int),
  height: optional(Schema.Int),
  duration: optional(Schema.Int),
  emoji: optional(Schema.String),
  title: optional(Schema.String),
  performer: optional(Schema.String),
  caption: optional(Schema.String),
  captionEntities: optional(Schema.Array(Entity))
})
export type File = typeof File.Type

const Nothing = Schema.Struct({})
const Done = Schema.Struct({})
const json = Schema.Record(Schema.String, Schema.Json)

const action = <const P extends Schema.Top, const S extends Schema.Top>(input: P, output: S) => ({
  input,
  output
})

export const actions = {
  /** Another bot on the same server, with a world of chats of its own. */
  createBot: action(Schema.Struct({ username: Schema.String, name: Schema.String }), Bot),
  bots: action(Nothing, Schema.Array(Bot)),
  /** As @BotFather does: the bot has another token from now on, the old one is refused. */
  revokeToken: action(Schema.Struct(bot), Bot),

  /** `id` absent: the next free one. An existing id gets the new names. */
  createUser: action(
    Schema.Struct({
      id: optional(Schema.Int),
      firstName: Schema.String,
      lastName: optional(Schema.String),
      username: optional(Schema.String),
      language: optional(Schema.String)
    }),
    User
  ),
  users: action(Nothing, Schema.Array(User)),

  /** A supergroup the bot is added to as an administrator. `forum`: with topics. */
  createGroup: action(
    Schema.Struct({
      ...bot,
      title: Schema.String,
      members: Schema.Array(Schema.Int),
      forum: optional(Schema.Boolean)
    }),
    Chat
  ),
  createTopic: action(Schema.Struct({ ...bot, chat: Schema.Int, name: Schema.String }), Topic),
  /** Newest activity first. */
  chats: action(Schema.Struct(bot), Schema.Array(Chat)),
  /** Newest first, below `before` when given; 50 unless `limit` says otherwise. `thread` absent: of all topics. */
  messages: action(
    Schema.Struct({ ...place, before: optional(Schema.Int), limit: optional(Schema.Int) }),
    Schema.Array(Message)
  ),
  message: action(Schema.Struct({ ...bot, chat: Schema.Int, messageId: Schema.Int }), Message),
  /** The bytes of any file, sent by a person or by a bot. */
  file: action(
    Schema.Struct({ fileId: Schema.String }),
    Schema.Struct({
      bytes: Schema.Uint8ArrayFromBase64,
      name: optional(Schema.String),
      mime: optional(Schema.String)
    })
  ),
  /** The bot's menu as this person's client shows it in this chat. */
  commands: action(
    Schema.Struct({ ...bot, chat: optional(Schema.Int), user: optional(Schema.Int) }),
    Schema.Array(Schema.Struct({ command: Schema.String, description: Schema.String }))
  ),

  /** `/start`, with a deep-link `payload` when given; unblocks a blocked bot. */
  start: action(Schema.Struct({ ...bot, user: Schema.Int, payload: optional(Schema.String) }), Message),
  block: action(Schema.Struct({ ...bot, user: Schema.Int }), Done),
  unblock: action(Schema.Struct({ ...bot, user: Schema.Int }), Done),

  sendText: action(SendText, Message),
  /** Several messages in one step, in this order: typing fast, a burst of forwards, many chats at once. */
  sendTexts: action(Schema.Struct({ messages: Schema.Array(SendText) }), Schema.Array(Message)),
  /** As `sendTexts`, answering only how many: for feeding benchmarks. */
  feed: action(Schema.Struct({ messages: Schema.Array(SendText) }), Schema.Struct({ sent: Schema.Int })),
  sendFile: action(Schema.Struct({ ...said, ...forwarded, file: File }), Message),
  /** One message a file, all with one album id; 2 to 10 files. */
  sendAlbum: action(
    Schema.Struct({ ...said, ...forwarded, files: Schema.Array(File) }),
    Schema.Array(Message)
  ),
  /** Existing messages of any chat forwarded, as a person selects several and forwards them together. */
  forward: action(
    Schema.Struct({
      ...said,
      fromChat: Schema.Int,
      messageIds: Schema.Array(Schema.Int),
      /** As people's privacy settings and bots do: the name without the account. */
      hideSender: optional(Schema.Boolean)
    }),
    Schema.Array(Message)
  ),
  sendLocation: action(Schema.Struct({ ...said, ...forwarded, location: Location }), Message),
  sendContact: action(Schema.Struct({ ...said, ...forwarded, contact: Contact }), Message),
  sendPoll: action(
    Schema.Struct({
      ...said,
      ...forwarded,
      question: Schema.String,
      options: Schema.Array(Schema.String),
      anonymous: optional(Schema.Boolean),
      multiple: optional(Schema.Boolean)
    }),
    Message
  ),
  /** `value` absent: rolled. */
  sendDice: action(
    Schema.Struct({ ...said, emoji: optional(Schema.String), value: optional(Schema.Int) }),
    Message
  ),

  /** New text or caption of one's own message. */
  editText: action(
    Schema.Struct({ ...target, text: Schema.String, entities: optional(Schema.Array(Entity)) }),
    Message
  ),
  /** Telegram tells a bot nothing about it. */
  deleteMessages: action(
    Schema.Struct({ ...bot, chat: Schema.Int, messageIds: Schema.Array(Schema.Int) }),
    Done
  ),
  /** Presses the button carrying `data` and waits for the bot's answer, at most `timeoutMillis` (10,000). */
  press: action(
    Schema.Struct({ ...target, data: Schema.String, timeoutMillis: optional(Schema.Int) }),
    CallbackAnswer
  ),
  /** As `press`, without waiting; answers the callback's id. */
  pressOnly: action(
    Schema.Struct({ ...target, data: Schema.String }),
    Schema.Struct({ callbackId: Schema.String })
  ),
  /** Presses the button that stops a draft the bot shows in a private chat. */
  stopDraft: action(Schema.Struct({ ...bot, chat: Schema.Int, draftId: Schema.Int }), Done),
  /** Replaces the person's reactions; none takes them back. */
  react: action(Schema.Struct({ ...target, emoji: Schema.Array(Schema.String) }), Message),
  vote: action(Schema.Struct({ ...target, options: Schema.Array(Schema.Int) }), Message),

  /** Any update as given. `updateId` absent: the next one; given: delivered once, whatever the offset is. */
  inject: action(
    Schema.Struct({ ...bot, updateId: optional(Schema.Int), update: json }),
    Schema.Struct({ updateId: Schema.Int })
  ),
  /** Delivers the last `count` confirmed updates once more, newest first when `reversed`. */
  redeliver: action(
    Schema.Struct({ ...bot, count: Schema.Int, reversed: optional(Schema.Boolean) }),
    Schema.Struct({ updateIds: Schema.Array(Schema.Int) })
  ),
  /** Updates not yet confirmed by the bot. */
  pending: action(Schema.Struct(bot), Schema.Struct({ count: Schema.Int })),

  addFault: action(FaultRule, Schema.Struct({ id: Schema.Int })),
  removeFault: action(Schema.Struct({ id: Schema.Int }), Done),
  clearFaults: action(Nothing, Done),
  /** Telegram's pace limits on or off. */
  setRates: action(Schema.Struct({ rates: Schema.Literals(["telegram", "off"]) }), Done),
  /** A server that does not know what is named: its methods answer 404, its fields are not seen. */
  setUnknown: action(Schema.Struct({ features: Schema.Array(Schema.Literals(["rich", "drafts"])) }), Done),
  /** Moves the emulator's clock ahead: updates and callbacks expire, limits refill. */
  advance: action(Schema.Struct({ millis: Schema.Int }), Schema.Struct({ now: Schema.Int })),
  /** Calls the bots made, oldest first, after entry `after` when given; the last 10,000 are kept. */
  journal: action(
    Schema.Struct({
      ...bot,
      after: optional(Schema.Int),
      method: optional(Schema.String),
      chat: optional(Schema.Int),
      limit: optional(Schema.Int)
    }),
    Schema.Array(JournalEntry)
  )
} as const

export type Actions = typeof actions
export type ActionName = keyof Actions
export type Input<K extends ActionName> = Actions[K]["input"]["Type"]
export type Output<K extends ActionName> = Actions[K]["output"]["Type"]

/** Every action, as a function. */
export type Controls = {
  readonly [K in ActionName]: (input: Input<K>) => Effect.Effect<Output<K>, SandboxRefused>
}

/**
 * A Bot API server on loopback, and the people on its other side. Whatever an action answered is durable.
 * `apiRoot` (`http://127.0.0.1:port`) is what a bot is given; `bot` is the first bot, made at the first start.
 */
export class BotApiEmulator extends Context.Service<
  BotApiEmulator,
  Controls & {
    readonly apiRoot: string
    readonly bot: Bot
    /** Hot: begins with what happens after subscribing. */
    readonly events: Stream.Stream<Event>
  }
>()("zapiska/sandbox/BotApiEmulator") {}
