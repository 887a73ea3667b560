/** What can be followed from a chat, and what is said in place of what cannot. Pure. */
import type { Format } from "./Runs.ts"

/** Longer ones Telegram does not take as a link. */
const longestUrl = 2_048

/**
 * The format of a link; undefined where there is nowhere to go from a chat: files of the repository, places
 * in the same text, and what Telegram's clients do not open.
 */
export const linkFormat = (url: string): Format | undefined =>
  /^(?:https?:\/\/|tg:\/\/|ton:\/\/)/i.test(url) && url.length <= longestUrl && URL.canParse(url)
    ? { type: "text_link", url }
    : undefined

/** An address that is no link in Telegram but worth reading: `a@example.org`, `+123`. */
export const spokenAddress = (url: string): string | undefined => /^(?:mailto|tel):([^?]+)/i.exec(url)?.[1]

/** `../media/cat%20one.jpg?raw` is `cat one.jpg`. */
const fileName = (url: string): string => {
  const last =
    url
      .split(/[?#]/)[0]
      ?.split("/")
      .findLast((part) => part !== "") ?? ""
  // Bytes that are no UTF-8 stay escaped.
  return last.replace(/(?:%[\da-f]{2})+/gi, (escaped) => {
    const text = new TextDecoder().decode(Buffer.from(escaped.replaceAll("%", ""), "hex"))
    return text.includes("\uFFFD") ? escaped : text
  })
}

/** What stands for a link without words. */
export const linkName = (url: string): string => (linkFormat(url) === undefined ? fileName(url) : url)

/** A picture as a chat can show it in a text: by its description, else by its file's name. */
export const pictured = (alt: string | null | undefined, url: string | undefined): string => {
  const name = (alt ?? "").replace(/\s+/g, " ").trim() || fileName(url ?? "")
  return name === "" ? "🖼" : `🖼 ${name}`
}
