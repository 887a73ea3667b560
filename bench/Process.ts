/** What a process on this machine uses, as the operating system counts it. */
import { execFileSync } from "node:child_process"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { Effect } from "effect"

const ps = (pid: number, column: string) =>
  Effect.sync(() => execFileSync("ps", ["-o", `${column}=`, "-p", String(pid)], { encoding: "utf8" }).trim())

/** Bytes. */
export const residentMemory = (pid: number) => Effect.map(ps(pid, "rss"), (text) => Number(text) * 1024)

/** Linux counts in hundredths of a second, `ps` only in whole ones. */
const ticks = (pid: number): number => {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ")
  return Number(fields[11]) + Number(fields[12])
}

/** Seconds of processor time since its start, of all its threads. */
export const cpuSeconds = (pid: number) =>
  existsSync(`/proc/${pid}/stat`)
    ? Effect.sync(() => ticks(pid) / 100)
    : Effect.map(ps(pid, "time"), (text) =>
        text.split(/[:-]/).reduce((seconds, part) => seconds * 60 + Number(part), 0)
      )

/** The share of one core a process uses over the next `seconds`. */
export const idleCpu = Effect.fnUntraced(function* (pid: number, seconds: number) {
  const before = yield* cpuSeconds(pid)
  yield* Effect.sleep(seconds * 1000)
  return ((yield* cpuSeconds(pid)) - before) / seconds
})

/** A server and its children, shared pages counted once; `undefined` where the system does not tell. */
export const familyMemory = (pid: number): Effect.Effect<number | undefined> =>
  Effect.sync(() => {
    if (!existsSync(`/proc/${pid}/smaps_rollup`)) return undefined
    const parent = (one: string) =>
      Number(readFileSync(`/proc/${one}/stat`, "utf8").split(") ")[1]!.split(" ")[1])
    const children = readdirSync("/proc").filter((one) => {
      try {
        return /^\d+$/.test(one) && parent(one) === pid
      } catch {
        return false
      }
    })
    return [String(pid), ...children]
      .map((one) => /^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${one}/smaps_rollup`, "utf8"))?.[1])
      .reduce((sum, kilobytes) => sum + Number(kilobytes ?? 0) * 1024, 0)
  })
