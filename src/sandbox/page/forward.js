// Forwards: messages from elsewhere made up here and sent as one burst; messages of this chat sent on.
import { clear, h, icon, iconButton } from "./dom.js"
import { parse } from "./markup.js"
import { field, openDialog } from "./overlay.js"
import { forward, sendTexts } from "./send.js"
import { iconOf, someoneElse, sources } from "./sources.js"
import { state } from "./store.js"
import { select, selection } from "./timeline.js"

const kinds = [
  ["channel", "a channel"],
  ["user", "a person"],
  ["hidden_user", "a hidden person"],
  ["chat", "a group"]
]

const row = (value, changed, remove) => {
  const kind = h(
    "select",
    { "aria-label": "Forwarded from" },
    kinds.map(([key, word]) => h("option", { value: key, selected: key === value.kind }, word))
  )
  const name = h("input", {
    type: "text",
    required: true,
    value: value.name,
    placeholder: "Name",
    "aria-label": "Name of the source"
  })
  const link = h("input", { type: "text", value: value.link, "aria-label": "Link or username" })
  const text = h("textarea", {
    rows: 2,
    required: true,
    value: value.text,
    placeholder: "What it says",
    "aria-label": "Forwarded text"
  })
  const adapt = () => {
    link.hidden = kind.value === "hidden_user"
    link.placeholder = kind.value === "user" ? "username (optional)" : "https://t.me/name/5 (optional)"
  }
  const read = () =>
    Object.assign(value, { kind: kind.value, name: name.value, link: link.value.trim(), text: text.value })
  for (const input of [kind, name, link, text])
    input.addEventListener("input", () => {
      adapt()
      read()
      changed()
    })
  adapt()
  return h(
    "li.forward-row",
    {},
    h("div.forward-from", {}, kind, name, link, iconButton("close", "Remove this one", remove)),
    text
  )
}

const originOf = ({ kind, name, link }, date) => ({
  kind,
  name,
  date,
  ...(kind === "user" && link !== "" ? { username: link.replace(/^@/, "") } : {}),
  ...((kind === "channel" || kind === "chat") && link !== "" ? { link } : {})
})

/** Messages from people and channels that are not here, forwarded together. Begins with `count` of them. */
export const forwardDialog = (count = 1) => {
  const known = sources()
  let rows = known.slice(0, count).map((source) => ({ ...source }))
  const list = h("ul.forward-rows")
  const comment = h("input", {
    type: "text",
    placeholder: "Your own words, sent first (optional)",
    "aria-label": "Comment"
  })
  const draw = () => {
    clear(
      list,
      rows.map((value) =>
        row(value, label, () => {
          rows = rows.filter((one) => one !== value)
          draw()
        })
      )
    )
    label()
  }
  const label = () => {
    if (opened === undefined) return
    opened.confirm.textContent = rows.length > 1 ? `Forward ${rows.length} messages` : "Forward"
    opened.confirm.disabled = rows.length === 0
  }
  /** What a source has said it does not say again. */
  const add = (source) => {
    const said = source.text !== "" && rows.some((value) => value.text === source.text)
    rows.push({ ...source, ...(said ? { text: "" } : {}) })
    draw()
    const empty = [...list.lastChild.querySelectorAll("input, textarea")].find(
      (one) => one.required && !one.value
    )
    ;(empty ?? list.lastChild.querySelector("textarea")).focus()
  }
  const chip = (name, label, source) => h("button.chip", { onclick: () => add(source) }, icon(name), label)
  let opened
  opened = openDialog({
    title: "Forward messages",
    wide: true,
    content: [
      h("p.hint", {}, "As if you had selected them in other chats and forwarded them together."),
      list,
      h(
        "div.chips",
        { role: "group", "aria-labelledby": "one-more" },
        h("span.hint", { id: "one-more" }, "One more from"),
        known.map((source) => chip(iconOf(source), source.name, source)),
        chip("plus", "Someone else", someoneElse)
      ),
      field("Comment", comment)
    ],
    confirm: "Forward",
    submit: async () => {
      const date = Math.floor(Date.now() / 1000) - 3600
      const said = comment.value.trim()
      await sendTexts([
        ...(said === "" ? [] : [parse(said)]),
        ...rows.map((value, index) => ({ ...parse(value.text), origin: originOf(value, date + index * 60) }))
      ])
    }
  })
  draw()
}

/** Existing messages sent on to another chat this person is in. */
export const sendOnDialog = (fromChat, messageIds) => {
  const hide = h("input", { type: "checkbox" })
  const targets = []
  for (const chat of state.chats.values()) {
    if (chat.kind === "private") targets.push({ label: state.bot.name, to: { chat: chat.id } })
    else {
      targets.push({ label: chat.forum ? `${chat.title}, General` : chat.title, to: { chat: chat.id } })
      for (const topic of chat.topics)
        targets.push({ label: `${chat.title}, ${topic.name}`, to: { chat: chat.id, thread: topic.id } })
    }
  }
  const opened = openDialog({
    title: messageIds.length === 1 ? "Forward the message to" : `Forward ${messageIds.length} messages to`,
    content: [
      h(
        "div.targets",
        {},
        targets.map(({ label, to }) =>
          h(
            "button",
            {
              onclick: async () => {
                await forward(to, fromChat, messageIds, hide.checked)
                select(false)
                selection.clear()
                opened.close()
              }
            },
            icon("forward"),
            label
          )
        )
      ),
      h("label.check", {}, hide, h("span", {}, "Hide the sender's account"))
    ]
  })
}
