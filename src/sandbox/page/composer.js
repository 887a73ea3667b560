// Where a person writes: text with marks, commands, files, a reply or an edit above it.
import { act } from "./api.js"
import { attachMenu, filesDialog, pickFiles } from "./attach.js"
import { clear, h, icon, iconButton } from "./dom.js"
import { forwardDialog, sendOnDialog } from "./forward.js"
import { parse, shift, unparse } from "./markup.js"
import { gist } from "./message.js"
import { attempt, menu, toast } from "./overlay.js"
import { sendOther, sendTyped } from "./send.js"
import { nameOf, on, openKey, sent, state, viewOf } from "./store.js"
import { isSelecting, select, selection } from "./timeline.js"

const formats = [
  ["b", false, "**", "Bold", "Ctrl+B"],
  ["i", false, "__", "Italic", "Ctrl+I"],
  ["u", false, "++", "Underline", "Ctrl+U"],
  ["x", true, "~~", "Strikethrough", "Ctrl+Shift+X"],
  ["p", true, "||", "Spoiler", "Ctrl+Shift+P"],
  ["m", true, "`", "Code", "Ctrl+Shift+M"]
]

export const startComposer = (timeline) => {
  const footer = document.getElementById("composer")
  const above = h("div.above", { hidden: true })
  const commands = h("ul.commands", {
    id: "commands",
    role: "listbox",
    "aria-label": "Commands",
    hidden: true
  })
  const input = h("textarea", {
    id: "input",
    rows: 1,
    placeholder: "Message",
    "aria-label": "Message",
    "aria-controls": "commands",
    enterkeyhint: "send",
    autocomplete: "off",
    dir: "auto"
  })
  /** Unsent text by view. */
  const unsent = new Map()
  let view = ""
  /** `{kind: "reply" | "edit", message, raw?}` */
  let about
  let offered = []
  let chosen = 0

  const grow = () => {
    input.style.height = "auto"
    input.style.height = `${Math.min(input.scrollHeight, innerHeight * 0.4)}px`
    send.classList.toggle("ready", input.value.trim() !== "" || about?.kind === "edit")
  }
  const write = (text) => {
    input.value = text
    grow()
    suggest()
    input.focus()
    input.setSelectionRange(text.length, text.length)
  }

  const setAbout = (next) => {
    about = next
    above.hidden = about === undefined
    if (about === undefined) return clear(above)
    const isEdit = about.kind === "edit"
    const who = about.message.from.isBot ? state.bot.name : nameOf(about.message.from)
    clear(
      above,
      icon(isEdit ? "edit" : "reply"),
      h(
        "button.above-words",
        { onclick: () => timeline.jump(about.message.id) },
        h("strong", {}, isEdit ? "Edit message" : `Reply to ${who}`),
        h("span", {}, gist(about.message))
      ),
      iconButton("close", isEdit ? "Stop editing" : "Do not reply", cancel)
    )
  }
  const cancel = () => {
    const wasEdit = about?.kind === "edit"
    setAbout(undefined)
    if (wasEdit) write("")
    input.focus()
  }
  const reply = (message) => {
    if (about?.kind === "edit") cancel()
    setAbout({ kind: "reply", message })
    input.focus()
  }
  const edit = (message) => {
    const source = unparse(message.text, message.entities)
    // Formatting that cannot be typed stays where it is while the words around it change.
    setAbout({ kind: "edit", message, raw: source === undefined })
    write(source ?? message.text)
  }

  const finishEdit = async ({ message, raw }) => {
    const source = input.value.trim()
    if (source === "" && message.media === undefined)
      return toast("A message cannot become empty; delete it instead")
    const edited = raw
      ? { text: source, entities: shift(message.text, source, message.entities) }
      : parse(source)
    cancel()
    await act("editText", { chat: message.chat, messageId: message.id, from: state.me, ...edited })
  }

  const submit = () => {
    if (about?.kind === "edit") return attempt(() => finishEdit(about))
    const text = input.value
    if (text.trim() === "") return
    const replyTo = about?.message.id
    setAbout(undefined)
    write("")
    timeline.down()
    attempt(() =>
      sendTyped(text, replyTo).catch((error) => {
        if (input.value === "") write(text)
        throw error
      })
    )
  }

  const mark = (sign) => {
    const { selectionStart: from, selectionEnd: to, value } = input
    const inner = value.slice(from, to)
    const isMarked =
      value.slice(from - sign.length, from) === sign && value.slice(to, to + sign.length) === sign
    if (isMarked) input.setRangeText(inner, from - sign.length, to + sign.length, "select")
    else if (sign === "`" && inner.includes("\n"))
      input.setRangeText(`\`\`\`\n${inner}\n\`\`\``, from, to, "select")
    else {
      input.setRangeText(sign + inner + sign, from, to, "end")
      input.setSelectionRange(from + sign.length, to + sign.length)
    }
    input.focus()
    grow()
  }
  const quoteLines = () => {
    const { selectionStart: from, selectionEnd: to, value } = input
    const start = value.lastIndexOf("\n", from - 1) + 1
    const lines = value.slice(start, to).split("\n")
    const isQuoted = lines.every((line) => line.startsWith("> "))
    input.setRangeText(
      lines.map((line) => (isQuoted ? line.slice(2) : `> ${line}`)).join("\n"),
      start,
      to,
      "end"
    )
    input.focus()
    grow()
  }
  const linkWords = () => {
    const { selectionStart: from, selectionEnd: to, value } = input
    const words = value.slice(from, to) || "words"
    input.setRangeText(`[${words}](https://)`, from, to, "end")
    input.setSelectionRange(from + words.length + 3, from + words.length + 11)
    input.focus()
    grow()
  }

  const suggest = () => {
    const typed = /^\/([a-z0-9_]*)$/i.exec(input.value)?.[1]?.toLowerCase()
    offered = typed === undefined ? [] : (known ?? []).filter((one) => one.command.startsWith(typed))
    chosen = Math.min(chosen, Math.max(0, offered.length - 1))
    showCommands()
  }
  const showCommands = () => {
    commands.hidden = offered.length === 0
    input.setAttribute("aria-expanded", String(offered.length > 0))
    clear(
      commands,
      offered.map(({ command, description }, index) =>
        h(
          "li",
          {
            role: "option",
            id: `command-${index}`,
            "aria-selected": String(index === chosen),
            onpointerdown: (event) => {
              event.preventDefault()
              runCommand(command)
            }
          },
          h("strong", {}, `/${command}`),
          h("span", {}, description)
        )
      )
    )
    if (offered.length > 0) input.setAttribute("aria-activedescendant", `command-${chosen}`)
    else input.removeAttribute("aria-activedescendant")
  }
  const runCommand = (command) => {
    offered = []
    showCommands()
    input.value = `/${command}`
    submit()
  }
  let known
  const loadCommands = async () => {
    known = await act("commands", {
      user: state.me,
      ...(state.chats.has(state.open.chat) ? { chat: state.open.chat } : {})
    }).catch(() => [])
    slash.hidden = known.length === 0
    suggest()
  }

  const take = (files) =>
    filesDialog(files, {
      caption: input.value,
      ...(about?.kind === "reply" ? { replyTo: about.message.id } : {}),
      sent: () => {
        setAbout(undefined)
        write("")
        timeline.down()
      }
    })

  input.addEventListener("input", () => {
    grow()
    suggest()
    if (input.value === "/") loadCommands()
  })
  input.addEventListener("keydown", (event) => {
    const control = event.ctrlKey || event.metaKey
    const format =
      control &&
      formats.find(([key, shifted]) => key === event.key.toLowerCase() && shifted === event.shiftKey)
    if (format) {
      event.preventDefault()
      return mark(format[2])
    }
    if (control && event.key.toLowerCase() === "k") {
      event.preventDefault()
      return linkWords()
    }
    if (control && event.shiftKey && (event.key === "." || event.key === ">")) {
      event.preventDefault()
      return quoteLines()
    }
    if (offered.length > 0 && ["ArrowUp", "ArrowDown", "Tab"].includes(event.key)) {
      event.preventDefault()
      if (event.key === "Tab") return write(`/${offered[chosen].command} `)
      chosen = (chosen + (event.key === "ArrowUp" ? -1 : 1) + offered.length) % offered.length
      return showCommands()
    }
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault()
      return offered.length > 0 && `/${offered[chosen].command}` !== input.value
        ? runCommand(offered[chosen].command)
        : submit()
    }
    if (event.key === "Escape") {
      if (offered.length > 0) {
        offered = []
        return showCommands()
      }
      if (about !== undefined) return cancel()
    }
    if (event.key === "ArrowUp" && input.value === "" && about === undefined) {
      const last = viewOf(openKey()).list.findLast(
        (message) => message.from.id === state.me && !message.origin && (message.text !== "" || message.media)
      )
      if (last !== undefined) {
        event.preventDefault()
        edit(last)
      }
    }
  })
  input.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])]
    if (files.length === 0) return
    event.preventDefault()
    take(files)
  })

  const send = h(
    "button.send",
    { "aria-label": "Send", title: "Send (Enter)", onclick: submit },
    icon("send")
  )
  const attach = iconButton("clip", "Attach", (event) => attachMenu(event.currentTarget, take), {
    "aria-haspopup": "menu"
  })
  const slash = iconButton(
    "slash",
    "Commands of the bot",
    () => {
      write("/")
    },
    { hidden: true }
  )
  const format = iconButton(
    "format",
    "Formatting",
    (event) =>
      menu(
        event.currentTarget,
        [
          ...formats.map(([, , sign, label, keys]) => ({
            icon: "format",
            mark: h("span.format-mark", { data: { sign } }, "A"),
            label: `${label}  ·  ${keys}`,
            run: () => mark(sign)
          })),
          { icon: "link", label: "Link  ·  Ctrl+K", run: linkWords },
          { icon: "reply", label: "Quote  ·  Ctrl+Shift+.", run: quoteLines }
        ],
        { label: "Formatting" }
      ),
    { "aria-haspopup": "menu" }
  )
  const forwarding = iconButton("forward", "Forward messages from elsewhere", () => forwardDialog())

  const writing = h("div.writing", {}, attach, h("div.input-box", {}, input, slash, format), forwarding, send)
  const start = h(
    "button.start",
    { onclick: () => attempt(async () => sent([await act("start", { user: state.me })])) },
    "Start"
  )
  const unblock = h(
    "button.start",
    { onclick: () => attempt(() => act("unblock", { user: state.me })) },
    "Unblock"
  )
  const picked = h("div.picked-bar")
  footer.append(above, commands, writing, start, unblock, picked)

  const draw = () => {
    const key = openKey()
    if (key !== view) {
      if (view !== "" && about?.kind !== "edit") unsent.set(view, input.value)
      view = key
      setAbout(undefined)
      input.value = unsent.get(key) ?? ""
      grow()
      loadCommands()
    }
    const chat = state.chats.get(state.open.chat)
    const isPrivate = state.open.chat === state.me
    const loaded = viewOf(key)
    const isNew = isPrivate && loaded.loaded && loaded.list.length === 0
    const isBlocked = isPrivate && chat?.blocked === true && !isNew
    start.hidden = !isNew || isSelecting()
    unblock.hidden = !isBlocked || isSelecting()
    writing.hidden = isNew || isBlocked || isSelecting()
    picked.hidden = !isSelecting()
    if (isSelecting()) {
      clear(
        picked,
        iconButton("close", "Stop selecting", () => select(false)),
        h("span", {}, `${selection.size} selected`),
        h(
          "button.quiet",
          {
            disabled: selection.size === 0,
            onclick: () =>
              sendOnDialog(
                state.open.chat,
                [...selection].sort((a, b) => a - b)
              )
          },
          icon("forward"),
          "Forward"
        ),
        h(
          "button.quiet.danger",
          {
            disabled: selection.size === 0,
            onclick: () =>
              attempt(async () => {
                await act("deleteMessages", { chat: state.open.chat, messageIds: [...selection] })
                select(false)
              })
          },
          icon("trash"),
          "Delete"
        )
      )
    }
  }
  on("open messages chats selection people", draw)

  const main = document.getElementById("chat")
  const drop = document.getElementById("drop")
  let depth = 0
  const carriesFiles = (event) => event.dataTransfer?.types.includes("Files")
  main.addEventListener("dragenter", (event) => {
    if (carriesFiles(event)) {
      event.preventDefault()
      depth++
      drop.hidden = false
    }
  })
  main.addEventListener("dragleave", () => {
    depth = Math.max(0, depth - 1)
    drop.hidden = depth === 0
  })
  document.addEventListener("dragover", (event) => carriesFiles(event) && event.preventDefault())
  document.addEventListener("drop", (event) => {
    depth = 0
    drop.hidden = true
    if (!carriesFiles(event)) return
    event.preventDefault()
    if (!writing.hidden) take([...event.dataTransfer.files])
  })
  return {
    reply,
    edit,
    write,
    pick: () => pickFiles("image/*,video/*", take),
    command: (text) => attempt(() => sendOther("sendText", { text }))
  }
}
