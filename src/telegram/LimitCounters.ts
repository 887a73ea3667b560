/**
 * Counts what is sent in the windows of limits: in this process, or in Redis for all of them. A Redis that is away
 * stops nobody: each process then counts by itself, half of what the limit is.
 */
import { Clock, Context, Duration, Effect, Layer, Metric } from "effect"
import { RateLimiter } from "effect/persistence"
import { limitCountersAway } from "./intakeMetrics.ts"
import type { LimitWindow, Span } from "./LimitRules.ts"

export interface Ask {
  readonly key: string
  readonly window: LimitWindow
  readonly limit: number
  /** How many there are; at least one. */
  readonly wanted: number
}

export class LimitCounters extends Context.Service<
  LimitCounters,
  {
    /** How many of them the window has room for; those are counted. Takes a quarter of a second at most. */
    readonly take: (ask: Ask) => Effect.Effect<number>
    /** Whether nobody else has said so of this key; asked only where processes share it. */
    readonly first: (key: string, window: LimitWindow) => Effect.Effect<boolean>
  }
>()("zapiska/telegram/LimitCounters") {
  /** For one process; a restart forgets. */
  static readonly layerMemory: Layer.Layer<LimitCounters> = Layer.effect(
    LimitCounters,
    Effect.suspend(() =>
      Effect.map(makeLocal, (take) => LimitCounters.of({ take, first: () => Effect.succeed(true) }))
    )
  )

  /** For all processes that share the limiter's store. */
  static readonly layerShared: Layer.Layer<LimitCounters, never, RateLimiter.RateLimiter> = Layer.effect(
    LimitCounters,
    Effect.suspend(() => makeShared)
  )
}

type Take<E = never> = (ask: Ask) => Effect.Effect<number, E>

/** So long an answer is waited for. */
const patience = Duration.millis(250)
/** Milliseconds for which a store that did not answer is left alone. */
const away = 10_000
/** A key is kept at least so long: what is counted late belongs to a window that is over. */
const leastLifetime = 60_000
/** What is remembered to ask less; forgotten, it is asked again. */
const remembered = 10_000

const forgetting = <K, V>(map: Map<K, V>, key: K, value: V) => {
  if (map.size >= remembered) map.clear()
  map.set(key, value)
}

/** A window that was full stays full: it is not asked about again. */
const sparing = <E>(take: Take<E>): Take<E> => {
  const full = new Map<string, true>()
  return (ask) =>
    Effect.suspend(() => {
      const name = `${ask.key}/${ask.window.span}/${ask.window.nth}/${ask.limit}`
      if (full.has(name)) return Effect.succeed(0)
      return Effect.tap(take(ask), (granted) =>
        Effect.sync(() => {
          if (granted < ask.wanted) forgetting(full, name, true)
        })
      )
    })
}

/**
 * The limiter's window drains evenly and is over when it is empty; ours lasts until its hour. So its name is in the
 * key, and the key lives as long: whoever counts first in a window adds what is left of it, those after next to nothing.
 */
const makeTake = (limiter: RateLimiter.RateLimiter): Take<RateLimiter.RateLimiterError> => {
  const last = new Map<string, number>()
  const consume = Effect.fnUntraced(function* ({ key, window: { span, nth, ends }, limit, wanted }: Ask) {
    const now = yield* Clock.currentTimeMillis
    const series = `${key}/${span}`
    const lifetime = last.get(series) === nth ? wanted : Math.max(ends - now, leastLifetime)
    const granted = yield* limiter
      .consume({
        key: `${series}/${nth}`,
        limit,
        tokens: wanted,
        // `window / limit` is what a token adds to the lifetime.
        window: Math.ceil((limit * lifetime) / wanted)
      })
      .pipe(
        Effect.as(wanted),
        Effect.catchIf(
          ({ reason }) => reason._tag === "RateLimitExceeded",
          () => Effect.succeed(0)
        )
      )
    if (granted > 0) forgetting(last, series, nth)
    return granted
  })
  /** All, or as many as fit, by halves: the limiter takes all or none. */
  const take: Take<RateLimiter.RateLimiterError> = (ask) =>
    Effect.flatMap(consume(ask), (granted) => {
      if (granted > 0 || ask.wanted === 1) return Effect.succeed(granted)
      const half = Math.floor(ask.wanted / 2)
      return Effect.flatMap(take({ ...ask, wanted: half }), (first) =>
        first < half
          ? Effect.succeed(first)
          : Effect.map(take({ ...ask, wanted: ask.wanted - half }), (second) => first + second)
      )
    })
  return sparing(take)
}

/** Milliseconds after which the store is made anew: it never forgets a key by itself. */
const kept: Readonly<Record<Span, number>> = { minute: 3_600_000, day: 86_400_000 }

const fresh = Effect.scoped(
  Layer.build(Layer.fresh(RateLimiter.layer.pipe(Layer.provide(RateLimiter.layerStoreMemory))))
).pipe(Effect.map((services) => makeTake(Context.get(services, RateLimiter.RateLimiter))))

const makeLocal = Effect.sync((): Take => {
  const current = new Map<Span, { readonly era: number; readonly take: Take<RateLimiter.RateLimiterError> }>()
  return Effect.fnUntraced(function* (ask) {
    const { span } = ask.window
    const era = Math.floor((yield* Clock.currentTimeMillis) / kept[span])
    const known = current.get(span)
    const counters = known?.era === era ? known : { era, take: yield* fresh }
    current.set(span, counters)
    return yield* Effect.orDie(counters.take(ask))
  })
})

const makeShared = Effect.gen(function* () {
  const shared = makeTake(yield* RateLimiter.RateLimiter)
  const local = yield* makeLocal
  let awayUntil = Number.NEGATIVE_INFINITY

  const alone = (ask: Ask) => local({ ...ask, limit: Math.ceil(ask.limit / 2) })

  const take: Take = Effect.fnUntraced(function* (ask) {
    if ((yield* Clock.currentTimeMillis) < awayUntil) return yield* alone(ask)
    return yield* shared(ask).pipe(
      Effect.timeout(patience),
      Effect.catch((error) =>
        Effect.gen(function* () {
          const now = yield* Clock.currentTimeMillis
          // Of those that waited at the same time the first says it.
          if (now >= awayUntil) {
            awayUntil = now + away
            yield* Metric.update(limitCountersAway, 1)
            yield* Effect.logWarning(
              `Redis does not count messages (${error.message}); for ${away / 1000} s each process counts by itself, up to half of each limit`
            )
          }
          return yield* alone(ask)
        })
      )
    )
  })
  const first: LimitCounters["Service"]["first"] = (key, window) =>
    Effect.map(take({ key, window, limit: 1, wanted: 1 }), (granted) => granted > 0)
  return LimitCounters.of({ take, first })
})
