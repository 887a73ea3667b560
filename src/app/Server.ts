/**
 * The server profile: the same program as one of several processes over a PostgreSQL and a Redis of all of them. Here
 * is what is different about it: locks, counters and conversations that all of them see. Loaded only when wanted.
 */
import { Layer, type Redacted } from "effect"
import { RateLimiter } from "effect/persistence"
import * as ClusterEngine from "../conversation/ClusterEngine.ts"
import * as LocksRedis from "../lock/LocksRedis.ts"
import * as RedisClient from "../lock/RedisClient.ts"
import * as SessionEventsRedis from "../session/SessionEventsRedis.ts"
import { LimitCounters } from "../telegram/LimitCounters.ts"

/** Leases that no two processes hold. */
export const locks = (url: Redacted.Redacted) => LocksRedis.layer({ url })

/** What people send is counted once, whichever process takes it. */
export const counters = (url: Redacted.Redacted) =>
  LimitCounters.layerShared.pipe(
    Layer.provide(RateLimiter.layer),
    Layer.provide(RateLimiter.layerStoreRedis({ prefix: "zapiska:limits:" })),
    Layer.provide(RedisClient.layer({ url }))
  )

/** What happens to sessions, for services that have no part in the database. */
export const sessionEvents = (url: Redacted.Redacted) =>
  SessionEventsRedis.layer.pipe(Layer.provide(RedisClient.layer({ url })))

/** Conversations with one owner each among all replicas, which know of each other. */
export const engine = ClusterEngine.layer

/** Milliseconds the clocks of two replicas may be apart. */
export const clocksApart = 10_000
