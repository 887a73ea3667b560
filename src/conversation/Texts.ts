/** Everything the bot says, in each language it speaks. */
import { bold, code, compose, type FormattedText, plain } from "../domain/FormattedText.ts"
import type { Language } from "../domain/Language.ts"
import type { NoteSummary, Revision } from "../domain/Note.ts"

export interface Texts {
  readonly collecting: (seconds: number) => FormattedText
  /** In the place of a second status message. */
  readonly joined: FormattedText
  readonly saveNow: string
  readonly undo: string
  readonly undoAnyway: string
  readonly open: string
  readonly stop: string
  readonly notYours: string
  readonly pressedBefore: string
  readonly buttonGone: string
  readonly stopping: string
  readonly nothingToStop: string
  /** The title of a text that has none. */
  readonly answer: string
  /** `size` in characters. */
  readonly inTheFile: (size: number) => string
  readonly saved: (
    note: NoteSummary,
    extra: { readonly amended: boolean; readonly raw: boolean }
  ) => FormattedText
  readonly nothingOpen: FormattedText
  readonly savingNow: string
  readonly start: (name: string) => FormattedText
  readonly help: FormattedText
  readonly noteMode: FormattedText
  readonly status: (status: {
    readonly pending: number
    readonly notes: number
    readonly last: NoteSummary | undefined
  }) => FormattedText
  readonly recent: (notes: ReadonlyArray<NoteSummary>) => FormattedText
  /** `change`: a note taken back is gone, a change taken back leaves its note. */
  readonly undone: (title: string, change: Revision["kind"]) => FormattedText
  readonly nothingToUndo: FormattedText
  readonly undoConflict: (later: ReadonlyArray<string>) => FormattedText
  readonly noteGone: FormattedText
  readonly unknownCommand: (command: string) => FormattedText
  readonly notUnderstood: (kind: string) => FormattedText
  readonly failed: FormattedText
  /** `copy`: where the other version of the file is. */
  readonly conflict: (path: string, copy: string | undefined) => FormattedText
  readonly leftOut: (path: string, reason: string) => FormattedText
  readonly commands: Readonly<Record<CommandName, string>>
}

/** Of such a revision the note outlives the undoing. */
const onlyChanges: ReadonlySet<Revision["kind"]> = new Set(["edit", "amend"])

export const commandNames = [
  "start",
  "help",
  "note",
  "done",
  "status",
  "undo",
  "recent",
  "invite",
  "login",
  "follow",
  "unfollow"
] as const
export type CommandName = (typeof commandNames)[number]

const details = (note: NoteSummary) => [
  `\n📁 ${note.category}`,
  note.tags.length > 0 ? `\n🏷 ${note.tags.map((tag) => `#${tag}`).join(" ")}` : "",
  "\n📄 ",
  code(note.path)
]

const list = (notes: ReadonlyArray<NoteSummary>) =>
  notes.flatMap((note, index) => [
    index === 0 ? "" : "\n",
    `${index + 1}. `,
    bold(note.title),
    ` · ${new Date(note.created).toISOString().slice(0, 10)} · ${note.category}`
  ])

const en: Texts = {
  collecting: (seconds) => plain(`✍️ Collecting. I save one note when nothing has come for ${seconds} s.`),
  joined: plain("☝️ This went into one note with your other messages."),
  saveNow: "Save now",
  undo: "Undo",
  undoAnyway: "Undo anyway",
  open: "Open",
  stop: "Stop",
  notYours: "This button belongs to somebody else",
  pressedBefore: "This has been pressed before; it works once",
  buttonGone: "This button works no longer",
  stopping: "Stopping",
  nothingToStop: "It is finished already",
  answer: "Answer",
  inTheFile: (size) => `All of it is in the file: ${size.toLocaleString("en")} characters.`,
  saved: (note, { amended, raw }) =>
    compose(
      amended ? "✏️ Added to " : "✅ Saved: ",
      bold(note.title),
      ...details(note),
      raw ? "\n\nSomething went wrong with this one, so it is saved exactly as it came." : ""
    ),
  nothingOpen: plain("Nothing is being collected right now. Send or forward me something first."),
  savingNow: "Saving",
  start: (name) =>
    compose(
      bold(`Hello, ${name}!`),
      "\n\nWhat you send or forward to me becomes a note in your knowledge base: text, photos, files, whole " +
        "bursts of forwarded messages. I wait a moment for everything that belongs together, then save one note.",
      "\n\nTry it: type something, or forward a few messages. /help tells the rest."
    ),
  help: compose(
    bold("What I do"),
    "\nEverything you send or forward becomes a Markdown note in your git repository. The first #hashtag is its " +
      "category, all of them are its tags. Edit a message and its note follows.",
    "\n\n/done — save what is being collected at once\n/note text — save one text as a note by itself\n" +
      "/recent — the latest notes\n/undo — take the last change back\n/status — what is going on\n" +
      "/invite — let somebody in\n/login — log your own account in, for owners\n" +
      "/follow — choose which of its chats become notes, /unfollow — end that, for owners\n/help — this text"
  ),
  noteMode: plain(
    "All you send me becomes notes. To save one text by itself, at once: /note followed by the text."
  ),
  status: ({ pending, notes, last }) =>
    compose(
      pending === 0
        ? "Nothing is being collected."
        : `Collecting: ${pending} message${pending === 1 ? "" : "s"}.`,
      `\nNotes: ${notes}`,
      ...(last === undefined ? [] : ["\nLatest: ", bold(last.title)])
    ),
  recent: (notes) =>
    notes.length === 0
      ? plain("No notes yet. Send me something.")
      : compose(bold("Latest notes"), "\n", ...list(notes)),
  undone: (title, change) =>
    compose(
      onlyChanges.has(change) ? "↩️ The change is taken back, the note stays: " : "↩️ Taken back: ",
      bold(title)
    ),
  nothingToUndo: plain("There is nothing of yours to take back."),
  undoConflict: (later) =>
    compose(
      "Later changes touched the same note and would be taken back too:\n",
      ...later.map((one) => `• ${one}\n`)
    ),
  noteGone: plain("This note is no longer there."),
  unknownCommand: (command) => plain(`I do not know /${command}. /help lists what I can do.`),
  notUnderstood: (kind) =>
    plain(`I cannot read this kind of message yet (${kind}). Nothing of it was saved as a note.`),
  failed: plain(
    "This did not work, and not only once. It was reported to the operator; please try again later."
  ),
  conflict: (path, copy) =>
    compose(
      "⚠️ You and a message here changed the same file: ",
      code(path),
      ...(copy === undefined
        ? ["\nBoth versions are in its history."]
        : ["\nThe other version is beside it: ", code(copy)])
    ),
  leftOut: (path, reason) =>
    compose("⚠️ This file of your repository is not part of your notes: ", code(path), `\n${reason}`),
  commands: {
    start: "Say hello",
    help: "What I can do",
    note: "Save a text as a note at once",
    done: "Save what is being collected",
    status: "What is going on",
    undo: "Take the last change back",
    recent: "The latest notes",
    invite: "Let somebody in (owners)",
    login: "Log your own account in (owners)",
    follow: "Choose which of your chats become notes (owners)",
    unfollow: "Make no more notes of a chat (owners)"
  }
}

const ru: Texts = {
  collecting: (seconds) => plain(`✍️ Собираю. Сохраню одной заметкой, когда ${seconds} с ничего не придёт.`),
  joined: plain("☝️ Это вошло в одну заметку с другими вашими сообщениями."),
  saveNow: "Сохранить сейчас",
  undo: "Отменить",
  undoAnyway: "Всё равно отменить",
  open: "Открыть",
  stop: "Остановить",
  notYours: "Это чужая кнопка",
  pressedBefore: "Эту кнопку уже нажимали, она работает один раз",
  buttonGone: "Эта кнопка больше не работает",
  stopping: "Останавливаю",
  nothingToStop: "Уже готово",
  answer: "Ответ",
  inTheFile: (size) => `Весь текст — в файле, знаков: ${size.toLocaleString("ru")}.`,
  saved: (note, { amended, raw }) =>
    compose(
      amended ? "✏️ Добавлено в " : "✅ Сохранено: ",
      bold(note.title),
      ...details(note),
      raw ? "\n\nС этой заметкой что-то пошло не так, поэтому она сохранена ровно как пришла." : ""
    ),
  nothingOpen: plain("Сейчас ничего не собирается. Сначала пришлите или перешлите мне что-нибудь."),
  savingNow: "Сохраняю",
  start: (name) =>
    compose(
      bold(`Здравствуйте, ${name}!`),
      "\n\nВсё, что вы мне пришлёте или перешлёте, станет заметкой в вашей базе знаний: текст, фото, файлы, целые " +
        "пачки пересланных сообщений. Я немного жду всё, что относится к одному, и сохраняю одной заметкой.",
      "\n\nПопробуйте: напишите что-нибудь или перешлите несколько сообщений. Остальное — в /help."
    ),
  help: compose(
    bold("Что я умею"),
    "\nВсё присланное и пересланное становится заметкой Markdown в вашем репозитории git. Первый #хэштег — её " +
      "категория, все вместе — её метки. Исправьте сообщение, и заметка исправится.",
    "\n\n/done — сохранить собираемое сразу\n/note текст — сохранить один текст отдельной заметкой\n" +
      "/recent — последние заметки\n/undo — отменить последнее изменение\n/status — что происходит\n" +
      "/invite — пригласить\n/login — войти в свой аккаунт, для владельцев\n" +
      "/follow — выбрать, какие его чаты становятся заметками, /unfollow — перестать, для владельцев\n" +
      "/help — этот текст"
  ),
  noteMode: plain(
    "Всё, что вы присылаете, становится заметками. Чтобы сразу сохранить один текст отдельно: /note и текст."
  ),
  status: ({ pending, notes, last }) =>
    compose(
      pending === 0 ? "Сейчас ничего не собирается." : `Собираю, сообщений: ${pending}.`,
      `\nЗаметок: ${notes}`,
      ...(last === undefined ? [] : ["\nПоследняя: ", bold(last.title)])
    ),
  recent: (notes) =>
    notes.length === 0
      ? plain("Заметок пока нет. Пришлите мне что-нибудь.")
      : compose(bold("Последние заметки"), "\n", ...list(notes)),
  undone: (title, change) =>
    compose(
      onlyChanges.has(change) ? "↩️ Изменение отменено, заметка осталась: " : "↩️ Отменено: ",
      bold(title)
    ),
  nothingToUndo: plain("Отменять нечего."),
  undoConflict: (later) =>
    compose("Ту же заметку меняли и позже, это тоже отменится:\n", ...later.map((one) => `• ${one}\n`)),
  noteGone: plain("Этой заметки больше нет."),
  unknownCommand: (command) => plain(`Команды /${command} я не знаю. Что я умею — в /help.`),
  notUnderstood: (kind) =>
    plain(`Такие сообщения (${kind}) я пока не читаю. В заметки ничего из него не попало.`),
  failed: plain("Не получилось, и не один раз. Оператору сообщено; попробуйте, пожалуйста, позже."),
  conflict: (path, copy) =>
    compose(
      "⚠️ Вы и сообщение отсюда изменили один и тот же файл: ",
      code(path),
      ...(copy === undefined
        ? ["\nОбе версии есть в его истории."]
        : ["\nДругая версия лежит рядом: ", code(copy)])
    ),
  leftOut: (path, reason) =>
    compose("⚠️ Этот файл вашего репозитория не входит в заметки: ", code(path), `\n${reason}`),
  commands: {
    start: "Поздороваться",
    help: "Что я умею",
    note: "Сохранить текст заметкой сразу",
    done: "Сохранить собираемое",
    status: "Что происходит",
    undo: "Отменить последнее изменение",
    recent: "Последние заметки",
    invite: "Пригласить (для владельцев)",
    login: "Войти в свой аккаунт (для владельцев)",
    follow: "Выбрать чаты, которые становятся заметками (для владельцев)",
    unfollow: "Больше не делать заметок из чата (для владельцев)"
  }
}

export const texts: Readonly<Record<Language, Texts>> = { en, ru }
