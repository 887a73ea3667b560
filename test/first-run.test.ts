/** What a newcomer meets: a fresh clone, an empty directory, `npm start`, the page it prints, the first note. */
import { execFileSync, spawn } from "node:child_process"
import { createHash } from "node:crypto"
import {
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { eventually, temporaryDirectory } from "./support/Application.ts"
import { freePort } from "./support/freePort.ts"

/** By which the set-up knows that the dependencies are those of the lock file. */
const stamp = ".zapiska-lock"

const checkout = fileURLToPath(new URL("..", import.meta.url))

/**
 * The files a clone has, as they are here, with the dependencies this checkout has installed. Each of those is a
 * link of its own, and the directory the clone's: whatever is removed from it, theirs stay.
 */
const freshClone = (into: string) => {
  const files = execFileSync("git", ["ls-files", "-z"], { cwd: checkout, encoding: "utf8" })
  for (const file of files.split("\0")) {
    if (file === "" || !existsSync(join(checkout, file))) continue
    mkdirSync(join(into, file, ".."), { recursive: true })
    copyFileSync(join(checkout, file), join(into, file))
  }
  const installed = join(checkout, "node_modules")
  const modules = join(into, "node_modules")
  mkdirSync(modules)
  for (const name of readdirSync(installed)) {
    if (name !== stamp) symlinkSync(join(installed, name), join(modules, name))
  }
  const lock = readFileSync(join(into, "package-lock.json"))
  writeFileSync(join(modules, stamp), createHash("sha256").update(lock).digest("hex"))
}

const npmStart = Effect.fnUntraced(function* (clone: string, port: number) {
  const output: Array<string> = []
  const child = yield* Effect.acquireRelease(
    Effect.sync(() => {
      const started = spawn("npm", ["start"], {
        cwd: clone,
        detached: true,
        stdio: ["ignore", "pipe", "pipe"],
        env: {
          PATH: process.env.PATH,
          HOME: process.env.HOME,
          HTTP_PORT: String(port),
          NOTE_WINDOW: "1 second",
          LOG_FORMAT: "pretty"
        }
      })
      for (const stream of [started.stdout, started.stderr]) {
        stream.setEncoding("utf8").on("data", (text: string) => output.push(text))
      }
      return started
    }),
    (running) =>
      Effect.callback<void>((resume) => {
        if (running.exitCode !== null || running.signalCode !== null) return resume(Effect.void)
        running.once("exit", () => resume(Effect.void))
        // As Ctrl-C does: to everything of the group.
        process.kill(-running.pid!, "SIGINT")
      })
  )
  return { child, output: () => output.join("") }
})

const json = (url: string, body?: object) =>
  Effect.promise(async (): Promise<{ readonly id: number }> => {
    const answer = await fetch(url, {
      ...(body === undefined
        ? {}
        : { method: "POST", body: JSON.stringify(body), headers: { "content-type": "application/json" } })
    })
    assert.strictEqual(answer.status, 200, url)
    return answer.json() as Promise<{ readonly id: number }>
  })

/** What others on the machine may do with anything in it, as far as they may enter; links not followed. */
const openToOthers = (directory: string): ReadonlyArray<string> =>
  readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name)
    // A file that is only there for a moment may be gone.
    const mode = (lstatSync(path, { throwIfNoEntry: false })?.mode ?? 0) & 0o077
    // A socket asks for a password.
    if (entry.isSymbolicLink() || entry.isSocket() || mode === 0) return []
    return [`${path} ${mode.toString(8)}`, ...(entry.isDirectory() ? openToOthers(path) : [])]
  })

it.live(
  "a fresh clone starts, prints its page, and what is typed there becomes a note in git",
  () =>
    Effect.gen(function* () {
      const clone = yield* temporaryDirectory
      freshClone(clone)
      const port = yield* freePort
      const { output } = yield* npmStart(clone, port)
      yield* eventually(
        "it says it is ready, and where the notes are",
        Effect.sync(() => /is ready[\s\S]*a git repository: .*\n/.test(output())),
        { seconds: 150, detail: output }
      )
      const page = /http:\/\/[^\s]+\/sandbox/.exec(output())?.[0] ?? ""
      assert.include(yield* Effect.promise(() => fetch(page).then((answer) => answer.text())), "<html")

      // What the page does for the person in front of it.
      const ann = yield* json(`${page}/api/actions/createUser`, { firstName: "Ann" })
      yield* json(`${page}/api/actions/sendText`, { chat: ann.id, text: "My first note #start" })
      const notes = /a git repository: (.*)/.exec(output())?.[1] ?? ""
      yield* eventually(
        "the repository is there",
        Effect.sync(() => existsSync(join(notes, "index.md")))
      )
      const git = (...args: ReadonlyArray<string>) =>
        execFileSync("git", args, { cwd: notes, encoding: "utf8" })
      yield* eventually(
        "the note is committed",
        Effect.sync(() => git("log", "--branches", "--stat").includes("my-first-note"))
      )
      assert.match(
        git("show", "--stat", "HEAD"),
        /topics\/start\/\d{4}-\d\d\/\d\d-my-first-note-start\.md|topics\/start/
      )

      // Nobody else on the machine can read any of it; where it runs as root the database's user may pass.
      const data = join(clone, "data")
      const mode = (path: string) => lstatSync(path).mode & 0o777
      assert.strictEqual(mode(data) & 0o767, 0o700)
      assert.deepStrictEqual(openToOthers(data), [])
      for (const name of ["admin.token", "secrets.key", "sandbox.sqlite", "lock", "lock.pid"]) {
        assert.strictEqual(mode(join(data, name)), 0o600, name)
      }
      assert.strictEqual(mode(join(data, "kb")), 0o700)

      // A newcomer reads every line: few, none twice, none of them a warning or a stack.
      const lines = output()
        .split("\n")
        .filter((line) => /^\d\d:\d\d:\d\d/.test(line))
      assert.isAtMost(lines.length, 8)
      assert.strictEqual(new Set(lines.map((line) => line.slice(13))).size, lines.length)
      assert.notMatch(output(), /WARN|ERROR|\bat .*:\d+:\d+|undefined|\[object/)
    }).pipe(Effect.scoped),
  300_000
)
