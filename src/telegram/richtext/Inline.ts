/** The words of a paragraph, with their formats: mdast's inline nodes as runs. */
import type { Definition, PhrasingContent, RootContent } from "mdast"
import { linkFormat, linkName, pictured, spokenAddress } from "./Links.ts"
import { also, type Format, isBlank, type Run, type Runs, textOf } from "./Runs.ts"
import { openTags, readTag, saidBy } from "./Tags.ts"

/** What a document says elsewhere about its inline nodes. */
export interface Document {
  /** Addresses by the identifier of their definition. */
  readonly definitions: ReadonlyMap<string, Definition>
  /** Footnotes by identifier: their numbers, in the order they are first referred to. */
  readonly footnotes: ReadonlyMap<string, number>
}

/** `[[page#part|words]]` is its words, `![[cat.png|300]]` a picture of that name. */
const wikiText = (source: string): string => {
  const inside = source.replace(/^!?\[\[|\]\]$/g, "")
  const [target = "", ...words] = inside.split("|")
  if (source.startsWith("!")) return pictured(undefined, target)
  // In a table the bar between the two is escaped.
  return words.join("|").trim() || target.replace(/\\$/, "").trim() || inside
}

type SpoilerMark = Extract<PhrasingContent, { readonly type: "spoilerMark" }>

/** Marks that belong together; one without the other is two bars. */
const spoilerPairs = (nodes: ReadonlyArray<PhrasingContent>): ReadonlyMap<SpoilerMark, "begin" | "end"> => {
  const pairs = new Map<SpoilerMark, "begin" | "end">()
  let begin: SpoilerMark | undefined
  const see = (node: PhrasingContent) => {
    if (node.type === "spoilerMark") {
      if (begin !== undefined && node.closes) {
        pairs.set(begin, "begin").set(node, "end")
        begin = undefined
      } else if (begin === undefined && node.opens) begin = node
    } else if ("children" in node) node.children.forEach(see)
  }
  nodes.forEach(see)
  return pairs
}

const emphasis = { strong: "bold", emphasis: "italic", delete: "strikethrough" } as const

/** `around`: the formats the whole of it has, a heading's bold for one. */
export const inline = (
  nodes: ReadonlyArray<PhrasingContent>,
  document: Document,
  around: ReadonlyArray<Format> = []
): Runs => {
  const runs: Array<Run> = []
  const tags = openTags()
  const spoilers = spoilerPairs(nodes)
  const urlOf = ({ identifier }: { readonly identifier: string }) =>
    document.definitions.get(identifier)?.url ?? ""

  const say = (text: string, formats: ReadonlyArray<Format>) => {
    // The blanks after a line break are the file's, not the reader's.
    const shown = runs.at(-1)?.text.endsWith("\n") ? text.replace(/^[ \t\n]+/, "") : text
    if (shown !== "") runs.push({ text: shown, formats: tags.formats(formats) })
  }

  const breakLine = (formats: ReadonlyArray<Format>) => {
    runs.push({ text: "\n", formats: tags.formats(formats) })
  }

  const link = (url: string, children: ReadonlyArray<PhrasingContent>, formats: ReadonlyArray<Format>) => {
    const format = linkFormat(url)
    const inside = format === undefined ? formats : also(formats, format)
    const from = runs.length
    see(children, inside)
    const words = textOf(runs.slice(from))
    if (isBlank(words)) say(linkName(url), inside)
    const address = spokenAddress(url)
    if (address !== undefined && !words.includes(address)) say(` (${address})`, formats)
  }

  const image = (url: string, alt: string | null | undefined, formats: ReadonlyArray<Format>) => {
    const format = linkFormat(url)
    say(pictured(alt, url), format === undefined ? formats : also(formats, format))
  }

  const see = (children: ReadonlyArray<PhrasingContent>, formats: ReadonlyArray<Format>): void => {
    for (const node of children) one(node, formats)
  }

  const one = (node: PhrasingContent, formats: ReadonlyArray<Format>) => {
    switch (node.type) {
      case "text":
        return say(node.value, formats)
      case "strong":
      case "emphasis":
      case "delete":
        return see(node.children, also(formats, { type: emphasis[node.type] }))
      case "inlineCode":
        return say(node.value, also(formats, { type: "code" }))
      case "break":
        return breakLine(formats)
      case "link":
        return link(node.url, node.children, formats)
      case "linkReference":
        return link(urlOf(node), node.children, formats)
      case "image":
        return image(node.url, node.alt, formats)
      case "imageReference":
        return image(urlOf(node), node.alt, formats)
      case "footnoteReference":
        return say(`[${document.footnotes.get(node.identifier) ?? "?"}]`, formats)
      case "wikiLink":
        return say(wikiText(node.value), formats)
      case "spoilerMark": {
        const pair = spoilers.get(node)
        if (pair === undefined) return say("||", formats)
        return pair === "begin" ? tags.begin("||", { type: "spoiler" }) : tags.end("||")
      }
      case "html": {
        const tag = readTag(node.value)
        if (tag === undefined) return
        if (tag.name === "br") return breakLine(formats)
        tags.see(tag)
        return say(saidBy(tag), formats)
      }
    }
  }

  see(nodes, around)
  return runs
}

const nodesIn = function* (nodes: ReadonlyArray<RootContent>): Generator<RootContent> {
  for (const node of nodes) {
    yield node
    if ("children" in node) yield* nodesIn(node.children)
  }
}

/** Of several definitions of one identifier the first counts (CommonMark). */
export const documentOf = (nodes: ReadonlyArray<RootContent>): Document => {
  const definitions = new Map<string, Definition>()
  const referred = new Set<string>()
  const defined = new Set<string>()
  for (const node of nodesIn(nodes)) {
    if (node.type === "definition" && !definitions.has(node.identifier))
      definitions.set(node.identifier, node)
    if (node.type === "footnoteReference") referred.add(node.identifier)
    if (node.type === "footnoteDefinition") defined.add(node.identifier)
  }
  const footnotes = new Map([...referred.union(defined)].map((identifier, index) => [identifier, index + 1]))
  return { definitions, footnotes }
}
