/**
 * Locks in Redis, for any number of processes. A lock is a key with a lifetime that holds its token; who waits
 * stands in a line and is called when it is free. What guards a resource in the end is the fence, not Redis: it
 * forgets its keys when it is killed, and its lifetimes follow a clock that steps.
 */
import { hostname } from "node:os"
import { Effect, Layer, Metric, Random, Redacted } from "effect"
import type { Redis } from "ioredis"
import { Fences } from "./Fences.ts"
import { type Attempt, type LockStore, makeCalls, makeLocks, ownerOf, placeKept } from "./Leasing.ts"
import { Locks, LocksUnavailable } from "./Locks.ts"
import { lockClockAlarms } from "./metrics.ts"
import { connect, noAnswer } from "./RedisConnection.ts"

/** KEYS: lock, line (by arrival). Beside the line, in `alive`, is until when each place in it is kept. */
const keysOf = (name: string) => [`zapiska:{${name}}:lock`, `zapiska:{${name}}:line`] as const
const alive = `local alive = KEYS[2] .. ':alive'`
const channelOf = (owner: string) => `zapiska:calls:${owner}`

/** Calls whoever is first in the line: the part of a token before its last slash names the process. */
const callNext = `
local function callNext()
  local head = redis.call('ZRANGE', KEYS[2], 0, 0)[1]
  if head then redis.call('PUBLISH', 'zapiska:calls:' .. string.match(head, '^(.*)/'), head) end
end`

/** ARGV: token, lifetime, "wait" or "once", how long a place is kept. Returns taken, holder or head, time left. */
const acquireScript = `${callNext}
if redis.call('EXISTS', KEYS[1], KEYS[2]) == 0 then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  return {1}
end
local holder = redis.call('GET', KEYS[1])
${alive}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', alive, '-inf', now)) do
  redis.call('ZREM', KEYS[2], gone)
  redis.call('ZREM', alive, gone)
end
local head = redis.call('ZRANGE', KEYS[2], 0, 0)[1]
if (not holder or holder == ARGV[1]) and (not head or head == ARGV[1]) then
  redis.call('ZREM', KEYS[2], ARGV[1])
  redis.call('ZREM', alive, ARGV[1])
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  return {1}
end
if ARGV[3] == 'wait' then
  if not redis.call('ZSCORE', KEYS[2], ARGV[1]) then
    local last = redis.call('ZRANGE', KEYS[2], -1, -1, 'WITHSCORES')[2]
    redis.call('ZADD', KEYS[2], (last or 0) + 1, ARGV[1])
  end
  redis.call('ZADD', alive, now + ARGV[4], ARGV[1])
  redis.call('PEXPIRE', KEYS[2], ARGV[4] * 2)
  redis.call('PEXPIRE', alive, ARGV[4] * 2)
end
if not holder then callNext() end
return {0, holder or head, holder and redis.call('PTTL', KEYS[1]) or 0}`

const renewScript = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1`

const releaseScript = `${callNext}
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
if redis.call('EXISTS', KEYS[2]) == 0 then return 1 end
${alive}
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('ZREM', alive, ARGV[1])
if redis.call('EXISTS', KEYS[1]) == 0 then callNext() end
return 1`

/** A clock that stepped back lets keys live for hours; a small difference is only rounding. */
const slack = 1_000

interface Scripts {
  zapiskaAcquire(...args: ReadonlyArray<string | number>): Promise<readonly [number, string?, number?]>
  zapiskaRenew(...args: ReadonlyArray<string | number>): Promise<number>
  zapiskaRelease(...args: ReadonlyArray<string | number>): Promise<number>
}

export interface LocksRedisOptions {
  readonly url: Redacted.Redacted<string>
  /** The longest lifetime anybody asks for, milliseconds; what lives longer is reported. 15,000. */
  readonly longest?: number
}

export const makeRedisStore = Effect.fnUntraced(function* (options: LocksRedisOptions) {
  const url = Redacted.value(options.url)
  const longest = options.longest ?? 15_000
  const unique = yield* Random.nextIntBetween(0, 36 ** 6)
  const owner = `${hostname()}:${process.pid}:${unique.toString(36)}`
  const redis = yield* connect(url)
  redis.defineCommand("zapiskaAcquire", { numberOfKeys: 2, lua: acquireScript })
  redis.defineCommand("zapiskaRenew", { numberOfKeys: 1, lua: renewScript })
  redis.defineCommand("zapiskaRelease", { numberOfKeys: 2, lua: releaseScript })
  const scripts = redis as Redis & Scripts
  const calls = makeCalls()
  const listener = yield* connect(url)
  listener.on("message", (_channel, token) => calls.wake(token))
  // Subscribed anew with each connection.
  const subscribe = () => void listener.subscribe(channelOf(owner)).catch(() => undefined)
  listener.on("ready", subscribe)
  if (listener.status === "ready") subscribe()

  const asked = <A>(key: string, ask: () => Promise<A>) =>
    Effect.tryPromise({
      try: ask,
      catch: (error) => {
        const reason = error instanceof Error ? error.message : String(error)
        // Answers are told apart by their order alone: after one that did not come, none on this connection counts.
        if (reason === noAnswer) redis.disconnect(true)
        return new LocksUnavailable({ key, reason })
      }
    })

  /** −1: it has no end at all. */
  const alarm = (name: string, time: number) =>
    time >= 0 && time <= longest + slack
      ? Effect.void
      : Effect.andThen(
          Metric.update(lockClockAlarms, 1),
          Effect.logError(
            `The lock ${name} would live for ${time < 0 ? "ever" : `${Math.round(time / 1000)} s`}, longer than any can: the clock of Redis was set back. Delete the key ${keysOf(name)[0]} when its holder is gone`
          )
        )

  const acquire: LockStore["acquire"] = (name, token, { ttl, turn }) =>
    Effect.flatMap(
      asked(name, () => scripts.zapiskaAcquire(...keysOf(name), token, Math.ceil(ttl), turn, placeKept)),
      ([taken, holder = "", time = 0]): Effect.Effect<Attempt> =>
        taken === 1
          ? Effect.succeed({ _tag: "Taken" })
          : Effect.as(alarm(name, time), {
              _tag: "Held",
              owner: ownerOf(holder),
              expiresIn: Math.max(time, 0)
            })
    )

  return {
    owner,
    acquire,
    renew: (name, token, ttl) =>
      Effect.map(
        asked(name, () => scripts.zapiskaRenew(keysOf(name)[0], token, Math.ceil(ttl))),
        (renewed) => renewed === 1
      ),
    release: (name, token) =>
      Effect.asVoid(asked(name, () => scripts.zapiskaRelease(...keysOf(name), token))),
    calls: calls.of
  } satisfies LockStore
})

export const layer = (options: LocksRedisOptions): Layer.Layer<Locks, never, Fences> =>
  Layer.effect(
    Locks,
    Effect.gen(function* () {
      return yield* makeLocks(yield* makeRedisStore(options), yield* Fences)
    })
  )
