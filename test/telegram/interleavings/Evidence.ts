/**
 * What Telegram saw beside what the outbox says: the emulator's journal against the rows, row by row. Every text is
 * said by one row only, so that a message names its row.
 */
import { Effect, Stream } from "effect"
import { BotApiEmulator } from "../../../src/sandbox/Control.ts"
import type { JournalEntry } from "../../../src/sandbox/Views.ts"

export interface Row {
  readonly id: number
  readonly key: string
  readonly chat: number
  /** 0: none. */
  readonly thread: number
  readonly delivery: "result" | "chatter"
  readonly state: string
  readonly error: string | null
  readonly text: string
}

/** A message sent or changed, whatever was answered. */
export interface Happened {
  readonly seq: number
  readonly at: number
  readonly method: "send" | "edit"
  readonly text: string
  /** The bot was told. */
  readonly answered: boolean
}

/** Begins to listen: which text each message got, and each change of it, in order. */
export const listen = Effect.gen(function* () {
  const { events } = yield* BotApiEmulator
  const sent = new Map<string, string>()
  const edited = new Map<string, Array<string>>()
  yield* events.pipe(
    Stream.runForEach((event) =>
      Effect.sync(() => {
        if (event._tag !== "MessageSent" && event._tag !== "MessageEdited") return
        const { id, text, from } = event.message
        const name = `${event.chat}/${id}`
        if (event._tag === "MessageSent" && from.isBot) sent.set(name, text)
        if (event._tag === "MessageEdited") edited.set(name, [...(edited.get(name) ?? []), text])
      })
    ),
    Effect.forkScoped({ startImmediately: true })
  )

  /** What happened to the messages of the bot, in the order of the journal. */
  const happened = (journal: ReadonlyArray<JournalEntry>): ReadonlyArray<Happened> => {
    const edits = new Map([...edited].map(([name, texts]) => [name, [...texts]]))
    return journal.flatMap(
      ({ seq, at, method, processed, chat, messageId, status }): ReadonlyArray<Happened> => {
        const name = `${chat}/${messageId}`
        if (!processed || messageId === undefined) return []
        const answered = status === 200
        if (/^sendMessage$/i.test(method))
          return [{ seq, at, method: "send", text: sent.get(name) ?? `? ${name}`, answered }]
        if (/^editMessageText$/i.test(method))
          return [{ seq, at, method: "edit", text: edits.get(name)?.shift() ?? `? ${name}`, answered }]
        return []
      }
    )
  }
  return { happened }
})

const few = (all: ReadonlyArray<unknown>) => JSON.stringify(all.slice(0, 8))

/** One result may be seen again for each doubt there was about it, and nothing else ever is. */
export interface Circumstances {
  /** How often a dispatcher was killed while the row was being sent. */
  readonly killed: (row: Row) => number
  /** Chats that do not let the bot write; none unless said. */
  readonly closed?: ReadonlySet<number>
}

/** Whatever is wrong with the rows when nothing is left to send; empty when all is well. */
export const checkRows = (
  rows: ReadonlyArray<Row>,
  happened: ReadonlyArray<Happened>,
  { killed, closed = new Set() }: Circumstances
): ReadonlyArray<string> => {
  const problems: Array<string> = []
  const byText = Map.groupBy(happened, ({ text }) => text)
  for (const row of rows) {
    const mine = byText.get(row.text) ?? []
    const sends = mine.filter(({ method }) => method === "send")
    const what = `${row.key} (${row.delivery}, ${row.state}${row.error === null ? "" : `: ${row.error}`})`
    // Two failed answers do not allow two repeats, two kills do: nothing tells a kill before from one after.
    const lost = Math.min(1, sends.filter(({ answered }) => !answered).length)
    const allowed = 1 + (row.delivery === "result" ? lost + killed(row) : 0)
    if (sends.length > allowed)
      problems.push(`${what} was sent ${sends.length} times, at most ${allowed} allowed`)
    if (closed.has(row.chat) && row.state === "sent") problems.push(`${what} cannot have been sent`)
    switch (row.state) {
      case "sent":
        if (mine.length === 0) problems.push(`${what} never happened`)
        break
      case "unknown":
        break
      case "dead":
        if (row.error !== "superseded" && !closed.has(row.chat)) problems.push(`${what} died`)
        if (mine.length > 0) problems.push(`${what} happened`)
        break
      default:
        problems.push(`${what} never ended`)
    }
  }
  return problems
}

/** In each (chat, thread), what happened follows the order of the rows, repeats included. */
export const checkOrder = (
  rows: ReadonlyArray<Row>,
  happened: ReadonlyArray<Happened>
): ReadonlyArray<string> => {
  const byText = new Map(rows.map((row) => [row.text, row]))
  const mine = happened.flatMap((one) => {
    const row = byText.get(one.text)
    return row === undefined ? [] : [{ ...one, row }]
  })
  return [...Map.groupBy(mine, ({ row }) => `${row.chat}/${row.thread}`)].flatMap(([lane, inLane]) => {
    const wrong = inLane.filter(({ row }, index) => index > 0 && row.id < inLane[index - 1]!.row.id)
    return wrong.length === 0 ? [] : [`out of order in ${lane}: ${few(inLane.map(({ text }) => text))}`]
  })
}

/** When a dispatcher ended, and whether it had the time to write down what it knew. */
export interface Ending {
  readonly at: number
  readonly how: "killed" | "interrupted"
}

/** A 429 answered just before a kill may not be written down yet. Milliseconds. */
const justBefore = 50
const parkWindow = 2_000

/**
 * Nothing reaches a chat before the time Telegram asked for is over; three chats within 2 s mean the whole bot.
 * `underway`: milliseconds it takes a bot to hear of it, for which others of its calls may still arrive.
 */
export const checkParks = (
  journal: ReadonlyArray<JournalEntry>,
  endings: ReadonlyArray<Ending>,
  underway = 0
): ReadonlyArray<string> => {
  const calls = journal.filter(({ method, chat }) => chat !== undefined && !/^getUpdates$/i.test(method))
  const refused = calls.filter(({ status }) => status === 429)
  const untilOf = ({ endedAt, retryAfter = 0 }: JournalEntry) => endedAt + retryAfter * 1_000
  const ended = (from: number, to: number) => endings.some(({ at }) => at >= from && at <= to)

  const ofChat = (one: JournalEntry) => {
    const hardlyKnown = endings.some(
      ({ at, how }) => how === "killed" && at >= one.endedAt && at <= one.endedAt + justBefore + underway
    )
    // Kept with the rows: one that was met by what is not in the outbox is known to its dispatcher only.
    const kept = /^sendMessage$/i.test(one.method)
    return hardlyKnown
      ? []
      : calls.filter(
          ({ at, chat }) =>
            chat === one.chat &&
            at > one.endedAt + underway &&
            at < untilOf(one) &&
            (kept || !ended(one.endedAt, at))
        )
  }
  const ofBot = (one: JournalEntry) => {
    const others = refused.filter(
      ({ seq, chat, endedAt }) => seq < one.seq && chat !== one.chat && endedAt > one.endedAt - parkWindow
    )
    const all = [one, ...[...Map.groupBy(others, ({ chat }) => chat).values()].map((same) => same.at(-1)!)]
    if (all.length < 3) return []
    const first = Math.min(...all.map(({ endedAt }) => endedAt))
    const until = Math.max(...all.map(untilOf))
    // That it means the bot is known to the dispatcher that counted; each chat's own park is kept.
    return calls.filter(({ at }) => at > one.endedAt + underway && at < until && !ended(first, at))
  }
  return refused.flatMap((one) =>
    [...new Set([...ofChat(one), ...ofBot(one)])].map(
      ({ method, chat, seq }) => `${method} to ${chat} (#${seq}) came before the end of a park (#${one.seq})`
    )
  )
}

/** Telegram's own limits are never met, by a restarted dispatcher neither. */
export const checkLimits = (journal: ReadonlyArray<JournalEntry>): ReadonlyArray<string> =>
  journal
    .filter(({ outcome }) => outcome === "limited")
    .map(({ method, chat, seq }) => `${method} to ${chat} (#${seq}) was over Telegram's limits`)

/** However badly things go, nobody runs in circles: what there is to do for a call, and a look now and then. */
export const checkRounds = (rounds: number, journal: ReadonlyArray<JournalEntry>): ReadonlyArray<string> => {
  const seconds = ((journal.at(-1)?.at ?? 0) - (journal[0]?.at ?? 0)) / 1_000
  const most = 20 + 4 * journal.length + seconds
  return rounds <= most ? [] : [`${rounds} looks at the rows for ${journal.length} calls in ${seconds} s`]
}
