// On a narrow screen one thing at a time: the chats, the conversation, or the notes.
import { clear, h, icon } from "./dom.js"

const app = () => document.getElementById("app")

export const show = (view) => {
  app().dataset.view = view
  for (const tab of document.querySelectorAll("#tabs [role=tab]")) {
    const isOn = tab.dataset.view === (view === "notes" ? "notes" : "chat")
    tab.setAttribute("aria-selected", String(isOn))
    tab.tabIndex = isOn ? 0 : -1
    if (isOn) clear(tab.querySelector(".dot-box"))
  }
  app().dispatchEvent(new Event("view"))
}
export const viewNow = () => app().dataset.view

/** A dot on the tab of the notes while they are not on screen. */
export const hint = () => {
  if (viewNow() !== "notes")
    clear(
      document.querySelector("#tabs [data-view=notes] .dot-box"),
      h("span.dot", { "aria-label": "changed" })
    )
}

export const startTabs = () => {
  const tab = (view, name, label, controls) =>
    h(
      "button",
      { role: "tab", data: { view }, "aria-controls": controls, onclick: () => show(view) },
      icon(name),
      label,
      h("span.dot-box")
    )
  const tabs = document.getElementById("tabs")
  tabs.append(tab("chat", "chat", "Chat", "chat"), tab("notes", "book", "Notes", "notes"))
  tabs.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return
    show(viewNow() === "notes" ? "chat" : "notes")
    tabs.querySelector("[aria-selected=true]").focus()
  })
  show("chat")
}
