// Text with Telegram entities as elements.
import { h, icon } from "./dom.js"

const safeLink = (url) =>
  /^(?:https?|mailto|tel|tg):/i.test(url) ? url : /^[\w-]+(\.[\w-]+)+/.test(url) ? `http://${url}` : undefined

const link = (url, children) => {
  const href = safeLink(url)
  return href === undefined
    ? h("span", {}, children)
    : h("a", { href, target: "_blank", rel: "noopener noreferrer nofollow" }, children)
}

const spoiler = (children) => {
  const reveal = (event) => {
    if (element.classList.contains("shown")) return
    event.preventDefault()
    event.stopPropagation()
    element.classList.add("shown")
    element.removeAttribute("role")
    element.removeAttribute("tabindex")
    element.removeAttribute("aria-label")
  }
  const element = h(
    "span.spoiler",
    {
      role: "button",
      tabindex: 0,
      "aria-label": "Hidden text, press to show",
      onclick: reveal,
      onkeydown: (event) => (event.key === "Enter" || event.key === " ") && reveal(event)
    },
    h("span", {}, children)
  )
  return element
}

export const pre = (entity, text, children) => {
  const copy = h(
    "button.copy",
    {
      "aria-label": "Copy the code",
      onclick: (event) => {
        event.stopPropagation()
        navigator.clipboard?.writeText(text)
        copy.classList.add("done")
        setTimeout(() => copy.classList.remove("done"), 1200)
      }
    },
    icon("copy")
  )
  return h("span.pre", {}, h("span.pre-head", {}, entity.language ?? "code", copy), h("code", {}, children))
}

export const quote = (children, expandable) => {
  const element = h("blockquote", {}, children)
  if (!expandable) return element
  element.classList.add("folded")
  element.append(
    h(
      "button.unfold",
      {
        "aria-label": "Show the whole quote",
        "aria-expanded": "false",
        onclick: (event) => {
          event.stopPropagation()
          const folded = element.classList.toggle("folded")
          event.currentTarget.setAttribute("aria-expanded", String(!folded))
        }
      },
      icon("down")
    )
  )
  return element
}

export const wrap = (entity, text, children, onCommand) => {
  switch (entity.type) {
    case "bold":
      return h("strong", {}, children)
    case "italic":
      return h("em", {}, children)
    case "underline":
      return h("u", {}, children)
    case "strikethrough":
      return h("s", {}, children)
    case "spoiler":
      return spoiler(children)
    case "code":
      return h("code.inline", {}, children)
    case "pre":
      return pre(entity, text, children)
    case "blockquote":
      return quote(children, false)
    case "expandable_blockquote":
      return quote(children, true)
    case "text_link":
      return link(entity.url ?? "", children)
    case "url":
      return link(text, children)
    case "email":
      return link(`mailto:${text}`, children)
    case "phone_number":
      return link(`tel:${text}`, children)
    case "bot_command":
      return onCommand === undefined
        ? h("span.mention", {}, children)
        : h("button.command", { onclick: () => onCommand(text) }, children)
    case "mention":
    case "text_mention":
    case "hashtag":
    case "cashtag":
      return h("span.mention", {}, children)
    case "custom_emoji":
      return h("span.custom-emoji", { title: `Custom emoji ${entity.customEmojiId ?? ""}` }, children)
    default:
      return h("span", {}, children)
  }
}

/**
 * @param {string} text
 * @param {ReadonlyArray<{type: string, offset: number, length: number}>} entities
 * @param {(command: string) => void} [onCommand]
 * @returns {Array<Node | string>}
 */
export const rich = (text, entities, onCommand) => {
  const known = entities
    .map((entity) => ({ ...entity, end: Math.min(text.length, entity.offset + entity.length) }))
    .filter((entity) => entity.offset >= 0 && entity.end > entity.offset)
    .sort((a, b) => a.offset - b.offset || b.end - a.end)
  const build = (from, to, inner) => {
    const nodes = []
    let at = from
    let rest = inner
    while (rest.length > 0) {
      const [entity, ...others] = rest
      if (entity.offset > at) nodes.push(text.slice(at, entity.offset))
      // What starts inside but ends outside is cut in two at the end of this one.
      const inside = others.filter((one) => one.offset < entity.end)
      const after = others.filter((one) => one.offset >= entity.end)
      const cut = inside.filter((one) => one.end > entity.end).map((one) => ({ ...one, offset: entity.end }))
      const children = build(
        entity.offset,
        entity.end,
        inside.map((one) => ({ ...one, end: Math.min(one.end, entity.end) }))
      )
      nodes.push(wrap(entity, text.slice(entity.offset, entity.end), children, onCommand))
      at = entity.end
      rest = [...cut, ...after].sort((a, b) => a.offset - b.offset || b.end - a.end)
    }
    if (at < to) nodes.push(text.slice(at, to))
    return nodes
  }
  return build(0, text.length, known)
}
