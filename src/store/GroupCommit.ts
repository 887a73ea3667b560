/**
 * Writes that come in while others are being written are written together, in one statement: the price of a
 * durable commit is paid once for all of them, and a single writer waits for nobody.
 */
import { Cause, Context, Deferred, type Duration, Effect, Exit, type Scope } from "effect"

interface Waiting<A, B, E> {
  readonly item: A
  /** The trace and the names of who asked. */
  readonly context: Context.Context<never>
  readonly result: Deferred.Deferred<B, E>
}

/**
 * `write` gets the items in the order they came and answers for each. When it fails, every item of its batch
 * fails. At most `batch` items at once and `parallel` batches. With `"in order"` there is one batch at a time, and
 * one that fails takes with it those that wait behind it: nothing is ever written before what came earlier.
 *
 * Items of different owners, as `of` names them, are written one owner after the other: what is wrong with one is no
 * other's concern. Each write belongs to the trace of the first who asked for it.
 */
export const make = Effect.fnUntraced(function* <A, B, E>(options: {
  readonly batch: number
  readonly parallel: number | "in order"
  /** How long the first of a batch waits for others. */
  readonly linger?: Duration.Input
  readonly of?: (item: A) => string
  readonly write: (items: ReadonlyArray<A>) => Effect.Effect<ReadonlyArray<B>, E>
}): Effect.fn.Return<(item: A) => Effect.Effect<B, E>, never, Scope.Scope> {
  let waiting: Array<Waiting<A, B, E>> = []
  const unanswered = new Set<Waiting<A, B, E>>()
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
      batch.forEach((one, index) => {
        unanswered.delete(one)
        Deferred.doneUnsafe(
          one.result,
          Exit.isSuccess(exit) ? Exit.succeed(exit.value[index]!) : Exit.failCause(exit.cause)
        )
      })
    })

  const ownersIn = (batch: ReadonlyArray<Waiting<A, B, E>>) => [
    ...Map.groupBy(batch, ({ item }) => options.of?.(item)).values()
  ]

  const writeAll = (batch: ReadonlyArray<Waiting<A, B, E>>) =>
    Effect.exit(options.write(batch.map(({ item }) => item))).pipe(
      Effect.provideContext(Context.merge(batch[0]!.context, context)),
      Effect.flatMap((exit) => {
        if (Exit.isSuccess(exit) || !inOrder) return settle(batch, exit)
        const behind = waiting
        waiting = []
        return settle([...batch, ...behind], exit)
      })
    )

  const drain: Effect.Effect<void> = Effect.suspend(() => {
    const batch = waiting.slice(0, options.batch)
    waiting = waiting.slice(options.batch)
    if (batch.length === 0) {
      writing--
      return Effect.void
    }
    return Effect.andThen(Effect.forEach(ownersIn(batch), writeAll, { discard: true }), drain)
  })

  // Before what is forked into the scope, and so after all of that has ended.
  yield* Effect.addFinalizer(() =>
    Effect.suspend(() => {
      closed = true
      waiting = []
      return settle([...unanswered], Exit.failCause(Cause.interrupt()))
    })
  )

  // Whoever is interrupted may have been the one all others wait for: what was begun for them goes on.
  return (item) =>
    Effect.uninterruptibleMask((interruptible) =>
      Effect.contextWith((asking: Context.Context<never>) => {
        if (closed) return Effect.interrupt
        const one = { item, context: asking, result: Deferred.makeUnsafe<B, E>() }
        waiting.push(one)
        unanswered.add(one)
        const answer = interruptible(Deferred.await(one.result))
        if (writing >= parallel) return answer
        writing++
        return Effect.forkIn(Effect.andThen(gathering, drain), scope).pipe(
          Effect.provideContext(context),
          Effect.andThen(answer)
        )
      })
    )
})
