// The sandbox's page: puts its parts together and keeps them up to date.
import { act, listen } from "./api.js"
import { startComposer } from "./composer.js"
import { h } from "./dom.js"
import { forwardDialog, sendOnDialog } from "./forward.js"
import { startNotes } from "./notes.js"
import { alertBox, attempt, menu, toast } from "./overlay.js"
import { applyTheme, startSidebar } from "./sidebar.js"
import {
  apply,
  become,
  changed,
  dropDraft,
  loadNewest,
  on,
  openKey,
  recall,
  refresh,
  state
} from "./store.js"
import { select, startTimeline, toggle } from "./timeline.js"
import { startTabs } from "./views.js"

const quick = ["👍", "❤️", "🔥", "🎉", "😁", "🤔", "👎"]

const reactTo = (message, emoji) =>
  attempt(async () => {
    const mine = message.reactions.filter((one) => one.by.includes(state.me)).map((one) => one.emoji)
    const next = mine.includes(emoji) ? mine.filter((one) => one !== emoji) : [emoji]
    await act("react", { chat: message.chat, messageId: message.id, from: state.me, emoji: next })
  })

const press = (message, button, element) =>
  attempt(async () => {
    element.classList.add("waiting")
    element.setAttribute("aria-busy", "true")
    try {
      const answer = await act("press", {
        chat: message.chat,
        messageId: message.id,
        from: state.me,
        data: button.data
      })
      if (answer.text) answer.alert ? alertBox(answer.text) : toast(answer.text)
      if (answer.url && /^https?:/i.test(answer.url)) open(answer.url, "_blank", "noopener")
    } finally {
      element.classList.remove("waiting")
      element.removeAttribute("aria-busy")
    }
  })

let timeline
let composer

const actions = {
  react: reactTo,
  press,
  stopDraft: (draft) =>
    attempt(async () => {
      await act("stopDraft", { chat: draft.chat, draftId: draft.draftId })
      dropDraft(draft)
    }),
  vote: (message, option) =>
    attempt(() =>
      act("vote", { chat: message.chat, messageId: message.id, from: state.me, options: [option] })
    ),
  jump: (_message, id) => timeline.jump(id),
  reply: (message) => composer.reply(message),
  command: (text) => composer.command(text),
  write: (text) => composer.write(text),
  pickFiles: () => composer.pick(),
  forwardExamples: () => forwardDialog(3),
  menu: (messages, at) => {
    const message = messages.find((one) => one.text !== "") ?? messages[0]
    const ids = messages.map((one) => one.id)
    const own = message.from.id === state.me
    menu(
      at,
      [
        h(
          "div.quick",
          { role: "group", "aria-label": "React" },
          quick.map((emoji) =>
            h(
              "button",
              {
                role: "menuitem",
                "aria-label": `React with ${emoji}`,
                onclick: (event) => {
                  reactTo(messages[0], emoji)
                  event.currentTarget.dispatchEvent(new Event("menu-done", { bubbles: true }))
                }
              },
              emoji
            )
          )
        ),
        { icon: "reply", label: "Reply", run: () => composer.reply(message) },
        own &&
          !message.origin &&
          !message.poll &&
          !message.dice &&
          !message.location &&
          !message.contact && { icon: "edit", label: "Edit", run: () => composer.edit(message) },
        message.text !== "" && {
          icon: "copy",
          label: "Copy text",
          run: () => navigator.clipboard.writeText(message.text)
        },
        { icon: "forward", label: "Forward", run: () => sendOnDialog(message.chat, ids) },
        {
          icon: "check",
          label: "Select",
          run: () => {
            select(true)
            toggle(messages)
          }
        },
        {
          icon: "trash",
          label: "Delete",
          danger: true,
          run: () => act("deleteMessages", { chat: message.chat, messageIds: ids })
        }
      ],
      { label: "Message" }
    )
  }
}

const start = async () => {
  applyTheme()
  startTabs()
  startSidebar()
  timeline = startTimeline(actions)
  composer = startComposer(timeline)
  const notes = startNotes()

  let close = () => undefined
  let line = Promise.resolve()
  const connect = () => {
    close()
    const user = state.me
    close = listen(user, {
      hello: () => {
        state.connected = true
        changed("connection")
        // Whatever happened while nobody listened is listed now.
        attempt(async () => {
          await refresh()
          if (user === state.me) await loadNewest(openKey())
        })
        notes.sync()
      },
      // In order, even where one of them has to ask the server something first.
      event: (event) => {
        line = line.then(() => (user === state.me ? attempt(async () => apply(event)) : undefined))
      },
      knowledge: () => notes.sync(),
      lost: () => {
        state.connected = false
        changed("connection")
      }
    })
  }
  let connected
  on("people", () => {
    if (state.me === connected) return
    connected = state.me
    connect()
  })

  await refresh()
  if (state.users.size === 0) {
    const language = navigator.language.split("-")[0]
    await act("createUser", { firstName: "Alex", username: "alex", language })
    await refresh()
  }
  const remembered = recall("me", undefined)
  await become(state.users.has(remembered) ? remembered : [...state.users.keys()][0])
  if (matchMedia("(min-width: 760px)").matches) document.getElementById("input").focus()
}

attempt(start)
