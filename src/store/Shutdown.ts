/** Tells what waits for a database to come back that the process is going and nobody waits any longer. */
import { Context, Deferred, Effect, Layer } from "effect"

export class Shutdown extends Context.Service<
  Shutdown,
  {
    readonly begin: Effect.Effect<void>
    /** Ends when the shutdown has begun. */
    readonly begun: Effect.Effect<void>
  }
>()("zapiska/store/Shutdown") {
  static readonly layer: Layer.Layer<Shutdown> = Layer.effect(
    Shutdown,
    Effect.map(Deferred.make<void>(), (begun) => ({
      begin: Effect.asVoid(Deferred.succeed(begun, undefined)),
      begun: Deferred.await(begun)
    }))
  )

  /** Built on top of everything, it closes first: from then on the shutdown has begun. */
  static readonly layerBegins: Layer.Layer<never, never, Shutdown> = Layer.effectDiscard(
    Effect.flatMap(Shutdown, ({ begin }) => Effect.addFinalizer(() => begin))
  )
}
