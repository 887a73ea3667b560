/** The house's doors: which room of `src/` may know which, and who alone knows what is outside. */
import { readdirSync, readFileSync } from "node:fs"
import { dirname, join, normalize } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"

const source = fileURLToPath(new URL("../src", import.meta.url))

/** In the order a message flows: what stands lower may know what stands higher, its own row excepted. */
const rows = [
  ["domain"],
  ["ops"],
  ["store", "task"],
  // A fence is a row.
  ["lock"],
  ["telegram", "knowledge"],
  ["session"],
  ["assistant"],
  ["conversation"]
] as const

const allowed = new Map<string, ReadonlySet<string>>([
  ...rows.flatMap((row, nth) =>
    row.map((room) => [room, new Set<string>(rows.slice(0, nth).flat())] as const)
  ),
  // It plays Telegram, which knows nothing of us.
  ["sandbox", new Set<string>()],
  ["app", new Set<string>([...rows.flat(), "sandbox"])],
  ["cli", new Set<string>(["domain", "app", "ops"])],
  ["main.ts", new Set<string>(["cli"])]
])

/** Packages that one room keeps to itself. grammY's types are Telegram's words, which the sandbox has to speak. */
const keepers: ReadonlyArray<readonly [name: RegExp, rooms: ReadonlyArray<string>]> = [
  [/^grammy$/, ["telegram"]],
  [/^grammy\/types$/, ["telegram", "sandbox"]],
  [/^@(?:mtcute|fuman)\//, ["telegram"]],
  [/^(?:@effect\/sql-|pg$|postgres$)/, ["store"]],
  [/^ioredis$/, ["lock"]]
]

const files = readdirSync(source, { recursive: true, encoding: "utf8" })
  .filter((path) => /\.[tj]s$/.test(path))
  .map((path) => path.replaceAll("\\", "/"))

const roomOf = (path: string) => path.split("/")[0]!

/** `from "…"`, `import "…"` and `import("…")`. */
const importsOf = (path: string) =>
  [
    ...readFileSync(join(source, path), "utf8").matchAll(
      /^(?:import|export|\}).*?from "([^"]+)"|\bimport\(?\s*"([^"]+)"/gm
    )
  ].map((match) => match[1] ?? match[2]!)

const edges = files.flatMap((path) =>
  importsOf(path).flatMap((name) => {
    if (!name.startsWith(".")) return []
    const to = normalize(join(dirname(path), name))
    return to.startsWith("..") || roomOf(to) === roomOf(path) ? [] : [{ path, room: roomOf(to) }]
  })
)

describe("the rooms", () => {
  it("know only those before them", () => {
    assert.isAbove(edges.length, 100)
    const forbidden = edges.filter(({ path, room }) => !allowed.get(roomOf(path))?.has(room))
    assert.deepStrictEqual(forbidden, [])
  })

  it("keep the packages that are theirs", () => {
    const strays = files.flatMap((path) =>
      importsOf(path)
        .filter((name) => keepers.some(([kept, rooms]) => kept.test(name) && !rooms.includes(roomOf(path))))
        .map((name) => ({ path, name }))
    )
    assert.deepStrictEqual(strays, [])
  })

  it("load mtcute only when an account connects", () => {
    const statically = (path: string) =>
      [...readFileSync(join(source, path), "utf8").matchAll(/^(?:import|export|\}) .*?from "([^"]+)"/gm)].map(
        (match) => match[1]!
      )
    const behind = (path: string) => path.startsWith("telegram/mtproto/")
    const eager = files.filter(
      (path) =>
        !behind(path) &&
        statically(path).some(
          (name) =>
            /^@(?:mtcute|fuman)\//.test(name) ||
            (name.startsWith(".") && behind(normalize(join(dirname(path), name))))
        )
    )
    assert.isTrue(files.some(behind))
    assert.deepStrictEqual(eager, [])
  })
})
