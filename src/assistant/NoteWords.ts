/** Everything a note says in the bot's own words, in each language. Arguments are Markdown already. */
import type { Attachment } from "../domain/IncomingMessage.ts"
import type { Language } from "../domain/Language.ts"

type FileKind = Extract<Attachment, { readonly file: unknown }>["_tag"]

export interface NoteWords {
  readonly files: Readonly<Record<FileKind, string>>
  readonly forwarded: (origin: string, time: string) => string
  readonly emptyMessage: string
  /** Title of a note whose messages could only be kept as they came. */
  readonly rawTitle: string
  readonly tooLarge: (limit: string) => string
  /** Also for an account, which is given larger ones than bots. */
  readonly beyond: (limit: string) => string
  readonly pending: string
  readonly refused: string
  readonly poll: string
  readonly contact: string
  readonly location: string
  readonly dice: string
  readonly unsupported: (kinds: string) => string
  /** A title for what has no words of its own. */
  readonly message: string
  /** Of bytes, largest last. */
  readonly units: readonly [string, string, string, string]
}

const en: NoteWords = {
  files: {
    Photo: "Photo",
    Video: "Video",
    Animation: "Animation",
    Audio: "Audio",
    Voice: "Voice message",
    VideoNote: "Video message",
    Document: "Document",
    Sticker: "Sticker"
  },
  forwarded: (origin, time) => `Forwarded from ${origin}, ${time}`,
  emptyMessage: "Message without text",
  rawTitle: "Messages as they came",
  tooLarge: (limit) => `not kept: Telegram gives bots files up to ${limit} only`,
  beyond: (limit) => `not kept: larger than ${limit}`,
  pending: "not fetched yet",
  refused: "not kept: Telegram did not give the file",
  poll: "Poll",
  contact: "Contact",
  location: "Location",
  dice: "Dice",
  unsupported: (kinds) => `Content of a kind that cannot be kept yet: ${kinds}`,
  message: "Message",
  units: ["B", "KB", "MB", "GB"]
}

const ru: NoteWords = {
  files: {
    Photo: "Фото",
    Video: "Видео",
    Animation: "Анимация",
    Audio: "Аудио",
    Voice: "Голосовое сообщение",
    VideoNote: "Видеосообщение",
    Document: "Документ",
    Sticker: "Стикер"
  },
  forwarded: (origin, time) => `Переслано от ${origin}, ${time}`,
  emptyMessage: "Сообщение без текста",
  rawTitle: "Сообщения, как они пришли",
  tooLarge: (limit) => `не сохранено: Telegram отдаёт ботам файлы только до ${limit}`,
  beyond: (limit) => `не сохранено: больше ${limit}`,
  pending: "ещё не загружено",
  refused: "не сохранено: Telegram не отдал файл",
  poll: "Опрос",
  contact: "Контакт",
  location: "Место",
  dice: "Кубик",
  unsupported: (kinds) => `Содержимое, которое пока нельзя сохранить: ${kinds}`,
  message: "Сообщение",
  units: ["Б", "КБ", "МБ", "ГБ"]
}

export const noteWords: Readonly<Record<Language, NoteWords>> = { en, ru }
