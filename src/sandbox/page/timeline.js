// The messages of the open chat: rows kept by key, older ones loaded on scrolling up, the place kept.
import { avatar, clear, h, icon } from "./dom.js"
import { rich } from "./entities.js"
import { bubble, forgetMedia, serviceLine } from "./message.js"
import { changed, loadOlder, markRead, messageOf, on, openKey, state, viewOf } from "./store.js"

const days = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "long" })
const years = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "long", year: "numeric" })
const dayOf = (seconds) => new Date(seconds * 1000).toDateString()
const dayName = (seconds) => {
  const date = new Date(seconds * 1000)
  const today = new Date()
  const yesterday = new Date(today.getFullYear(), today.getMonth(), today.getDate() - 1)
  if (date.toDateString() === today.toDateString()) return "Today"
  if (date.toDateString() === yesterday.toDateString()) return "Yesterday"
  return (date.getFullYear() === today.getFullYear() ? days : years).format(date)
}

const together = 600
const near = 120
/** How far from the top older messages are asked for, in pixels. */
const early = 600

export const selection = new Set()
let selecting = false
export const select = (on) => {
  selecting = on
  if (!on) selection.clear()
  changed("messages", "selection")
}
export const isSelecting = () => selecting
export const toggle = (messages) => {
  const all = messages.every((message) => selection.has(message.id))
  for (const message of messages) all ? selection.delete(message.id) : selection.add(message.id)
  changed("messages", "selection")
}

/** What is shown, in order: `{key, parts, make}`; the same key and parts keep their element. */
const rowsOf = (view, actions) => {
  const { list, fresh } = view
  const group = state.chats.get(state.open.chat)?.kind !== "private" && state.chats.has(state.open.chat)
  const rows = []
  const joins = (a, b) =>
    a !== undefined &&
    b !== undefined &&
    !a.service &&
    !b.service &&
    a.from.id === b.from.id &&
    dayOf(a.date) === dayOf(b.date) &&
    Math.abs(b.date - a.date) < together
  for (let at = 0; at < list.length; at++) {
    const message = list[at]
    const previous = list[at - 1]
    if (previous === undefined || dayOf(previous.date) !== dayOf(message.date)) {
      const name = dayName(message.date)
      rows.push({
        key: `d${dayOf(message.date)}`,
        parts: [name],
        make: () => h("div.day", { role: "separator" }, h("span", {}, name))
      })
    }
    if (message.id === state.firstUnread) {
      rows.push({
        key: "unread",
        parts: [],
        make: () => h("div.unread-line", { role: "separator" }, "Unread messages")
      })
    }
    if (message.service) {
      rows.push({
        key: `m${message.id}`,
        parts: [message],
        make: () =>
          h("div.service", { data: { id: String(message.id) } }, h("span", {}, serviceLine(message)))
      })
      continue
    }
    const album = [message]
    if (message.albumId !== undefined) {
      while (list[at + 1]?.albumId === message.albumId) album.push(list[++at])
    }
    const first = !joins(previous, message) || message.id === state.firstUnread
    const last = !joins(message, list[at + 1]) || list[at + 1]?.id === state.firstUnread
    const options = {
      group,
      first,
      last,
      selecting,
      fresh: fresh.has(message.id),
      selected: album.every((one) => selection.has(one.id))
    }
    rows.push({
      key: `m${message.id}`,
      parts: [...album, group, first, last, selecting, options.selected],
      make: () => bubble(album, options, actions)
    })
  }
  return rows
}

const same = (a, b) => a.length === b.length && a.every((one, index) => one === b[index])

const welcome = (actions) => {
  const started = viewOf(openKey()).list.length > 0
  const isGroup = state.chats.get(state.open.chat)?.kind !== "private" && state.chats.has(state.open.chat)
  return h(
    "div.welcome",
    { class: started ? "short" : "" },
    !started && avatar(state.bot.id, state.bot.name, isGroup ? "group" : "bot"),
    h("h2", {}, started ? "Your turn" : isGroup ? "An empty topic" : `This is ${state.bot.name}`),
    h(
      "p",
      {},
      started || isGroup
        ? "Type something, or forward a few messages: after a short pause they become one note, beside this chat."
        : "What you send or forward to it becomes Markdown notes in a git repository of yours. Press Start, then type something, or forward a few messages."
    ),
    (started || isGroup) &&
      h(
        "div.chips",
        {},
        h(
          "button.chip",
          {
            onclick: () =>
              actions.write("Ideas for the garden #home\nBasil likes the south window, mint does not.")
          },
          icon("edit"),
          "Write an example"
        ),
        h("button.chip", { onclick: actions.forwardExamples }, icon("forward"), "Forward messages"),
        h("button.chip", { onclick: actions.pickFiles }, icon("photo"), "Send a photo")
      )
  )
}

export const startTimeline = (actions) => {
  const box = document.getElementById("timeline")
  const toBottom = document.getElementById("to-bottom")
  const rowsBox = h("div.rows")
  const olderBox = h("div.older")
  const tail = h("div.tail")
  // Reachable by keyboard, for scrolling.
  box.tabIndex = 0
  box.append(olderBox, rowsBox, tail)
  toBottom.append(icon("down"), h("span.badge"))

  let drawn = new Map()
  let drawnView = ""
  let stick = true
  let missed = 0

  const atBottom = () => box.scrollHeight - box.scrollTop - box.clientHeight < near
  const down = (smooth) => box.scrollTo({ top: box.scrollHeight, behavior: smooth ? "smooth" : "instant" })
  const anchor = () => {
    const top = box.getBoundingClientRect().top
    for (const element of rowsBox.children) {
      const rect = element.getBoundingClientRect()
      if (rect.bottom > top) return { element, key: element.dataset.key, offset: rect.top - top }
    }
  }

  const draw = () => {
    const key = openKey()
    const view = viewOf(key)
    const isOther = key !== drawnView
    if (isOther) {
      drawn = new Map()
      rowsBox.replaceChildren()
      forgetMedia()
      drawnView = key
      stick = true
      missed = 0
    }
    const held = stick ? undefined : anchor()
    const focused = rowsBox.contains(document.activeElement) ? document.activeElement : undefined
    const focusKey = focused?.dataset.focus ?? focused?.closest("[data-key]")?.dataset.key
    const next = new Map()
    let cursor = rowsBox.firstChild
    for (const row of rowsOf(view, actions)) {
      const known = drawn.get(row.key)
      const element = known !== undefined && same(known.parts, row.parts) ? known.element : row.make()
      element.dataset.key = row.key
      next.set(row.key, { parts: row.parts, element })
      if (cursor === element) cursor = cursor.nextSibling
      else if (known !== undefined && known.element !== element && cursor === known.element) {
        cursor = cursor.nextSibling
        known.element.replaceWith(element)
        element.classList.remove("enter")
      } else rowsBox.insertBefore(element, cursor)
    }
    while (cursor !== null) {
      const gone = cursor
      cursor = cursor.nextSibling
      gone.remove()
    }
    const arrived = view.fresh.size
    view.fresh.clear()
    drawn = next
    if (focused !== undefined && !focused.isConnected && focusKey !== undefined) {
      const again = rowsBox.querySelector(
        `[data-focus="${CSS.escape(focusKey)}"], [data-key="${CSS.escape(focusKey)}"]`
      )
      again?.focus({ preventScroll: true })
    }
    clear(olderBox, view.loading && h("span.spinner", { "aria-label": "Loading older messages" }))
    const draft = state.drafts.get(key)
    clear(
      tail,
      draft &&
        h(
          "article.message.first.last",
          {},
          h(
            "div.bubble-column",
            {},
            h("div.bubble.draft", {}, h("div.text", {}, rich(draft.text, draft.entities))),
            draft.stop &&
              h(
                "div.inline-buttons",
                {},
                h(
                  "div.inline-row",
                  {},
                  h(
                    "button.inline-button.stop",
                    { data: { focus: `stop/${draft.draftId}` }, onclick: () => actions.stopDraft(draft) },
                    "Stop"
                  )
                )
              )
          )
        ),
      view.loaded &&
        view.list.filter((message) => message.from.id === state.me && !/^\/start\b/.test(message.text))
          .length === 0 &&
        view.complete &&
        welcome(actions)
    )
    if (isOther) box.classList.remove("smooth")
    if (stick) down(false)
    else {
      if (held?.key !== undefined) {
        const element = next.get(held.key)?.element
        if (element)
          box.scrollTop += element.getBoundingClientRect().top - box.getBoundingClientRect().top - held.offset
      }
      missed += arrived
    }
    if (stick && !document.hidden && view.loaded) markRead(key)
    showButton()
    // Scrolling tells nothing when the top was reached while older ones were on their way.
    if (view.loading === undefined && box.scrollTop < early) loadOlder(key)
  }

  const showButton = () => {
    toBottom.hidden = stick || atBottom()
    const badge = toBottom.lastChild
    badge.textContent = missed > 0 ? String(missed) : ""
    badge.hidden = missed === 0
  }

  box.addEventListener(
    "scroll",
    () => {
      stick = atBottom()
      if (stick) {
        missed = 0
        if (!document.hidden) markRead(openKey())
      }
      showButton()
      if (box.scrollTop < early) loadOlder(openKey())
    },
    { passive: true }
  )
  toBottom.addEventListener("click", () => down(true))
  // Pictures and the composer change heights after drawing; the bottom stays the bottom.
  const watcher = new ResizeObserver(() => stick && down(false))
  watcher.observe(rowsBox)
  watcher.observe(tail)
  watcher.observe(box)
  document.addEventListener("visibilitychange", () => !document.hidden && stick && markRead(openKey()))

  on("messages open people", draw)

  const jump = async (messageId) => {
    const view = openKey()
    while (messageOf(state.open.chat, messageId) === undefined && !viewOf(view).complete)
      await loadOlder(view)
    draw()
    const element = [...drawn.values()]
      .map(({ element }) => element)
      .find((one) => one.dataset.id === String(messageId))
    if (element === undefined) return
    element.scrollIntoView({ block: "center", behavior: "smooth" })
    element.classList.remove("flash")
    void element.offsetWidth
    element.classList.add("flash")
  }

  const messagesOf = (element) => {
    const parts = drawn.get(element?.closest("[data-key]")?.dataset.key)?.parts ?? []
    return parts.filter((part) => typeof part === "object" && !part.service)
  }
  box.addEventListener("contextmenu", (event) => {
    const messages = messagesOf(event.target)
    if (messages.length === 0 || event.target.closest("a") || String(getSelection()) !== "") return
    event.preventDefault()
    actions.menu(messages, { x: event.clientX, y: event.clientY })
  })
  box.addEventListener("dblclick", (event) => {
    const messages = messagesOf(event.target)
    if (messages.length > 0 && !event.target.closest("button,a,.text")) actions.reply(messages[0])
  })
  box.addEventListener(
    "click",
    (event) => {
      const messages = messagesOf(event.target)
      if (!selecting || messages.length === 0) return
      event.preventDefault()
      event.stopPropagation()
      toggle(messages)
    },
    true
  )
  box.addEventListener("keydown", (event) => {
    const articles = [...rowsBox.querySelectorAll(".message")]
    const index = articles.indexOf(document.activeElement?.closest(".message"))
    if (event.key === "ArrowUp" || event.key === "ArrowDown") {
      const to = index === -1 ? articles.at(-1) : articles[index + (event.key === "ArrowUp" ? -1 : 1)]
      if (to === undefined) return
      event.preventDefault()
      to.focus()
      to.scrollIntoView({ block: "nearest" })
    } else if (
      (event.key === "Enter" || event.key === "ContextMenu") &&
      document.activeElement === articles[index]
    ) {
      event.preventDefault()
      selecting
        ? toggle(messagesOf(articles[index]))
        : actions.menu(messagesOf(articles[index]), articles[index].querySelector(".bubble"))
    }
  })
  return {
    jump,
    down: () => {
      stick = true
      down(false)
    }
  }
}
