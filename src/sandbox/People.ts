/**
 * The actions of the contract over the world: a table as complete as the contract's own, checked by the compiler.
 */
import { Effect, Option, PubSub, Result, Stream } from "effect"
import { type ActionName, type Controls, type Input, type Output, SandboxRefused } from "./Control.ts"
import { type Armed, arm } from "./Fault.ts"
import * as Journal from "./Journal.ts"
import type { Ledger, Rates } from "./Limits.ts"
import { telegramRates } from "./Limits.ts"
import type { Polling } from "./Polling.ts"
import * as Act from "./people/Act.ts"
import * as Look from "./people/Look.ts"
import { type Acted, botOf } from "./people/Place.ts"
import * as Speak from "./people/Speak.ts"
import { userView } from "./View.ts"
import type { CallbackAnswer, Event } from "./Views.ts"
import type { ApiMessage, World } from "./World.ts"

export type Feature = Input<"setUnknown">["features"][number]

/** What tests set while it runs, and forget with the process. */
export interface Knobs {
  faults: ReadonlyArray<Armed>
  nextFault: number
  rates: Rates | undefined
  unknown: ReadonlySet<Feature>
  ledgers: Map<number, Ledger>
}

/** How long a person waits for a button's answer before giving up. */
const pressMillis = 10_000

export const make = (
  world: World,
  polling: Polling,
  knobs: Knobs,
  events: PubSub.PubSub<Event>,
  advance: (millis: number) => void
): Controls => {
  const refuse = (action: ActionName) => (reason: string) => new SandboxRefused({ action, reason })
  const done =
    <K extends ActionName>(action: K, act: (input: Input<K>) => Acted<Output<K>>) =>
    (input: Input<K>): Effect.Effect<Output<K>, SandboxRefused> =>
      world.storage.commit(() => Result.mapError(act(input), refuse(action)))

  type Speaking = { readonly [K in ActionName]: Output<K> extends ApiMessageView ? K : never }[ActionName]
  type ApiMessageView = Output<"sendText">

  const one = <K extends Speaking>(action: K, act: (world: World, input: Input<K>) => Acted<ApiMessage>) =>
    done(action, (input) =>
      Result.flatMap(botOf(world, input.bot), (bot) =>
        Result.map(act(world, input), (message) => Look.shown(world, bot, message) as Output<K>)
      )
    )
  const several = <K extends "sendAlbum" | "forward">(
    action: K,
    act: (world: World, input: Input<K>) => Acted<Array<ApiMessage>>
  ) =>
    done(action, (input) =>
      Result.flatMap(botOf(world, input.bot), (bot) =>
        Result.map(
          act(world, input),
          (messages): Output<K> => messages.map((message) => Look.shown(world, bot, message))
        )
      )
    )

  const pressOnly = done("pressOnly", (input) =>
    Result.map(Act.press(world, input), (callbackId) => ({ callbackId }))
  )
  const press: Controls["press"] = (input) => {
    const answered = Effect.fnUntraced(function* (
      subscription: PubSub.Subscription<Event>,
      callbackId: string
    ) {
      const first = yield* Stream.fromSubscription(subscription).pipe(
        Stream.filter((event) => event._tag === "CallbackAnswered" && event.answer.callbackId === callbackId),
        Stream.runHead
      )
      return Option.flatMap(first, (event) =>
        event._tag === "CallbackAnswered" ? Option.some(event.answer) : Option.none<CallbackAnswer>()
      )
    })
    return Effect.scoped(
      Effect.gen(function* () {
        const subscription = yield* PubSub.subscribe(events)
        const { callbackId } = yield* pressOnly(input)
        const answer = yield* Effect.timeoutOption(
          answered(subscription, callbackId),
          input.timeoutMillis ?? pressMillis
        )
        return yield* Option.match(Option.flatten(answer), {
          onNone: () => Effect.fail(refuse("press")("the bot did not answer in time")),
          onSome: Effect.succeed
        })
      })
    )
  }

  return {
    createBot: done("createBot", ({ username, name }) =>
      Result.succeed(Look.botShown(world.createBot(username, name)))
    ),
    bots: done("bots", () => Result.succeed(world.bots().map(Look.botShown))),
    revokeToken: done("revokeToken", (input) =>
      Result.map(botOf(world, input.bot), (id) => Look.botShown(world.revokeToken(id)))
    ),
    createUser: done("createUser", (input) => Result.map(Act.createUser(world, input), userView)),
    users: done("users", () => Result.succeed(Look.users(world))),
    createGroup: done("createGroup", (input) =>
      Result.map(Act.createGroup(world, input), (chat) => Look.chatShown(world, chat))
    ),
    createTopic: done("createTopic", (input) =>
      Result.map(Act.createTopic(world, input), ({ message_id }) => ({ id: message_id, name: input.name }))
    ),
    chats: done("chats", (input) => Look.chats(world, input)),
    messages: done("messages", (input) => Look.messages(world, input)),
    message: done("message", (input) => Look.message(world, input)),
    file: done("file", (input) => Look.file(world, input)),
    commands: done("commands", (input) => Look.commands(world, input)),
    pending: done("pending", (input) => Look.pending(world, input)),

    start: one("start", Act.start),
    block: done("block", (input) => Result.map(Act.block(world, input), () => ({}))),
    unblock: done("unblock", (input) => Result.map(Act.unblock(world, input), () => ({}))),
    sendText: one("sendText", Speak.sendText),
    sendTexts: done("sendTexts", ({ messages }) =>
      Result.gen(function* () {
        const sent = yield* Speak.sendTexts(world, messages)
        const views: Array<Output<"sendText">> = []
        for (const [index, message] of sent.entries()) {
          views.push(Look.shown(world, yield* botOf(world, messages[index]?.bot), message))
        }
        return views
      })
    ),
    feed: done("feed", ({ messages }) =>
      Result.map(Speak.sendTexts(world, messages), ({ length }) => ({ sent: length }))
    ),
    sendFile: one("sendFile", Speak.sendFile),
    sendAlbum: several("sendAlbum", Speak.sendAlbum),
    forward: several("forward", Speak.forward),
    sendLocation: one("sendLocation", Speak.sendLocation),
    sendContact: one("sendContact", Speak.sendContact),
    sendPoll: one("sendPoll", Speak.sendPoll),
    sendDice: one("sendDice", Speak.sendDice),
    editText: one("editText", Act.editText),
    deleteMessages: done("deleteMessages", (input) =>
      Result.map(Act.deleteMessages(world, input), () => ({}))
    ),
    press,
    pressOnly,
    stopDraft: done("stopDraft", (input) => Result.map(Act.stopDraft(world, input), () => ({}))),
    react: one("react", Act.react),
    vote: one("vote", Act.vote),

    inject: done("inject", ({ bot, updateId, update }) =>
      Result.map(botOf(world, bot), (id) => ({
        updateId: world.enqueue(id, "injected", update, updateId)
      }))
    ),
    redeliver: done("redeliver", ({ bot, count, reversed }) =>
      Result.map(botOf(world, bot), (id) => {
        const rows = polling.confirmed(id, count)
        const updateIds = (reversed === true ? rows.toReversed() : rows).map((row) =>
          world.enqueue(id, row.lane, JSON.parse(row.json), row.id)
        )
        return { updateIds }
      })
    ),
    addFault: (rule) =>
      Effect.sync(() => {
        const id = knobs.nextFault++
        knobs.faults = [...knobs.faults, arm(id, rule)]
        return { id }
      }),
    removeFault: ({ id }) =>
      Effect.sync(() => {
        knobs.faults = knobs.faults.filter((armed) => armed.id !== id)
        return {}
      }),
    clearFaults: () =>
      Effect.sync(() => {
        knobs.faults = []
        return {}
      }),
    setRates: ({ rates }) =>
      Effect.sync(() => {
        knobs.rates = rates === "off" ? undefined : telegramRates
        knobs.ledgers.clear()
        return {}
      }),
    setUnknown: ({ features }) =>
      Effect.sync(() => {
        knobs.unknown = new Set(features)
        return {}
      }),
    advance: done("advance", ({ millis }) => {
      if (millis < 0) return Result.fail("time only moves forward")
      advance(millis)
      return Result.succeed({ now: world.now() })
    }),
    journal: done("journal", (input) =>
      Result.map(botOf(world, input.bot), (bot) => Journal.read(world, { ...input, bot }))
    )
  }
}
