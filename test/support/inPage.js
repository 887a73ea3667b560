// What a test runs inside the browser. Plain JavaScript, each function alone: it is sent there as text.

/** A picture of one colour, 400 by 300. */
export const makePng = async ([hue, name]) => {
  const canvas = document.createElement("canvas")
  canvas.width = 400
  canvas.height = 300
  const pen = canvas.getContext("2d")
  pen.fillStyle = `hsl(${hue} 70% 55%)`
  pen.fillRect(0, 0, 400, 300)
  const blob = await new Promise((resolve) => canvas.toBlob(resolve))
  return new File([blob], name, { type: "image/png" })
}

export const makeText = ([text, name]) => new File([text], name, { type: "text/plain" })

export const transfer = (files) => {
  const data = new DataTransfer()
  for (const file of files) data.items.add(file)
  return data
}

export const paste = (file) => {
  const clipboardData = new DataTransfer()
  clipboardData.items.add(file)
  const event = new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true })
  document.getElementById("input").dispatchEvent(event)
}

export const brokenPictures = () =>
  [...document.querySelectorAll(".picture img")].filter((one) => one.naturalWidth !== 400).length

export const styleOf = ([selector, property]) =>
  getComputedStyle(document.querySelector(selector)).getPropertyValue(property)

export const select = ([from, to]) => document.getElementById("input").setSelectionRange(from, to)

/** Scrolls near the top; the first whole message on screen, and where it is. */
export const scrollAndLook = () => {
  const box = document.getElementById("timeline")
  box.scrollTo(0, 300)
  const top = box.getBoundingClientRect().top
  const first = [...document.querySelectorAll(".text")].find((one) => one.getBoundingClientRect().top > top)
  return [first.textContent, first.getBoundingClientRect().top]
}

export const topOf = (text) =>
  [...document.querySelectorAll(".text")].find((one) => one.textContent === text).getBoundingClientRect().top

/** Scrolls up again and again until that many messages are there. */
export const scrollUpTo = async (count) => {
  const box = document.getElementById("timeline")
  while (document.querySelectorAll(".message").length < count) {
    box.scrollTo(0, 0)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

export const belowTheFold = () => {
  const box = document.getElementById("timeline")
  return box.scrollHeight - box.scrollTop - box.clientHeight
}

export const has = ([selector, count]) => document.querySelectorAll(selector).length === count

export const isLoaded = (selector) => document.querySelector(selector)?.naturalWidth > 0

export const isAtBottom = () => document.getElementById("to-bottom").hidden
