// Who there is to forward from: a few made up, and whoever was forwarded from in this chat already.
import { openKey, viewOf } from "./store.js"

const madeUp = [
  {
    kind: "channel",
    name: "Night Sky",
    link: "https://t.me/nightsky/128",
    text: "The Geminids peak on **14 December** around 02:00. No telescope needed: lie down, look up, give your eyes twenty minutes. #astronomy"
  },
  {
    kind: "user",
    name: "Maria Weber",
    link: "maria",
    text: "We could drive up to the lake, it is properly dark there"
  },
  { kind: "hidden_user", name: "Tom", link: "", text: "I bring the thermos and two blankets" },
  {
    kind: "channel",
    name: "Kitchen Notes",
    link: "https://t.me/kitchennotes/41",
    text: "Lentils, lemon, a *lot* of parsley: twenty minutes, feeds four. #recipes"
  },
  {
    kind: "chat",
    name: "Book Club",
    link: "https://t.me/bookclub/9",
    text: "Next time: “The Summer Book”, Thursday at seven"
  }
]

const icons = { channel: "chat", user: "user", hidden_user: "user", chat: "group" }
export const iconOf = ({ kind }) => icons[kind]

const sameSource = (a) => (b) => a.kind === b.kind && a.name === b.name

/** The made up ones, each with something it could say, then the latest others of this chat. */
export const sources = () => {
  const seen = [...viewOf(openKey()).list]
    .reverse()
    .flatMap(({ origin }) => (origin ? [origin] : []))
    .map(({ kind, name, username, link }) => ({ kind, name, link: username ?? link ?? "", text: "" }))
  const all = [...madeUp, ...seen]
  return all.filter((one, index) => all.findIndex(sameSource(one)) === index).slice(0, madeUp.length + 4)
}

export const someoneElse = { kind: "user", name: "", link: "", text: "" }
