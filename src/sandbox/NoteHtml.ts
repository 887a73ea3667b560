/**
 * A note as the page shows it: front matter as rows, Markdown as HTML without any HTML, script or address of
 * its own. Pure.
 */
import { Result } from "effect"
import MarkdownIt from "markdown-it"
import { parseDocument } from "yaml"

/** One line of the front matter: a name and its values. */
export interface Property {
  readonly name: string
  readonly values: ReadonlyArray<string>
}

export interface RenderedNote {
  readonly title: string | undefined
  readonly properties: ReadonlyArray<Property>
  readonly html: string
}

const frontMatter = /^---\r?\n([\s\S]*?)\r?\n---(?:\r?\n|$)/

const scalar = (value: unknown): string =>
  value instanceof Date
    ? value.toISOString()
    : typeof value === "object"
      ? JSON.stringify(value)
      : String(value)

const deepest = 4

const isObject = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !(value instanceof Date)

/** Every value in it, in order. */
const leaves = (value: unknown, depth: number): ReadonlyArray<string> =>
  value === null || value === undefined || value === ""
    ? []
    : isObject(value) && depth < deepest
      ? Object.values(value).flatMap((inner) => leaves(inner, depth + 1))
      : [scalar(value)]

/** Nested objects become `outer.inner`, lists one row of their values, a list of objects a row for each. */
const flatten = (name: string, value: unknown, depth = 0): ReadonlyArray<Property> => {
  if (Array.isArray(value) && value.some(isObject)) {
    return value.map((one, index) => ({
      name: value.length === 1 ? name : `${name} ${index + 1}`,
      values: leaves(one, depth)
    }))
  }
  if (isObject(value) && !Array.isArray(value) && depth < deepest) {
    return Object.entries(value).flatMap(([key, inner]) => flatten(`${name}.${key}`, inner, depth + 1))
  }
  const values = leaves(value, depth)
  return values.length === 0 ? [] : [{ name, values }]
}

/** A person may write anything between the dashes; what is no plain YAML map stays text of the note. */
const readFrontMatter = (text: string): Record<string, unknown> | undefined => {
  const parsed = Result.try((): unknown => {
    const document = parseDocument(text, { logLevel: "silent" })
    // Aliases can be circular, or multiply.
    return document.errors.length > 0 ? undefined : document.toJS({ maxAliasCount: 0 })
  })
  const value = Result.isSuccess(parsed) ? parsed.success : undefined
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined
}

/** `to` as seen from the folder of `path`; undefined when it leads out of the knowledge base. */
export const resolvePath = (path: string, to: string): string | undefined => {
  const parts = to.startsWith("/") ? [] : path.split("/").slice(0, -1)
  for (const part of to.split("/")) {
    if (part === "" || part === ".") continue
    if (part !== "..") parts.push(part)
    else if (parts.pop() === undefined) return undefined
  }
  return parts.join("/")
}

const hasScheme = /^[a-z][a-z0-9+.-]*:|^\/\//i

const decoded = (address: string): string | undefined =>
  URL.canParse(address, "http://note/") ? safeDecode((address.split(/[?#]/)[0] ?? "").trim()) : undefined

const safeDecode = (text: string): string =>
  /%(?![0-9a-f]{2})/i.test(text)
    ? text
    : text.replace(/(?:%[0-9a-f]{2})+/gi, (escaped) =>
        new TextDecoder().decode(Buffer.from(escaped.replaceAll("%", ""), "hex"))
      )

export const mediaUrl = (path: string): string => `/sandbox/api/kb/media?path=${encodeURIComponent(path)}`

const isNote = (path: string) => /\.(?:md|markdown)$/i.test(path)

interface Env {
  readonly path: string
}
const pathOf = (env: unknown) => (env as Env).path

const markdown = new MarkdownIt({ html: false, linkify: true, breaks: true, typographer: false })

// Tables carry their alignment in a style attribute, which the page's policy refuses.
for (const rule of ["th_open", "td_open"]) {
  markdown.renderer.rules[rule] = (tokens, index, options, _env, self) => {
    const token = tokens[index]
    const style = String(token?.attrGet("style") ?? "")
    if (token !== undefined && style !== "") {
      token.attrs = [["class", style.replace("text-align:", "align-")]]
    }
    return self.renderToken(tokens, index, options)
  }
}

markdown.renderer.rules.link_open = (tokens, index, options, env, self) => {
  const token = tokens[index]
  const href = String(token?.attrGet("href") ?? "")
  if (token === undefined) return ""
  if (hasScheme.test(href)) {
    token.attrs = [
      ["href", href],
      ["target", "_blank"],
      ["rel", "noopener noreferrer nofollow"]
    ]
    return self.renderToken(tokens, index, options)
  }
  const target = decoded(href)
  const path = target === undefined || target === "" ? undefined : resolvePath(pathOf(env), target)
  if (path === undefined) token.attrs = [["class", "dead-link"]]
  else if (isNote(path)) {
    token.attrs = [
      ["href", "#"],
      ["data-note", path]
    ]
  } else {
    token.attrs = [
      ["href", mediaUrl(path)],
      ["class", "file-link"],
      ["target", "_blank"],
      ["rel", "noopener"]
    ]
  }
  return self.renderToken(tokens, index, options)
}

// A picture from elsewhere would tell that server who reads what: it is named, not loaded.
markdown.renderer.rules.image = (tokens, index, _options, env) => {
  const token = tokens[index]
  const source = String(token?.attrGet("src") ?? "")
  const alt = markdown.utils.escapeHtml(token?.content ?? "")
  const target = hasScheme.test(source) ? undefined : decoded(source)
  const path = target === undefined ? undefined : resolvePath(pathOf(env), target)
  return path === undefined
    ? `<span class="outside-image">${alt || markdown.utils.escapeHtml(source)}</span>`
    : `<img src="${mediaUrl(path)}" alt="${alt}" loading="lazy">`
}

export const renderNote = (path: string, text: string): RenderedNote => {
  const match = frontMatter.exec(text)
  const fields = match?.[1] === undefined ? undefined : readFrontMatter(match[1])
  const body = match === null || fields === undefined ? text : text.slice(match[0].length)
  const { title, ...rest } = fields ?? {}
  return {
    title: typeof title === "string" || typeof title === "number" ? String(title) : undefined,
    properties: Object.entries(rest).flatMap(([name, value]) => flatten(name, value)),
    html: markdown.render(body, { path } satisfies Env)
  }
}
