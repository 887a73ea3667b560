/**
 * `index.md`, the front page of a knowledge base: a pure function of the files at the head of the log,
 * bounded however many notes there are. It is written beside the notes, ignored by git and no part of any
 * revision, so that commits hold what people and the assistant wrote and nothing else.
 */
import { read, split } from "../FrontMatter.ts"

/** A note as the index lists it. */
export interface IndexedNote {
  readonly path: string
  readonly title: string
  /** `created` of the front matter, as written there; sorts notes of one day. */
  readonly created: string
}

const latestNotes = 50
const listedCategories = 100
const listedMonths = 60

const notePath = /^topics(?:-\d+)?\/([^/]+)\/(\d{4}-\d{2})\/(\d{2})-([^/]+)\.md$/

export const isNotePath = (path: string): boolean => notePath.test(path)

const dayOf = (path: string): string => {
  const [, , month, day] = notePath.exec(path) ?? []
  return `${month}-${day}`
}

const bytewise = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/**
 * The notes whose title and time are needed: the newest by the day in their path, with all those of the
 * last day that still has a place. Enough to list the newest, few enough to read.
 */
export const candidates = (paths: Iterable<string>): ReadonlyArray<string> => {
  const byDay = new Map<string, Array<string>>()
  for (const path of paths) {
    if (!isNotePath(path)) continue
    const day = dayOf(path)
    const there = byDay.get(day)
    if (there === undefined) byDay.set(day, [path])
    else there.push(path)
  }
  const chosen: Array<string> = []
  for (const day of [...byDay.keys()].sort(bytewise).reverse()) {
    if (chosen.length >= latestNotes) break
    chosen.push(...byDay.get(day)!)
  }
  return chosen
}

/** What the index says of a note, from its text. */
export const indexed = (path: string, text: string): IndexedNote => {
  const { yaml, body } = split(text)
  const heading = /^#{1,6}[ \t]+(\S.*)$/m.exec(body.slice(0, 2000))?.[1]
  return {
    path,
    title: read(yaml).title ?? heading ?? notePath.exec(path)?.[4] ?? path,
    created: /^created:[ \t]*["']?([^"'\n#]*)/m.exec(yaml)?.[1]?.trim() ?? ""
  }
}

/** One line of plain text for Markdown: nothing in it formats, links, or turns the direction of the rest. */
export const escapeMarkdown = (text: string): string => {
  const line = text
    .toWellFormed()
    .replace(/[\u200E\u200F\u202A-\u202E\u2066-\u2069]/g, "")
    .replace(/[\p{Cc}\p{Zl}\p{Zp}\s]+/gu, " ")
    .trim()
  const characters = [...line]
  const short = characters.length > 120 ? `${characters.slice(0, 119).join("").trimEnd()}…` : line
  return short.replace(/[\\`*_{}[\]()<>#+!|~&$^=:.-]/g, (mark) => (/[-.:]/.test(mark) ? mark : `\\${mark}`))
}

/** A relative link; parentheses would end it. */
export const link = (path: string): string =>
  path
    .toWellFormed()
    .split("/")
    .map((part) =>
      encodeURIComponent(part).replace(/[()*!']/g, (mark) => `%${mark.charCodeAt(0).toString(16)}`)
    )
    .join("/")

const counted = (values: Iterable<string>): Map<string, number> => {
  const counts = new Map<string, number>()
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
  return counts
}

const more = (left: number, what: string) => (left > 0 ? [`- … and ${left} more ${what}`] : [])

/** `notes` are the candidates; more than are listed may be given. */
export const renderIndex = (paths: Iterable<string>, notes: ReadonlyArray<IndexedNote>): string => {
  const places = [...paths].flatMap((path) => {
    const [, category = "", month = ""] = notePath.exec(path) ?? []
    return month === "" ? [] : [{ category, month, folder: path.slice(0, path.indexOf("/")) }]
  })
  const categories = [...counted(places.map((one) => `${one.folder}/${one.category}`))].sort(
    ([a, left], [b, right]) => right - left || bytewise(a, b)
  )
  const months = [...counted(places.map((one) => one.month))].sort(([a], [b]) => bytewise(b, a))
  const newest = [...notes]
    .sort(
      (a, b) =>
        bytewise(dayOf(b.path), dayOf(a.path)) || bytewise(b.created, a.created) || bytewise(a.path, b.path)
    )
    .slice(0, latestNotes)
  return [
    "# Notes",
    "",
    `${places.length} ${places.length === 1 ? "note" : "notes"}. This page is written anew with every change.`,
    "",
    "## Latest",
    "",
    ...newest.map((note) => `- ${dayOf(note.path)} [${escapeMarkdown(note.title)}](${link(note.path)})`),
    "",
    "## Categories",
    "",
    ...categories
      .slice(0, listedCategories)
      .map(
        ([folder, count]) =>
          `- [${escapeMarkdown(folder.slice(folder.indexOf("/") + 1))}](${link(folder)}): ${count}`
      ),
    ...more(categories.length - listedCategories, "categories"),
    "",
    "## Months",
    "",
    ...months.slice(0, listedMonths).map(([month, count]) => `- ${month}: ${count}`),
    ...more(months.length - listedMonths, "months"),
    ""
  ].join("\n")
}
