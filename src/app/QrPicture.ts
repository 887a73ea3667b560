/** A QR code as a picture: for a page, and for a terminal. */
import { renderSVG, renderUnicodeCompact } from "uqr"

/** Four modules of white around it: scanners want them (ISO/IEC 18004). */
const border = 4

export const qrSvg = (text: string): string => renderSVG(text, { border })

/** White on black terminals and black on white ones alike: the light modules are drawn, too. */
export const qrText = (text: string): string => renderUnicodeCompact(text, { border: 2, invert: true })
