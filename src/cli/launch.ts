/**
 * Runs the assistant until it is told to stop, and does not let what hangs then keep the process: nothing it could
 * still do is needed, for a process that is killed loses nothing.
 */
import { Console, type Context, Effect, Fiber, Layer, Scope } from "effect"

/** An operator's supervisor kills after ten seconds or more. */
const patience = "8 seconds"

const overdue = Console.error(
  `It did not stop within ${patience} and is ended: what it had not finished it finds again at its next start`
)

/** `until`: ends it by itself when it cannot go on. */
export const launch = <A, E, R, E2 = never>(
  application: Layer.Layer<A, E, R>,
  until: (services: Context.Context<A>) => Effect.Effect<never, E2> = () => Effect.never
): Effect.Effect<never, E | E2, R> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const exit = yield* Effect.exit(
        restore(Effect.flatMap(Layer.buildWithScope(application, scope), until))
      )
      const closing = yield* Effect.forkDetach(Scope.close(scope, exit))
      // By another: this fiber is interrupted and would wait for nothing.
      const waiting = yield* Effect.forkDetach(
        Fiber.await(closing).pipe(Effect.timeoutOrElse({ duration: patience, orElse: () => overdue }))
      )
      yield* Fiber.await(waiting)
      return yield* exit
    })
  )
