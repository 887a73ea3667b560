/**
 * What people do in a durability test: a story made of a seed, told to the emulator step by step. Every message
 * carries a marker of its own, by which it is found again in the notes.
 */
import { createHash } from "node:crypto"
import { Effect, Random } from "effect"
import { BotApiEmulator, type SendText } from "../../src/sandbox/Control.ts"

/** One person in one chat, or in one topic of it: a conversation. */
export interface Place {
  readonly chat: number
  readonly from?: number
  readonly thread?: number
}

export type Step =
  | { readonly _tag: "Texts"; readonly place: number; readonly texts: ReadonlyArray<string> }
  | {
      readonly _tag: "Forwards"
      readonly place: number
      readonly comment: string
      readonly texts: ReadonlyArray<string>
    }
  | { readonly _tag: "Album"; readonly place: number; readonly captions: ReadonlyArray<string> }
  | { readonly _tag: "Command"; readonly place: number; readonly text: string }
  /** The `nth` marked message of the story, changed. */
  | { readonly _tag: "Edit"; readonly nth: number; readonly text: string }
  /** Telegram gives its last updates once more. */
  | { readonly _tag: "Again"; readonly count: number; readonly reversed: boolean }

const commands = ["/status", "/recent", "/help", "/done", "/done", "/start"]
const words = [
  "oak",
  "river",
  "letter",
  "#work plan",
  "#home lamp",
  "**stars**",
  "книга",
  "1. list",
  "> quote"
]

export const marker = /\bz\d+v\d+\b/g

/** The newest text of each message; what must be found in the notes in the end. */
interface Said {
  readonly place: number
  readonly album: boolean
  version: number
}

/** More to say, for when the story is told and something has still to be reached. */
const reserve = 240

/** A story about `updates` updates long, by people in `places` places, and some simple steps beyond it. */
export const steps = Effect.fnUntraced(function* (options: {
  readonly updates: number
  readonly places: number
}) {
  const said: Array<Said> = []
  const result: Array<Step> = []
  let updates = 0
  const word = Random.nextIntBetween(0, words.length - 1).pipe(Effect.map((index) => words[index]!))
  const fresh = Effect.fnUntraced(function* (place: number, album: boolean) {
    const nth = said.push({ place, album, version: 0 }) - 1
    return `z${nth}v0 ${yield* word} ${yield* word}`
  })
  const several = (count: number, place: number, album: boolean) =>
    Effect.forEach(Array.from({ length: count }), () => fresh(place, album))

  while (updates < options.updates) {
    const place = yield* Random.nextIntBetween(0, options.places - 1)
    const dice = yield* Random.nextIntBetween(0, 99)
    if (dice < 45) {
      const texts = yield* several(yield* Random.nextIntBetween(1, 3), place, false)
      result.push({ _tag: "Texts", place, texts })
      updates += texts.length
    } else if (dice < 57) {
      const [comment = "", ...texts] = yield* several(yield* Random.nextIntBetween(2, 4), place, false)
      result.push({ _tag: "Forwards", place, comment, texts })
      updates += texts.length + 1
    } else if (dice < 67) {
      const captions = yield* several(yield* Random.nextIntBetween(2, 4), place, true)
      result.push({ _tag: "Album", place, captions })
      updates += captions.length
    } else if (dice < 85 && said.length > 0) {
      const lately = yield* Random.nextBoolean
      const nth = yield* Random.nextIntBetween(lately ? Math.max(0, said.length - 6) : 0, said.length - 1)
      const one = said[nth]!
      one.version += 1
      result.push({ _tag: "Edit", nth, text: `z${nth}v${one.version} ${yield* word} changed` })
      updates += 1
    } else if (dice < 89) {
      const text = `/note ${yield* fresh(place, false)}`
      result.push({ _tag: "Command", place, text })
      updates += 1
    } else if (dice < 97) {
      const at = yield* Random.nextIntBetween(0, commands.length - 1)
      result.push({ _tag: "Command", place, text: commands[at]! })
      updates += 1
    } else {
      const count = yield* Random.nextIntBetween(1, 8)
      result.push({ _tag: "Again", count, reversed: yield* Random.nextBoolean })
    }
  }
  const beyond = yield* Effect.forEach(Array.from({ length: reserve }), (_, index) =>
    Effect.map(
      fresh(index % options.places, false),
      (text): Step => ({ _tag: "Texts", place: index % options.places, texts: [text] })
    )
  )
  return { story: result, beyond }
})

/** The bytes of the picture that comes with a caption: no two are equal. */
const picture = (caption: string) => new TextEncoder().encode(`a picture of ${caption}`)

const origin = { kind: "channel", name: "Daily News", username: "daily", date: 1_790_000_000 } as const

/** What was told so far, and what must come of it. */
export interface Told {
  /** Markers with the newest version of each message. */
  readonly markers: () => ReadonlySet<string>
  /** SHA-256 of every picture. */
  readonly pictures: () => ReadonlySet<string>
  /** Updates sent, each counted once. */
  readonly updates: () => number
  /** Of them commands that are answered; `/done` is so only when there is nothing to close. */
  readonly commands: () => { readonly always: number; readonly perhaps: number }
}

/** Tells steps to the emulator. What it told is what the emulator acknowledged. */
export const makeTeller = Effect.fnUntraced(function* (places: ReadonlyArray<Place>) {
  const telegram = yield* BotApiEmulator
  const messages: Array<{ readonly chat: number; readonly messageId: number; readonly from?: number }> = []
  const markers: Array<string> = []
  const pictures = new Set<string>()
  let updates = 0
  const commands = { always: 0, perhaps: 0 }

  const remember = (place: Place, text: string, messageId: number) => {
    const [found] = text.match(marker) ?? []
    if (found === undefined) return
    const nth = Number(found.slice(1, found.indexOf("v")))
    const from = place.from === undefined ? {} : { from: place.from }
    messages[nth] = { chat: place.chat, messageId, ...from }
    markers[nth] = found
  }
  const sendTexts = Effect.fnUntraced(function* (place: Place, all: ReadonlyArray<SendText>) {
    const sent = yield* telegram.sendTexts({ messages: all })
    for (const [index, message] of sent.entries()) remember(place, all[index]!.text, message.id)
    updates += all.length
  })

  const tell = Effect.fnUntraced(function* (step: Step) {
    switch (step._tag) {
      case "Texts": {
        const place = places[step.place]!
        return yield* sendTexts(
          place,
          step.texts.map((text) => ({ ...place, text }))
        )
      }
      case "Forwards": {
        const place = places[step.place]!
        return yield* sendTexts(place, [
          { ...place, text: step.comment },
          ...step.texts.map((text) => ({ ...place, origin, text }))
        ])
      }
      case "Album": {
        const place = places[step.place]!
        const files = step.captions.map(
          (caption) => ({ kind: "photo", bytes: picture(caption), caption }) as const
        )
        const sent = yield* telegram.sendAlbum({ ...place, files })
        for (const [index, message] of sent.entries()) remember(place, step.captions[index]!, message.id)
        for (const { bytes } of files) pictures.add(createHash("sha256").update(bytes).digest("hex"))
        updates += files.length
        return
      }
      case "Command": {
        const place = places[step.place]!
        yield* sendTexts(place, [{ ...place, text: step.text }])
        if (step.text === "/done") commands.perhaps += 1
        else if (!step.text.startsWith("/note")) commands.always += 1
        return
      }
      case "Edit": {
        const message = messages[step.nth]!
        yield* telegram.editText({ ...message, text: step.text })
        markers[step.nth] = step.text.match(marker)![0]!
        updates += 1
        return
      }
      case "Again":
        return yield* telegram.redeliver({ count: step.count, reversed: step.reversed })
    }
  })

  const told: Told = {
    markers: () => new Set(markers),
    pictures: () => pictures,
    updates: () => updates,
    commands: () => commands
  }
  return { tell, told, places }
})

/** People and groups: mostly private chats, every eighth conversation in one of two groups. */
export const people = Effect.fnUntraced(function* (count: number) {
  const telegram = yield* BotApiEmulator
  const places: Array<Place> = []
  const privately = Math.max(1, Math.floor((count * 7) / 8))
  for (let index = 0; index < privately; index += 1) {
    const { id } = yield* telegram.createUser({
      firstName: `Person ${index}`,
      language: index % 3 === 0 ? "ru" : "en"
    })
    places.push({ chat: id })
  }
  if (count > privately) {
    const members = places.map(({ chat }) => chat)
    const group = yield* telegram.createGroup({ title: "Plain", members })
    const forum = yield* telegram.createGroup({ title: "Forum", members, forum: true })
    const topic = yield* telegram.createTopic({ chat: forum.id, name: "Topic" })
    for (let index = privately; index < count; index += 1) {
      const from = members[index % members.length]!
      places.push(index % 2 === 0 ? { chat: group.id, from } : { chat: forum.id, from, thread: topic.id })
    }
  }
  return places
})
