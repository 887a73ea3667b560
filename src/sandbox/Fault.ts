/**
 * A fault a test orders: which calls it meets and what becomes of them. The choice is pure; the server acts.
 */
import { Schema } from "effect"

const optional = Schema.optionalKey

export const FaultEffect = Schema.Union([
  /** Refused with JSON before anything is done, e.g. 429 with `retryAfter`, 400 with `migrateToChatId`. */
  Schema.TaggedStruct("Refuse", {
    code: Schema.Int,
    description: optional(Schema.String),
    /** seconds */
    retryAfter: optional(Schema.Int),
    migrateToChatId: optional(Schema.Int)
  }),
  /** A proxy's page instead of JSON. `processed`: the call was done before the page was answered. */
  Schema.TaggedStruct("Html", { status: Schema.Int, processed: optional(Schema.Boolean) }),
  /** Answered as always, later. */
  Schema.TaggedStruct("Delay", { millis: Schema.Int }),
  /** The connection is closed without an answer: nothing was done. */
  Schema.TaggedStruct("DropBefore", {}),
  /** The connection is closed without an answer: the call was done. */
  Schema.TaggedStruct("DropAfter", {}),
  /** TCP reset. `processed` as above. */
  Schema.TaggedStruct("Reset", { processed: optional(Schema.Boolean) }),
  /** Done; the answer breaks off in the middle of its body. */
  Schema.TaggedStruct("Truncate", {}),
  /** The server ends its half of the connection after the head; `processed` as above. */
  Schema.TaggedStruct("HalfClose", { processed: optional(Schema.Boolean) }),
  /** No answer until the client goes away; `processed` as above. */
  Schema.TaggedStruct("Hang", { processed: optional(Schema.Boolean) })
])
export type FaultEffect = typeof FaultEffect.Type

/** Every condition that is given must hold. Rules are tried in the order they were added; the first that hits acts. */
export const FaultRule = Schema.Struct({
  effect: FaultEffect,
  /** Bot API method, any case; absent: every method but getUpdates. `*`: every method. */
  method: optional(Schema.String),
  chat: optional(Schema.Int),
  bot: optional(Schema.Int),
  /** Lets this many matching calls pass first. */
  skip: optional(Schema.Int),
  /** Acts this many times, then is gone. Absent: until removed. */
  times: optional(Schema.Int),
  /** 0 to 1, drawn from a generator seeded with `seed` (1 when absent). */
  probability: optional(Schema.Finite),
  seed: optional(Schema.Int)
})
export type FaultRule = typeof FaultRule.Type

export interface Armed {
  readonly id: number
  readonly rule: FaultRule
  readonly seen: number
  readonly hits: number
  readonly random: number
}

export const arm = (id: number, rule: FaultRule): Armed => ({
  id,
  rule,
  seen: 0,
  hits: 0,
  random: rule.seed ?? 1
})

/** One step of a 32-bit mixing generator: the next state and a number in [0, 1). */
const draw = (state: number): readonly [number, number] => {
  const next = (state + 0x6d2b79f5) | 0
  let mixed = Math.imul(next ^ (next >>> 15), 1 | next)
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
  return [next, ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296]
}

export interface FaultCall {
  readonly method: string
  readonly bot: number
  readonly chat: number | undefined
}

const matches = (rule: FaultRule, call: FaultCall): boolean => {
  const method = rule.method?.toLowerCase()
  const called = call.method.toLowerCase()
  if (method === undefined ? called === "getupdates" : method !== "*" && method !== called) return false
  if (rule.chat !== undefined && rule.chat !== call.chat) return false
  return rule.bot === undefined || rule.bot === call.bot
}

/** What a call meets, and the rules as they are afterwards. */
export const strike = (
  rules: ReadonlyArray<Armed>,
  call: FaultCall
): { readonly rules: ReadonlyArray<Armed>; readonly effect: FaultEffect | undefined } => {
  let effect: FaultEffect | undefined
  const after: Array<Armed> = []
  for (const armed of rules) {
    if (effect !== undefined || !matches(armed.rule, call)) {
      after.push(armed)
      continue
    }
    const { rule } = armed
    const [random, value] = rule.probability === undefined ? [armed.random, 0] : draw(armed.random)
    const acts = armed.seen >= (rule.skip ?? 0) && value < (rule.probability ?? 1)
    const next = { ...armed, random, seen: armed.seen + 1, hits: armed.hits + (acts ? 1 : 0) }
    if (acts) effect = rule.effect
    if (rule.times === undefined || next.hits < rule.times) after.push(next)
  }
  return { rules: after, effect }
}
