/**
 * How much a person and a tenant may send: limits, the windows they are counted in, and what who sent too much is
 * told. Pure.
 */
import type { TenantId } from "../domain/Ids.ts"
import type { IncomingUpdate } from "../domain/IncomingMessage.ts"
import type { Language } from "../domain/Language.ts"

/** Messages, and bytes of files and notes. What is absent has no limit. */
export interface LimitSettings {
  readonly userPerMinute?: number
  readonly userPerDay?: number
  readonly tenantPerMinute?: number
  readonly tenantPerDay?: number
  readonly storageBytes?: number
}

export type Span = "minute" | "day"
export const hour = 3_600_000
const lengths: Readonly<Record<Span, number>> = { minute: 60_000, day: 86_400_000 }

/** Windows are minutes and days of UTC, as Telegram dates them: a backlog counts when it was sent. */
export interface LimitWindow {
  readonly span: Span
  /** Since 1970. */
  readonly nth: number
  /** Unix milliseconds. */
  readonly ends: number
}

export const windowAt = (span: Span, at: number): LimitWindow => {
  const nth = Math.floor(at / lengths[span])
  return { span, nth, ends: (nth + 1) * lengths[span] }
}

/** A window of an hour, kept as long as those of days are. */
export const hourAt = (at: number): LimitWindow => {
  const nth = Math.floor(at / hour)
  return { span: "day", nth, ends: (nth + 1) * hour }
}

export type LimitName = "user_minute" | "user_day" | "tenant_minute" | "tenant_day" | "storage"

/** Something that is counted: who, and how often in a span. */
export interface Meter {
  readonly name: Exclude<LimitName, "storage">
  readonly key: string
  readonly span: Span
  readonly limit: number
}

const meters = (
  whose: "user" | "tenant",
  key: string,
  limits: Readonly<Record<Span, number | undefined>>
): ReadonlyArray<Meter> =>
  (["minute", "day"] as const).flatMap((span) => {
    const limit = limits[span]
    return limit === undefined ? [] : [{ name: `${whose}_${span}` as const, key, span, limit }]
  })

/** The person's first: who is stopped by their own limit takes nothing from the others. */
export const metersOf = (
  limits: LimitSettings,
  tenant: TenantId,
  user: number
): readonly [own: ReadonlyArray<Meter>, shared: ReadonlyArray<Meter>] => [
  meters("user", `${tenant}/user/${user}`, { minute: limits.userPerMinute, day: limits.userPerDay }),
  meters("tenant", `${tenant}/all`, { minute: limits.tenantPerMinute, day: limits.tenantPerDay })
]

/**
 * When what is counted was sent, in Unix milliseconds; `undefined`: it is no message. Not later than now, for the
 * clocks of two machines differ.
 */
export const sentAt = (update: IncomingUpdate, now: number): number | undefined => {
  switch (update._tag) {
    case "Message":
      return Math.min(update.message.date * 1000, now)
    case "EditedMessage":
      return Math.min((update.message.editDate ?? update.message.date) * 1000, now)
    case "Unknown":
      return now
    default:
      return undefined
  }
}

/** Whether it would be stored as a note or part of one: commands but /note need no room, nor do edits. */
export const needsRoom = (update: IncomingUpdate): boolean =>
  update._tag === "Message" &&
  (update.message.attachments.length > 0 || !/^\s*\/(?!note\b)[a-z0-9_]/i.test(update.message.text.text))

const seconds = (millis: number): number => Math.max(1, Math.ceil(millis / 1000))

interface LimitTexts {
  readonly whose: Readonly<Record<Exclude<LimitName, "storage">, string>>
  readonly minute: (whose: string, left: number) => string
  readonly day: (whose: string) => string
  readonly storage: string
}

const texts: Readonly<Record<Language, LimitTexts>> = {
  en: {
    whose: {
      user_minute: "That is more than I take from one person in a minute",
      user_day: "That is more than I take from one person in a day",
      tenant_minute: "All of you together sent more than I take in a minute",
      tenant_day: "All of you together sent more than I take in a day"
    },
    minute: (whose, left) =>
      `${whose}, so your last messages are not kept. Please send them again in ${left === 1 ? "one second" : `${left} seconds`}.`,
    day: (whose) =>
      `${whose}, so your last messages are not kept. Please send them again tomorrow, from 00:00 UTC on.`,
    storage:
      "There is no room left for notes, so this is not kept. The operator can make room; commands still work."
  },
  ru: {
    whose: {
      user_minute: "Это больше, чем я принимаю от одного человека за минуту",
      user_day: "Это больше, чем я принимаю от одного человека за день",
      tenant_minute: "Вместе вы прислали больше, чем я принимаю за минуту",
      tenant_day: "Вместе вы прислали больше, чем я принимаю за день"
    },
    minute: (whose, left) =>
      `${whose}, поэтому последние сообщения не сохранены. Пришлите их ещё раз через ${left} с.`,
    day: (whose) =>
      `${whose}, поэтому последние сообщения не сохранены. Пришлите их ещё раз завтра, после 00:00 UTC.`,
    storage:
      "Место для заметок закончилось, поэтому это не сохранено. Добавить места может оператор; команды работают."
  }
}

/** `ends`: when it may go on, in Unix milliseconds. */
export const limitText = (
  language: Language,
  limit: LimitName,
  { now, ends }: { readonly now: number; readonly ends: number }
): string => {
  const words = texts[language]
  switch (limit) {
    case "storage":
      return words.storage
    case "user_minute":
    case "tenant_minute":
      return words.minute(words.whose[limit], seconds(ends - now))
    case "user_day":
    case "tenant_day":
      return words.day(words.whose[limit])
  }
}
