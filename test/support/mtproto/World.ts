/** Who and what the loopback Telegram knows: accounts with their passwords and messages, channels, bots, files. */
import { Long, type tl } from "@mtcute/core"
import { channelWords, commonWords, type MessageBox, makeBox } from "./MessageBox.ts"
import { makePassword, type Password } from "./Srp.ts"

export interface NewAccount {
  readonly id: number
  readonly phone: string
  readonly name?: string
  readonly username?: string
  /** Of the two-step verification; none without. */
  readonly password?: string
  readonly hint?: string
  /** What a code login has to be told; `54321` if not given. */
  readonly code?: string
  /** The data centre the account lives in. */
  readonly dc?: number
}

export interface Account {
  readonly id: number
  readonly phone: string
  readonly code: string
  dc: number
  readonly user: tl.RawUser
  readonly password: Password | undefined
  readonly box: MessageBox
  readonly channels: Set<Channel>
}

export interface Channel {
  readonly id: number
  readonly chat: tl.RawChannel
  readonly box: MessageBox
  /** Whether members may still see it. */
  open: boolean
}

export interface StoredFile {
  readonly id: number
  readonly size: number
  readonly dc: number
  readonly name: string
  readonly mime: string
}

/** An access hash, of which only has to be known that it is one. */
const hash = (id: number) => Long.fromNumber(id * 7 + 1)

/** What a file consists of can be told for any place in it, so that none has to be kept. */
export const fileBytes = (file: StoredFile, offset: number, length: number): Buffer => {
  const size = Math.max(0, Math.min(length, file.size - offset))
  const bytes = Buffer.alloc(size)
  for (let at = 0; at + 4 <= size; at += 4) bytes.writeUInt32LE((offset + at + file.id) >>> 0, at)
  return bytes
}

/** The file as the message that carries it shows it. */
export const documentMedia = (file: StoredFile): tl.RawMessageMediaDocument => ({
  _: "messageMediaDocument",
  document: {
    _: "document",
    id: Long.fromNumber(file.id),
    accessHash: hash(file.id),
    fileReference: Buffer.from(`reference-${file.id}`),
    date: 1_700_000_000,
    mimeType: file.mime,
    size: file.size,
    dcId: file.dc,
    attributes: [{ _: "documentAttributeFilename", fileName: file.name }]
  }
})

export const makeWorld = () => {
  const accounts = new Map<number, Account>()
  const channels = new Map<number, Channel>()
  const bots = new Map<number, tl.RawUser>()
  const files = new Map<number, StoredFile>()

  const addAccount = (account: NewAccount): Account => {
    const added: Account = {
      id: account.id,
      phone: account.phone,
      code: account.code ?? "54321",
      dc: account.dc ?? 2,
      user: {
        _: "user",
        id: account.id,
        accessHash: hash(account.id),
        firstName: account.name ?? "Ada",
        phone: account.phone,
        ...(account.username === undefined ? {} : { username: account.username })
      },
      password: account.password === undefined ? undefined : makePassword(account.password, account.hint),
      box: makeBox(commonWords),
      channels: new Set()
    }
    accounts.set(account.id, added)
    return added
  }

  const addChannel = (
    channel: {
      readonly id: number
      readonly title: string
      readonly username?: string
      readonly group?: true
    },
    members: ReadonlyArray<number>
  ): Channel => {
    const added: Channel = {
      id: channel.id,
      open: true,
      chat: {
        _: "channel",
        id: channel.id,
        accessHash: hash(channel.id),
        title: channel.title,
        photo: { _: "chatPhotoEmpty" },
        date: 1_600_000_000,
        ...(channel.group ? { megagroup: true } : { broadcast: true }),
        ...(channel.username === undefined ? {} : { username: channel.username })
      },
      box: makeBox(channelWords(channel.id))
    }
    channels.set(channel.id, added)
    for (const member of members) accounts.get(member)?.channels.add(added)
    return added
  }

  const addBot = (bot: { readonly id: number; readonly username: string }): tl.RawUser => {
    const added: tl.RawUser = {
      _: "user",
      id: bot.id,
      accessHash: hash(bot.id),
      bot: true,
      botInfoVersion: 1,
      firstName: bot.username,
      username: bot.username
    }
    bots.set(bot.id, added)
    return added
  }

  return {
    accounts,
    channels,
    bots,
    files,
    addAccount,
    addChannel,
    addBot,
    addFile: (file: Omit<StoredFile, "id">): StoredFile => {
      const added = { ...file, id: 1000 + files.size }
      files.set(added.id, added)
      return added
    },
    byPhone: (phone: string) =>
      [...accounts.values()].find((account) => account.phone === phone.replace(/\D/g, "")),
    /** As the account sees itself. */
    self: (account: Account): tl.RawUser => ({ ...account.user, self: true }),
    users: (account: Account): Array<tl.RawUser> => [{ ...account.user, self: true }, ...bots.values()]
  }
}
export type World = ReturnType<typeof makeWorld>
