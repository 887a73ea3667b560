/**
 * Markdown beyond CommonMark that notes are written in: `[[page|words]]` and `![[file]]` of Obsidian, and
 * `||` around a spoiler. As syntax, not as a search in the text: an escaped `\[[` is no link, nor is one in
 * code.
 */
import type { Options } from "mdast-util-from-markdown"
import type { Code, Construct, State } from "micromark-util-types"

declare module "micromark-util-types" {
  interface TokenTypeMap {
    wikiLink: "wikiLink"
    spoilerMark: "spoilerMark"
  }
}

interface WikiLink {
  readonly type: "wikiLink"
  readonly value: string
}
interface SpoilerMark {
  readonly type: "spoilerMark"
  /** Whether text can be hidden from here on, and up to here: where no white space is on that side. */
  readonly opens: boolean
  readonly closes: boolean
}
declare module "mdast" {
  interface PhrasingContentMap {
    wikiLink: WikiLink
    spoilerMark: SpoilerMark
  }
  interface RootContentMap {
    wikiLink: WikiLink
    spoilerMark: SpoilerMark
  }
}

const exclamation = 33
const open = 91
const close = 93
const parenthesis = 40
const bar = 124

const isLineEnd = (code: Code) => code === null || code < 0 || code === 10 || code === 13

/** Codes below zero are micromark's line ends and tabs, null is the end of the text. */
const isGap = (code: Code) => code === null || code < 0 || /\s/u.test(String.fromCharCode(code))

/** Longer ones are no page's name, and would make many unclosed ones slow to read. */
const longestName = 300

const wikiLink: Construct = {
  name: "wikiLink",
  tokenize: (effects, ok, nok) => {
    let length = 0
    const expect =
      (wanted: number, next: State): State =>
      (code) => {
        if (code !== wanted) return nok(code)
        effects.consume(code)
        return next
      }
    const inside: State = (code) => {
      if (isLineEnd(code) || code === open || length > longestName) return nok(code)
      effects.consume(code)
      if (code === close) return length === 0 ? nok : expect(close, after)
      length++
      return inside
    }
    // `[[1]](https://…)` is a link of Markdown whose words are in brackets.
    const after: State = (code) => {
      if (code === parenthesis || code === open) return nok(code)
      effects.exit("wikiLink")
      return ok(code)
    }
    return (code) => {
      effects.enter("wikiLink")
      effects.consume(code)
      return code === exclamation ? expect(open, expect(open, inside)) : expect(open, inside)
    }
  }
}

const spoilerMark: Construct = {
  name: "spoilerMark",
  // One mark of a longer run is none.
  previous: (code) => code !== bar,
  tokenize(effects, ok, nok) {
    const { previous } = this
    return (first) => {
      const token = effects.enter("spoilerMark")
      effects.consume(first)
      return (second) => {
        if (second !== bar) return nok(second)
        effects.consume(second)
        return (next) => {
          if (next === bar) return nok(next)
          token._open = !isGap(next)
          token._close = !isGap(previous)
          effects.exit("spoilerMark")
          return ok(next)
        }
      }
    }
  }
}

export const noteSyntax: NonNullable<Options["extensions"]>[number] = {
  text: { [exclamation]: wikiLink, [open]: wikiLink, [bar]: spoilerMark }
}

export const noteFromMarkdown: NonNullable<Options["mdastExtensions"]>[number] = {
  enter: {
    wikiLink(token) {
      this.enter({ type: "wikiLink", value: this.sliceSerialize(token) }, token)
    },
    spoilerMark(token) {
      const { _open: opens = false, _close: closes = false } = token
      this.enter({ type: "spoilerMark", opens, closes }, token)
    }
  },
  exit: {
    wikiLink(token) {
      this.exit(token)
    },
    spoilerMark(token) {
      this.exit(token)
    }
  }
}
