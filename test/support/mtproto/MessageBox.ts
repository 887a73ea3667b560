/**
 * A numbered sequence of messages and of what happened to them: an account's own, or a channel's. What is missed is
 * told again by number (`pts`). Source: https://core.telegram.org/api/updates
 */
import type { tl } from "@mtcute/core"

/** What a test says of a message; the box gives it its number. */
export interface NewMessage {
  readonly text: string
  readonly entities?: ReadonlyArray<tl.TypeMessageEntity>
  readonly media?: tl.TypeMessageMedia
  /** Unix seconds; now, if not given. */
  readonly date?: number
  readonly forwarded?: tl.RawMessageFwdHeader
  readonly album?: tl.RawMessage["groupedId"]
}

export interface HistoryQuery {
  readonly offsetId: number
  readonly offsetDate: number
  readonly addOffset: number
  readonly limit: number
  readonly maxId: number
  readonly minId: number
}

export interface Event {
  readonly pts: number
  readonly update: tl.TypeUpdate
  readonly message?: tl.RawMessage
}

/** In the common box an update does not say where; in a channel it does. */
interface Words {
  readonly posted: (message: tl.RawMessage, pts: number) => tl.TypeUpdate
  readonly edited: (message: tl.RawMessage, pts: number) => tl.TypeUpdate
  readonly removed: (ids: Array<number>, pts: number) => tl.TypeUpdate
}

export const commonWords: Words = {
  posted: (message, pts) => ({ _: "updateNewMessage", message, pts, ptsCount: 1 }),
  edited: (message, pts) => ({ _: "updateEditMessage", message, pts, ptsCount: 1 }),
  removed: (messages, pts) => ({ _: "updateDeleteMessages", messages, pts, ptsCount: messages.length })
}

export const channelWords = (channelId: number): Words => ({
  posted: (message, pts) => ({ _: "updateNewChannelMessage", message, pts, ptsCount: 1 }),
  edited: (message, pts) => ({ _: "updateEditChannelMessage", message, pts, ptsCount: 1 }),
  removed: (messages, pts) => ({
    _: "updateDeleteChannelMessages",
    channelId,
    messages,
    pts,
    ptsCount: messages.length
  })
})

const sameChat = (a: tl.TypePeer, b: tl.TypePeer) =>
  (a._ === "peerUser" && b._ === "peerUser" && a.userId === b.userId) ||
  (a._ === "peerChannel" && b._ === "peerChannel" && a.channelId === b.channelId)

export const makeBox = (words: Words) => {
  const messages = new Map<number, tl.RawMessage>()
  let events: ReadonlyArray<Event> = []
  let pts = 1
  let lastId = 0

  const add = (event: Event): Event => {
    events = [...events, event]
    pts = event.pts
    return event
  }

  return {
    pts: () => pts,
    get: (id: number) => messages.get(id),
    size: () => messages.size,
    post: (where: Pick<tl.RawMessage, "peerId" | "fromId" | "out" | "post">, content: NewMessage): Event => {
      const message: tl.RawMessage = {
        _: "message",
        ...where,
        id: ++lastId,
        date: content.date ?? Math.floor(Date.now() / 1000),
        message: content.text,
        ...(content.entities === undefined ? {} : { entities: [...content.entities] }),
        ...(content.media === undefined ? {} : { media: content.media }),
        ...(content.forwarded === undefined ? {} : { fwdFrom: content.forwarded }),
        ...(content.album === undefined ? {} : { groupedId: content.album })
      }
      messages.set(message.id, message)
      return add({ pts: pts + 1, update: words.posted(message, pts + 1), message })
    },
    edit: (id: number, text: string): Event => {
      const before = messages.get(id)
      if (before === undefined) throw new Error(`there is no message ${id}`)
      const message = { ...before, message: text, editDate: Math.floor(Date.now() / 1000) }
      messages.set(id, message)
      return add({ pts: pts + 1, update: words.edited(message, pts + 1) })
    },
    remove: (ids: ReadonlyArray<number>): Event => {
      for (const id of ids) messages.delete(id)
      const after = pts + ids.length
      return add({ pts: after, update: words.removed([...ids], after) })
    },
    since: (known: number, limit: number) => events.filter((event) => event.pts > known).slice(0, limit),
    /** Newest first, by the rules of `messages.getHistory`. */
    history: (chat: tl.TypePeer, query: HistoryQuery): ReadonlyArray<tl.RawMessage> => {
      const all = [...messages.values()]
        .filter(({ peerId }) => sameChat(peerId, chat))
        .sort((a, b) => b.id - a.id)
      const offset = all.findIndex(
        ({ id, date }) =>
          (query.offsetId === 0 || id < query.offsetId) && (query.offsetDate === 0 || date < query.offsetDate)
      )
      const first = Math.max(0, (offset === -1 ? all.length : offset) + query.addOffset)
      const end = Math.max(0, (offset === -1 ? all.length : offset) + query.addOffset + query.limit)
      return all
        .slice(first, end)
        .filter(({ id }) => (query.maxId === 0 || id < query.maxId) && id > query.minId)
    }
  }
}
export type MessageBox = ReturnType<typeof makeBox>
