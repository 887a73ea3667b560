// What the page knows: people, chats, messages. Everything else draws from here and listens for changes.
import { act, fetchState } from "./api.js"

const pageSize = 50

const remembered = (key, fallback) => {
  try {
    return JSON.parse(localStorage.getItem(`zapiska.${key}`) ?? "") ?? fallback
  } catch {
    return fallback
  }
}
export const remember = (key, value) => {
  try {
    localStorage.setItem(`zapiska.${key}`, JSON.stringify(value))
  } catch {
    // A browser that keeps nothing only forgets what was read.
  }
}
export const recall = remembered

export const state = {
  /** @type {number | undefined} the person written as */
  me: undefined,
  bot: { id: 0, name: "Bot", username: "bot" },
  location: "",
  users: new Map(),
  chats: new Map(),
  /** Newest message by view. */
  latest: new Map(),
  /** By view: `{ list, complete, loading }`, oldest first. */
  views: new Map(),
  unread: new Map(Object.entries(remembered("unread", {}))),
  /** By view: Unix ms until the bot is busy, and with what. */
  typing: new Map(),
  /** By view: a Map of streamed previews. */
  drafts: new Map(),
  /** The chat on screen. */
  open: { chat: 0, thread: undefined },
  /** The first unread message when the chat was opened. */
  firstUnread: undefined,
  connected: true
}

const bus = new EventTarget()
const due = new Set()
let scheduled = false
const flush = () => {
  scheduled = false
  const topics = [...due]
  due.clear()
  for (const topic of topics) bus.dispatchEvent(new Event(topic))
}
/** Tells listeners once a frame; a hidden page has no frames. */
export const changed = (...topics) => {
  for (const topic of topics) due.add(topic)
  if (scheduled) return
  scheduled = true
  if (document.hidden) setTimeout(flush, 100)
  else requestAnimationFrame(flush)
}
export const on = (topics, listener) => {
  for (const topic of topics.split(" ")) bus.addEventListener(topic, listener)
}

export const viewKey = (chat, thread) => `${chat}:${state.chats.get(chat)?.forum ? (thread ?? 0) : 0}`
export const openKey = () => viewKey(state.open.chat, state.open.thread)
const unreadKey = (view) => `${state.me}/${view}`
export const unreadOf = (view) => state.unread.get(unreadKey(view)) ?? 0
const setUnread = (view, count) => {
  if (count > 0) state.unread.set(unreadKey(view), count)
  else state.unread.delete(unreadKey(view))
  remember("unread", Object.fromEntries(state.unread))
  changed("chats")
}

const lastRead = remembered("read", {})
export const markRead = (view) => {
  const newest = state.latest.get(view)
  if (newest !== undefined) lastRead[unreadKey(view)] = newest.id
  remember("read", lastRead)
  if (unreadOf(view) > 0) setUnread(view, 0)
}

export const viewOf = (view) => {
  let found = state.views.get(view)
  if (found === undefined) {
    found = { list: [], complete: false, loading: undefined, fresh: new Set() }
    state.views.set(view, found)
  }
  return found
}
const place = (view) => {
  const [chat, thread] = view.split(":").map(Number)
  return { chat, ...(thread === 0 ? {} : { thread }) }
}

const merge = (list, messages) => {
  const byId = new Map(list.map((message) => [message.id, message]))
  for (const message of messages) {
    const known = byId.get(message.id)
    if (known === undefined || JSON.stringify(known) !== JSON.stringify(message))
      byId.set(message.id, message)
  }
  return [...byId.values()].sort((a, b) => a.id - b.id)
}

/**
 * Events are in order, answers are not: what an event told about a message is newer than any answer to a
 * question asked before it.
 */
let tick = 0
const told = new Map()
const tell = (chat, id) => told.set(`${chat}/${id}`, ++tick)
const toldAfter = (since) => (message) => (told.get(`${message.chat}/${message.id}`) ?? 0) > since

/** The newest page: what was loaded before stays when it joins, and goes when there is a gap. */
export const loadNewest = async (view) => {
  if (!state.chats.has(place(view).chat)) {
    // A private chat nobody has written in is not there yet.
    Object.assign(viewOf(view), { list: [], complete: true, loaded: true })
    return changed("messages")
  }
  const since = tick
  const page = await act("messages", { ...place(view), limit: pageSize })
  const isNewer = toldAfter(since)
  const found = viewOf(view)
  const oldest = page.at(-1)?.id ?? 0
  const joins = page.length < pageSize || found.list.some((message) => message.id >= oldest)
  const there = new Set(page.map((message) => message.id))
  const kept = found.list.filter(
    (message) => isNewer(message) || (message.id >= oldest ? there.has(message.id) : joins)
  )
  found.list = merge(
    kept,
    page.filter((message) => !isNewer(message))
  )
  found.complete = page.length < pageSize || (joins && found.complete)
  found.loaded = true
  const newest = found.list.at(-1)
  if (newest !== undefined) state.latest.set(view, newest)
  changed("messages", "chats")
}

export const loadOlder = (view) => {
  const found = viewOf(view)
  if (found.complete || !found.loaded) return Promise.resolve()
  found.loading ??= (async () => {
    try {
      const since = tick
      const page = await act("messages", { ...place(view), before: found.list[0]?.id, limit: pageSize })
      const isNewer = toldAfter(since)
      found.list = merge(
        found.list,
        page.filter((message) => !isNewer(message))
      )
      found.complete = page.length < pageSize
    } finally {
      found.loading = undefined
      changed("messages")
    }
  })()
  changed("messages")
  return found.loading
}

/** Messages as the answer to sending them: only what no event has told yet. */
export const sent = (messages) => {
  for (const message of messages) if (!toldAfter(0)(message)) put(message, true)
}

/** A message as an event tells it. */
const put = (message, isNew) => {
  const view = viewKey(message.chat, message.thread)
  const found = viewOf(view)
  const known = found.list.some((one) => one.id === message.id)
  const newest = found.list.at(-1)
  if (known || (isNew && (newest === undefined || message.id > newest.id || found.complete))) {
    found.list = merge(found.list, [message])
  }
  if (isNew && !known) found.fresh.add(message.id)
  const latest = state.latest.get(view)
  const isNewest = latest === undefined || message.id >= latest.id
  if (isNewest) state.latest.set(view, message)
  if (isNew && message.from.id !== state.me && isNewest && latest?.id !== message.id) {
    if (view !== openKey() || document.hidden) setUnread(view, unreadOf(view) + 1)
  }
  changed("messages", "chats")
}

const find = (chat, messageId) => {
  for (const [view, found] of state.views) {
    if (!view.startsWith(`${chat}:`)) continue
    const index = found.list.findIndex((message) => message.id === messageId)
    if (index !== -1) return { found, index, view }
  }
}
export const messageOf = (chat, messageId) => {
  const at = find(chat, messageId)
  return at?.found.list[at.index]
}

const drop = (chat, ids) => {
  for (const [view, found] of state.views) {
    if (!view.startsWith(`${chat}:`)) continue
    found.list = found.list.filter((message) => !ids.includes(message.id))
    if (ids.includes(state.latest.get(view)?.id)) {
      if (found.list.length > 0) state.latest.set(view, found.list.at(-1))
      else state.latest.delete(view)
    }
  }
  changed("messages", "chats")
}

const until = (map, key, value, end) => {
  map.set(key, value)
  setTimeout(
    () => {
      if (map.get(key) !== value) return
      map.delete(key)
      changed("typing", "messages")
    },
    Math.max(0, end - Date.now())
  )
}

/** The person stopped it. */
export const dropDraft = ({ chat, thread }) => {
  state.drafts.delete(viewKey(chat, thread))
  changed("messages")
}

const quiet = (message) => {
  if (message.from.id !== state.bot.id) return
  state.typing.delete(viewKey(message.chat, message.thread))
  state.drafts.delete(viewKey(message.chat, message.thread))
  changed("typing")
}

/** @param {{_tag: string} & Record<string, any>} event */
export const apply = (event) => {
  const { message } = event
  for (const id of event.ids ?? [message?.id ?? event.messageId]) tell(event.chat, id)
  switch (event._tag) {
    case "MessageSent":
      quiet(message)
      return put(message, true)
    case "MessageEdited":
      return put(message, false)
    case "MessagesDeleted":
      return drop(event.chat, event.ids)
    case "Reacted": {
      const known = messageOf(event.chat, event.messageId)
      return known && put({ ...known, reactions: event.reactions }, false)
    }
    case "Typing":
      until(state.typing, viewKey(event.chat, event.thread), { action: event.action }, event.until)
      return changed("typing", "chats")
    case "Draft": {
      const view = viewKey(event.chat, event.thread)
      until(state.drafts, view, event, event.until)
      return changed("messages")
    }
    case "ChatChanged":
      return refresh()
  }
}

/** Everything but the messages, read anew. */
export const refresh = async () => {
  const since = tick
  const fresh = await fetchState(state.me)
  const isNewer = toldAfter(since)
  state.bot = fresh.bot
  state.location = fresh.knowledge.location
  state.users = new Map(fresh.users.map((user) => [user.id, user]))
  state.chats = new Map(fresh.chats.map((chat) => [chat.id, chat]))
  for (const message of fresh.latest) {
    const view = viewKey(message.chat, message.thread)
    if (isNewer(message) || (state.latest.get(view)?.id ?? 0) > message.id) continue
    state.latest.set(view, message)
    const isNews = message.from.id !== state.me && message.id > (lastRead[unreadKey(view)] ?? 0)
    if (isNews && view !== openKey() && unreadOf(view) === 0) setUnread(view, 1)
  }
  changed("chats", "people", "messages")
}

export const openChat = async (chat, thread) => {
  state.open = { chat, thread }
  const view = openKey()
  const count = unreadOf(view)
  const newest = state.latest.get(view)
  state.firstUnread = undefined
  remember(`open.${state.me}`, state.open)
  changed("open", "messages", "chats", "typing")
  await loadNewest(view)
  if (view !== openKey()) return
  if (count > 0 && newest !== undefined) state.firstUnread = viewOf(view).list.slice(-count)[0]?.id
  markRead(view)
  changed("messages")
}

/** Becomes another person: their chats, their unread messages. */
export const become = async (user) => {
  state.me = user
  remember("me", user)
  for (const map of [state.views, state.latest, state.typing, state.drafts, state.chats]) map.clear()
  state.open = { chat: user, thread: undefined }
  await refresh()
  const { chat, thread } = remembered(`open.${user}`, { chat: user })
  await openChat(state.chats.has(chat) ? chat : user, state.chats.has(chat) ? thread : undefined)
}

export const nameOf = (user) =>
  user === undefined
    ? "Someone"
    : [user.firstName, user.lastName].filter(Boolean).join(" ") || `User ${user.id}`
