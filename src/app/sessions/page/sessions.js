/** The sessions of all tenants as the admin API tells them, asked again every few seconds while somebody looks. */
const $ = (id) => document.getElementById(id)
const kept = "zapiska-admin-token"

/** How often, in milliseconds; a server that takes long is asked less often. */
const every = 2_000

let sessions = []
let drawn = ""
/** Of the sessions whose moves are shown. */
const open = new Map()
/** What came of an action, until the next. */
const notes = new Map()
let timer

const nameOf = ({ tenant, app }) => `${tenant}/${app}`
const pathOf = ({ tenant, app }) =>
  `/api/tenants/${encodeURIComponent(tenant)}/sessions/${encodeURIComponent(app)}`

class Refused extends Error {}

const ask = async (path, method = "GET") => {
  const answer = await fetch(path, {
    method,
    headers: { authorization: `Bearer ${sessionStorage.getItem(kept)}` }
  })
  if (answer.status === 401) throw new Refused("The token is not the right one")
  const body = answer.headers.get("content-type")?.includes("json") ? await answer.json() : {}
  if (!answer.ok) throw new Error(body.message ?? `The assistant answered ${answer.status}`)
  return body
}

const make = (tag, options = {}, ...children) => {
  const { label, ...rest } = options
  const element = Object.assign(document.createElement(tag), rest)
  if (label !== undefined) element.dataset.label = label
  element.append(...children)
  return element
}

const units = [
  ["d", 86_400],
  ["h", 3_600],
  ["min", 60],
  ["s", 1]
]
const spanOf = (seconds) => {
  const [unit, size] = units.find(([, least]) => seconds >= least) ?? ["s", 1]
  return `${Math.floor(seconds / size)} ${unit}`
}
const relative = (millis) => {
  const seconds = Math.round((Date.now() - millis) / 1000)
  if (Math.abs(seconds) < 2) return "now"
  return seconds > 0 ? `${spanOf(seconds)} ago` : `in ${spanOf(-seconds)}`
}
const timeOf = (millis) =>
  make(
    "time",
    { dateTime: new Date(millis).toISOString(), title: new Date(millis).toLocaleString() },
    relative(millis)
  )

/** Time passes though nothing changes. */
const age = () => {
  for (const time of document.querySelectorAll("time")) time.textContent = relative(Date.parse(time.dateTime))
}

const troubleOf = ({ lastError, nextTry, nextTryBecause }) => {
  const trouble = []
  if (lastError !== undefined) trouble.push(make("span", { className: "error" }, lastError))
  if (nextTry !== undefined) {
    const because = nextTryBecause === "flood" ? "Telegram asked to wait; next try " : "next try "
    trouble.push(make("span", { className: "quiet" }, because, timeOf(nextTry)))
  }
  return trouble
}

const movesOf = (history) =>
  history.length === 0
    ? make("p", { className: "quiet" }, "It has made no move yet.")
    : make(
        "ol",
        { className: "moves" },
        ...history.map(({ actor, at, from, reason, to }) =>
          make(
            "li",
            {},
            timeOf(at),
            make("span", {}, from === to ? to : `${from} → ${to}`),
            make("span", { className: "quiet" }, `${reason.replaceAll("_", " ")}, by ${actor}`)
          )
        )
      )

const button = (session, act, words, more = {}) => {
  const element = make("button", { type: "button", ...more }, words)
  element.dataset.act = act
  element.dataset.session = nameOf(session)
  return element
}

const isLoggedIn = ({ state }) => state === "AUTHORIZED" || state === "STALE"

const rowOf = (session) => {
  const name = nameOf(session)
  const { account, app, changed, kind, lastActivity, owner, state, tenant, tenantDisabled } = session
  const trouble = troubleOf(session)
  const acts = [
    button(session, "history", open.has(name) ? "Hide moves" : "Moves", {
      ariaExpanded: String(open.has(name))
    })
  ]
  if (kind === "user" && isLoggedIn(session))
    acts.push(
      button(session, "validate", "Validate"),
      button(session, "revoke", "Log out", { className: "bad" })
    )
  const row = make(
    "tr",
    { className: trouble.length > 0 ? "troubled" : "" },
    make(
      "td",
      { label: "Session" },
      make("b", {}, app),
      make("span", { className: "quiet place" }, `${tenant} · ${kind}`)
    ),
    make(
      "td",
      { label: "State" },
      make("span", { className: `state ${state.startsWith("PENDING") ? "PENDING" : state}` }, state),
      make("span", { className: "quiet since" }, timeOf(changed)),
      ...(tenantDisabled ? [make("span", { className: "quiet since" }, "rests: tenant disabled")] : [])
    ),
    make("td", { label: "Account" }, account === undefined ? "–" : `${account.name} (${account.id})`),
    make("td", { label: "Owner" }, owner ?? "–"),
    make("td", { label: "Last activity" }, lastActivity === undefined ? "–" : timeOf(lastActivity)),
    make("td", { label: "Trouble" }, ...(trouble.length === 0 ? ["–"] : trouble)),
    make("td", { className: "acts" }, ...acts)
  )
  row.dataset.session = name
  const rows = [row]
  if (notes.has(name))
    rows.push(make("tr", { className: "more" }, make("td", { colSpan: 7, role: "status" }, notes.get(name))))
  if (open.has(name))
    rows.push(make("tr", { className: "more" }, make("td", { colSpan: 7 }, movesOf(open.get(name)))))
  return rows
}

const draw = () => {
  const wanted = $("filter").value.trim().toLowerCase()
  const shown = sessions.filter((session) =>
    JSON.stringify(Object.values(session)).toLowerCase().includes(wanted)
  )
  const now = JSON.stringify([shown, sessions.length, [...open], [...notes]])
  if (now === drawn) return age()
  drawn = now
  // Whoever goes by the keyboard stays where they are.
  const { act, session } = document.activeElement?.dataset ?? {}
  $("rows").replaceChildren(...shown.flatMap(rowOf))
  if (act !== undefined)
    [...$("rows").querySelectorAll("button")]
      .find(({ dataset }) => dataset.act === act && dataset.session === session)
      ?.focus()
  const counted = Map.groupBy(sessions, ({ state }) => state)
  $("counts").replaceChildren(
    ...[...counted]
      .sort()
      .map(([state, all]) =>
        make(
          "li",
          { className: `state ${state.startsWith("PENDING") ? "PENDING" : state}` },
          `${all.length} ${state}`
        )
      )
  )
  $("none").hidden = shown.length > 0
  $("none").textContent = sessions.length === 0 ? "There are no sessions yet." : "No session fits the filter."
  document.querySelector("table").hidden = shown.length === 0
}

const leave = (why) => {
  clearTimeout(timer)
  sessionStorage.removeItem(kept)
  sessions = []
  open.clear()
  notes.clear()
  $("rows").replaceChildren()
  drawn = ""
  $("all").hidden = true
  $("enter").hidden = false
  $("wrong").textContent = why
  $("token").focus()
}

const look = async () => {
  clearTimeout(timer)
  const begun = Date.now()
  try {
    sessions = await ask("/api/sessions")
    for (const session of sessions.filter((one) => open.has(nameOf(one))))
      open.set(nameOf(session), (await ask(pathOf(session))).history)
    $("lost").hidden = true
    $("enter").hidden = true
    $("all").hidden = false
    draw()
  } catch (error) {
    if (error instanceof Refused) return leave(error.message)
    $("lost").textContent = `What you see is not fresh: ${error.message}. Trying again…`
    $("lost").hidden = false
    $("enter").hidden = true
    $("all").hidden = false
  }
  timer = setTimeout(() => !document.hidden && look(), Math.max(every, 5 * (Date.now() - begun)))
}

const sure = (session) =>
  new Promise((resolve) => {
    $("question").textContent = `Log ${nameOf(session)} out?`
    $("sure").returnValue = "no"
    $("sure").addEventListener("close", () => resolve($("sure").returnValue === "yes"), { once: true })
    $("sure").showModal()
  })

const acts = {
  history: async (session) => {
    const name = nameOf(session)
    if (!open.delete(name)) open.set(name, (await ask(pathOf(session))).history)
  },
  validate: async (session) => {
    const { state } = await ask(`${pathOf(session)}/validate`, "POST")
    notes.set(nameOf(session), `Telegram was asked: it is ${state}`)
  },
  revoke: async (session) => {
    if (!(await sure(session))) return
    const { problem } = await ask(`${pathOf(session)}/revoke`, "POST")
    notes.set(
      nameOf(session),
      problem === undefined ? "It is logged out" : `It is ended here, but ${problem}`
    )
  }
}

document.addEventListener("click", async ({ target }) => {
  const { act, session: name } = target.dataset ?? {}
  const session = sessions.find((one) => nameOf(one) === name)
  if (act === undefined || session === undefined) return
  target.disabled = true
  notes.delete(name)
  await acts[act](session).catch((error) => {
    if (error instanceof Refused) leave(error.message)
    else notes.set(name, error.message)
  })
  target.disabled = false
  if (sessionStorage.getItem(kept) !== null) await look()
})

$("filter").addEventListener("input", draw)
$("leave").addEventListener("click", () => leave(""))
document.addEventListener(
  "visibilitychange",
  () => !document.hidden && sessionStorage.getItem(kept) !== null && look()
)
$("enter").addEventListener("submit", (event) => {
  event.preventDefault()
  sessionStorage.setItem(kept, $("token").value.trim())
  $("token").value = ""
  look()
})

if (sessionStorage.getItem(kept) === null) leave("")
else look()
