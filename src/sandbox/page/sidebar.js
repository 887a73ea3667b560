// Who writes, which chats they have, and the head of the open one.
import { act } from "./api.js"
import { avatar, clear, h, icon, iconButton } from "./dom.js"
import { gist, timeOf } from "./message.js"
import { attempt, field, menu, openDialog } from "./overlay.js"
import {
  become,
  changed,
  nameOf,
  on,
  openChat,
  openKey,
  recall,
  refresh,
  remember,
  state,
  unreadOf,
  viewKey
} from "./store.js"
import { select } from "./timeline.js"
import { show } from "./views.js"

const themes = ["auto", "light", "dark"]
const themeIcons = { auto: "auto", light: "sun", dark: "moon" }

export const applyTheme = () => {
  const theme = recall("theme", "auto")
  document.documentElement.dataset.theme = theme
  return theme
}

const themeButton = () => {
  const theme = applyTheme()
  const button = iconButton(themeIcons[theme], `Colours: ${theme}`, () => {
    remember("theme", themes[(themes.indexOf(applyTheme()) + 1) % themes.length])
    button.replaceWith(themeButton())
    document.querySelector(".theme").focus()
  })
  button.classList.add("theme")
  return button
}

const personDialog = (user) => {
  const first = h("input", {
    type: "text",
    required: true,
    maxLength: 64,
    value: user?.firstName ?? "",
    placeholder: "Maria"
  })
  const last = h("input", { type: "text", maxLength: 64, value: user?.lastName ?? "", placeholder: "Weber" })
  const username = h("input", {
    type: "text",
    maxLength: 32,
    pattern: "[A-Za-z][A-Za-z0-9_]{3,31}",
    value: user?.username ?? "",
    placeholder: "maria"
  })
  const language = h(
    "select",
    {},
    [
      ["en", "English"],
      ["ru", "Русский"],
      ["de", "Deutsch"],
      ["fr", "Français"],
      ["es", "Español"]
    ].map(([code, name]) => h("option", { value: code, selected: code === (user?.language ?? "en") }, name))
  )
  openDialog({
    title: user === undefined ? "A new person" : "Who you are",
    content: [
      h("div.two", {}, field("First name", first), field("Last name", last)),
      h("div.two", {}, field("Username", username), field("Language of their Telegram", language))
    ],
    confirm: user === undefined ? "Create" : "Save",
    submit: async () => {
      const created = await act("createUser", {
        ...(user === undefined ? {} : { id: user.id }),
        firstName: first.value.trim(),
        ...(last.value.trim() ? { lastName: last.value.trim() } : {}),
        ...(username.value ? { username: username.value } : {}),
        language: language.value
      })
      if (user === undefined) await become(created.id)
      else await refresh()
    }
  })
}

const groupDialog = () => {
  const title = h("input", { type: "text", required: true, maxLength: 128, placeholder: "Family" })
  const forum = h("input", { type: "checkbox", checked: true })
  const others = [...state.users.values()].filter((user) => user.id !== state.me)
  const boxes = others.map((user) => [user.id, h("input", { type: "checkbox", checked: true }), nameOf(user)])
  openDialog({
    title: "A new group with the bot",
    content: [
      field("Name", title),
      h("label.check", {}, forum, h("span", {}, "With topics")),
      boxes.length > 0 &&
        h(
          "fieldset",
          {},
          h("legend", {}, "Members besides you"),
          boxes.map(([, box, name]) => h("label.check", {}, box, h("span", {}, name)))
        )
    ].filter(Boolean),
    confirm: "Create",
    submit: async () => {
      const members = [state.me, ...boxes.filter(([, box]) => box.checked).map(([id]) => id)]
      const chat = await act("createGroup", { title: title.value.trim(), members, forum: forum.checked })
      await refresh()
      await openChat(chat.id)
    }
  })
}

const topicDialog = (chat) => {
  const name = h("input", { type: "text", required: true, maxLength: 128, placeholder: "Recipes" })
  openDialog({
    title: `A new topic in ${chat.title}`,
    content: field("Name", name),
    confirm: "Create",
    submit: async () => {
      const topic = await act("createTopic", { chat: chat.id, name: name.value.trim() })
      await refresh()
      await openChat(chat.id, topic.id)
    }
  })
}

const peopleMenu = (at) =>
  menu(
    at,
    [
      ...[...state.users.values()].map((user) => ({
        mark: avatar(user.id, nameOf(user)),
        label: nameOf(user),
        checked: user.id === state.me,
        run: () => become(user.id)
      })),
      h("hr", {}),
      { icon: "edit", label: "Change this person…", run: () => personDialog(state.users.get(state.me)) },
      { icon: "plus", label: "New person…", run: () => personDialog() }
    ],
    { label: "Who writes" }
  )

const dateOf = (seconds) => {
  const date = new Date(seconds * 1000)
  return date.toDateString() === new Date().toDateString()
    ? timeOf(seconds)
    : date.toLocaleDateString(undefined, { day: "numeric", month: "short" })
}

const preview = (view) => {
  if (state.typing.has(view)) return h("span.typing", {}, typingWords(view))
  const message = state.latest.get(view)
  if (message === undefined) return h("span", {}, "Nothing here yet")
  const who =
    message.from.id === state.me
      ? "You: "
      : state.open.chat < 0 && !message.from.isBot
        ? `${message.from.firstName}: `
        : ""
  return h("span", {}, h("span.who", {}, who), gist(message))
}

const actionWords = {
  typing: "typing",
  upload_photo: "sending a photo",
  upload_document: "sending a file",
  upload_video: "sending a video",
  record_voice: "recording",
  upload_voice: "sending a voice message",
  choose_sticker: "choosing a sticker",
  find_location: "looking for a place"
}
const typingWords = (view) => actionWords[state.typing.get(view)?.action] ?? "busy"

const chatItem = ({ view, title, mark, chat, thread, topic }) => {
  const message = state.latest.get(view)
  const unread = unreadOf(view)
  const isOpen = view === openKey()
  return h(
    "li",
    {},
    h(
      "button.chat-item",
      {
        class: `${isOpen ? "open" : ""} ${topic ? "topic" : ""}`,
        "aria-current": isOpen ? "true" : undefined,
        onclick: () => {
          show("chat")
          attempt(() => openChat(chat, thread))
        }
      },
      mark,
      h(
        "span.chat-words",
        {},
        h("span.chat-title", {}, h("strong", {}, title), message && h("time", {}, dateOf(message.date))),
        h(
          "span.chat-preview",
          {},
          preview(view),
          unread > 0 && h("span.badge", { "aria-label": `${unread} unread` }, unread > 99 ? "99+" : unread)
        )
      )
    )
  )
}

const chatItems = () => {
  const items = [
    chatItem({
      view: viewKey(state.me),
      title: state.bot.name,
      mark: avatar(state.bot.id, state.bot.name, "bot"),
      chat: state.me
    })
  ]
  for (const chat of state.chats.values()) {
    if (chat.kind === "private") continue
    const mark = avatar(chat.id, chat.title)
    if (!chat.forum) {
      items.push(chatItem({ view: viewKey(chat.id), title: chat.title, mark, chat: chat.id }))
      continue
    }
    items.push(
      h(
        "li.forum",
        {},
        h(
          "div.forum-head",
          {},
          mark,
          h("strong", {}, chat.title),
          iconButton("plus", `New topic in ${chat.title}`, () => topicDialog(chat))
        ),
        h(
          "ul",
          {},
          chatItem({
            view: viewKey(chat.id),
            title: "General",
            mark: avatar(0, "", "topic"),
            chat: chat.id,
            topic: true
          }),
          chat.topics.map((topic) =>
            chatItem({
              view: viewKey(chat.id, topic.id),
              title: topic.name,
              mark: avatar(topic.id, "", "topic"),
              chat: chat.id,
              thread: topic.id,
              topic: true
            })
          )
        )
      )
    )
  }
  return items
}

export const startSidebar = () => {
  const nav = document.getElementById("sidebar")
  const me = h("button.me", { "aria-haspopup": "menu", onclick: (event) => peopleMenu(event.currentTarget) })
  const list = h("ul.chats")
  nav.append(
    h("div.side-head", {}, me, themeButton()),
    list,
    h(
      "div.side-foot",
      {},
      h("button.quiet", { onclick: groupDialog }, icon("group"), "New group"),
      h("button.quiet", { onclick: () => personDialog() }, icon("user"), "New person")
    )
  )
  const draw = () => {
    const user = state.users.get(state.me)
    if (user === undefined) return
    clear(
      me,
      avatar(user.id, nameOf(user)),
      h("span.me-words", {}, h("strong", {}, nameOf(user)), h("span", {}, "You write as")),
      icon("down")
    )
    me.setAttribute("aria-label", `You write as ${nameOf(user)}; change`)
    const focused = list.contains(document.activeElement)
      ? [...list.querySelectorAll("button")].indexOf(document.activeElement)
      : -1
    clear(list, chatItems())
    if (focused !== -1) list.querySelectorAll("button")[focused]?.focus({ preventScroll: true })
    const others = [...state.unread]
      .filter(([key]) => key.startsWith(`${state.me}/`))
      .reduce((sum, [, count]) => sum + count, 0)
    document.title = others > 0 ? `(${others}) Zapiska sandbox` : "Zapiska sandbox"
  }
  on("chats people open typing", draw)
  startHead()
}

const startHead = () => {
  const head = document.getElementById("chat-head")
  const back = iconButton("back", "All chats", () => show("list"), { class: "narrow-only" })
  const words = h("div.head-words")
  const picture = h("span.head-avatar")
  const more = iconButton(
    "more",
    "More about this chat",
    (event) => {
      const chat = state.chats.get(state.open.chat)
      const isPrivate = state.open.chat === state.me
      menu(event.currentTarget, [
        { icon: "check", label: "Select messages", run: () => select(true) },
        chat?.forum && { icon: "hash", label: "New topic…", run: () => topicDialog(chat) },
        isPrivate &&
          chat &&
          !chat.blocked && {
            icon: "block",
            label: "Block the bot",
            danger: true,
            run: () => act("block", { user: state.me })
          },
        isPrivate &&
          chat?.blocked && {
            icon: "check",
            label: "Unblock the bot",
            run: () => act("unblock", { user: state.me })
          }
      ])
    },
    { "aria-haspopup": "menu" }
  )
  head.append(back, picture, words, more)
  let shown = ""
  const draw = () => {
    const chat = state.chats.get(state.open.chat)
    const isPrivate = state.open.chat === state.me
    const view = openKey()
    const topic = chat?.topics?.find((one) => one.id === state.open.thread)
    const title = isPrivate
      ? state.bot.name
      : topic
        ? topic.name
        : chat?.forum
          ? "General"
          : (chat?.title ?? "")
    const busy = state.typing.has(view)
    const members = chat?.members.length ?? 0
    const subtitle = !state.connected
      ? "connecting…"
      : busy
        ? typingWords(view)
        : isPrivate
          ? `bot · @${state.bot.username}`
          : `${chat?.forum ? `${chat.title} · ` : ""}${members} ${members === 1 ? "member" : "members"} and the bot`
    const now = JSON.stringify([title, subtitle, busy])
    if (now === shown) return
    shown = now
    clear(
      picture,
      avatar(
        isPrivate ? state.bot.id : (topic?.id ?? state.open.chat),
        title,
        isPrivate ? "bot" : chat?.forum ? "topic" : "group"
      )
    )
    clear(
      words,
      h("h1", {}, title),
      h("span", { class: busy ? "typing" : "", "aria-live": busy ? "polite" : "off" }, subtitle)
    )
  }
  on("open chats people typing connection", draw)
  changed("open")
}
