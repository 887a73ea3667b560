/**
 * One call of a bot: which bot, what it asks, what a fault rule or the pace makes of it, the method itself, and an
 * entry in the journal.
 */
import { Effect, Result } from "effect"
import * as Args from "./Args.ts"
import type { Call } from "./Content.ts"
import { type FaultEffect, strike } from "./Fault.ts"
import { byPath } from "./Files.ts"
import * as Journal from "./Journal.ts"
import { budgetsOf, costOf, prune, spend } from "./Limits.ts"
import { methodNamed } from "./Methods.ts"
import type { Feature, Knobs } from "./People.ts"
import type { Polling } from "./Polling.ts"
import * as Refusal from "./Refusal.ts"
import type { JournalEntry } from "./Views.ts"
import * as Wire from "./Wire.ts"
import type { BotRow, World } from "./World.ts"

/** What the call did, before anything happens to its answer. */
interface Done {
  readonly reply: Wire.Reply
  readonly outcome: JournalEntry["outcome"]
  readonly processed: boolean
  readonly description?: string
  readonly retryAfter?: number
  readonly messageId?: number
  readonly updates?: number
}

const refused = (refusal: Refusal.Refusal, outcome: JournalEntry["outcome"] = "refused"): Done => ({
  reply: Wire.refusalReply(refusal),
  outcome,
  processed: false,
  description: refusal.description,
  ...(refusal.parameters?.retry_after === undefined ? {} : { retryAfter: refusal.parameters.retry_after })
})

const messageIdOf = (result: unknown, args: Args.Args): number | undefined => {
  const first: unknown = Array.isArray(result) ? result[0] : result
  return typeof first === "object" && first !== null && "message_id" in first
    ? Number(first.message_id)
    : Args.integer(args, "message_id")
}

/** Status of a fault in the journal: what the client got to see, 0 for a cut connection. */
const faultRefusal = (effect: Extract<FaultEffect, { _tag: "Refuse" }>): Refusal.Refusal => {
  const parameters = {
    ...(effect.retryAfter === undefined ? {} : { retry_after: effect.retryAfter }),
    ...(effect.migrateToChatId === undefined ? {} : { migrate_to_chat_id: effect.migrateToChatId })
  }
  const usual =
    effect.retryAfter !== undefined
      ? Refusal.tooManyRequests(effect.retryAfter).description
      : effect.migrateToChatId !== undefined
        ? "Bad Request: group chat was upgraded to a supergroup chat"
        : effect.code === 401
          ? "Unauthorized"
          : effect.code === 403
            ? "Forbidden: bot was blocked by the user"
            : "Internal Server Error"
  return { code: effect.code, description: effect.description ?? usual, parameters }
}

const methodsOf = (unknown: ReadonlySet<Feature>): ReadonlySet<string> =>
  new Set([
    ...(unknown.has("rich") ? ["sendrichmessage"] : []),
    ...(unknown.has("drafts") ? ["sendmessagedraft"] : [])
  ])

/** A server passes over fields it does not know. */
const seenBy = (unknown: ReadonlySet<Feature>, call: Call): Call => {
  if (!unknown.has("rich")) return call
  const { rich_message: _, ...values } = call.args.values
  return { ...call, args: { ...call.args, values } }
}

export const make = (world: World, polling: Polling, knobs: Knobs) => {
  const journal = (bot: number, method: string, args: Args.Args, at: number, done: Done, status: number) => {
    const chat = Args.integer(args, "chat_id")
    const thread = Args.integer(args, "message_thread_id")
    Journal.record(world, {
      at,
      endedAt: world.now(),
      bot,
      method,
      status,
      outcome: done.outcome,
      processed: done.processed,
      ...(chat === undefined ? {} : { chat }),
      ...(thread === undefined ? {} : { thread }),
      ...(done.messageId === undefined ? {} : { messageId: done.messageId }),
      ...(done.description === undefined ? {} : { description: done.description }),
      ...(done.retryAfter === undefined ? {} : { retryAfter: done.retryAfter }),
      ...(done.updates === undefined ? {} : { updates: done.updates })
    })
  }

  /** Over the pace: how many seconds to wait. */
  const limited = (bot: number, method: string, args: Args.Args): number => {
    const cost = knobs.rates === undefined ? 0 : costOf(method, args)
    if (knobs.rates === undefined || cost === 0) return 0
    const ledger = knobs.ledgers.get(bot) ?? new Map<string, number>()
    const now = world.now()
    const spent = spend(ledger, now, budgetsOf(knobs.rates, bot, args), cost)
    knobs.ledgers.set(bot, spent.ledger.size > 1_000 ? prune(spent.ledger, now) : spent.ledger)
    return spent.retryAfter
  }

  const called = (method: string, call: Call): Done => {
    const withheld = methodsOf(knobs.unknown)
    const known = withheld.has(method.toLowerCase()) ? undefined : methodNamed(method)
    if (known === undefined) return refused(Refusal.methodNotFound)
    const retryAfter = limited(call.bot.id, method, call.args)
    if (retryAfter > 0) return refused(Refusal.tooManyRequests(retryAfter), "limited")
    const result = world.storage.attempt(() => known(world, seenBy(knobs.unknown, call)))
    if (Result.isFailure(result)) return refused(result.failure)
    const messageId = messageIdOf(result.success, call.args)
    return {
      reply: Wire.jsonReply(200, JSON.stringify({ ok: true, result: result.success })),
      outcome: "ok",
      processed: true,
      ...(messageId === undefined ? {} : { messageId })
    }
  }

  const polled = (call: Call): Effect.Effect<Done> =>
    Effect.match(polling.getUpdates(call), {
      onFailure: (refusal) => refused(refusal),
      onSuccess: (rows): Done => ({
        reply: Wire.jsonReply(200, `{"ok":true,"result":[${rows.map(({ json }) => json).join(",")}]}`),
        outcome: "ok",
        processed: true,
        updates: rows.length
      })
    })

  const download = (call: Call, path: string): Done => {
    const file = byPath(world, call.bot.id, path)
    if (file === undefined) return refused(Refusal.notFound)
    const headers = { "content-type": "application/octet-stream" }
    return { reply: { status: 200, headers, body: file.bytes }, outcome: "ok", processed: true }
  }

  /** Does what is asked. `seen`: the status the client will see instead of the true one. */
  const perform = (
    method: string,
    path: string,
    call: Call,
    at: number,
    seen?: number
  ): Effect.Effect<Done> => {
    const noted = (done: Done): Done => (seen === undefined ? done : { ...done, outcome: "fault" })
    const note = (done: Done) => {
      const kept = noted(done)
      journal(call.bot.id, method, call.args, at, kept, seen ?? kept.reply.status)
      return kept
    }
    if (method.toLowerCase() === "getupdates") {
      return Effect.tap(polled(call), (done) => Effect.sync(() => world.storage.write(() => void note(done))))
    }
    return world.storage.commit(() =>
      Result.succeed(note(method === "file" ? download(call, path) : called(method, call)))
    )
  }

  /** Not done at all because a rule says so; the journal says what the client saw. */
  const prevented = (
    method: string,
    call: Call,
    at: number,
    refusal: Refusal.Refusal,
    status = refusal.code
  ) =>
    world.storage.commit(() => {
      const done = refused(refusal, "fault")
      journal(call.bot.id, method, call.args, at, done, status)
      return Result.succeed(done)
    })

  const struck = Effect.fnUntraced(function* (
    exchange: Wire.Exchange,
    effect: FaultEffect,
    method: string,
    path: string,
    call: Call,
    at: number
  ) {
    const does = "processed" in effect ? effect.processed === true : false
    const either = (status: number) =>
      does
        ? perform(method, path, call, at, status)
        : prevented(method, call, at, { code: 500, description: `fault: ${effect._tag}` }, status)
    switch (effect._tag) {
      case "Refuse": {
        const refusal = faultRefusal(effect)
        yield* prevented(method, call, at, refusal)
        return yield* Wire.answer(exchange, Wire.refusalReply(refusal))
      }
      case "Html": {
        yield* either(effect.status)
        return yield* Wire.answer(exchange, Wire.htmlReply(effect.status))
      }
      case "Delay": {
        yield* Effect.sleep(effect.millis)
        const { reply } = yield* perform(method, path, call, at)
        return yield* Wire.answer(exchange, reply)
      }
      case "DropBefore": {
        yield* either(0)
        return yield* Wire.drop(exchange)
      }
      case "DropAfter": {
        yield* perform(method, path, call, at, 0)
        return yield* Wire.drop(exchange)
      }
      case "Reset": {
        yield* either(0)
        return yield* Wire.reset(exchange)
      }
      case "Truncate": {
        const { reply } = yield* perform(method, path, call, at, 0)
        return yield* Wire.truncate(exchange, reply)
      }
      case "HalfClose": {
        const { reply } = yield* either(0)
        return yield* Wire.halfClose(exchange, reply)
      }
      case "Hang": {
        yield* either(0)
        return yield* Effect.never
      }
    }
  })

  const botWith = (token: string): BotRow | undefined =>
    world.storage.get<BotRow>("SELECT * FROM bots WHERE token = ?", token)

  /** `/bot<token>/<method>`, or `/file/bot<token>/<path>` as the method "file". */
  return (exchange: Wire.Exchange, token: string, method: string, path: string): Effect.Effect<void> => {
    const at = world.now()
    const asked = Effect.gen(function* () {
      const body = yield* Wire.readBody(exchange)
      const bot = botWith(token)
      if (bot === undefined) return yield* Effect.fail(Refusal.unauthorized)
      const { request, url } = exchange
      const args = yield* Args.parse(url.searchParams, request.headers["content-type"] ?? "", body)
      return { bot, args }
    })
    return Effect.matchEffect(asked, {
      onFailure: (refusal) => Wire.answer(exchange, Wire.refusalReply(refusal)),
      onSuccess: (call) => {
        const { bot, args } = call
        const struckBy = strike(knobs.faults, { method, bot: bot.id, chat: Args.integer(args, "chat_id") })
        knobs.faults = struckBy.rules
        if (struckBy.effect !== undefined) return struck(exchange, struckBy.effect, method, path, call, at)
        return Effect.flatMap(perform(method, path, call, at), ({ reply }) => Wire.answer(exchange, reply))
      }
    })
  }
}
