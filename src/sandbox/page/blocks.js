// The blocks of a rich message as elements.
import { h } from "./dom.js"
import { pre, quote, wrap } from "./entities.js"

const kinds = { url: "text_link", marked: "bold" }

const words = (text) => {
  if (text === undefined) return []
  if (typeof text === "string") return [text]
  if (Array.isArray(text)) return text.flatMap(words)
  return [wrap({ ...text, type: kinds[text.type] ?? text.type }, "", words(text.text))]
}

const plain = (text) =>
  typeof text === "string" ? text : Array.isArray(text) ? text.map(plain).join("") : plain(text.text)

const item = ({ blocks, has_checkbox, is_checked, value }) =>
  h(
    "li",
    { class: has_checkbox ? "task" : "", ...(value === undefined ? {} : { value }) },
    has_checkbox &&
      h("span.box", { role: "img", "aria-label": is_checked ? "done" : "to do" }, is_checked ? "☑" : "☐"),
    h("div", {}, elements(blocks))
  )

const table = ({ cells }) =>
  h(
    "div.table",
    { tabindex: 0, role: "region", "aria-label": "Table" },
    h(
      "table",
      {},
      cells.map((row) =>
        h(
          "tr",
          {},
          row.map(({ text, is_header, align }) =>
            h(is_header ? "th" : "td", { class: `align-${align}` }, words(text))
          )
        )
      )
    )
  )

const element = (block) => {
  switch (block.type) {
    case "heading":
      return h(`h${Math.min(block.size + 2, 6)}`, { class: `size-${block.size}` }, words(block.text))
    case "pre":
      return pre(block, plain(block.text), words(block.text))
    case "divider":
      return h("hr")
    case "list":
      return h(block.items[0]?.value === undefined ? "ul" : "ol", {}, block.items.map(item))
    case "blockquote":
      return quote(elements(block.blocks), false)
    case "expandable_blockquote":
      return quote(words(block.text), true)
    case "table":
      return table(block)
    default:
      return h("p", {}, words(block.text))
  }
}

/** @param {ReadonlyArray<any>} blocks */
export const elements = (blocks) => blocks.map(element)
