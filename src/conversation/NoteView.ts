/** A note as messages in the chat: its title, then its text as it is in the file. */
import { compose } from "../domain/FormattedText.ts"
import type { OutgoingContent } from "../telegram/BotPort.ts"

/** Enough to read a note in a chat; the whole of a longer one is in the repository. */
const shown = 12_000

const frontMatter = /^---\n[\s\S]*?\n---\n+/
const heading = /^# (.+)\n+/

export const noteContents = (file: Uint8Array): ReadonlyArray<OutgoingContent> => {
  const text = new TextDecoder().decode(file).replace(frontMatter, "")
  const title = heading.exec(text)?.[1] ?? ""
  const body = text.replace(heading, "").trim()
  const cut = body.length > shown ? `${body.slice(0, shown).trimEnd()}\n\n…` : body
  return [
    {
      _tag: "Text",
      text: title === "" ? compose(cut) : compose({ type: "bold", text: title }, `\n\n${cut}`),
      linkPreview: false
    }
  ]
}
