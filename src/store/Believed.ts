/**
 * What is read of each tenant and believed for half a minute without looking. A change is heard of at once, on every
 * replica; and when some may have gone unheard, nothing is believed.
 */
import { Cache, Duration, Effect, Exit, Stream } from "effect"
import { TenantId } from "../domain/Ids.ts"
import { type SignalChannel, Signals } from "./Signals.ts"

/** How long where no change was heard of. */
const long = Duration.seconds(30)

/** Who asks while it is being read and a change is heard of gets what is read after it. */
export const make = Effect.fnUntraced(function* <A, E>(
  channel: SignalChannel,
  read: (tenant: TenantId) => Effect.Effect<A, E>
) {
  const signals = yield* Signals
  const cache = yield* Cache.makeWith<TenantId, A, E>(read, {
    capacity: 1000,
    timeToLive: (exit) => (Exit.isSuccess(exit) ? long : Duration.zero)
  })
  const forget = (tenant: TenantId) => Cache.invalidate(cache, tenant)
  for (const hearing of [
    Stream.runForEach(signals.listen(channel), (tenant) => forget(TenantId.make(tenant))),
    Stream.runForEach(signals.resumed, () => Cache.invalidateAll(cache))
  ])
    yield* Effect.forkScoped(hearing, { startImmediately: true })
  return { get: (tenant: TenantId) => Cache.get(cache, tenant), forget }
})
