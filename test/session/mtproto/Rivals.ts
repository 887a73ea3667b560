/**
 * Processes of the machine that want one session, of which the one that has it is killed or frozen over and over: what
 * Telegram received has to be one turn after the other.
 */
import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import { assert } from "@effect/vitest"
import { Duration, Effect, Random, Schema } from "effect"
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
  /** How often it said that it has the session. */
  readonly lives: () => number
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
  let lives = 0
  let rest = ""
  const problems: Array<string> = []
  child.stderr.setEncoding("utf8").on("data", (text: string) => problems.push(text))
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    const lines = (rest + text).split("\n")
    rest = lines.pop() ?? ""
    for (const line of lines) {
      if (!line.startsWith("{")) problems.push(line)
      else {
        last = Schema.decodeSync(Said)(line)
        if (last.is === "live") lives++
      }
    }
  })
  const one: Rival = {
    door,
    pid: child.pid!,
    last: () => last,
    lives: () => lives,
    problems: () => problems.join("\n")
  }
  return one
})

/** A process takes seconds to begin, and many of them where others work as well. */
const soon = 120

const said = (ones: ReadonlyArray<Rival>) =>
  ones.map((one) => `${one.pid}: ${JSON.stringify(one.last())} ${one.problems()}`).join("\n")

const live = (one: Rival) => one.last()?.is === "live"
const isLive = (one: Rival) =>
  eventually(
    "it has the session",
    Effect.sync(() => live(one)),
    { seconds: soon, detail: () => said([one]) }
  )

const toldOf = (holder: Rival, one: Rival) => {
  const last = one.last()
  return last?.because === "HeldElsewhere" && last.owner?.includes(`:${holder.pid}:`) === true
}
/** Who has the session, and who is told so. One that is given no time to renew its lease may have lost it by itself. */
const settled = (one: Rival, two: Rival) =>
  Effect.gen(function* () {
    const has = (holder: Rival, other: Rival) => live(holder) && toldOf(holder, other)
    yield* eventually(
      "one has the session and the other is told who",
      Effect.sync(() => has(one, two) || has(two, one)),
      { seconds: soon, detail: () => said([one, two]) }
    )
    return has(one, two) ? { holder: one, other: two } : { holder: two, other: one }
  })

export type Blow = "kill" | "freeze"

/** The doors in the order in which bytes came, each turn once. */
const turns = Effect.gen(function* () {
  const { received } = yield* LoopbackTelegram
  return (yield* received)
    .filter(({ door, what }) => what === "bytes" && door > 0)
    .map(({ door }) => door)
    .filter((door, nth, all) => door !== all[nth - 1])
})

/** A byte that comes after another has the session begins a turn that nobody was given. */
const onlyTurnsGiven = Effect.fnUntraced(function* (all: ReadonlyArray<Rival>) {
  const taken = yield* turns
  for (const one of all) {
    const times = taken.filter((door) => door === one.door).length
    // A life given back to the same process shows as one turn.
    assert.isAtMost(times, one.lives(), `turns of door ${one.door} among ${taken.join(" ")}`)
  }
})

/** `ttl`: milliseconds that a lease outlives its holder. Gives how long each blow left the session without anybody. */
export const rivals = (blows: ReadonlyArray<Blow>, { ttl }: { readonly ttl: number }) =>
  Effect.gen(function* () {
    const telegram = yield* LoopbackTelegram
    yield* telegram.addAccount(withoutPassword)
    const session = yield* telegram.session(ada.id)
    yield* Effect.andThen(added(), authorized(key, ada.id, session)).pipe(Effect.provide(office))
    const all = [yield* rival(ttl), yield* rival(ttl)]
    let [one, two] = all as [Rival, Rival]
    const survived: Array<{ readonly blow: Blow; readonly milliseconds: number }> = []
    for (const blow of blows) {
      const { holder, other } = yield* settled(one, two)
      yield* onlyTurnsGiven(all)
      process.kill(holder.pid, blow === "kill" ? "SIGKILL" : "SIGUSR2")
      const [took] = yield* Effect.timed(isLive(other))
      survived.push({ blow, milliseconds: Duration.toMillis(took) })
      // It has asked for long enough to be seen with its own eyes.
      yield* Effect.sleep(yield* Random.nextIntBetween(100, 500))
      if (blow === "freeze") process.kill(holder.pid, "SIGCONT")
      one = other
      two = blow === "freeze" ? holder : yield* rival(ttl)
      if (two !== holder) all.push(two)
    }
    yield* settled(one, two)
    yield* onlyTurnsGiven(all)
    assert.strictEqual(yield* telegram.loggedIn(ada.id), 1)
    return survived
  }).pipe(Effect.scoped)
