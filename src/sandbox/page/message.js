// One message as a bubble.
import { fileUrl } from "./api.js"
import { elements } from "./blocks.js"
import { avatar, h, hueOf, icon } from "./dom.js"
import { rich } from "./entities.js"
import { lightbox } from "./overlay.js"
import { nameOf, state } from "./store.js"

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" })
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" })
export const timeOf = (seconds) => clock.format(seconds * 1000)

export const sizeText = (bytes) =>
  bytes < 1024
    ? `${bytes} B`
    : bytes < 1_048_576
      ? `${Math.round(bytes / 1024)} KB`
      : `${(bytes / 1_048_576).toFixed(1)} MB`

const kindWords = {
  photo: "Photo",
  document: "File",
  voice: "Voice message",
  video: "Video",
  audio: "Audio",
  animation: "GIF",
  video_note: "Video message",
  sticker: "Sticker"
}

const serviceWords = {
  forum_topic_created: "Topic created",
  new_chat_members: "New members joined",
  left_chat_member: "A member left",
  group_chat_created: "Group created",
  supergroup_chat_created: "Group created",
  pinned_message: "Message pinned",
  new_chat_title: "Group renamed"
}

/** A message in one line. */
export const gist = (message) => {
  const { media } = message
  const kind =
    media === undefined
      ? message.poll
        ? `Poll: ${message.poll.question}`
        : message.location
          ? (message.location.title ?? "Location")
          : message.contact
            ? `Contact: ${message.contact.firstName}`
            : message.dice
              ? message.dice.emoji
              : message.service
                ? serviceLine(message)
                : ""
      : media.kind === "sticker"
        ? `${media.emoji ?? ""} Sticker`
        : media.kind === "document" || media.kind === "audio"
          ? (media.name ?? media.title ?? kindWords[media.kind])
          : kindWords[media.kind]
  return [kind, message.text].filter(Boolean).join(", ").replace(/\s+/g, " ").slice(0, 160)
}

export const serviceLine = (message) =>
  message.text || (serviceWords[message.service] ?? message.service.replaceAll("_", " "))

/** Pictures keep their element when the bubble around them is drawn anew, so that nothing flickers. */
const kept = new Map()
export const forgetMedia = () => kept.clear()
const keep = (key, make) => {
  const known = kept.get(key)
  if (known !== undefined) return known
  const made = make()
  kept.set(key, made)
  return made
}

const picture = (media, message) => {
  const src = fileUrl(media.fileId)
  const alt = message.text.slice(0, 120) || kindWords[media.kind]
  return h(
    "button.picture",
    {
      "aria-label": `Open ${alt}`,
      style:
        media.width && media.height
          ? { "aspect-ratio": `${media.width} / ${media.height}`, "--w": `${media.width}px` }
          : {},
      onclick: (event) => {
        event.stopPropagation()
        lightbox(src, alt)
      }
    },
    h("img", { src, alt, draggable: false, decoding: "async" })
  )
}

const fileRow = (media) =>
  h(
    "a.file",
    { href: fileUrl(media.fileId), target: "_blank", rel: "noopener", download: media.name ?? "file" },
    h("span.file-icon", {}, icon(media.kind === "audio" ? "mic" : "file")),
    h(
      "span.file-words",
      {},
      h("span.file-name", {}, media.title ?? media.name ?? kindWords[media.kind]),
      h("span.file-size", {}, [media.performer, sizeText(media.size)].filter(Boolean).join(" · "))
    )
  )

const sound = (media) =>
  h(
    "div.sound",
    {},
    icon("mic"),
    h("audio", { controls: true, preload: "metadata", src: fileUrl(media.fileId) })
  )

const mediaOf = (message) => {
  const { media } = message
  return keep(`${message.chat}/${message.id}/${media.fileId}`, () => {
    switch (media.kind) {
      case "photo":
        return picture(media, message)
      case "animation":
        return media.mime?.startsWith("video/") ? film(media) : picture(media, message)
      case "sticker":
        return h("img.sticker", {
          src: fileUrl(media.fileId),
          alt: `Sticker ${media.emoji ?? ""}`,
          draggable: false
        })
      case "video":
      case "video_note":
        return film(media)
      case "voice":
        return sound(media)
      case "audio":
        return h("div", {}, fileRow(media), sound(media))
      default:
        return fileRow(media)
    }
  })
}

const film = (media) =>
  h("video.film", {
    controls: media.kind !== "video_note",
    class: media.kind,
    preload: "metadata",
    src: fileUrl(media.fileId)
  })

const poll = (message, actions) => {
  const { question, options, closed, anonymous, multiple } = message.poll
  const total = options.reduce((sum, option) => sum + option.votes, 0)
  return h(
    "div.poll",
    {},
    h("strong", {}, question),
    h(
      "span.hint",
      {},
      `${anonymous ? "Anonymous poll" : "Poll"}${multiple ? ", several answers" : ""}${closed ? ", closed" : ""}`
    ),
    options.map((option, index) =>
      h(
        "button.poll-option",
        {
          disabled: closed,
          onclick: () => actions.vote(message, index),
          style: { "--share": `${total === 0 ? 0 : (option.votes / total) * 100}%` }
        },
        h("span", {}, option.text),
        h("span.votes", {}, total === 0 ? "" : `${Math.round((option.votes / total) * 100)} %`)
      )
    ),
    h("span.hint", {}, total === 0 ? "No votes yet" : `${total} ${total === 1 ? "vote" : "votes"}`)
  )
}

const card = (message) => {
  if (message.location) {
    const { latitude, longitude, title, address } = message.location
    const place = `${latitude.toFixed(5)}, ${longitude.toFixed(5)}`
    return h(
      "a.card",
      {
        href: `https://www.openstreetmap.org/?mlat=${latitude}&mlon=${longitude}#map=15/${latitude}/${longitude}`,
        target: "_blank",
        rel: "noopener noreferrer"
      },
      h("span.card-map", {}, icon("pin")),
      h("span.card-words", {}, h("strong", {}, title ?? "Location"), h("span", {}, address ?? place))
    )
  }
  const { firstName, lastName, phone } = message.contact
  const name = [firstName, lastName].filter(Boolean).join(" ")
  return h(
    "div.card",
    {},
    avatar(phone.length, name),
    h("span.card-words", {}, h("strong", {}, name), h("span", {}, phone))
  )
}

const originLine = ({ kind, name, username, signature, link }) => {
  const from = [name, signature].filter(Boolean).join(", ")
  const address = link ?? (username ? `https://t.me/${username}` : undefined)
  return h(
    "div.origin",
    {},
    "Forwarded from ",
    address === undefined
      ? h("strong", { title: kind === "hidden_user" ? "The account is hidden" : "" }, from)
      : h(
          "a",
          {
            href: /^https?:/i.test(address) ? address : "#",
            target: "_blank",
            rel: "noopener noreferrer nofollow"
          },
          from
        )
  )
}

const onlyEmoji =
  /^(?:\p{RI}\p{RI}|\p{Emoji}(?:\p{EMod}|\u{FE0F}\u{20E3}?)?(?:\u{200D}\p{Emoji}(?:\p{EMod}|\u{FE0F})?)*){1,3}$/u
const isBig = (message) =>
  !message.media &&
  !message.rich &&
  message.entities.length === 0 &&
  onlyEmoji.test(message.text.trim()) &&
  !/^[\d#*\s]+$/.test(message.text)

/** An album's reactions are those of all its messages. */
const reactionsOf = (messages) => {
  const found = new Map()
  for (const { emoji, by } of messages.flatMap((message) => message.reactions)) {
    found.set(emoji, [...new Set([...(found.get(emoji) ?? []), ...by])])
  }
  return [...found].map(([emoji, by]) => ({ emoji, by }))
}

const reactions = (messages, actions) => {
  const found = reactionsOf(messages)
  if (found.length === 0) return meta(messages)
  return h(
    "div.reactions",
    {},
    found.map(({ emoji, by }) => {
      const mine = by.includes(state.me)
      const who = by
        .map((id) => (id === state.bot.id ? state.bot.name : nameOf(state.users.get(id))))
        .join(", ")
      return h(
        "button.reaction",
        {
          class: mine ? "mine" : "",
          title: who,
          "aria-pressed": String(mine),
          "aria-label": `${emoji} from ${who}`,
          data: { focus: `${messages[0].id}/${emoji}` },
          onclick: () => actions.react(messages[0], emoji)
        },
        h("span", {}, emoji),
        by.length > 1
          ? h("span.count", {}, by.length)
          : h("span.who", { style: { "--hue": String(hueOf(by[0] ?? 0)) } }, (who[0] ?? "?").toUpperCase())
      )
    }),
    meta(messages)
  )
}

const buttons = (message, actions) =>
  message.buttons.length > 0 &&
  h(
    "div.inline-buttons",
    {},
    message.buttons.map((row, rowIndex) =>
      h(
        "div.inline-row",
        {},
        row.map((button, index) =>
          button.url === undefined
            ? h(
                "button.inline-button",
                {
                  data: { focus: `${message.id}/${rowIndex}/${index}` },
                  onclick: (event) => actions.press(message, button, event.currentTarget)
                },
                button.text
              )
            : h(
                "a.inline-button",
                {
                  href: /^(https?|tg):/i.test(button.url) ? button.url : "#",
                  target: "_blank",
                  rel: "noopener noreferrer"
                },
                button.text,
                icon("external")
              )
        )
      )
    )
  )

const meta = (messages) => {
  const message = messages[0]
  const edited = messages.some((one) => one.editDate !== undefined)
  const isStatus = message.from.id === state.bot.id
  return h(
    "span.meta",
    { title: full.format(message.date * 1000) },
    edited && !isStatus && h("span.edited", {}, "edited "),
    h("time", { datetime: new Date(message.date * 1000).toISOString() }, timeOf(message.date)),
    message.from.id === state.me && h("span.ticks", { "aria-label": "sent" }, icon("check"))
  )
}

/**
 * @param {ReadonlyArray<any>} messages one message, or those of an album
 * @param {{first: boolean, last: boolean, group: boolean, fresh: boolean, selecting: boolean, selected: boolean}} options
 */
export const bubble = (messages, options, actions) => {
  const message = messages[0]
  const own = message.from.id === state.me
  const captioned = messages.find((one) => one.text !== "") ?? message
  const media = messages.filter((one) => one.media !== undefined)
  const visual =
    media.length > 0 && media.every((one) => ["photo", "video", "animation"].includes(one.media.kind))
  const sticker = message.media?.kind === "sticker" || message.dice !== undefined || isBig(message)
  const name = message.from.isBot ? state.bot.name : nameOf(message.from)
  const content = h(
    "div.bubble",
    {
      class: `${sticker ? "bare" : ""} ${visual ? "visual" : ""} ${visual && captioned.text === "" ? "no-caption" : ""} ${isBig(message) ? "big-emoji" : ""}`
    },
    options.group &&
      !own &&
      options.first &&
      h("div.sender", { style: { "--hue": String(hueOf(message.from.id)) } }, name),
    message.origin && originLine(message.origin),
    message.reply &&
      h(
        "button.reply",
        {
          onclick: () => actions.jump(message, message.reply.messageId),
          "aria-label": `In reply to ${message.reply.author}: ${message.reply.excerpt}`
        },
        h("strong", {}, message.reply.author),
        h("span", {}, message.reply.excerpt || "Message")
      ),
    visual && media.length > 1
      ? h("div.album", { class: `n${Math.min(media.length, 10)}` }, media.map(mediaOf))
      : media.map(mediaOf),
    message.poll && poll(message, actions),
    (message.location || message.contact) && card(message),
    message.dice &&
      h(
        "div.dice",
        { title: `${message.dice.emoji} shows ${message.dice.value}` },
        message.dice.emoji,
        h("span", {}, message.dice.value)
      ),
    message.rich
      ? h("div.text.blocks", { dir: "auto" }, elements(message.rich))
      : captioned.text !== "" &&
          h("div.text", { dir: "auto" }, rich(captioned.text, captioned.entities, actions.command)),
    reactions(messages, actions)
  )
  return h(
    "article.message",
    {
      class: `${own ? "own" : ""} ${options.first ? "first" : ""} ${options.last ? "last" : ""} ${options.fresh ? "enter" : ""} ${options.selected ? "selected" : ""}`,
      tabindex: -1,
      data: { id: String(message.id) },
      "aria-label": `${own ? "You" : name}, ${timeOf(message.date)}`
    },
    options.selecting && h("span.select-mark", { "aria-hidden": "true" }, icon("check")),
    options.group &&
      !own &&
      h(
        "span.avatar-slot",
        {},
        options.last && avatar(message.from.id, name, message.from.isBot ? "bot" : "user")
      ),
    h("div.bubble-column", {}, content, buttons(message, actions)),
    h(
      "button.message-menu",
      {
        "aria-label": "What to do with this message",
        "aria-haspopup": "menu",
        tabindex: -1,
        onclick: (event) => actions.menu(messages, event.currentTarget)
      },
      icon("more")
    )
  )
}
