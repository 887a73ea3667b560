// Building elements. Text is only ever set as text: nothing a person wrote is read as HTML.

/**
 * @param {string} tag `name.class.class`
 * @param {Record<string, unknown>} [props] attributes; `on…` are listeners, `style` an object, `data` a dataset
 * @param {...(Node | string | number | false | null | undefined | Array<unknown>)} children
 * @returns {HTMLElement}
 */
export const h = (tag, props = {}, ...children) => {
  const [name, ...classes] = tag.split(".")
  const element = document.createElement(name)
  if (classes.length > 0) element.className = classes.join(" ")
  if (name === "button") element.type = "button"
  for (const [key, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value)
    else if (key === "style") for (const [k, v] of Object.entries(value)) element.style.setProperty(k, v)
    else if (key === "data") Object.assign(element.dataset, value)
    else if (key === "class") element.classList.add(...String(value).split(" ").filter(Boolean))
    else if (key in element && typeof element[key] !== "object" && !key.startsWith("aria"))
      element[key] = value
    else element.setAttribute(key, value === true ? "" : String(value))
  }
  element.append(...children.flat(9).filter((one) => one !== false && one !== null && one !== undefined))
  return element
}

export const clear = (element, ...children) => {
  element.replaceChildren(...children.flat(9).filter((one) => one || one === 0))
  return element
}

const paths = {
  back: "M15 5l-7 7 7 7",
  more: "M12 5.5v.01M12 12v.01M12 18.5v.01",
  send: "M4 12l16-8-6 16-3-7zM11 13l9-9",
  clip: "M20 11l-8.5 8.5a5 5 0 01-7-7L13 4a3.5 3.5 0 015 5l-8.5 8.5a1.8 1.8 0 01-2.6-2.6L14.500 7.500",
  slash: "M15 4L9 20",
  format: "M5 18l5-13 5 13M6.700 14h6.600M17 18h4M19 12v6",
  close: "M6 6l12 12M18 6L6 18",
  down: "M6 9.500l6 6 6-6",
  right: "M9.500 6l6 6-6 6",
  plus: "M12 5v14M5 12h14",
  user: "M12 12a4 4 0 100-8 4 4 0 000 8zM4.500 20c1-4 4-5.500 7.500-5.500s6.500 1.500 7.500 5.500",
  group:
    "M9 11.500a3.500 3.500 0 100-7 3.500 3.500 0 000 7zM2.500 19.500c.8-3.800 3.300-5 6.500-5s5.700 1.200 6.500 5M16 5a3.300 3.300 0 010 6.400M17.500 14.800c2.300.4 3.600 1.800 4.100 4.700",
  sun: "M12 16a4 4 0 100-8 4 4 0 000 8zM12 2.500v2M12 19.500v2M2.500 12h2M19.500 12h2M5.300 5.300l1.400 1.400M17.300 17.300l1.400 1.400M5.300 18.700l1.400-1.400M17.300 6.700l1.400-1.400",
  moon: "M20 14.500A8.500 8.500 0 019.500 4a8.500 8.500 0 1010.500 10.500z",
  auto: "M12 20.500a8.500 8.500 0 100-17v17zM12 3.500a8.500 8.500 0 000 17",
  reply: "M10 8V4l-7 7 7 7v-4c5 0 8 1.500 11 5-1-6-4-10-11-11z",
  forward: "M14 8V4l7 7-7 7v-4c-5 0-8 1.500-11 5 1-6 4-10 11-11z",
  edit: "M4 20l1-4.500L16 4.500l3.500 3.500L8.500 19zM14 6.500L17.500 10",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  trash: "M5 7h14M9 7V4.500h6V7M7 7l1 13h8l1-13M10.500 11v5.500M13.500 11v5.500",
  check: "M5 12.500l4.500 4.500L19 7.500",
  photo: "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15.500 9.500v.01",
  file: "M6 3h8l4 4v14H6zM14 3v4h4",
  pin: "M12 21c-5-6-7-9-7-12a7 7 0 0114 0c0 3-2 6-7 12zM12 11.500a2.500 2.500 0 100-5 2.500 2.500 0 000 5z",
  poll: "M5 20V10M12 20V4M19 20v-7",
  dice: "M5 5h14v14H5zM9 9v.01M15 15v.01M15 9v.01M9 15v.01M12 12v.01",
  mic: "M12 15a3 3 0 003-3V6a3 3 0 00-6 0v6a3 3 0 003 3zM6 12a6 6 0 0012 0M12 18v3",
  smile:
    "M12 20.500a8.500 8.500 0 100-17 8.500 8.500 0 000 17zM8.500 14c1 1.700 2.200 2.500 3.500 2.500s2.500-.8 3.500-2.500M9 9.500v.01M15 9.500v.01",
  book: "M5 4h10a4 4 0 014 4v12H9a4 4 0 01-4-4zM5 16a4 4 0 014-4h10M9 8h5",
  folder: "M3.500 6h6l2 2.500h9V19h-17z",
  clock: "M12 20.500a8.500 8.500 0 100-17 8.500 8.500 0 000 17zM12 7.500V12l3 2",
  chat: "M4 5h16v11h-9l-5 4v-4H4z",
  block: "M12 20.500a8.500 8.500 0 100-17 8.500 8.500 0 000 17zM6 6l12 12",
  hash: "M9 4L7 20M17 4l-2 16M4 9h17M3 15h17",
  external: "M14 4h6v6M20 4l-9 9M18 14v6H4V6h6",
  bot: "M5 9h14v10H5zM12 9V5M9 13v2M15 13v2M12 4.500v.01",
  link: "M10 14a4 4 0 006 .5l3-3a4 4 0 00-5.700-5.700L12 7M14 10a4 4 0 00-6-.5l-3 3a4 4 0 005.700 5.700L12 17"
}

/** @param {keyof typeof paths} name */
export const icon = (name, className = "") => {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg")
  svg.setAttribute("viewBox", "0 0 24 24")
  svg.setAttribute("class", `icon ${className}`)
  svg.setAttribute("aria-hidden", "true")
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path")
  path.setAttribute("d", paths[name] ?? paths.file)
  svg.append(path)
  return svg
}

/** An icon as a button, with its name for those who do not see it. */
export const iconButton = (name, label, onclick, props = {}) =>
  h("button.icon-button", { "aria-label": label, title: label, onclick, ...props }, icon(name))

const hues = [210, 265, 330, 12, 32, 150, 185]

/** A round picture of initials, its colour always the same for the same id. */
export const avatar = (id, name, kind) => {
  const letters = [...(name ?? "").matchAll(/(?:^|\s)([\p{L}\p{N}])/gu)].map((match) => match[1])
  const hue = hues[Math.abs(id) % hues.length]
  return h(
    "span.avatar",
    { "aria-hidden": "true", style: { "--hue": String(hue) } },
    kind === "bot" ? icon("book") : kind === "topic" ? icon("hash") : (letters[0] ?? "?") + (letters[1] ?? "")
  )
}

export const hueOf = (id) => hues[Math.abs(id) % hues.length]
