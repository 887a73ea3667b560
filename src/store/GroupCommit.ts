/**
 * Writes that come in while others are being written are written together, in one statement: the price of a
 * durable commit is paid once for all of them, and a single writer waits for nobody.
 */
import { Cause, Deferred, type Duration, Effect, Exit, type Scope } from "effect"

interface Waiting<A, B, E> {
  readonly item: A
  readonly result: Deferred.Deferred<B, E>
}

/**
 * `write` gets the items in the order they came and answers for each. When it fails, every item of its batch
 * fails. At most `batch` items at once and `parallel` batches. With `"in order"` there is one batch at a time, and
 * one that fails takes with it those that wait behind it: nothing is ever written before what came earlier.
 */
export const make = Effect.fnUntraced(function* <A, B, E>(options: {
  readonly batch: number
  readonly parallel: number | "in order"
  /** How long the first of a batch waits for others. */
  readonly linger?: Duration.Input
  readonly write: (items: ReadonlyArray<A>) => Effect.Effect<ReadonlyArray<B>, E>
}): Effect.fn.Return<(item: A) => Effect.Effect<B, E>, never, Scope.Scope> {
  let waiting: Array<Waiting<A, B, E>> = []
  let writing = 0
  let closed = false
  const inOrder = options.parallel === "in order"
  const parallel = options.parallel === "in order" ? 1 : options.parallel
  const scope = yield* Effect.scope
  const context = yield* Effect.context<never>()

  // At least whoever writes in the same breath is in the same batch.
  const gathering = options.linger === undefined ? Effect.yieldNow : Effect.sleep(options.linger)

  const settle = (batch: ReadonlyArray<Waiting<A, B, E>>, exit: Exit.Exit<ReadonlyArray<B>, E>) =>
    Effect.sync(() => {
      batch.forEach(({ result }, index) => {
        Deferred.doneUnsafe(
          result,
          Exit.isSuccess(exit) ? Exit.succeed(exit.value[index]!) : Exit.failCause(exit.cause)
        )
      })
    })

  const drain: Effect.Effect<void> = Effect.suspend(() => {
    const batch = waiting.slice(0, options.batch)
    waiting = waiting.slice(options.batch)
    if (batch.length === 0) {
      writing--
      return Effect.void
    }
    return Effect.exit(options.write(batch.map(({ item }) => item))).pipe(
      Effect.flatMap((exit) => {
        if (Exit.isSuccess(exit) || !inOrder) return settle(batch, exit)
        const behind = waiting
        waiting = []
        return settle([...batch, ...behind], exit)
      }),
      Effect.onInterrupt(() => settle(batch, Exit.failCause(Cause.interrupt()))),
      Effect.andThen(drain)
    )
  })

  yield* Effect.addFinalizer(() =>
    Effect.suspend(() => {
      closed = true
      const left = waiting
      waiting = []
      return settle(left, Exit.failCause(Cause.interrupt()))
    })
  )

  return (item) =>
    Effect.suspend(() => {
      if (closed) return Effect.interrupt
      const result = Deferred.makeUnsafe<B, E>()
      waiting.push({ item, result })
      if (writing >= parallel) return Deferred.await(result)
      writing++
      return Effect.forkIn(Effect.andThen(gathering, drain), scope).pipe(
        Effect.provideContext(context),
        Effect.andThen(Deferred.await(result))
      )
    })
})
