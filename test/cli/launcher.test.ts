/** `npx zapiska`: what npm finds starts the command on the Node it needs. */
import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { version } from "../../src/app/version.ts"

const bin = fileURLToPath(new URL("../../src/cli/launcher.mjs", import.meta.url))

const run = (...args: ReadonlyArray<string>) =>
  Effect.callback<readonly [code: unknown, out: string, err: string]>((resume) => {
    execFile(process.execPath, [bin, ...args], (error, out, err) =>
      resume(Effect.succeed([error === null ? 0 : error.code, out.trim(), err.trim()]))
    )
  })

it.live("its output and its exit code are those of the command", () =>
  Effect.gen(function* () {
    assert.deepStrictEqual(yield* run("--version"), [0, `zapiska v${version}`, ""])
    const [code, out, err] = yield* run("nonsense")
    assert.deepStrictEqual([code, out], [2, ""])
    assert.include(err, "Unknown subcommand")
  })
)
