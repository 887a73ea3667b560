/**
 * multipart/form-data (RFC 7578), leniently: file names unquoted and in UTF-8 as grammY and others send them.
 * The bodies are whole in memory, so this is a pure function.
 */
export interface Part {
  readonly name: string
  /** Only files have one. */
  readonly filename?: string
  readonly type: string
  readonly bytes: Uint8Array
}

const blank = Buffer.from("\r\n\r\n")

const parameter = (disposition: string, name: string): string | undefined => {
  const extended = new RegExp(`;\\s*${name}\\*=UTF-8''([^;\\s]+)`, "i").exec(disposition)?.[1]
  if (extended !== undefined && /^(?:[^%]|%[0-9a-f]{2})*$/i.test(extended))
    return decodeURIComponent(extended)
  const match = new RegExp(`;\\s*${name}=(?:"((?:[^"\\\\]|\\\\.)*)"|([^;]*))`, "i").exec(disposition)
  return match?.[1]?.replace(/\\(.)/g, "$1") ?? match?.[2]?.trim()
}

const header = (head: string, name: string): string =>
  new RegExp(`^${name}:[ \\t]*(.*)$`, "im").exec(head)?.[1]?.trim() ?? ""

const part = (block: Buffer): Part | undefined => {
  const end = block.indexOf(blank)
  if (end < 0) return undefined
  const head = block.subarray(0, end).toString("utf8")
  const disposition = header(head, "content-disposition")
  const name = parameter(disposition, "name")
  const filename = parameter(disposition, "filename")
  if (name === undefined) return undefined
  return {
    name,
    ...(filename === undefined ? {} : { filename }),
    type: header(head, "content-type"),
    bytes: Uint8Array.from(block.subarray(end + blank.length))
  }
}

/** Undefined when it is not multipart, or broken off. */
export const parseMultipart = (contentType: string, body: Uint8Array): ReadonlyArray<Part> | undefined => {
  const boundary = /boundary=(?:"([^"]+)"|([^;\s]+))/i.exec(contentType)
  const name = boundary?.[1] ?? boundary?.[2]
  if (name === undefined) return undefined
  // The first delimiter has no line break before it: one is put there, so that all look alike.
  const whole = Buffer.concat([Buffer.from("\r\n"), body])
  const delimiter = Buffer.from(`\r\n--${name}`)
  const parts: Array<Part> = []
  let at = whole.indexOf(delimiter)
  while (at >= 0) {
    const start = at + delimiter.length
    if (whole.subarray(start, start + 2).toString("latin1") === "--") return parts
    const next = whole.indexOf(delimiter, start)
    const found = next < 0 ? undefined : part(whole.subarray(start + 2, next))
    if (found === undefined) return undefined
    parts.push(found)
    at = next
  }
  return undefined
}
