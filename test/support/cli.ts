/** A command as somebody gives it in a terminal: a process of its own. */
import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { Effect } from "effect"

const main = fileURLToPath(new URL("../../src/main.ts", import.meta.url))

export interface Answered {
  readonly code: number
  readonly out: string
  readonly err: string
}

export interface CommandOptions {
  readonly dataDir: string
  readonly env?: Readonly<Record<string, string>>
  /** What is piped into it. */
  readonly input?: string
  /** Hears what it prints, as it does. */
  readonly heard?: (text: string) => void
}

export const command = (options: CommandOptions, ...args: ReadonlyArray<string>): Effect.Effect<Answered> =>
  Effect.callback((resume) => {
    const child = execFile(
      process.execPath,
      [main, ...args],
      {
        cwd: options.dataDir,
        env: {
          PATH: process.env.PATH,
          HOME: process.env.HOME,
          DATA_DIR: options.dataDir,
          NO_COLOR: "1",
          ...options.env
        }
      },
      (error, out, err) => {
        const code = error === null ? 0 : typeof error.code === "number" ? error.code : -1
        resume(Effect.succeed({ code, out: out.trimEnd(), err: err.trimEnd() }))
      }
    )
    child.stdout?.on("data", (text) => options.heard?.(String(text)))
    child.stdin?.end(options.input ?? "")
  })
