// Sending, in the order things were sent in.
import { act, toBase64 } from "./api.js"
import { parse, split } from "./markup.js"
import { sent, state } from "./store.js"

let line = Promise.resolve()
/** One after another: what was sent first arrives first. */
const inLine = (deed) => {
  const done = line.then(deed)
  line = done.catch(() => undefined)
  return done
}

export const place = () => ({
  chat: state.open.chat,
  from: state.me,
  ...(state.open.thread === undefined ? {} : { thread: state.open.thread })
})

/** Text as typed, with its marks; cut where it is too long for one message. */
export const sendTyped = (source, replyTo) => {
  const parts = split(parse(source.replace(/^\s*\n|\s+$/g, "")))
  const where = place()
  const messages = parts
    .filter((part) => part.text.trim() !== "")
    .map((part, index) => ({
      ...where,
      ...part,
      ...(index === 0 && replyTo !== undefined ? { replyTo } : {})
    }))
  if (messages.length === 0) return Promise.resolve()
  return inLine(async () => sent(await act("sendTexts", { messages })))
}

export const sendTexts = (messages) => {
  const where = place()
  return inLine(async () =>
    sent(await act("sendTexts", { messages: messages.map((one) => ({ ...where, ...one })) }))
  )
}

/** Any other action that answers one message. */
export const sendOther = (action, input) => {
  const where = place()
  return inLine(async () => sent([await act(action, { ...where, ...input })]))
}

export const forward = (to, fromChat, messageIds, hideSender) =>
  inLine(async () => {
    const messages = await act("forward", {
      ...to,
      from: state.me,
      fromChat,
      messageIds,
      ...(hideSender ? { hideSender } : {})
    })
    sent(messages)
  })

const kindOf = (file, asFile) => {
  if (asFile) return "document"
  if (/^image\/(png|jpeg|webp|avif|bmp)$/.test(file.type)) return "photo"
  if (file.type === "image/gif") return "animation"
  if (file.type.startsWith("video/")) return "video"
  if (file.type.startsWith("audio/")) return "audio"
  return "document"
}

const sizeOf = async (file) => {
  if (!file.type.startsWith("image/")) return {}
  try {
    const bitmap = await createImageBitmap(file)
    const { width, height } = bitmap
    bitmap.close()
    return { width, height }
  } catch {
    return undefined
  }
}

const described = async (file, asFile) => {
  const size = await sizeOf(file)
  // What only calls itself a picture goes as a file, as Telegram's clients send it.
  const kind = size === undefined ? "document" : kindOf(file, asFile)
  return {
    kind,
    bytes: await toBase64(file),
    ...(kind === "photo" ? {} : { name: file.name || "file" }),
    ...(file.type === "" ? {} : { mime: file.type }),
    ...(kind === "document" ? {} : size)
  }
}

/** Photos and videos share an album, documents another, sounds a third; one of a kind goes alone. */
const albums = (files) => {
  const family = (file) =>
    ({ photo: "visual", video: "visual", document: "document", audio: "audio" })[file.kind]
  const groups = []
  for (const file of files) {
    const last = groups.at(-1)
    const kind = family(file)
    if (kind !== undefined && last?.kind === kind && last.files.length < 10) last.files.push(file)
    else groups.push({ kind, files: [file] })
  }
  return groups.map((group) => group.files)
}

/**
 * @param {ReadonlyArray<File>} files
 * @param {{caption: string, asFile: boolean, replyTo?: number}} options
 */
export const sendFiles = async (files, { caption, asFile, replyTo }) => {
  const where = { ...place(), ...(replyTo === undefined ? {} : { replyTo }) }
  const ready = await Promise.all(files.map((file) => described(file, asFile)))
  const { text, entities } = parse(caption.trim())
  if (text !== "" && ready[0] !== undefined)
    Object.assign(ready[0], { caption: text, captionEntities: entities })
  for (const group of albums(ready)) {
    await inLine(async () =>
      sent(
        group.length === 1
          ? [await act("sendFile", { ...where, file: group[0] })]
          : await act("sendAlbum", { ...where, files: group })
      )
    )
  }
}

/** A sound a second and a half long, for those without a microphone. */
export const sampleVoice = () => {
  const rate = 8000
  const count = rate * 1.5
  const view = new DataView(new ArrayBuffer(44 + count))
  const text = (at, word) => {
    for (const [index, letter] of [...word].entries()) view.setUint8(at + index, letter.charCodeAt(0))
  }
  text(0, "RIFF")
  view.setUint32(4, 36 + count, true)
  text(8, "WAVEfmt ")
  view.setUint32(16, 16, true)
  view.setUint16(20, 1, true)
  view.setUint16(22, 1, true)
  view.setUint32(24, rate, true)
  view.setUint32(28, rate, true)
  view.setUint16(32, 1, true)
  view.setUint16(34, 8, true)
  text(36, "data")
  view.setUint32(40, count, true)
  for (let at = 0; at < count; at++) {
    const tone = 220 + 110 * Math.floor((at / count) * 4)
    view.setUint8(
      44 + at,
      128 + 40 * Math.sin((at / rate) * tone * 2 * Math.PI) * Math.sin((at / count) * Math.PI)
    )
  }
  return new Blob([view], { type: "audio/wav" })
}

/** An emoji as a sticker. */
export const sticker = (emoji) =>
  new Promise((resolve) => {
    const canvas = document.createElement("canvas")
    canvas.width = canvas.height = 512
    const pen = canvas.getContext("2d")
    pen.font = "380px sans-serif"
    pen.textAlign = "center"
    pen.textBaseline = "middle"
    pen.fillText(emoji, 256, 276)
    canvas.toBlob(resolve, "image/webp", 0.9)
  })
