/** A QR code as a picture for a terminal. */
import { renderUnicodeCompact } from "uqr"

/** White on black terminals and black on white ones alike: the light modules are drawn, too. */
export const qrText = (text: string): string => renderUnicodeCompact(text, { border: 2, invert: true })
