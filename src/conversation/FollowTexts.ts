/** What people are told who choose which of their own chats become notes, in each language the bot speaks. */
import { bold, code, compose, type FormattedText, plain } from "../domain/FormattedText.ts"
import type { Language } from "../domain/Language.ts"

export interface FollowTexts {
  /** `listed`: what the account is in could be asked. */
  readonly menu: (menu: { readonly followed: number; readonly listed: boolean }) => FormattedText
  readonly saved: string
  /** `day`: the one it begins with, where that is not now. */
  readonly followed: (title: string, day: string | undefined) => FormattedText
  readonly unfollowed: (title: string) => FormattedText
  readonly usage: FormattedText
  readonly notLoggedIn: FormattedText
  readonly noSuchChat: (chat: string) => FormattedText
  readonly notFollowed: (chat: string) => FormattedText
  /** Telegram, or the account, cannot be asked. */
  readonly notNow: FormattedText
  readonly inPrivate: FormattedText
}

const en: FollowTexts = {
  menu: ({ followed, listed }) =>
    compose(
      bold("Which of your chats become notes"),
      followed === 0 ? "\n\nNone so far. " : `\n\nThose with a ✅, ${followed} so far. `,
      "Press one: what is written there from now on becomes notes, until you press it again; the notes stay.",
      listed ? "" : "\n\nYour channels and groups cannot be listed now; ask me again in a while.",
      "\n\nWith what was written before, from a day on: ",
      code("/follow @name 2026-01-31")
    ),
  saved: "Saved Messages",
  followed: (title, day) =>
    compose(bold(title), day === undefined ? " becomes notes from now on" : ` becomes notes from ${day} on`),
  unfollowed: (title) => compose(bold(title), " is followed no longer; the notes stay"),
  usage: compose(
    "Send ",
    code("/follow"),
    " to choose from a list, or name the chat, and a day if you like: ",
    code("/follow saved"),
    ", ",
    code("/follow @news 2026-01-31"),
    ", ",
    code("/unfollow @news"),
    "."
  ),
  notLoggedIn: plain("Your own account is not logged in here. /login does that; then choose its chats."),
  noSuchChat: (chat) =>
    plain(`Your account is in no channel or group ${chat}. Join it, or choose from the list: /follow`),
  notFollowed: (chat) => plain(`${chat} is not followed. /follow shows what is.`),
  notNow: plain("Your account cannot be reached now. Try again in a while; the operator sees why."),
  inPrivate: plain("Everybody here would see your chats. Ask me in our private chat.")
}

const ru: FollowTexts = {
  menu: ({ followed, listed }) =>
    compose(
      bold("Какие ваши чаты становятся заметками"),
      followed === 0 ? "\n\nПока никакие. " : `\n\nОтмеченные ✅, всего: ${followed}. `,
      "Нажмите на чат: всё, что там напишут с этого момента, станет заметками, пока вы не нажмёте ещё раз; заметки " +
        "останутся.",
      listed ? "" : "\n\nСписок каналов и групп сейчас не получить; спросите меня чуть позже.",
      "\n\nВместе с написанным раньше, начиная с какого-то дня: ",
      code("/follow @name 2026-01-31")
    ),
  saved: "Избранное",
  followed: (title, day) =>
    compose(
      bold(title),
      day === undefined ? " теперь становится заметками" : ` становится заметками, начиная с ${day}`
    ),
  unfollowed: (title) => compose(bold(title), " больше не становится заметками; прежние остались"),
  usage: compose(
    "Отправьте ",
    code("/follow"),
    ", чтобы выбрать из списка, или назовите чат и, если нужно, день: ",
    code("/follow saved"),
    ", ",
    code("/follow @news 2026-01-31"),
    ", ",
    code("/unfollow @news"),
    "."
  ),
  notLoggedIn: plain("Вы ещё не вошли здесь в свой аккаунт. Войти — /login, потом выберите чаты."),
  noSuchChat: (chat) =>
    plain(`В канале или группе ${chat} вашего аккаунта нет. Вступите туда или выберите из списка: /follow`),
  notFollowed: (chat) => plain(`${chat} и так не становится заметками. Что становится — в /follow.`),
  notNow: plain("Сейчас до вашего аккаунта не достучаться. Попробуйте чуть позже; оператор видит почему."),
  inPrivate: plain("Здесь ваши чаты увидят все. Попросите меня в личном чате.")
}

export const followTexts: Readonly<Record<Language, FollowTexts>> = { en, ru }
