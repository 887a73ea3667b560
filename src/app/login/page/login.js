/**
 * The page of a login: shows each step as the process tells it over one socket, and sends what its person answers.
 * What is secret stays in a field until it is sent, and nowhere else.
 */
const $ = (id) => document.getElementById(id)
const here = location.pathname

/** In the language of who looks. */
const words = JSON.parse(document.body.dataset.words)
const say = (text, put) =>
  Object.entries(put).reduce((said, [name, value]) => said.replaceAll(`{${name}}`, () => value), text)

let opened = document.body.dataset.opened === "yes"
/** The socket, and what it is to say first. */
let socket
/** Nothing comes after this. */
let over = false
/** What is under way is to end for what is begun next. */
let anew = false
let step = "choose"

const show = (name) => {
  const changed = step !== name
  step = name
  for (const section of document.querySelectorAll("section")) section.hidden = section.id !== name
  const field = $(name).querySelector("form[data-secret] input")
  if (field !== null && changed) field.focus()
  return changed
}

const send = (act) => socket?.readyState === WebSocket.OPEN && socket.send(JSON.stringify(act))

const form = () => $(step).querySelector("form[data-secret]")

/** A field that asks; what was said of a wrong answer stays until the next. */
const ask = (name, triesLeft) => {
  const fresh = show(name)
  const asking = form()
  for (const part of asking.elements) part.disabled = false
  asking.querySelector(".tries").textContent =
    triesLeft === 1 ? words.lastTry : say(words.tries, { n: triesLeft })
  if (fresh) asking.querySelector(".wrong").textContent = ""
  asking.querySelector("input").focus()
}

const shown = {
  Starting: () => show("starting"),
  Qr: ({ picture }) => {
    anew = true
    $("picture").setAttribute("viewBox", `0 0 ${picture.size} ${picture.size}`)
    $("picture").querySelector("path").setAttribute("d", picture.path)
    show("qr")
  },
  Scanned: () => show("scanned"),
  CodeSent: ({ via, length, triesLeft }) => {
    const code = length === undefined ? words.someCode : say(words.digits, { n: length })
    $("via").textContent = say(words.sent, { code, way: words.ways[via] ?? words.ways.other })
    ask("code", triesLeft)
  },
  PasswordNeeded: ({ hint, triesLeft }) => {
    $("hint").textContent = hint === undefined || hint === "" ? "" : say(words.hint, { hint })
    ask("password", triesLeft)
  },
  Authorized: ({ account }) => {
    over = true
    $("who").textContent = account.name
    show("done")
    socket.close()
  },
  Ended: ({ message, reason }) => {
    $("why").textContent = say(words.ended[reason] ?? "{message}", { message })
    show("ended")
  },
  Refused: ({ message, reason }) => {
    const asking = form()
    if (asking === null) return
    for (const part of asking.elements) part.disabled = false
    asking.querySelector(".wrong").textContent = words.refused[reason] ?? message
    asking.querySelector("input").focus()
  },
  Elsewhere: ({ owner }) => {
    $("owner").textContent = owner === undefined ? "" : say(words.owner, { owner })
    show("elsewhere")
  },
  Idle: () => show("choose")
}

/** Longer and longer, up to ten seconds. */
let patience = 500

const connect = (first) => {
  let established = false
  const url = new URL(`${here}/live`, location.href)
  url.protocol = url.protocol.replace("http", "ws")
  socket = new WebSocket(url)
  socket.onopen = () => {
    established = true
    patience = 500
    $("lost").hidden = true
    send(first)
  }
  socket.onmessage = ({ data }) => {
    const frame = JSON.parse(data)
    shown[frame._tag]?.(frame)
  }
  socket.onclose = async () => {
    if (over) return
    $("lost").hidden = false
    patience = Math.min(patience * 2, 10_000)
    await new Promise((resume) => setTimeout(resume, patience))
    // Refused rather than cut: the time of this link is over.
    if (!established && (await fetch(here).catch(() => undefined))?.status === 404) return location.reload()
    connect({ _tag: "Join" })
  }
}

/** Opens the link, if that was not done, and begins. */
const begin = async (act) => {
  if (socket?.readyState === WebSocket.OPEN) return send(act)
  show("starting")
  if (!opened) {
    const answer = await fetch(here, { method: "POST" }).catch(() => undefined)
    if (answer === undefined || answer.status >= 500) {
      $("why").textContent = words.away
      return show("ended")
    }
    if (!answer.ok) return show("gone")
    opened = true
  }
  connect(act)
}

const acts = {
  choose: () => show("choose"),
  cancel: () => send({ _tag: "Cancel" }),
  look: () => send({ _tag: "Join" }),
  anew: () => {
    anew = true
    show("choose")
  }
}

document.addEventListener("click", ({ target }) => acts[target.dataset?.act]?.())

document.addEventListener("submit", (event) => {
  event.preventDefault()
  const asking = event.target
  if (asking.id === "scan") return begin({ _tag: "Begin", anew })
  const field = asking.querySelector("input")
  if (asking.id === "by-phone") return begin({ _tag: "Begin", anew, phone: field.value })
  asking.querySelector(".wrong").textContent = ""
  for (const part of asking.elements) part.disabled = true
  const kind = asking.dataset.secret
  send({ _tag: kind, [kind.toLowerCase()]: field.value })
  field.value = ""
})

if (opened) connect({ _tag: "Join" })
