/** What was measured about sending, as rows of the table. Pure. */
import { limits } from "../../src/telegram/PaceRules.ts"
import { type Figure, median, millis, quantile } from "../Report.ts"
import type { ContestFigures } from "./Contest.ts"
import type { CostFigures } from "./cost.ts"
import type { ReplyFigures } from "./replies.ts"
import type { Verdict } from "./Workload.ts"

const count = (value: number) => value.toLocaleString("en")
const times = (value: number) => `${value.toFixed(2)} times`

/** Seconds at the pace we keep for what nobody asked for: so many a second, the first of them at once. */
const ownPace = (messages: number) =>
  Math.floor((messages - 1) / limits.bot.count) * (limits.bot.window / 1_000)

const peers = ({ plain, throttled }: ContestFigures) =>
  [
    ["grammY, `transformer-throttler` and `auto-retry`", throttled],
    ["grammY, `auto-retry` alone", plain]
  ] as const

/** Of the ones that were stopped, the time is a lower bound and the rest of the messages is not there. */
const timeOf = ({ seconds, stopped }: Verdict, minimum: number) =>
  stopped
    ? `stopped after ${times(seconds / minimum)} the minimum`
    : `${times(seconds / minimum)} the minimum (${seconds.toFixed(1)} s)`

const harm = ({ lost, doubled, disordered }: Verdict) =>
  `${count(lost.length)} lost, ${count(doubled.length)} doubled, ${count(disordered)} out of order`

const limited = ({ limited: { first, later }, calls }: Verdict) =>
  `${count(first + later)} answers 429 (${count(later)} after the first second) to ${count(calls)} calls`

export const paceFigures = (found: ContestFigures): ReadonlyArray<Figure> => {
  const { minimum, ours, options } = found
  const { messages, chats, busyChat, busyGroup } = options
  const paced = ownPace(messages)
  return [
    {
      what: `${count(messages)} messages to ${count(chats)} chats, ${busyChat} of them to one person and ${busyGroup} to one group: time`,
      how: `the limits allow ${minimum.toFixed(1)} s`,
      measured: timeOf(ours, minimum),
      wanted: "<= 1.03 times",
      reached: !ours.stopped && ours.lost.length === 0 && ours.seconds / minimum <= 1.03
    },
    {
      what: `… to what ${limits.bot.count} a second allow, the pace we keep for what nobody asked for`,
      how: `${paced.toFixed(1)} s`,
      measured: times(ours.seconds / paced)
    },
    {
      what: "… answered 429 after the first second",
      measured: limited(ours),
      wanted: "0",
      reached: ours.limited.later === 0
    },
    { what: "… and", measured: harm(ours), wanted: "0, 0, 0", reached: harmless(ours) },
    ...peers(found).map(([what, verdict]) => ({
      what,
      measured: `${timeOf(verdict, minimum)}; ${limited(verdict)}; ${harm(verdict)}`
    }))
  ]
}

const harmless = ({ lost, doubled, disordered }: Verdict) =>
  lost.length === 0 && doubled.length === 0 && disordered === 0

export const faultFigures = (found: ContestFigures): ReadonlyArray<Figure> => {
  const { admitted, minimum, ours } = found
  return [
    {
      what: "the same with 2 % of the answers cut after processing, 2 % 502 pages and a 429 of 7 s on five chats",
      how: `time: ${timeOf(ours, minimum)}; ${count(admitted)} of the lost and doubled are marked as in doubt`,
      measured: harm(ours),
      wanted: "0, 0, 0",
      reached: harmless(ours)
    },
    ...peers(found).map(([what, verdict]) => ({
      what,
      measured: `${harm(verdict)}; ${timeOf(verdict, minimum)}`
    }))
  ]
}

export const replyFigures = ({ broadcast, replies, took, limited }: ReplyFigures): ReadonlyArray<Figure> => [
  {
    what: `while a broadcast of ${count(broadcast)} runs: a reply until Telegram has it, p99`,
    how: `${count(replies)} replies, half of them to people who get the broadcast; ${count(limited)} answers 429`,
    measured: `${millis(quantile(took, 0.99))} (p50 ${millis(median(took))}, at most ${millis(Math.max(...took))})`,
    wanted: "<= 500 ms",
    reached: quantile(took, 0.99) <= 500
  }
]

export const costFigures = ({
  sends,
  elapsed,
  processor,
  chats,
  person,
  group
}: CostFigures): ReadonlyArray<Figure> => [
  {
    what: "own cost of a send, the network excluded, p50",
    how: `${count(sends)} sends through outbox, dispatcher, pace and classification; PostgreSQL's time is in it`,
    measured: `${median(elapsed).toFixed(2)} ms (p95 ${quantile(elapsed, 0.95).toFixed(2)} ms)`,
    wanted: "<= 0.3 ms",
    reached: median(elapsed) <= 0.3
  },
  { what: "… of our own processor time", measured: `${median(processor).toFixed(2)} ms` },
  {
    what: "memory of an active chat",
    how: `${count(chats)} chats; a group has its ${limits.group.count} messages of the last minute`,
    measured: `${Math.round(person)} bytes a person, ${Math.round(group)} bytes a group`,
    wanted: "<= 2 KB",
    reached: Math.max(person, group) <= 2_048
  }
]
