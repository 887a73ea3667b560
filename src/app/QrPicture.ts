/** A QR code as a picture, for a terminal and for a page. */
import { encode, renderUnicodeCompact } from "uqr"

/** White on black terminals and black on white ones alike: the light modules are drawn, too. */
export const qrText = (text: string): string => renderUnicodeCompact(text, { border: 2, invert: true })

export interface QrPath {
  /** Modules a side, with the margin that cameras need. */
  readonly size: number
  /** The dark modules as the `d` of an SVG path. */
  readonly path: string
}

/** A code as a page draws it. */
export const qrPath = (text: string): QrPath => {
  const { data, size } = encode(text, { border: 4 })
  const runs = data.flatMap((row, y) =>
    row.flatMap((dark, x) => {
      if (!dark || row[x - 1]) return []
      const end = row.indexOf(false, x)
      return [`M${x} ${y}h${(end === -1 ? size : end) - x}v1H${x}z`]
    })
  )
  return { size, path: runs.join("") }
}
