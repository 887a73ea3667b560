/** The languages the bot speaks. */
export const languages = ["en", "ru"] as const
export type Language = (typeof languages)[number]

/** Languages whose speakers are better served in Russian than in English. */
const russian = new Set(["ru", "be", "kk", "ky", "uk"])

/** From the IETF tag of a person's Telegram client. */
export const languageOf = (tag: string | undefined): Language =>
  tag !== undefined && russian.has(tag.toLowerCase().split("-")[0]!) ? "ru" : "en"
