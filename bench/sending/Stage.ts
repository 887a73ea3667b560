/** What every contestant finds: a bot of its own on the emulator, people and a group that know it, and a witness. */
import { Console, Effect } from "effect"
import { BotApiEmulator } from "../../src/sandbox/Control.ts"
import type { Bot, JournalEntry } from "../../src/sandbox/Views.ts"

export interface Stage {
  readonly bot: Bot
  readonly people: ReadonlyArray<number>
  readonly group: number
  /** Every call of the bot so far: the emulator itself keeps only the last 10,000. */
  readonly journal: Effect.Effect<ReadonlyArray<JournalEntry>>
  /** The texts of each chat, oldest first. */
  readonly shown: Effect.Effect<ReadonlyMap<number, ReadonlyArray<string>>>
}

/** Limits are a bot's own: each begins with whole budgets. */
export const makeStage = Effect.fnUntraced(function* (name: string, persons: number) {
  const emulator = yield* BotApiEmulator
  const bot = yield* emulator.createBot({ username: `${name}_bot`, name })
  const people = Array.from({ length: persons }, (_, index) => 1_000 + index)
  yield* Effect.forEach(
    people,
    (id) =>
      Effect.andThen(
        emulator.createUser({ id, firstName: `Person ${id}` }),
        emulator.start({ bot: bot.id, user: id })
      ),
    { concurrency: 32, discard: true }
  )
  const { id: group } = yield* emulator.createGroup({
    bot: bot.id,
    title: "Group",
    members: people.slice(0, 3)
  })
  const entries: Array<JournalEntry> = []
  const read = Effect.orDie(
    Effect.gen(function* () {
      const more = yield* emulator.journal({ bot: bot.id, after: entries.at(-1)?.seq ?? 0 })
      entries.push(...more)
    })
  )
  yield* Effect.forkScoped(Effect.forever(Effect.delay(read, "500 millis")))
  const shown = Effect.map(
    Effect.forEach(
      [...people, group],
      (chat) =>
        Effect.map(
          Effect.orDie(emulator.messages({ bot: bot.id, chat, limit: 10_000 })),
          (messages) =>
            [
              chat,
              messages
                .filter(({ from }) => from.isBot)
                .map(({ text }) => text)
                .reverse()
            ] as const
        ),
      { concurrency: 8 }
    ),
    (all) => new Map(all)
  )
  return { bot, people, group, journal: Effect.as(read, entries), shown } satisfies Stage
})

/** Says every ten seconds how far it is. */
export const reporting = (what: string, stage: Stage, total: number) =>
  Effect.forkScoped(
    Effect.forever(
      Effect.delay(
        Effect.flatMap(stage.journal, (journal) =>
          Console.error(`  ${what}: ${journal.filter(({ processed }) => processed).length} of ${total} sent`)
        ),
        "10 seconds"
      )
    )
  )
