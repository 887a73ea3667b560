/** How a command finds the running process, and what it says when it does not. */
import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { createServer, type RequestListener } from "node:http"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { eventually, start, temporaryDirectory } from "../support/Application.ts"
import { command } from "../support/cli.ts"
import { freePort } from "../support/freePort.ts"

/** Something else on a port of this machine. */
const listening = (listener: RequestListener) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.callback<ReturnType<typeof createServer>>((resume) => {
        const server = createServer(listener)
        server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
      }),
      (server) => Effect.sync(() => server.close())
    ),
    (server) => {
      const address = server.address()
      return `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`
    }
  )

describe("a command", () => {
  it.live("finds the running process on whatever port it got, and its token; both go with it", () =>
    Effect.gen(function* () {
      const dataDir = yield* temporaryDirectory
      const application = yield* start({ dataDir })
      const file = join(dataDir, "admin.url")
      assert.strictEqual(readFileSync(file, "utf8"), `${application.url}\n`)
      assert.strictEqual(statSync(file).mode & 0o777, 0o600)

      let shown = ""
      yield* eventually(
        "its bot's poller is shown to run",
        Effect.map(command({ dataDir }, "tasks"), ({ code, err, out }) => {
          assert.deepInclude({ code, err }, { code: 0, err: "" })
          shown = out
          return /^ID +STATUS +SINCE +RESTARTS +DESCRIPTION\n(.*\n)*poller\/default\/default +running/.test(
            out
          )
        }),
        { detail: () => shown }
      )
      const json = JSON.parse((yield* command({ dataDir }, "tasks", "default", "--json")).out)
      assert.isTrue(json.some(({ id }: { readonly id: string }) => id === "poller/default/default"))
      const nothing = yield* command({ dataDir }, "undelivered", "default")
      assert.deepEqual(nothing, { code: 0, out: "Everything that was said has arrived", err: "" })

      const wrong = yield* command({ dataDir, env: { ADMIN_TOKEN: "x".repeat(20) } }, "tasks")
      assert.strictEqual(wrong.code, 1)
      assert.include(wrong.err, "does not take the token in ADMIN_TOKEN")

      const elsewhere = yield* temporaryDirectory
      const token = readFileSync(join(dataDir, "admin.token"), "utf8").trim()
      const remote = ["tasks", "--url", application.url]
      assert.include((yield* command({ dataDir }, ...remote)).err, "put it into ADMIN_TOKEN")
      const reached = yield* command({ dataDir: elsewhere, env: { ADMIN_TOKEN: token } }, ...remote)
      assert.strictEqual(reached.code, 0)

      yield* application.signal("SIGTERM")
      assert.isFalse(existsSync(file))
      const gone = yield* command({ dataDir, env: { HTTP_PORT: String(yield* freePort) } }, "tasks")
      assert.deepInclude(gone, { code: 1, out: "" })
      assert.match(gone.err, /^No assistant answers at http:.*\nStart the assistant|npm start/)
    }).pipe(Effect.scoped)
  )

  it.live("shows its token to nobody but Zapiska", () =>
    Effect.gen(function* () {
      const dataDir = yield* temporaryDirectory
      const shown: Array<string | undefined> = []
      const url = yield* listening((request, response) => {
        shown.push(request.headers.authorization)
        response.end("<h1>Printer</h1>")
      })
      writeFileSync(join(dataDir, "admin.url"), `${url}\n`)
      writeFileSync(join(dataDir, "admin.token"), `${"t".repeat(43)}\n`)
      const { code, err } = yield* command({ dataDir }, "tasks")
      assert.strictEqual(code, 1)
      assert.include(err, "is not Zapiska")
      assert.deepStrictEqual(shown, [undefined])
    }).pipe(Effect.scoped)
  )

  it.live("waits for nothing: a process that is starting is told from one that is not there", () =>
    Effect.gen(function* () {
      const dataDir = yield* temporaryDirectory
      const url = yield* listening((_request, response) => {
        response.writeHead(503).end("Starting\n")
      })
      writeFileSync(join(dataDir, "admin.url"), `${url}\n`)
      const { code, err } = yield* command({ dataDir }, "tasks")
      assert.strictEqual(code, 1)
      assert.include(err, "still starting")
    }).pipe(Effect.scoped)
  )

  it.live("that is not understood ends with 2, says why, and repeats no token", () =>
    Effect.gen(function* () {
      const dataDir = yield* temporaryDirectory
      const token = `123456789:${"x".repeat(35)}`
      for (const [args, words] of [
        [["nonsense"], 'Unknown subcommand "nonsense"'],
        [["undelivered"], "Missing required argument: tenant"],
        [["undelivered", "No Such"], "1 to 63 of a-z, 0-9 and '-'"],
        [["tasks", "default", token], "Unexpected positional argument"],
        [["start", "--json"], "Unrecognized flag: --json"]
      ] as const) {
        const { code, out, err } = yield* command({ dataDir }, ...args)
        assert.strictEqual(code, 2, args.join(" "))
        assert.strictEqual(out, "")
        assert.include(err, words)
        assert.match(err, /\nSee: zapiska .*--help$/)
        assert.notInclude(err, token)
      }
      assert.deepInclude(yield* command({ dataDir }), { code: 0, err: "" })
    }).pipe(Effect.scoped)
  )

  it.live("says which of its settings is wrong, as the process would", () =>
    Effect.gen(function* () {
      const dataDir = yield* temporaryDirectory
      chmodSync(dataDir, 0o711)
      const { code, err } = yield* command({ dataDir, env: { HTTP_PORT: "many" } }, "tasks")
      assert.strictEqual(code, 1)
      assert.include(err, "HTTP_PORT")
    }).pipe(Effect.scoped)
  )
})
