/**
 * Processes of the machine that want one session, of which the one that has it is killed or frozen over and over: what
 * Telegram received has to be one turn after the other.
 */
import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import { assert } from "@effect/vitest"
import { Effect, Random, Schema } from "effect"
import { eventually } from "../../support/Application.ts"
import { LoopbackTelegram } from "../../support/mtproto/LoopbackTelegram.ts"
import { TestDatabase } from "../../support/Postgres.ts"
import { TestRedis } from "../../support/redis.ts"
import { authorized } from "../process.ts"
import { added, key } from "../support.ts"
import { environmentFor } from "./ofEnvironment.ts"
import { ada, process as office, withoutPassword } from "./support.ts"

const Said = Schema.fromJsonString(
  Schema.Struct({
    is: Schema.Literals(["live", "without"]),
    because: Schema.optionalKey(Schema.String),
    owner: Schema.optionalKey(Schema.String)
  })
)

interface Rival {
  readonly door: number
  readonly pid: number
  /** What it said last. */
  readonly last: () => typeof Said.Type | undefined
  readonly problems: () => string
}

const script = fileURLToPath(new URL("./rival.ts", import.meta.url))

/** Killed when the scope closes, frozen or not. */
const rival = Effect.fnUntraced(function* (ttl: number) {
  const telegram = yield* LoopbackTelegram
  const { owner } = yield* TestDatabase
  const redis = yield* TestRedis
  const { door, port } = yield* telegram.openDoor
  const child = yield* Effect.acquireRelease(
    Effect.sync(() =>
      spawn(process.execPath, [script], {
        stdio: ["ignore", "pipe", "pipe"],
        env: {
          ...environmentFor(owner, redis.url),
          DOOR: JSON.stringify({ ...telegram.dataCentre, port }),
          TTL: String(ttl)
        }
      })
    ),
    (running) => Effect.sync(() => void running.kill("SIGKILL"))
  )
  let last: typeof Said.Type | undefined
  let rest = ""
  const problems: Array<string> = []
  child.stderr.setEncoding("utf8").on("data", (text: string) => problems.push(text))
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    const lines = (rest + text).split("\n")
    rest = lines.pop() ?? ""
    for (const line of lines) {
      if (line.startsWith("{")) last = Schema.decodeSync(Said)(line)
      else problems.push(line)
    }
  })
  return { door, pid: child.pid!, last: () => last, problems: () => problems.join("\n") } satisfies Rival
})

const isLive = (one: Rival) =>
  eventually(
    "it has the session",
    Effect.sync(() => one.last()?.is === "live"),
    {
      seconds: 60,
      detail: one.problems
    }
  )
const isWithout = (one: Rival, holder: Rival) =>
  eventually(
    "it is told who has the session",
    Effect.sync(() => {
      const last = one.last()
      return last?.because === "HeldElsewhere" && last.owner?.includes(`:${holder.pid}:`) === true
    }),
    { seconds: 60, detail: () => `${JSON.stringify(one.last())} ${one.problems()}` }
  )

export type Blow = "kill" | "freeze"

/** The doors in the order in which bytes came, each turn once. */
const turns = Effect.gen(function* () {
  const { received } = yield* LoopbackTelegram
  return (yield* received)
    .filter(({ door, what }) => what === "bytes" && door > 0)
    .map(({ door }) => door)
    .filter((door, nth, all) => door !== all[nth - 1])
})

/** `ttl`: milliseconds that a lease outlives its holder. */
export const rivals = (blows: ReadonlyArray<Blow>, { ttl }: { readonly ttl: number }) =>
  Effect.gen(function* () {
    const telegram = yield* LoopbackTelegram
    yield* telegram.addAccount(withoutPassword)
    const session = yield* telegram.session(ada.id)
    yield* Effect.andThen(added(), authorized(key, ada.id, session)).pipe(Effect.provide(office))
    let holder = yield* rival(ttl)
    yield* isLive(holder)
    let other = yield* rival(ttl)
    const expected = [holder.door]
    for (const blow of blows) {
      yield* isWithout(other, holder)
      assert.deepStrictEqual(yield* turns, expected)
      process.kill(holder.pid, blow === "kill" ? "SIGKILL" : "SIGUSR2")
      yield* isLive(other)
      expected.push(other.door)
      const struck = holder
      holder = other
      // It has asked for long enough to be seen with its own eyes.
      yield* Effect.sleep(yield* Random.nextIntBetween(100, 500))
      if (blow === "freeze") process.kill(struck.pid, "SIGCONT")
      other = blow === "freeze" ? struck : yield* rival(ttl)
      yield* isWithout(other, holder)
    }
    assert.deepStrictEqual(yield* turns, expected)
    assert.strictEqual(yield* telegram.loggedIn(ada.id), 1)
  }).pipe(Effect.scoped)
