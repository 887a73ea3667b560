/**
 * The bare words of rich messages and checklists, which have no text with entities: nothing of what was
 * written is lost, only how it looked. Source: Bot API 10.3, RichMessage and Checklist.
 */
import { readList, readRecord, readText } from "./UpdateFields.ts"

/** Telegram nests at most 16 deep; deeper input is not Telegram's. */
const maxDepth = 40

const inline = (value: unknown, depth: number): string => {
  if (depth > maxDepth) return ""
  if (Array.isArray(value)) return value.map((part) => inline(part, depth + 1)).join("")
  const raw = readRecord(value)
  if (raw === undefined) return readText(value) ?? ""
  return inline(raw.text ?? raw.alternative_text ?? raw.expression, depth + 1)
}

const lines = (value: unknown, depth: number): ReadonlyArray<string> => {
  if (depth > maxDepth) return []
  if (Array.isArray(value)) return value.flatMap((block) => lines(block, depth + 1))
  const raw = readRecord(value)
  if (raw === undefined) return []
  const own = [raw.summary, raw.text ?? raw.expression].map((part) => inline(part, depth + 1))
  const label = readText(raw.label)
  const below = [raw.blocks, raw.items, raw.cells, raw.caption].flatMap((part) => lines(part, depth + 1))
  const labelled = label === undefined ? below : [`${label} ${below[0] ?? ""}`, ...below.slice(1)]
  return [...own, ...labelled, inline(raw.credit, depth + 1)].filter((line) => line.trim() !== "")
}

const richWords = (value: unknown): string => lines(readRecord(value)?.blocks, 0).join("\n")

const checklistWords = (value: unknown): string => {
  const raw = readRecord(value)
  const tasks = readList(raw?.tasks).flatMap((item) => {
    const task = readRecord(item)
    const text = readText(task?.text)
    return text === undefined ? [] : `${task?.completion_date ? "☑" : "☐"} ${text}`
  })
  return [readText(raw?.title) ?? "", ...tasks].join("\n")
}

/** The words of content without text of its own, by the field that holds it. */
export const plainWords: { readonly [field: string]: (value: unknown) => string } = {
  rich_message: richWords,
  checklist: checklistWords
}
