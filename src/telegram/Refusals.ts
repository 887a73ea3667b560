/** What strangers are told, once a day, and the little that is kept to know that they were. */
import { type Cause, Clock, Effect, FiberSet, Redacted } from "effect"
import { Address } from "../domain/Address.ts"
import { plain } from "../domain/FormattedText.ts"
import type { ChatId } from "../domain/Ids.ts"
import type { IncomingUpdate, Sender } from "../domain/IncomingMessage.ts"
import { type Language, languageOf } from "../domain/Language.ts"
import { TenantScope } from "../store/TenantScope.ts"
import { present } from "../store/Tenants.ts"
import { type BotKey, BotPort } from "./BotPort.ts"
import { type Counted, recent } from "./CodeRules.ts"
import { refusalChat, refusalDigest } from "./PermissionRules.ts"

export type RefusalKind = "private" | "unclaimed" | "wrongCode"

/** So that a crowd of strangers costs a few messages, and people who may use the bot never wait for it. */
const refusalsPerMinute = 20
/** Milliseconds: a refusal nobody can be told by then is left out. */
const refusalPatience = 30_000

const texts: Readonly<Record<Language, Readonly<Record<RefusalKind, string>>>> = {
  en: {
    private:
      "Sorry, I am a personal assistant and work only for the people who run me. Nothing of what you sent is kept.",
    unclaimed:
      "Hello! I do not belong to anyone yet. If it is you who started me, send me the claim code from the program's output. Until then I keep nothing of what I am sent.",
    wrongCode: "That is not the claim code. It stands in the output of the program that runs me."
  },
  ru: {
    private:
      "Извините, я личный помощник и работаю только для тех, кто меня запустил. Ничего из присланного не сохраняется.",
    unclaimed:
      "Здравствуйте! Пока я ничей. Если меня запустили вы, пришлите код владельца, который напечатала программа. До этого я ничего из присланного не сохраняю.",
    wrongCode: "Это не код владельца. Он напечатан программой, которая меня запустила."
  }
}

/** `digestKey` keys the digests by which refused people are known for a day. */
export const makeRefusals = Effect.fnUntraced(function* (digestKey: Redacted.Redacted<Uint8Array>) {
  const { transaction } = yield* TenantScope
  const port = yield* BotPort
  const sending = yield* FiberSet.make<void>()
  let lately: ReadonlyArray<Counted> = []

  /** Outside of the caller: what waits, or fails, holds up nobody. */
  const tell = Effect.fnUntraced(function* (bot: BotKey, chat: ChatId, sender: Sender, kind: RefusalKind) {
    const text = plain(texts[languageOf(sender.language)][kind])
    const deadline = (yield* Clock.currentTimeMillis) + refusalPatience
    const message = port.send(
      new Address({ ...bot, chat }),
      { _tag: "Text", text, linkPreview: false },
      { deadline }
    )
    yield* FiberSet.run(
      sending,
      message.pipe(
        Effect.asVoid,
        Effect.catchCause((cause: Cause.Cause<unknown>) =>
          Effect.logDebug("A stranger could not be answered", cause)
        )
      )
    )
  })

  /** `false`: this person was refused today already. Yesterday's digests go. */
  const firstToday = Effect.fnUntraced(function* (bot: BotKey, user: number, now: number) {
    const day = new Date(now).toISOString().slice(0, 10)
    const digest = refusalDigest(Redacted.value(digestKey), bot, user, day)
    const rows = yield* transaction(bot.tenant, (sql) =>
      present(sql, bot.tenant).pipe(
        Effect.andThen(sql`DELETE FROM refusals
          WHERE tenant_id = ${bot.tenant} AND app = ${bot.app} AND refused_on < ${day}::date`),
        Effect.andThen(sql`INSERT INTO refusals (tenant_id, app, refused_on, digest)
          VALUES (${bot.tenant}, ${bot.app}, ${day}::date, ${digest})
          ON CONFLICT DO NOTHING RETURNING 1`)
      )
    )
    return rows.length > 0
  })

  return {
    /** Answers a stranger who waits for an answer, unless they had it today. */
    refuse: Effect.fnUntraced(function* (bot: BotKey, update: IncomingUpdate, kind: RefusalKind) {
      const place = refusalChat(update)
      if (place === undefined) return
      const now = yield* Clock.currentTimeMillis
      lately = recent(lately, now, 60_000)
      // Whoever wrote a moment ago has been answered, or was one too many: no need to look.
      if (lately.length >= refusalsPerMinute || lately.some((one) => one.user === place.sender.id)) return
      lately = [...lately, { user: place.sender.id, at: now }]
      if (yield* firstToday(bot, place.sender.id, now)) yield* tell(bot, place.chat.id, place.sender, kind)
    }),

    /** Each time: somebody is typing a code and wants to know. */
    wrongCode: Effect.fnUntraced(function* (bot: BotKey, update: IncomingUpdate) {
      const place = refusalChat(update)
      if (place !== undefined) yield* tell(bot, place.chat.id, place.sender, "wrongCode")
    })
  }
})
