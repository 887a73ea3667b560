/** What two processes count together, over one Redis and one database. */
import { assert, it } from "@effect/vitest"
import { Context, Effect, Layer, Logger, Option, Redacted } from "effect"
import { RateLimiter } from "effect/persistence"
import { TestClock } from "effect/testing"
import { defaultApp, defaultTenant } from "../../src/domain/Ids.ts"
import * as RedisClient from "../../src/lock/RedisClient.ts"
import { Audit } from "../../src/store/Audit.ts"
import { BotPort } from "../../src/telegram/BotPort.ts"
import { Bots } from "../../src/telegram/Bots.ts"
import { Invites } from "../../src/telegram/Invites.ts"
import { LimitCounters } from "../../src/telegram/LimitCounters.ts"
import { Limits } from "../../src/telegram/Limits.ts"
import { Members } from "../../src/telegram/Members.ts"
import { Outbox } from "../../src/telegram/Outbox.ts"
import { Pacer } from "../../src/telegram/Pacer.ts"
import { Permission } from "../../src/telegram/Permission.ts"
import { decodeUpdate } from "../../src/telegram/UpdateDecoder.ts"
import { TestDatabase } from "../support/Postgres.ts"
import { TestRedis } from "../support/redis.ts"
import { messageUpdate } from "./updates.ts"

const bot = { tenant: defaultTenant, app: defaultApp }
const key = Redacted.make(new Uint8Array(32).fill(7))

/** Twenty seconds into an hour. */
const noon = Date.UTC(2026, 10, 22, 12, 0, 20)

const counters = LimitCounters.layerShared.pipe(
  Layer.provide(RateLimiter.layer),
  Layer.provide(RateLimiter.layerStoreRedis({ prefix: "zapiska:limits:" })),
  Layer.provide(Layer.unwrap(Effect.map(TestRedis, ({ url }) => Layer.fresh(RedisClient.layer({ url })))))
)

/** A process of its own, on what all share. */
const process = Layer.build(
  Layer.fresh(
    Layer.mergeAll(
      Limits.layer({ userPerDay: 2 }),
      Permission.layer({ allowed: "claim", digestKey: key }).pipe(
        Layer.provide(Invites.layer({ key })),
        Layer.provide(Layer.mergeAll(Members.layer, Outbox.layer))
      )
    ).pipe(
      Layer.provide([counters, Audit.layer, Pacer.layer]),
      Layer.provide(Bots.layer([{ ...bot, token: Redacted.make("42:token") }]))
    )
  )
)

const shared = Layer.mergeAll(TestDatabase.layer, TestRedis.layer, BotPort.layerRecording, Logger.layer([]))

const two = <A, E>(
  name: string,
  body: (
    one: Context.Context<Limits | Permission>,
    other: Context.Context<Limits | Permission>
  ) => Effect.Effect<A, E>
) =>
  // Set before anything sleeps: a clock that jumps by years wakes it that often.
  it.effect(name, () =>
    Effect.andThen(
      TestClock.setTime(noon),
      Effect.all([process, process]).pipe(
        Effect.flatMap(([one, other]) => body(one, other)),
        Effect.scoped,
        Effect.provide(shared)
      )
    )
  )

two("an update that is delivered again, to another process, is counted once", (one, other) =>
  Effect.gen(function* () {
    const over = (where: Context.Context<Limits>, id: number) =>
      Effect.map(
        Context.get(where, Limits).over(bot, [decodeUpdate(messageUpdate(id))]),
        (ids) => ids.size > 0
      )
    // Counted by one and not stored; the other has it next, and the first once more.
    assert.isFalse(yield* over(one, 1))
    assert.isFalse(yield* over(other, 1))
    assert.isFalse(yield* over(one, 1))
    assert.isFalse(yield* over(other, 2))
    assert.isTrue(yield* over(one, 3))
    assert.isTrue(yield* over(other, 4))
  })
)

const admitted = (where: Context.Context<Permission>, user: number, text: string) =>
  Effect.map(
    Context.get(where, Permission).admit(bot, decodeUpdate(messageUpdate(1, { text }, user))),
    ({ _tag }) => _tag === "Admitted"
  )
const codeOf = (where: Context.Context<Permission>) =>
  Effect.map(Context.get(where, Permission).claimCode(bot), (code) => Redacted.value(Option.getOrThrow(code)))

two("wrong codes of one person are counted by all processes together", (one, other) =>
  Effect.gen(function* () {
    const code = yield* codeOf(one)
    for (const where of [one, other, one, other, one])
      assert.isFalse(yield* admitted(where, 7, "/start wrong"))
    assert.isFalse(yield* admitted(one, 7, code))
    assert.isFalse(yield* admitted(other, 7, code))
    assert.isTrue(yield* admitted(other, 8, code))
  })
)

two("fifty wrong codes in an hour, of whomever, close the door until the next", (one, other) =>
  Effect.gen(function* () {
    const code = yield* codeOf(one)
    for (let nth = 0; nth < 50; nth++)
      assert.isFalse(yield* admitted(nth % 2 === 0 ? one : other, 100 + nth, "/start wrong"))
    assert.isFalse(yield* admitted(one, 7, code))
    yield* TestClock.adjust("1 hour")
    assert.isTrue(yield* admitted(other, 7, code))
  })
)
