/** What was measured, as rows of the table beside what is promised. Pure. */
import type { BotFigures } from "./bots.ts"
import type { LatencyFigures } from "./latency.ts"
import type { LockFigures } from "./locks.ts"
import type { ProjectionFigures } from "./projection.ts"
import { type Figure, median, megabytes, millis, quantile, rate, spread } from "./Report.ts"
import type { ReplicaFigures } from "./replicas.ts"
import type { RlsFigures } from "./rls.ts"
import type { SessionFigures } from "./sessions.ts"
import type { StartFigures } from "./startup.ts"
import type { TakeoverFigures } from "./takeover.ts"
import type { NotesFigures, StoringFigures } from "./throughput.ts"
import type { WindowFigures } from "./windows.ts"

const count = (value: number) => value.toLocaleString("en")
const seconds = (value: number) => `${value.toFixed(2)} s`
const precise = (value: number) => `${value.toFixed(2)} ms`
const percent = (share: number) => `${(share * 100).toFixed(1)} %`

/** `wanted` in the words of the promise; medians decide. */
const atLeast = (what: string, values: ReadonlyArray<number>, least: number, how: string): Figure => ({
  what,
  how,
  measured: spread(values, rate),
  wanted: `>= ${rate(least)}`,
  reached: median(values) >= least
})

const atMost = (
  what: string,
  values: ReadonlyArray<number>,
  most: number,
  show: (value: number) => string
): Figure => ({
  what,
  measured: spread(values, show),
  wanted: `<= ${show(most)}`,
  reached: median(values) <= most
})

const beside = (what: string, measured: string): Figure => ({ what, measured })

export const storingFigures = ({ updates, stored, cost, pgBoss, graphileWorker }: StoringFigures) => {
  const storedBy = (peer: typeof pgBoss) => peer.map((one) => one.storedPerSecond)
  const finishedBy = (peer: typeof pgBoss) => peer.map((one) => one.finishedPerSecond)
  const ratio = median(stored.map((one, round) => one / storedBy(pgBoss)[round]!))
  return [
    atLeast("updates stored", stored, 2_500, `${count(updates)} updates through the poll loop, 100 a poll`),
    beside("… processor time of our process an update", spread(cost, precise)),
    {
      what: "… to what `pg-boss` stores, round by round",
      measured: `${ratio.toFixed(2)} times`,
      wanted: ">= 1 times",
      reached: ratio >= 1
    },
    beside("`pg-boss`: jobs stored, `send` 32 at a time", spread(storedBy(pgBoss), rate)),
    beside("`pg-boss`: jobs finished, 100 at a time", spread(finishedBy(pgBoss), rate)),
    beside("`graphile-worker`: jobs stored, `addJob` 32 at a time", spread(storedBy(graphileWorker), rate)),
    beside("`graphile-worker`: jobs finished, 32 at a time", spread(finishedBy(graphileWorker), rate))
  ] satisfies ReadonlyArray<Figure>
}

export const notesFigures = ({ updates, notes, durable, answered, cost }: NotesFigures) => [
  atLeast(
    "updates all the way into durable notes",
    durable,
    1_200,
    `${count(updates)} updates, six a note, the window's 0.5 s included; ${count(notes)} notes in all`
  ),
  beside("… and their answers with Telegram", spread(answered, rate)),
  beside("… processor time of our process an update", spread(cost, precise))
]

export const latencyFigures = ({ notes, durable, answered, committed }: LatencyFigures) => {
  const row = (what: string, values: ReadonlyArray<number>, most: number): Figure => ({
    what: `window closed to ${what}, p95`,
    how: `${notes} notes of three messages, ten notes a second`,
    measured: `${millis(quantile(values, 0.95))} (p50 ${millis(median(values))})`,
    wanted: `<= ${millis(most)}`,
    reached: values.length === notes && quantile(values, 0.95) <= most
  })
  return [
    row("note durable", durable, 30),
    row("answer accepted by Telegram", answered, 100),
    row("git commit", committed, 250)
  ]
}

export const projectionFigures = (found: ProjectionFigures) => [
  atLeast(
    "revisions projected into an empty repository",
    [found.revisionsPerSecond],
    2_000,
    `${count(found.revisions)} notes; ${megabytes(found.bytes)} of repository`
  ),
  beside(
    "one revision after the other, until the commit, p95",
    `${millis(found.oneByOneP95)} (p50 ${millis(found.oneByOneP50)})`
  )
]

export const replicaFigures = (all: ReadonlyArray<ReplicaFigures>) =>
  all.map(({ cost, perSecond, processor, replicas, updates }) =>
    beside(
      `${replicas === 1 ? "one replica" : `${replicas} replicas`}: messages into durable notes`,
      `${rate(perSecond)} (${count(updates)} in all; the replicas used ${processor.toFixed(2)} cores, ${precise(cost)} a message)`
    )
  )

export const takeoverFigures = (all: ReadonlyArray<TakeoverFigures>) =>
  all.flatMap(({ blows, bots, conversations, way }) => {
    const struck = way === "SIGKILL" ? "killed" : "frozen"
    const slowest = (what: string, times: ReadonlyArray<number>, most: number) => ({
      ...atMost(`a replica is ${struck}: ${what}`, [Math.max(...times) / 1000], most, seconds),
      measured: `${seconds(median(times) / 1000)}, the slowest of ${count(times.length)} ${seconds(Math.max(...times) / 1000)}`,
      how: `${blows} times`
    })
    return [
      slowest("what was in hand is done", conversations, 10),
      slowest("its bots are polled by others", bots, 20)
    ]
  })

export const windowFigures = (found: {
  readonly idle: number
  readonly figures: ReadonlyArray<WindowFigures>
  readonly delivered: number
  readonly open: number
}) => [
  ...found.figures.flatMap(({ open, growth, cpu }) => {
    const promised = open === 10_000
    const kilobytes = `${(growth / open / 1024).toFixed(1)} KB each`
    return [
      promised
        ? {
            ...atMost(`${count(open)} open windows: memory over idle`, [growth], 500 * 2 ** 20, megabytes),
            measured: `${megabytes(growth)} (${kilobytes})`
          }
        : beside(`${count(open)} open windows: memory over idle`, `${megabytes(growth)} (${kilobytes})`),
      promised
        ? atMost(`${count(open)} open windows: processor while idle, of a core`, [cpu], 0.02, percent)
        : beside(`${count(open)} open windows: processor while idle, of a core`, percent(cpu))
    ]
  }),
  {
    what: "of them in notes at the end",
    measured: `${count(found.delivered)} of ${count(found.open)}`,
    wanted: "all",
    reached: found.delivered === found.open
  } satisfies Figure
]

export const startFigures = ({ first, later, memory, postgres, cpu }: StartFigures) => [
  atMost("`npm start` to ready, first time", first, 4, seconds),
  atMost("`npm start` to ready, later", later, 2, seconds),
  atMost("resident memory, idle", memory, 280 * 2 ** 20, megabytes),
  beside("… PostgreSQL beside it", postgres === undefined ? "not told here" : megabytes(postgres)),
  beside("processor while idle, of a core", percent(cpu))
]

/** The first is ours without the fence, the second ours with it; the others are the peers. */
export const lockFigures = (all: ReadonlyArray<LockFigures>) => {
  const [bare, , ...peers] = all
  const perSecond = ({ rounds }: LockFigures) => median(rounds)
  const fastest = peers.reduce((best, peer) => (perSecond(peer) > perSecond(best) ? peer : best))
  const quickest = Math.min(...peers.map(({ contendedP99 }) => contendedP99))
  const share = median(bare!.rounds.map((one, round) => one / fastest.rounds[round]!))
  const part = bare!.contendedP99 / quickest
  return [
    ...all.flatMap((one) => [
      beside(
        `lock taken and given back: ${one.name}`,
        `${rate(perSecond(one))} (p50 ${one.p50.toFixed(2)} ms, p99 ${one.p99.toFixed(2)} ms)`
      ),
      beside(
        `… fifty at once: ${one.name}`,
        `${rate(one.contendedPerSecond)}, waits p50 ${millis(one.contendedP50)}, p99 ${millis(one.contendedP99)}`
      )
    ]),
    {
      what: "… without the fence, to the faster peer, round by round",
      measured: `${share.toFixed(2)} times`,
      wanted: ">= 0.9 times",
      reached: share >= 0.9
    },
    {
      what: "… p99 of the wait, to the better peer's",
      measured: `${part.toFixed(2)} times`,
      wanted: "<= 0.25 times",
      reached: part <= 0.25
    }
  ] satisfies ReadonlyArray<Figure>
}

export const rlsFigures = (all: ReadonlyArray<RlsFigures>) =>
  all.map(({ what, scoped, open }) => {
    const ratio = median(scoped) / median(open)
    return beside(
      `a tenant's transaction, to the same without row-level security: ${what}`,
      `${ratio.toFixed(2)} times (p50 ${precise(median(scoped))} to ${precise(median(open))})`
    )
  })

export const botFigures = ({ bots, memory, idleBefore, idleAfter, served }: BotFigures) => {
  const each = ((idleAfter - idleBefore) / bots) * 100
  return [
    beside(`${count(bots)} bots in one process: memory of a bot`, `${Math.round(memory / 1024)} KB`),
    beside(
      "… processor while idle, of a core",
      `${percent(idleAfter)} (${percent(idleBefore)} with one), ${each.toFixed(4)} % a bot`
    ),
    beside("… added one after the other until all are polled", seconds(served))
  ]
}

/** A lease lives for 15 s; its holder trusts it for 10, and what it then sends takes a moment to arrive. */
const trustedFor = 10_000
const onItsWay = 10

export const sessionFigures = (found: SessionFigures) => {
  const latency = (values: ReadonlyArray<number>) =>
    `p50 ${precise(median(values))}, p99 ${precise(quantile(values, 0.99))}`
  const slowest = quantile(found.warm, 0.99)
  const last = Math.max(...found.lastBytes)
  const each = ((found.idleAfter - found.idleBefore) / found.sessions) * 100
  return [
    {
      what: "`client(…)` on a live session",
      how: `${count(found.warm.length)} times`,
      measured: latency(found.warm),
      wanted: "p99 <= 1 ms",
      reached: slowest <= 1
    },
    beside("… not connected, in a process that is alone", latency(found.cold)),
    beside("… not connected, with the lease to take in Redis", latency(found.coldLeased)),
    beside(
      `${count(found.sessions)} sessions in one process: memory of a session`,
      `${Math.round(found.memory / 1024)} KB`
    ),
    beside(
      "… processor while idle, of a core",
      `${percent(found.idleAfter)} (${percent(found.idleBefore)} with one), ${each.toFixed(4)} % a session`
    ),
    beside("… connected all at once until the last is live", seconds(found.live)),
    {
      what: "lease lost: from the last renewal sent to the last byte Telegram got",
      how: `the latest of ${count(found.lastBytes.length)}, all asking; ${onItsWay} ms are for its way`,
      measured: `${count(Math.round(last * 10) / 10)} ms`,
      wanted: `<= ${count(trustedFor + onItsWay)} ms`,
      reached: last <= trustedFor + onItsWay
    }
  ] satisfies ReadonlyArray<Figure>
}
