/** The same messages for everybody, the shortest time Telegram's limits allow for them, and what became of them. Pure. */
import { type Pace, telegramRates } from "../../src/sandbox/Limits.ts"
import type { JournalEntry } from "../../src/sandbox/Views.ts"

export interface Item {
  readonly chat: number
  /** Of its chat, from 0. */
  readonly nth: number
  readonly text: string
}

export interface Shape {
  readonly messages: number
  readonly chats: number
  /** How many of them go to one person, and how many to one group. */
  readonly busyChat: number
  readonly busyGroup: number
}

/** The next state of a generator of numbers below 2^32. */
const draw = (state: number): number => (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0

/** The same order for everybody, decided by chance: each chat's messages lie anywhere between the others'. */
export const itemsFor = (people: ReadonlyArray<number>, group: number, shape: Shape): ReadonlyArray<Item> => {
  const [busy = 0, ...others] = people
  const left = new Map<number, number>([
    [busy, shape.busyChat],
    [group, shape.busyGroup]
  ])
  const rest = shape.messages - shape.busyChat - shape.busyGroup
  for (const [index, chat] of others.entries())
    left.set(chat, Math.floor(rest / others.length) + (index < rest % others.length ? 1 : 0))
  const order = [...left].flatMap(([chat, count]) => Array<number>(count).fill(chat))
  let state = 1
  for (let last = order.length - 1; last > 0; last--) {
    state = draw(state)
    const other = Math.floor((state / 2 ** 32) * (last + 1))
    const moved = order[last]!
    order[last] = order[other]!
    order[other] = moved
  }
  const counts = new Map<number, number>()
  return order.map((chat) => {
    const nth = counts.get(chat) ?? 0
    counts.set(chat, nth + 1)
    return { chat, nth, text: `Message ${nth + 1} to ${chat}: the shop opens at nine.` }
  })
}

/** Seconds a budget takes for so many messages when it is whole at first. */
const needed = ({ period, burst }: Pace, count: number) => Math.max(0, ((count - burst) * period) / 1_000)

const mostTo = (items: ReadonlyArray<Item>, of: (chat: number) => boolean) =>
  Math.max(
    0,
    ...[...Map.groupBy(items, ({ chat }) => chat)].map(([chat, all]) => (of(chat) ? all.length : 0))
  )

/** The shortest time the limits of the emulator allow, in seconds. */
export const minimumOf = (items: ReadonlyArray<Item>): number =>
  Math.max(
    needed(telegramRates.bot, items.length),
    needed(
      telegramRates.chat,
      mostTo(items, () => true)
    ),
    needed(
      telegramRates.group,
      mostTo(items, (chat) => chat < 0)
    )
  )

export interface Verdict {
  /** From the first call until the last message was there. */
  readonly seconds: number
  /** Texts that are nowhere. */
  readonly lost: ReadonlyArray<string>
  /** Texts there more than once. */
  readonly doubled: ReadonlyArray<string>
  /** Messages that came after a later one of their chat. */
  readonly disordered: number
  readonly calls: number
  /** Answers "429" in the first second and after it. */
  readonly limited: { readonly first: number; readonly later: number }
  /** The contestant was stopped before it had ended. */
  readonly stopped: boolean
}

/** `shown`: what is in each chat in the end, oldest first. */
export const verdictOf = (
  items: ReadonlyArray<Item>,
  shown: ReadonlyMap<number, ReadonlyArray<string>>,
  journal: ReadonlyArray<JournalEntry>,
  stopped: boolean
): Verdict => {
  const byText = new Map(items.map((item) => [item.text, item]))
  const calls = journal.filter(({ method }) => /^sendMessage$/i.test(method))
  // In the order in which they arrived; there may be more of them than a call takes arguments.
  const begin = calls[0]?.at ?? 0
  const end = calls.findLast(({ processed }) => processed)?.at ?? begin
  const limited = calls.filter(({ status }) => status === 429)
  const doubled: Array<string> = []
  const delivered = new Set<string>()
  let disordered = 0
  for (const texts of shown.values()) {
    const seen = new Set<string>()
    let latest = -1
    for (const text of texts) {
      const item = byText.get(text)
      if (item === undefined) continue
      if (seen.has(text)) {
        doubled.push(text)
        continue
      }
      seen.add(text)
      delivered.add(text)
      if (item.nth < latest) disordered += 1
      latest = Math.max(latest, item.nth)
    }
  }
  return {
    seconds: (end - begin) / 1_000,
    lost: items.flatMap(({ text }) => (delivered.has(text) ? [] : [text])),
    doubled,
    disordered,
    calls: calls.length,
    limited: {
      first: limited.filter(({ at }) => at <= begin + 1_000).length,
      later: limited.filter(({ at }) => at > begin + 1_000).length
    },
    stopped
  }
}
