// The knowledge base beside the chat: its files, one of them rendered, and its history in git.
import { fetchDiff, fetchLog, fetchNote, fetchTree, mediaUrl } from "./api.js"
import { clear, h, icon } from "./dom.js"
import { sizeText } from "./message.js"
import { lightbox } from "./overlay.js"
import { recall, remember } from "./store.js"
import { hint, viewNow } from "./views.js"

const when = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" })
const isNote = (path) => /\.(md|markdown)$/i.test(path)
const isImage = (path) => /\.(png|jpe?g|gif|webp|avif|svg)$/i.test(path)
const baseName = (path) => path.split("/").at(-1)
const title = (path) => (isNote(path) ? baseName(path).replace(/\.[^.]+$/, "") : baseName(path))

/** Files by folder, folders first, newest day first where names start with it. */
const nest = (paths) => {
  const root = { folders: new Map(), files: [] }
  for (const path of paths) {
    let at = root
    for (const part of path.split("/").slice(0, -1)) {
      if (!at.folders.has(part)) at.folders.set(part, { folders: new Map(), files: [] })
      at = at.folders.get(part)
    }
    at.files.push(path)
  }
  return root
}
/** A folder that holds nothing but one folder is shown together with it. */
const joined = (name, folder) => {
  const [only] = folder.folders
  return folder.files.length === 0 && folder.folders.size === 1
    ? joined(`${name}/${only[0]}`, only[1])
    : [name, folder]
}
const count = (folder) =>
  folder.files.length + [...folder.folders.values()].reduce((sum, one) => sum + count(one), 0)

export const startNotes = () => {
  const panel = document.getElementById("notes")
  const tree = h("div.tree", { role: "tree", "aria-label": "Files", tabindex: -1 })
  const body = h("div.note-body", { tabindex: 0, "aria-label": "The note" })
  const where = h("span.where")
  const tabs = h("div.note-tabs", { role: "tablist", "aria-label": "The note and its history" })
  const path = h("span.note-path")
  const filter = h("input", {
    type: "search",
    placeholder: "Filter by name",
    "aria-label": "Filter files",
    hidden: true
  })
  panel.append(
    h("header.notes-head", {}, icon("book"), h("div.head-words", {}, h("h2", {}, "Knowledge base"), where)),
    h("div.tree-box", {}, filter, tree),
    h("section.note", {}, h("div.note-head", {}, path, tabs), body)
  )

  const now = { paths: undefined, open: undefined, tab: "note", follows: true }
  const folded = new Set(recall("folded", ["media"]))
  let asked = 0

  const fold = (name) => {
    folded.has(name) ? folded.delete(name) : folded.add(name)
    remember("folded", [...folded])
    drawTree()
  }

  const folderItems = (folder, prefix, depth) => [
    ...[...folder.folders.entries()]
      .sort(([a], [b]) => (/^\d/.test(a) ? b.localeCompare(a) : a.localeCompare(b)))
      .map(([first, outer]) => {
        const [name, inner] = joined(first, outer)
        const whole = `${prefix}${name}`
        const isOpen = !folded.has(whole)
        return h(
          "div",
          { role: "none" },
          h(
            "button.tree-row.folder",
            {
              role: "treeitem",
              "aria-expanded": String(isOpen),
              "aria-level": String(depth),
              style: { "--depth": String(depth) },
              data: { key: whole },
              onclick: () => fold(whole)
            },
            icon(isOpen ? "down" : "right"),
            h("span", {}, name),
            h("span.count", {}, count(inner))
          ),
          isOpen && h("div", { role: "group" }, folderItems(inner, `${whole}/`, depth + 1))
        )
      }),
    ...folder.files
      .sort((a, b) =>
        /^\d/.test(baseName(a))
          ? baseName(b).localeCompare(baseName(a))
          : baseName(a).localeCompare(baseName(b))
      )
      .map((file) =>
        h(
          "button.tree-row.leaf",
          {
            role: "treeitem",
            "aria-level": String(depth),
            "aria-selected": String(file === now.open),
            class: `${file === now.open ? "open" : ""} ${now.fresh?.has(file) ? "fresh" : ""}`,
            style: { "--depth": String(depth) },
            data: { key: file },
            onclick: () => open(file)
          },
          icon(isNote(file) ? "edit" : isImage(file) ? "photo" : "file"),
          h("span", {}, title(file))
        )
      )
  ]

  const drawTree = () => {
    const top = tree.scrollTop
    const focusKey = tree.contains(document.activeElement) ? document.activeElement.dataset.key : undefined
    const wanted = filter.value.trim().toLowerCase()
    const paths = (now.paths ?? []).filter((one) => one.toLowerCase().includes(wanted))
    filter.hidden = (now.paths?.length ?? 0) < 30
    clear(
      tree,
      now.paths === undefined
        ? h("p.empty", {}, "Looking…")
        : paths.length === 0
          ? h(
              "p.empty",
              {},
              wanted === ""
                ? "No notes yet. The first one appears here a moment after you stop writing to the bot."
                : "No file has that name."
            )
          : folderItems(nest(paths), "", 1)
    )
    tree.scrollTop = top
    if (focusKey !== undefined)
      tree.querySelector(`[data-key="${CSS.escape(focusKey)}"]`)?.focus({ preventScroll: true })
  }
  filter.addEventListener("input", drawTree)
  tree.addEventListener("keydown", (event) => {
    const rows = [...tree.querySelectorAll("button")]
    const index = rows.indexOf(document.activeElement)
    if (index === -1) return
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault()
      rows[index + (event.key === "ArrowDown" ? 1 : -1)]?.focus()
    }
    const isOpen = rows[index].getAttribute("aria-expanded")
    if (
      (event.key === "ArrowRight" && isOpen === "false") ||
      (event.key === "ArrowLeft" && isOpen === "true")
    )
      fold(rows[index].dataset.key)
  })

  const table = (list) =>
    h(
      "table.properties",
      {},
      h(
        "tbody",
        {},
        list.map(({ name, values }) =>
          h(
            "tr",
            {},
            h("th", { scope: "row" }, name.replace(/^source\./, "")),
            h(
              "td",
              {},
              values.map((value) =>
                /^https?:\/\/\S+$/i.test(value)
                  ? h("a", { href: value, target: "_blank", rel: "noopener noreferrer nofollow" }, value)
                  : h(
                      "span",
                      { class: name === "tags" ? "tag" : "" },
                      name === "tags" ? `#${value}` : pretty(name, value)
                    )
              )
            )
          )
        )
      )
    )
  /** What a reader looks for first; where it all came from is there when asked for. */
  const properties = (list) => {
    const isDetail = ({ name }) => /^(id|updated|source\b.*)$/.test(name)
    const details = list.filter(isDetail)
    const first = list.filter((one) => !isDetail(one))
    return [
      first.length > 0 && table(first),
      details.length > 0 &&
        h("details.origin-details", {}, h("summary", {}, "Where it came from"), table(details))
    ]
  }
  const pretty = (name, value) =>
    /^(created|updated)$/.test(name) && !Number.isNaN(Date.parse(value))
      ? when.format(Date.parse(value))
      : value

  const drawNote = (note) => {
    if (note.binary) {
      return clear(
        body,
        isImage(note.path) && h("img.whole", { src: mediaUrl(note.path), alt: baseName(note.path) }),
        h(
          "p.empty",
          {},
          sizeText(note.size),
          " · ",
          h("a", { href: mediaUrl(note.path), target: "_blank", rel: "noopener" }, "open the file")
        )
      )
    }
    if (note.html === undefined) {
      return clear(
        body,
        isImage(note.path) && h("img.whole", { src: mediaUrl(note.path), alt: baseName(note.path) }),
        h("pre.source", {}, note.text)
      )
    }
    // The server renders Markdown with HTML switched off, and the page's policy runs no script in it.
    const article = h("article.markdown", { dir: "auto" })
    article.innerHTML = note.html
    const heading = article.firstElementChild?.matches("h1") ? article.firstElementChild : undefined
    heading?.remove()
    const shownTitle = heading?.textContent ?? note.title
    clear(
      body,
      shownTitle !== undefined && h("h1.note-title", { dir: "auto" }, shownTitle),
      properties(note.properties),
      article
    )
  }

  const patch = (text) =>
    h(
      "pre.diff",
      {},
      text
        .split("\n")
        .filter((line) => !/^(index |diff --git|new file mode|--- |\+\+\+ )/.test(line))
        .map((line) =>
          h(
            "span",
            {
              class: line.startsWith("@@")
                ? "hunk"
                : line.startsWith("+")
                  ? "added"
                  : line.startsWith("-")
                    ? "removed"
                    : ""
            },
            `${line}\n`
          )
        )
    )

  const drawLog = (commits) => {
    const scope = now.tab === "history" ? now.open : undefined
    clear(
      body,
      commits.length === 0 && h("p.empty", {}, "No commits yet."),
      h(
        "ol.commits",
        {},
        commits.map((one) => {
          const box = h("div.diff-box", { hidden: true })
          const button = h(
            "button.commit",
            {
              "aria-expanded": "false",
              onclick: async () => {
                box.hidden = !box.hidden
                button.setAttribute("aria-expanded", String(!box.hidden))
                if (box.hidden || box.childElementCount > 0) return
                const { diff } = await fetchDiff(one.commit, scope).catch((error) => ({
                  diff: error.message
                }))
                clear(box, patch(diff))
              }
            },
            h("span.commit-message", {}, one.message.split("\n")[0]),
            h(
              "span.commit-meta",
              {},
              h("code", {}, one.commit.slice(0, 8)),
              ` · ${one.author} · `,
              h("time", {}, when.format(one.date))
            )
          )
          return h("li", {}, button, box)
        })
      )
    )
  }

  const drawHead = () => {
    const isAll = now.tab === "all"
    clear(path, isAll ? "All commits" : (now.open ?? "No note open"))
    path.title = isAll ? "" : (now.open ?? "")
    const tab = (name, label, iconName) =>
      h(
        "button",
        {
          role: "tab",
          "aria-selected": String(now.tab === name),
          disabled: name !== "all" && now.open === undefined,
          onclick: () => {
            now.tab = name
            load(true)
          }
        },
        icon(iconName),
        label
      )
    const focused = tabs.contains(document.activeElement)
      ? [...tabs.children].indexOf(document.activeElement)
      : -1
    clear(
      tabs,
      tab("note", "Note", "book"),
      tab("history", "History", "clock"),
      tab("all", "All commits", "folder")
    )
    if (focused !== -1) tabs.children[focused].focus()
  }

  let shown = ""
  const load = async (fromTop) => {
    drawHead()
    const ticket = ++asked
    const mine = () => ticket === asked
    if (now.tab === "note" && now.open === undefined) {
      shown = ""
      return clear(
        body,
        h(
          "p.empty",
          {},
          now.paths?.length ? "Choose a note." : "When the first note is written it opens here."
        )
      )
    }
    const loaded = await (now.tab === "note"
      ? fetchNote(now.open)
      : fetchLog(now.tab === "history" ? now.open : undefined)
    ).catch((error) => ({ error: error.message }))
    if (!mine()) return
    const isSame = JSON.stringify([now.tab, now.open, loaded]) === shown
    if (isSame) return
    shown = JSON.stringify([now.tab, now.open, loaded])
    const top = body.scrollTop
    if (loaded.error !== undefined) clear(body, h("p.empty", {}, loaded.error))
    else if (now.tab === "note") drawNote(loaded)
    else drawLog(loaded)
    body.scrollTop = fromTop ? 0 : top
  }

  const open = (file, { byPerson = true } = {}) => {
    now.open = file
    if (byPerson) now.follows = now.paths?.filter(isNote).length === 1
    if (now.tab === "all" || byPerson) now.tab = "note"
    now.fresh?.delete(file)
    drawTree()
    return load(true)
  }

  /** Reads everything anew. A note that was not there before opens by itself unless the person reads another. */
  const refresh = async () => {
    const answer = await fetchTree().catch((error) => ({ error: error.message }))
    if (answer.error !== undefined)
      return now.paths === undefined && clear(tree, h("p.empty", {}, answer.error))
    const before = now.paths
    clear(where, h("bdi", { dir: "ltr" }, answer.location))
    where.title = answer.location
    now.paths = answer.paths
    const added =
      before === undefined
        ? []
        : answer.paths.filter((one) => isNote(one) && one !== "index.md" && !before.includes(one))
    if (before !== undefined) now.fresh = new Set([...(now.fresh ?? []), ...added])
    if (now.open !== undefined && !answer.paths.includes(now.open)) now.open = undefined
    const newest = added.at(-1)
    const isReading = viewNow() === "notes" && matchMedia("(max-width: 760px)").matches
    if (newest !== undefined || (before !== undefined && answer.paths.length !== before.length)) hint()
    if (newest !== undefined && (now.follows || now.open === undefined) && !isReading) {
      now.follows = true
      await open(newest, { byPerson: false })
    } else {
      const notes = answer.paths.filter((one) => isNote(one))
      if (now.open === undefined && now.tab === "note" && notes.length > 0)
        now.open = notes.includes("index.md") ? "index.md" : notes[0]
      drawTree()
      await load(false)
    }
  }

  body.addEventListener("click", (event) => {
    const anchor = event.target.closest("[data-note]")
    if (anchor !== null) {
      event.preventDefault()
      open(anchor.dataset.note)
    } else if (event.target instanceof HTMLImageElement) lightbox(event.target.src, event.target.alt)
  })

  let running
  let again = false
  /** One reading at a time; what changes meanwhile is read once more after it. */
  const sync = () => {
    if (running !== undefined) {
      again = true
      return running
    }
    running = refresh().finally(() => {
      running = undefined
      if (again) {
        again = false
        sync()
      }
    })
    return running
  }
  drawHead()
  drawTree()
  return { sync }
}
