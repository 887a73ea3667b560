/** How a logged-in client reads: itself, its chats, their messages, what it missed, and files. */
import type { tl } from "@mtcute/core"
import { type Call, Fault } from "./Connection.ts"
import type { MessageBox } from "./MessageBox.ts"
import { accountOf, type Methods } from "./Methods.ts"
import { type Account, type Channel, fileBytes, type World } from "./World.ts"

export interface ReadingSettings {
  /** Events told in one `getDifference`; Telegram decides by itself. */
  slice: number
  /** A channel that went further than this is told to be read anew. */
  channelGap: number
  /** An account that went further than this is told where it is, and not what happened. */
  accountGap: number
}

interface DataCentreAddress {
  readonly id: number
  readonly port: number
}

const now = () => Math.floor(Date.now() / 1000)

export const readingMethods = (
  world: World,
  settings: ReadingSettings,
  dataCentres: () => ReadonlyArray<DataCentreAddress>
): Methods => {
  const state = (account: Account): tl.updates.RawState => ({
    _: "updates.state",
    pts: account.box.pts(),
    qts: 0,
    date: now(),
    seq: 0,
    unreadCount: 0
  })
  const channelOf = (call: Call, channelId: number): Channel => {
    const channel = [...accountOf(call).channels].find(({ id }) => id === channelId)
    if (channel === undefined || !channel.open) throw new Fault(400, "CHANNEL_PRIVATE")
    return channel
  }
  const chatsOf = (account: Account) => [...account.channels].map(({ chat }) => chat)

  const boxOf = (
    call: Call,
    peer: tl.TypeInputPeer
  ): { box: MessageBox; chat: tl.TypePeer; in?: Channel } => {
    const account = accountOf(call)
    switch (peer._) {
      case "inputPeerSelf":
        return { box: account.box, chat: { _: "peerUser", userId: account.id } }
      case "inputPeerUser":
        return { box: account.box, chat: { _: "peerUser", userId: peer.userId } }
      case "inputPeerChannel": {
        const channel = channelOf(call, peer.channelId)
        return { box: channel.box, chat: { _: "peerChannel", channelId: channel.id }, in: channel }
      }
      default:
        throw new Fault(400, "PEER_ID_INVALID")
    }
  }

  const inputChannelId = (channel: tl.TypeInputChannel): number =>
    channel._ === "inputChannel" ? channel.channelId : 0

  return {
    "help.getConfig": ({ dc }) => ({
      _: "config",
      date: now(),
      expires: now() + 3600,
      testMode: false,
      thisDc: dc,
      dcOptions: dataCentres().map(({ id, port }) => ({ _: "dcOption", id, ipAddress: "127.0.0.1", port })),
      dcTxtDomainName: "",
      chatSizeMax: 200,
      megagroupSizeMax: 200_000,
      forwardedCountMax: 100,
      onlineUpdatePeriodMs: 210_000,
      offlineBlurTimeoutMs: 5000,
      offlineIdleTimeoutMs: 30_000,
      onlineCloudTimeoutMs: 300_000,
      notifyCloudDelayMs: 30_000,
      notifyDefaultDelayMs: 1500,
      pushChatPeriodMs: 60_000,
      pushChatLimit: 2,
      editTimeLimit: 172_800,
      revokeTimeLimit: 172_800,
      revokePmTimeLimit: 172_800,
      ratingEDecay: 2_419_200,
      stickersRecentLimit: 200,
      channelsReadMediaPeriod: 604_800,
      callReceiveTimeoutMs: 20_000,
      callRingTimeoutMs: 90_000,
      callConnectTimeoutMs: 30_000,
      callPacketTimeoutMs: 10_000,
      meUrlPrefix: "https://t.me/",
      captionLengthMax: 1024,
      messageLengthMax: 4096,
      webfileDcId: 4
    }),
    "help.getNearestDc": ({ dc }) => ({ _: "nearestDc", country: "DE", thisDc: dc, nearestDc: dc }),
    "users.getUsers": (call, { id }) => {
      const account = accountOf(call)
      return id.map((wanted) => {
        if (wanted._ === "inputUserSelf") return world.self(account)
        const other = wanted._ === "inputUser" ? world.bots.get(wanted.userId) : undefined
        return other ?? { _: "userEmpty", id: 0 }
      })
    },
    "users.getFullUser": (call) => {
      const account = accountOf(call)
      return {
        _: "users.userFull",
        fullUser: {
          _: "userFull",
          id: account.id,
          settings: { _: "peerSettings" },
          notifySettings: { _: "peerNotifySettings" },
          commonChatsCount: 0
        },
        chats: [],
        users: [world.self(account)]
      }
    },
    "contacts.resolveUsername": (call, { username }) => {
      const account = accountOf(call)
      const bot = [...world.bots.values()].find((known) => known.username === username)
      if (bot !== undefined) {
        return {
          _: "contacts.resolvedPeer",
          peer: { _: "peerUser", userId: bot.id },
          chats: [],
          users: [bot]
        }
      }
      const channel = [...account.channels].find(({ chat }) => chat.username === username)
      if (channel === undefined) throw new Fault(400, "USERNAME_NOT_OCCUPIED")
      const peer: tl.TypePeer = { _: "peerChannel", channelId: channel.id }
      return { _: "contacts.resolvedPeer", peer, chats: [channel.chat], users: [] }
    },
    "messages.getDialogs": (call) => {
      const account = accountOf(call)
      return {
        _: "messages.dialogs",
        dialogs: [...account.channels].map((channel) => ({
          _: "dialog",
          peer: { _: "peerChannel", channelId: channel.id },
          topMessage: channel.box.size(),
          readInboxMaxId: 0,
          readOutboxMaxId: 0,
          unreadCount: 0,
          unreadMentionsCount: 0,
          unreadReactionsCount: 0,
          unreadPollVotesCount: 0,
          notifySettings: { _: "peerNotifySettings" },
          pts: channel.box.pts()
        })),
        messages: [...account.channels].flatMap(({ box }) => box.get(box.size()) ?? []),
        chats: chatsOf(account),
        users: [world.self(account)]
      }
    },
    "channels.getChannels": (call, { id }) => ({
      _: "messages.chats",
      chats: id.map((wanted) => channelOf(call, inputChannelId(wanted)).chat)
    }),
    "channels.getFullChannel": (call, { channel: wanted }) => {
      const channel = channelOf(call, inputChannelId(wanted))
      return {
        _: "messages.chatFull",
        fullChat: {
          _: "channelFull",
          id: channel.id,
          about: "",
          readInboxMaxId: 0,
          readOutboxMaxId: 0,
          unreadCount: 0,
          chatPhoto: { _: "photoEmpty", id: channel.chat.accessHash! },
          notifySettings: { _: "peerNotifySettings" },
          botInfo: [],
          pts: channel.box.pts()
        },
        chats: [channel.chat],
        users: []
      }
    },
    "messages.getHistory": (call, { peer, ...query }) => {
      const account = accountOf(call)
      const { box, chat, in: channel } = boxOf(call, peer)
      const messages = [...box.history(chat, query)]
      const rest = { messages, topics: [], chats: chatsOf(account), users: world.users(account) }
      return channel === undefined
        ? { _: "messages.messages", ...rest }
        : { _: "messages.channelMessages", pts: box.pts(), count: box.size(), ...rest }
    },
    "updates.getState": (call) => state(accountOf(call)),
    "updates.getDifference": (call, { pts, date }) => {
      const account = accountOf(call)
      if (account.box.pts() - pts > settings.accountGap) {
        return { _: "updates.differenceTooLong", pts: account.box.pts() }
      }
      const events = account.box.since(pts, settings.slice)
      const channels = [...account.channels].filter(({ box }) => box.pts() > 1)
      if (events.length === 0 && channels.length === 0) {
        return { _: "updates.differenceEmpty", date: Math.max(date, now()), seq: 0 }
      }
      const reached = events.at(-1)?.pts ?? account.box.pts()
      const told = {
        newMessages: events.flatMap(({ message }) => message ?? []),
        newEncryptedMessages: [],
        otherUpdates: [
          ...events.flatMap(({ message, update }) => (message === undefined ? [update] : [])),
          ...channels.map(
            (channel): tl.TypeUpdate => ({
              _: "updateChannelTooLong",
              channelId: channel.id,
              pts: channel.box.pts()
            })
          )
        ],
        chats: chatsOf(account),
        users: world.users(account)
      }
      return reached < account.box.pts()
        ? { _: "updates.differenceSlice", ...told, intermediateState: { ...state(account), pts: reached } }
        : { _: "updates.difference", ...told, state: state(account) }
    },
    "updates.getChannelDifference": (call, { channel: wanted, pts, limit }) => {
      const channel = channelOf(call, inputChannelId(wanted))
      const { box, chat } = channel
      if (pts === box.pts()) {
        return { _: "updates.channelDifferenceEmpty", final: true, pts, timeout: 30 }
      }
      if (box.pts() - pts > settings.channelGap) {
        return {
          _: "updates.channelDifferenceTooLong",
          final: true,
          timeout: 30,
          dialog: {
            _: "dialog",
            peer: { _: "peerChannel", channelId: channel.id },
            topMessage: box.size(),
            readInboxMaxId: 0,
            readOutboxMaxId: 0,
            unreadCount: 0,
            unreadMentionsCount: 0,
            unreadReactionsCount: 0,
            unreadPollVotesCount: 0,
            notifySettings: { _: "peerNotifySettings" },
            pts: box.pts()
          },
          messages: [],
          chats: [chat],
          users: []
        }
      }
      const events = box.since(pts, limit)
      const reached = events.at(-1)?.pts ?? box.pts()
      return {
        _: "updates.channelDifference",
        final: reached === box.pts(),
        pts: reached,
        timeout: 30,
        newMessages: events.flatMap(({ message }) => message ?? []),
        otherUpdates: events.flatMap(({ message, update }) => (message === undefined ? [update] : [])),
        chats: [chat],
        users: []
      }
    },
    "upload.getFile": (call, { location, offset, limit }) => {
      accountOf(call)
      if (location._ !== "inputDocumentFileLocation") throw new Fault(400, "LOCATION_INVALID")
      const file = world.files.get(location.id.toNumber())
      if (file === undefined) throw new Fault(400, "LOCATION_INVALID")
      if (!Buffer.from(location.fileReference).equals(Buffer.from(`reference-${file.id}`))) {
        throw new Fault(400, "FILE_REFERENCE_EXPIRED")
      }
      if (file.dc !== call.dc) throw new Fault(303, `FILE_MIGRATE_${file.dc}`)
      return {
        _: "upload.file",
        type: { _: "storage.fileUnknown" },
        mtime: 0,
        bytes: fileBytes(file, Number(offset), limit)
      }
    }
  }
}
