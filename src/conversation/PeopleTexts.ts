/** What people are told about what they may do, and about inviting others, in each language the bot speaks. */
import { bold, code, compose, type FormattedText, plain } from "../domain/FormattedText.ts"
import type { Language } from "../domain/Language.ts"
import type { Role } from "../domain/Role.ts"

export interface PeopleTexts {
  /** To a reader who writes what would be a note. */
  readonly readersLook: FormattedText
  /** To somebody whose role is too low for a command. */
  readonly takes: (least: Role) => FormattedText
  readonly startReader: (name: string) => FormattedText
  readonly invite: (invite: {
    readonly link: string
    readonly role: "member" | "reader"
    readonly uses: number
    readonly days: number
  }) => FormattedText
  readonly inviteUsage: FormattedText
  readonly inviteInPrivate: FormattedText
  /** Where the configuration says who may use the bot. */
  readonly invitesIdle: FormattedText
}

const en: PeopleTexts = {
  readersLook: plain(
    "You may read the notes here, not add to them, so I kept nothing of this. /recent shows the latest ones."
  ),
  takes: (least) =>
    plain(least === "owner" ? "Only owners may do that." : "You may read the notes here, not change them."),
  startReader: (name) =>
    compose(
      bold(`Hello, ${name}!`),
      "\n\nYou may read the notes here: /recent shows the latest ones, with a button to open each. " +
        "/status tells what is going on."
    ),
  invite: ({ link, role, uses, days }) =>
    compose(
      "Send this to whom you want to let in as a ",
      bold(role),
      `:\n${link}\n\nIt works for ${uses === 1 ? "one person" : `${uses} people`}, for ${days} days. `,
      role === "reader"
        ? "A reader can look at the notes."
        : "A member can look at the notes, write new ones and take changes back."
    ),
  inviteUsage: compose(
    "Say whom to let in: ",
    code("/invite"),
    " for one member, ",
    code("/invite reader"),
    " for one reader, ",
    code("/invite member 5"),
    " for five members."
  ),
  inviteInPrivate: plain("Everybody here would see the link. Ask me in our private chat."),
  invitesIdle: compose(
    "Who may use me is set in ",
    code("TELEGRAM_ALLOWED_USERS"),
    ", so an invite would let nobody in. The operator can change that."
  )
}

const ru: PeopleTexts = {
  readersLook: plain(
    "Здесь вы можете читать заметки, но не добавлять, поэтому из этого ничего не сохранено. Последние заметки — /recent."
  ),
  takes: (least) =>
    plain(
      least === "owner" ? "Это могут только владельцы." : "Здесь вы можете читать заметки, но не менять их."
    ),
  startReader: (name) =>
    compose(
      bold(`Здравствуйте, ${name}!`),
      "\n\nВы можете читать заметки: /recent показывает последние, у каждой есть кнопка. Что происходит — в /status."
    ),
  invite: ({ link, role, uses, days }) =>
    compose(
      "Отправьте это тому, кого хотите впустить (",
      bold(role === "member" ? "участник" : "читатель"),
      `):\n${link}\n\nСсылка действует для людей: ${uses}, дней: ${days}. `,
      role === "reader"
        ? "Читатель видит заметки."
        : "Участник видит заметки, пишет новые и отменяет изменения."
    ),
  inviteUsage: compose(
    "Скажите, кого впустить: ",
    code("/invite"),
    " — одного участника, ",
    code("/invite reader"),
    " — одного читателя, ",
    code("/invite member 5"),
    " — пятерых участников."
  ),
  inviteInPrivate: plain("Здесь ссылку увидят все. Попросите меня в личном чате."),
  invitesIdle: compose(
    "Кто может мной пользоваться, задано в ",
    code("TELEGRAM_ALLOWED_USERS"),
    ", поэтому приглашение никого не впустит. Изменить это может оператор."
  )
}

export const peopleTexts: Readonly<Record<Language, PeopleTexts>> = { en, ru }
