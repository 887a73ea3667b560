import { assert, it } from "@effect/vitest"
import { Effect, Queue, Stream } from "effect"
import { AppId } from "../../src/domain/Ids.ts"
import { makeBorrowing } from "../../src/session/Borrowing.ts"
import { HeldElsewhere, Revoked } from "../../src/session/SessionError.ts"
import type { LiveSession } from "../../src/session/SessionLife.ts"
import { beneath, key } from "./support.ts"

const held = new HeldElsewhere({ session: "default/mine", owner: "another" })
const gone = new Revoked({ session: "default/mine" })
/** Nobody looks at it here. */
const live = { account: key } as LiveSession

/** One process: how it borrows, and what others want of it. */
const started = Effect.gen(function* () {
  const { borrow, wanted } = yield* makeBorrowing
  const heard = yield* Queue.unbounded<string>()
  yield* wanted.pipe(
    Stream.runForEach(({ app }) => Queue.offer(heard, app)),
    Effect.forkScoped({ startImmediately: true })
  )
  return { borrow, heard }
})

it.live("who wants a session another has asks the others, not itself, and has it once that lets go", () =>
  Effect.gen(function* () {
    const one = yield* started
    const other = yield* started
    let tries = 0
    const client = Effect.suspend(() => (++tries < 4 ? Effect.fail(held) : Effect.succeed(live)))
    assert.strictEqual(yield* one.borrow(key, client), live)
    assert.strictEqual(yield* Queue.take(other.heard), key.app)
    // It would have heard of its own wish before.
    const second = { ...key, app: AppId.make("second") }
    const busy: Effect.Effect<LiveSession, HeldElsewhere | Revoked> = Effect.suspend(() =>
      Effect.fail(++tries < 6 ? held : gone)
    )
    assert.strictEqual(yield* Effect.flip(other.borrow(second, busy)), gone)
    assert.strictEqual(yield* Queue.take(one.heard), "second")
  }).pipe(Effect.scoped, Effect.provide(beneath))
)

it.live("a session that nobody has is not asked for, and one that is over is told as such", () =>
  Effect.gen(function* () {
    const one = yield* started
    const other = yield* started
    assert.strictEqual(yield* one.borrow(key, Effect.succeed(live)), live)
    assert.strictEqual(yield* Effect.flip(one.borrow(key, Effect.fail(gone))), gone)
    assert.strictEqual(yield* Queue.size(other.heard), 0)
  }).pipe(Effect.scoped, Effect.provide(beneath))
)
