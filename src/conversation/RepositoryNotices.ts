/** Tells a person what their own work in the repository met: files both sides changed, files left out. */
import { Cause, Effect, Option, Stream } from "effect"
import type { SqlError } from "effect/sql"
import { Address } from "../domain/Address.ts"
import type { FormattedText } from "../domain/FormattedText.ts"
import { languageOf } from "../domain/Language.ts"
import { GitProjection, type ProjectionEvent } from "../knowledge/GitProjection.ts"
import { KnowledgeBase } from "../knowledge/KnowledgeBase.ts"
import { Bots, botIdOf } from "../telegram/Bots.ts"
import { Outbox } from "../telegram/Outbox.ts"
import { Permission } from "../telegram/Permission.ts"
import { type Texts, texts } from "./Texts.ts"

interface Notice {
  readonly path: string
  readonly text: (words: Texts) => FormattedText
}

const noticesOf = ({ conflicts, leftOut }: ProjectionEvent): ReadonlyArray<Notice> => [
  ...conflicts.map(({ path, copy }) => ({ path, text: (words: Texts) => words.conflict(path, copy) })),
  ...leftOut.map(({ path, reason }) => ({ path, text: (words: Texts) => words.leftOut(path, reason) }))
]

/** Runs until interrupted. */
export const tell = Effect.gen(function* () {
  const bots = yield* Bots
  const knowledge = yield* KnowledgeBase
  const outbox = yield* Outbox
  const permission = yield* Permission
  const projection = yield* GitProjection

  const one = Effect.fnUntraced(function* ({ head, key }: ProjectionEvent, notice: Notice) {
    const whom = Option.getOrUndefined(yield* knowledge.correspondent(key, notice.path))
    if (whom === undefined) return
    for (const bot of yield* bots.list) {
      if (bot.tenant !== key.tenant || botIdOf(yield* Effect.orDie(bots.get(bot))) !== whom.botId) continue
      const language = languageOf(Option.getOrUndefined(yield* permission.language(bot, whom.chat)))
      yield* outbox.enqueue(key.tenant, [
        {
          address: new Address({ ...bot, chat: whom.chat }),
          botId: whom.botId,
          key: `repository:${key.name}:${head}:${notice.path}`,
          delivery: "result",
          action: { _tag: "Send", content: { _tag: "Text", text: notice.text(texts[language]) } }
        }
      ])
    }
  })

  yield* projection.events.pipe(
    Stream.runForEach((event) =>
      Effect.forEach(noticesOf(event), (notice) => one(event, notice), { discard: true }).pipe(
        Effect.catchTag("SqlError", (error: SqlError.SqlError) =>
          Effect.logWarning("A person could not be told about their repository", Cause.fail(error))
        )
      )
    )
  )
})
