/**
 * Rich messages (Bot API 10.1) as strictly as Telegram takes them: blocks decoded, limits checked. The sandbox takes
 * blocks only, and no files in them. Source: Bot API, InputRichMessage.
 */
import { Result, Schema } from "effect"
import * as Args from "./Args.ts"
import { type Answer, badRequest } from "./Refusal.ts"

const optional = Schema.optionalKey
const yes = optional(Schema.Literal(true))

interface Formatting {
  readonly type: string
  readonly text: RichText
  readonly url?: string
}
export type RichText = string | ReadonlyArray<RichText> | Formatting

const RichText: Schema.Codec<RichText> = Schema.Union([
  Schema.String,
  Schema.Array(Schema.suspend(() => RichText)),
  Schema.Struct({
    type: Schema.Literals(["bold", "italic", "underline", "strikethrough", "spoiler", "code", "marked"]),
    text: Schema.suspend(() => RichText)
  }),
  Schema.Struct({ type: Schema.Literal("url"), text: Schema.suspend(() => RichText), url: Schema.String })
])

const Cell = Schema.Struct({
  text: optional(RichText),
  is_header: yes,
  colspan: optional(Schema.Int),
  rowspan: optional(Schema.Int),
  align: Schema.Literals(["left", "center", "right"]),
  valign: Schema.Literals(["top", "middle", "bottom"])
})

interface ListItem {
  readonly blocks: ReadonlyArray<RichBlock>
  readonly has_checkbox?: true
  readonly is_checked?: true
  readonly value?: number
}
export type RichBlock =
  | { readonly type: "paragraph" | "footer" | "expandable_blockquote"; readonly text: RichText }
  | { readonly type: "heading"; readonly text: RichText; readonly size: number }
  | { readonly type: "pre"; readonly text: RichText; readonly language?: string }
  | { readonly type: "divider" }
  | { readonly type: "list"; readonly items: ReadonlyArray<ListItem> }
  | { readonly type: "blockquote"; readonly blocks: ReadonlyArray<RichBlock> }
  | {
      readonly type: "table"
      readonly cells: ReadonlyArray<ReadonlyArray<typeof Cell.Type>>
      readonly is_bordered?: true
    }

const Blocks = Schema.Array(Schema.suspend((): Schema.Codec<RichBlock> => RichBlock))

export const RichBlock: Schema.Codec<RichBlock> = Schema.Union([
  Schema.Struct({
    type: Schema.Literals(["paragraph", "footer", "expandable_blockquote"]),
    text: RichText
  }),
  Schema.Struct({
    type: Schema.Literal("heading"),
    text: RichText,
    size: Schema.Literals([1, 2, 3, 4, 5, 6])
  }),
  Schema.Struct({ type: Schema.Literal("pre"), text: RichText, language: optional(Schema.String) }),
  Schema.Struct({ type: Schema.Literal("divider") }),
  Schema.Struct({
    type: Schema.Literal("list"),
    items: Schema.Array(
      Schema.Struct({ blocks: Blocks, has_checkbox: yes, is_checked: yes, value: optional(Schema.Int) })
    )
  }),
  Schema.Struct({ type: Schema.Literal("blockquote"), blocks: Blocks }),
  Schema.Struct({ type: Schema.Literal("table"), cells: Schema.Array(Schema.Array(Cell)), is_bordered: yes })
])

const Input = Schema.Struct({
  blocks: optional(Schema.Array(RichBlock)),
  markdown: optional(Schema.String),
  html: optional(Schema.String)
})

const wordsOf = (text: RichText): string =>
  typeof text === "string" ? text : "type" in text ? wordsOf(text.text) : text.map(wordsOf).join("")

const linesOf = (block: RichBlock): string => {
  switch (block.type) {
    case "divider":
      return "———"
    case "list":
      return block.items
        .map(({ blocks, value, has_checkbox, is_checked }) => {
          const sign = value === undefined ? "•" : `${value}.`
          const box = has_checkbox === true ? (is_checked === true ? "☑" : "☐") : sign
          return `${box} ${plainText(blocks)}`
        })
        .join("\n")
    case "blockquote":
      return plainText(block.blocks)
    case "table":
      return block.cells.map((row) => row.map(({ text = "" }) => wordsOf(text)).join(" | ")).join("\n")
    default:
      return wordsOf(block.text)
  }
}

/** What it says in words: for lists of chats, replies and those who look for a text. */
export const plainText = (blocks: ReadonlyArray<RichBlock>): string => blocks.map(linesOf).join("\n\n")

/** How deep formatting lies in formatting. */
const levels = (text: RichText): number =>
  typeof text === "string"
    ? 0
    : "type" in text
      ? 1 + levels(text.text)
      : text.reduce((most, one) => Math.max(most, levels(one)), 0)

interface Found {
  blocks: number
  characters: number
  columns: number
  depth: number
}

const look = (blocks: ReadonlyArray<RichBlock>, depth: number, found: Found): void => {
  const see = (text: RichText, at: number) => {
    found.characters += wordsOf(text).length
    found.depth = Math.max(found.depth, at + levels(text))
  }
  for (const block of blocks) {
    found.blocks++
    found.depth = Math.max(found.depth, depth)
    if ("text" in block) see(block.text, depth)
    else if (block.type === "blockquote") look(block.blocks, depth + 1, found)
    else if (block.type === "list") {
      for (const item of block.items) {
        found.blocks++
        look(item.blocks, depth + 2, found)
      }
    } else if (block.type === "table") {
      for (const row of block.cells) {
        found.blocks++
        found.columns = Math.max(found.columns, row.length)
        for (const { text = "" } of row) see(text, depth + 1)
      }
    }
  }
}

const checked = (blocks: ReadonlyArray<RichBlock>): Answer<ReadonlyArray<RichBlock>> => {
  const found: Found = { blocks: 0, characters: 0, columns: 0, depth: 0 }
  look(blocks, 1, found)
  if (found.characters === 0) return badRequest("rich message is empty")
  if (found.characters > 32_768) return badRequest("rich message is too long")
  if (found.blocks > 500) return badRequest("rich message has too many blocks")
  if (found.depth > 16) return badRequest("rich message is nested too deep")
  if (found.columns > 20) return badRequest("rich message table has too many columns")
  return Result.succeed(blocks)
}

/** The rich message of a call; `undefined` when there is none. */
export const richOf = (args: Args.Args): Answer<ReadonlyArray<RichBlock> | undefined> =>
  Result.gen(function* () {
    const input = yield* Args.structure(args, "rich_message", Input)
    if (input === undefined) return undefined
    const forms = [input.blocks, input.markdown, input.html].filter((form) => form !== undefined)
    if (forms.length !== 1) return yield* badRequest("exactly one of blocks, markdown and html must be used")
    if (input.blocks === undefined)
      return yield* badRequest("rich messages are given as blocks in the sandbox")
    return yield* checked(input.blocks)
  })
