// What lies over the page: toasts, menus, dialogs, a picture in full.
import { h, icon, iconButton } from "./dom.js"

export const toast = (text, kind = "") => {
  const element = h("div.toast", { class: kind }, text)
  const box = document.getElementById("toasts")
  box.append(element)
  while (box.children.length > 4) box.firstChild.remove()
  setTimeout(() => element.classList.add("leaving"), 4200)
  setTimeout(() => element.remove(), 4500)
}

/** Runs a deed of the person's; what goes wrong is told, never lost. */
export const attempt = async (deed) => {
  try {
    return await deed()
  } catch (error) {
    toast(error instanceof Error ? error.message : String(error), "error")
  }
}

/**
 * A dialog with one form. `submit` may return false to stay open.
 * @returns {{dialog: HTMLDialogElement, close: () => void}}
 */
export const openDialog = ({ title, content, confirm, cancel = "Cancel", submit, wide }) => {
  const close = () => dialog.close()
  const go = confirm === undefined ? undefined : h("button.primary", { type: "submit" }, confirm)
  const form = h(
    "form",
    {
      method: "dialog",
      onsubmit: async (event) => {
        event.preventDefault()
        if (go?.disabled) return
        if (go) go.disabled = true
        const done = await attempt(async () => (await submit?.()) !== false)
        if (go) go.disabled = false
        if (done) close()
      }
    },
    h("div.dialog-head", {}, h("h2", { id: "dialog-title" }, title), iconButton("close", "Close", close)),
    h("div.dialog-body", {}, content),
    go && h("div.dialog-foot", {}, h("button.quiet", { onclick: close }, cancel), go)
  )
  const dialog = h("dialog", { "aria-labelledby": "dialog-title", class: wide ? "wide" : "" }, form)
  const before = document.activeElement
  dialog.addEventListener("close", () => {
    dialog.remove()
    // What was begun beside the input ends in it.
    const back = before?.closest("#composer, .welcome") ? document.getElementById("input") : before
    if (back instanceof HTMLElement && back.isConnected) back.focus({ preventScroll: true })
  })
  dialog.addEventListener("click", (event) => event.target === dialog && close())
  document.body.append(dialog)
  dialog.showModal()
  return { dialog, close, confirm: go }
}

export const field = (label, input) => h("label.field", {}, h("span", {}, label), input)

let openMenu

/**
 * A menu at a point or under an element. Entries: `{icon, label, run, danger}`, an element, or false.
 */
export const menu = (at, entries, { label = "Menu" } = {}) => {
  openMenu?.()
  const before = document.activeElement
  const close = (refocus = true) => {
    element.remove()
    document.removeEventListener("pointerdown", outside, true)
    window.removeEventListener("resize", close)
    openMenu = undefined
    if (refocus && before instanceof HTMLElement && before.isConnected) before.focus({ preventScroll: true })
  }
  const outside = (event) => !element.contains(event.target) && close(false)
  const element = h(
    "div.menu",
    {
      role: "menu",
      "aria-label": label,
      onkeydown: (event) => {
        const items = [...element.querySelectorAll("button")]
        const index = items.indexOf(document.activeElement)
        const step = { ArrowDown: 1, ArrowUp: -1, ArrowRight: 1, ArrowLeft: -1 }[event.key]
        if (step !== undefined) {
          event.preventDefault()
          items.at((index + step + items.length) % items.length)?.focus()
        } else if (event.key === "Escape" || event.key === "Tab") {
          event.preventDefault()
          event.stopPropagation()
          close()
        }
      }
    },
    entries.filter(Boolean).map((entry) =>
      entry instanceof Node
        ? entry
        : h(
            "button",
            {
              role: entry.checked === undefined ? "menuitem" : "menuitemradio",
              "aria-checked": entry.checked === undefined ? undefined : String(entry.checked),
              class: entry.danger ? "danger" : "",
              onclick: () => {
                close()
                attempt(async () => entry.run())
              }
            },
            entry.mark ?? icon(entry.icon),
            h("span", {}, entry.label),
            entry.checked === true && icon("check", "tick")
          )
    )
  )
  element.addEventListener("menu-done", () => close())
  ;(document.querySelector("dialog[open]") ?? document.body).append(element)
  const box =
    at instanceof Element ? at.getBoundingClientRect() : { left: at.x, right: at.x, top: at.y, bottom: at.y }
  const { offsetWidth: width, offsetHeight: height } = element
  const left = box.left + width > innerWidth - 8 ? Math.max(8, box.right - width) : box.left
  const top = box.bottom + 4 + height > innerHeight - 8 ? Math.max(8, box.top - height - 4) : box.bottom + 4
  element.style.left = `${left}px`
  element.style.top = `${top}px`
  document.addEventListener("pointerdown", outside, true)
  window.addEventListener("resize", close)
  openMenu = close
  ;(element.querySelector("[aria-checked=true]") ?? element.querySelector("button"))?.focus({
    preventScroll: true
  })
  return close
}

export const lightbox = (src, alt) => {
  const { dialog, close } = openDialog({ title: alt || "Photo", content: h("img", { src, alt }) })
  dialog.classList.add("lightbox")
  dialog.querySelector("img").addEventListener("click", close)
}

export const alertBox = (text) =>
  openDialog({ title: "Message of the bot", content: h("p.alert-text", {}, text) })
