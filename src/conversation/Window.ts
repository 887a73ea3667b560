/**
 * The rules by which single messages become one unit of work: pure, so that they can be tried with any
 * interleaving.
 *
 * Two clocks are kept apart. Whether two messages belong together is decided by Telegram's message dates, so
 * that a backlog after downtime splits as it would have live. When a window closes is decided by our own
 * clock at the moment a message was first stored, so that a wrong clock on either side cannot cut one short.
 */
import { Array as Arr, Duration, Order } from "effect"
import type { UpdateId } from "../domain/Ids.ts"
import type { IncomingMessage } from "../domain/IncomingMessage.ts"

/** All in milliseconds. */
export interface WindowRules {
  /** A window closes after this long without a message. */
  readonly quiet: number
  /** And this long after its first message in any case. */
  readonly max: number
  /** A window that is overdue already (after a restart) stays open this long for its siblings to be delivered. */
  readonly settle: number
}

export const windowRules = (options: {
  readonly quiet: Duration.Input
  readonly max: Duration.Input
}): WindowRules => ({
  quiet: Duration.toMillis(options.quiet),
  max: Duration.toMillis(options.max),
  settle: 1000
})

/** A message as the window sees it. `receivedAt`: Unix milliseconds of our clock when it was first stored. */
export interface WindowMember {
  readonly updateId: UpdateId
  readonly message: IncomingMessage
  readonly receivedAt: number
}

export type Members = Arr.NonEmptyReadonlyArray<WindowMember>

/** What the rules need to know of an open window. `opened` and `latest` are Telegram dates, Unix seconds. */
export interface WindowState {
  readonly opened: number
  readonly latest: number
  readonly latestForward: boolean
  readonly albums: ReadonlySet<string>
  /** Our clock: when the first and the last member were first stored, and when the last one came in here. */
  readonly firstReceived: number
  readonly lastReceived: number
  readonly lastOffered: number
}

/** Telegram dates are whole seconds: two messages 1.2 s apart can carry dates 2 s apart. */
const dateGranularity = 1000

/** How far apart, in Telegram's seconds, two forwards of one burst can be. */
const burstGap = 2

export const belongs = (state: WindowState, member: WindowMember, rules: WindowRules): boolean => {
  const { message } = member
  if (message.albumId !== undefined && state.albums.has(message.albumId)) return true
  const gap = message.date - state.latest
  if (state.latestForward && message.origin !== undefined && gap <= burstGap) return true
  return (
    gap * 1000 <= rules.quiet + dateGranularity &&
    (message.date - state.opened) * 1000 <= rules.max + dateGranularity
  )
}

export const opened = (member: WindowMember, now: number): WindowState => ({
  opened: member.message.date,
  latest: member.message.date,
  latestForward: member.message.origin !== undefined,
  albums: new Set(member.message.albumId === undefined ? [] : [member.message.albumId]),
  firstReceived: member.receivedAt,
  lastReceived: member.receivedAt,
  lastOffered: now
})

export const extended = (state: WindowState, member: WindowMember, now: number): WindowState => ({
  opened: Math.min(state.opened, member.message.date),
  latest: Math.max(state.latest, member.message.date),
  latestForward: member.message.origin !== undefined,
  albums:
    member.message.albumId === undefined ? state.albums : new Set(state.albums).add(member.message.albumId),
  firstReceived: Math.min(state.firstReceived, member.receivedAt),
  lastReceived: Math.max(state.lastReceived, member.receivedAt),
  lastOffered: now
})

/** Unix milliseconds of our clock at which the window closes if nothing more comes. */
export const closesAt = (state: WindowState, rules: WindowRules): number =>
  Math.max(
    Math.min(state.lastReceived + rules.quiet, state.firstReceived + rules.max),
    state.lastOffered + Math.min(rules.settle, rules.quiet)
  )

/** The order in which a person sent them, however the updates came. */
export const inOrder: (members: Members) => Members = Arr.sortWith(
  ({ message, updateId }) => [message.messageId, updateId] as const,
  Order.Tuple([Order.Number, Order.Number])
)
