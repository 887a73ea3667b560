// The attachment menu and its dialogs: files with a caption, location, contact, poll, dice, sticker, voice.
import { toBase64 } from "./api.js"
import { clear, h, icon, iconButton } from "./dom.js"
import { sizeText } from "./message.js"
import { attempt, field, menu, openDialog, toast } from "./overlay.js"
import { sampleVoice, sendFiles, sendOther, sticker } from "./send.js"

const largest = 64 * 1_048_576

/** The chosen files before they are sent. */
export const filesDialog = (chosen, { caption = "", replyTo, sent = () => undefined } = {}) => {
  const tooLarge = chosen.filter((file) => file.size > largest)
  if (tooLarge.length > 0)
    toast(`${tooLarge[0].name} is larger than ${sizeText(largest)}, the sandbox's limit`, "error")
  let files = chosen.filter((file) => file.size <= largest)
  if (files.length === 0) return
  const addresses = new Map(files.map((file) => [file, URL.createObjectURL(file)]))
  const list = h("ul.picked")
  const text = h("textarea", {
    rows: 2,
    placeholder: "Add a caption…",
    "aria-label": "Caption",
    value: caption
  })
  const asFile = h("input", { type: "checkbox" })
  const hasPictures = () => files.some((file) => file.type.startsWith("image/"))
  const option = h("label.check", {}, asFile, h("span", {}, "Send pictures as files, uncompressed"))
  const draw = () => {
    clear(
      list,
      files.map((file) =>
        h(
          "li",
          { class: file.type.startsWith("image/") && !asFile.checked ? "thumb" : "" },
          file.type.startsWith("image/") && !asFile.checked
            ? h("img", { src: addresses.get(file), alt: file.name })
            : [
                h("span.file-icon", {}, icon("file")),
                h(
                  "span.file-words",
                  {},
                  h("span.file-name", {}, file.name || "file"),
                  h("span.file-size", {}, sizeText(file.size))
                )
              ],
          iconButton("close", `Remove ${file.name}`, () => {
            files = files.filter((one) => one !== file)
            files.length === 0 ? opened.close() : draw()
          })
        )
      )
    )
    option.hidden = !hasPictures()
  }
  asFile.addEventListener("change", draw)
  const opened = openDialog({
    title: files.length === 1 ? "Send a file" : `Send ${files.length} files`,
    content: [list, text, option],
    confirm: "Send",
    submit: async () => {
      await sendFiles(files, {
        caption: text.value,
        asFile: asFile.checked,
        ...(replyTo === undefined ? {} : { replyTo })
      })
      sent()
    }
  })
  opened.dialog.addEventListener("close", () =>
    addresses.forEach((address) => void URL.revokeObjectURL(address))
  )
  text.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return
    event.preventDefault()
    opened.confirm.click()
  })
  draw()
  text.focus()
}

export const pickFiles = (accept, taken) => {
  const input = h("input", { type: "file", multiple: true, accept, hidden: true })
  input.addEventListener("change", () => {
    if (input.files.length > 0) taken([...input.files])
    input.remove()
  })
  input.addEventListener("cancel", () => input.remove())
  document.body.append(input)
  input.click()
}

const number = (value, min, max, label) =>
  h("input", {
    type: "number",
    step: "any",
    min: String(min),
    max: String(max),
    value: String(value),
    required: true,
    "aria-label": label
  })

const locationDialog = () => {
  const latitude = number(48.85837, -90, 90, "Latitude")
  const longitude = number(2.29448, -180, 180, "Longitude")
  const title = h("input", { type: "text", placeholder: "Eiffel Tower" })
  const address = h("input", { type: "text", placeholder: "5 Av. Anatole France" })
  openDialog({
    title: "Send a location",
    content: [
      h("div.two", {}, field("Latitude", latitude), field("Longitude", longitude)),
      field("Name of the place, if it has one", title),
      field("Address", address)
    ],
    confirm: "Send",
    submit: () =>
      sendOther("sendLocation", {
        location: {
          latitude: Number(latitude.value),
          longitude: Number(longitude.value),
          ...(title.value ? { title: title.value, address: address.value || title.value } : {})
        }
      })
  })
}

const contactDialog = () => {
  const first = h("input", { type: "text", required: true, value: "Maria" })
  const last = h("input", { type: "text", value: "Weber" })
  const phone = h("input", { type: "tel", required: true, value: "+491701234567" })
  openDialog({
    title: "Send a contact",
    content: [h("div.two", {}, field("First name", first), field("Last name", last)), field("Phone", phone)],
    confirm: "Send",
    submit: () =>
      sendOther("sendContact", {
        contact: {
          phone: phone.value,
          firstName: first.value,
          ...(last.value ? { lastName: last.value } : {})
        }
      })
  })
}

const pollDialog = () => {
  const question = h("input", { type: "text", required: true, placeholder: "Where do we meet?" })
  const options = h("textarea", {
    rows: 4,
    required: true,
    placeholder: "One answer a line",
    "aria-label": "Answers, one a line"
  })
  const anonymous = h("input", { type: "checkbox", checked: true })
  const multiple = h("input", { type: "checkbox" })
  openDialog({
    title: "Create a poll",
    content: [
      field("Question", question),
      field("Answers, one a line", options),
      h("label.check", {}, anonymous, h("span", {}, "Anonymous")),
      h("label.check", {}, multiple, h("span", {}, "Several answers allowed"))
    ],
    confirm: "Create",
    submit: async () => {
      const lines = options.value
        .split("\n")
        .map((line) => line.trim())
        .filter(Boolean)
      if (lines.length < 2) throw new Error("A poll needs at least two answers")
      await sendOther("sendPoll", {
        question: question.value,
        options: lines,
        anonymous: anonymous.checked,
        multiple: multiple.checked
      })
    }
  })
}

const choose = (title, emoji, run) => {
  const opened = openDialog({
    title,
    content: h(
      "div.emoji-grid",
      {},
      emoji.map((one) =>
        h(
          "button",
          {
            "aria-label": one,
            onclick: () => {
              opened.close()
              attempt(() => run(one))
            }
          },
          one
        )
      )
    )
  })
}

const sendSticker = async (emoji) => {
  const blob = await sticker(emoji)
  await sendOther("sendFile", {
    file: { kind: "sticker", bytes: await toBase64(blob), mime: "image/webp", width: 512, height: 512, emoji }
  })
}

const sendVoice = async () =>
  sendOther("sendFile", {
    file: { kind: "voice", bytes: await toBase64(sampleVoice()), mime: "audio/wav", duration: 2 }
  })

/** @param {(files: Array<File>) => void} take */
export const attachMenu = (at, take) =>
  menu(
    at,
    [
      { icon: "photo", label: "Photo or video", run: () => pickFiles("image/*,video/*", take) },
      { icon: "file", label: "File", run: () => pickFiles("", take) },
      { icon: "mic", label: "Voice message (a sample)", run: sendVoice },
      {
        icon: "smile",
        label: "Sticker",
        run: () =>
          choose("Send a sticker", ["😀", "🐱", "🚀", "🌻", "🎉", "🍕", "🐳", "👻", "💡", "❤️"], sendSticker)
      },
      { icon: "pin", label: "Location", run: locationDialog },
      { icon: "user", label: "Contact", run: contactDialog },
      { icon: "poll", label: "Poll", run: pollDialog },
      {
        icon: "dice",
        label: "Dice",
        run: () =>
          choose("Roll", ["🎲", "🎯", "🏀", "⚽", "🎳", "🎰"], (emoji) => sendOther("sendDice", { emoji }))
      }
    ],
    { label: "Attach" }
  )
