import type { JSHandle } from "playwright-core"

interface File {
  readonly name: string
}
export declare const makePng: (of: readonly [hue: number, name: string]) => Promise<File>
export declare const makeText: (of: readonly [text: string, name: string]) => File
export declare const transfer: (files: ReadonlyArray<JSHandle>) => object
export declare const paste: (file: JSHandle) => void
export declare const brokenPictures: () => number
export declare const styleOf: (of: readonly [selector: string, property: string]) => string
export declare const select: (of: readonly [from: number, to: number]) => void
export declare const scrollAndLook: () => [text: string, top: number]
export declare const topOf: (text: string) => number
export declare const scrollUpTo: (count: number) => Promise<void>
export declare const belowTheFold: () => number
export declare const has: (of: readonly [selector: string, count: number]) => boolean
export declare const isLoaded: (selector: string) => boolean
export declare const isAtBottom: () => boolean
