import { execFileSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { variableNames, variables } from "../src/app/Variables.ts"
import { temporaryDirectory } from "./support/Application.ts"

const readme = readFileSync("README.md", "utf8")

describe("README", () => {
  it.live(
    "its examples run as they stand",
    () =>
      Effect.gen(function* () {
        const examples = [...readme.matchAll(/```js\n([\s\S]*?)```/g)].map(([, code = ""]) => code)
        execFileSync("npm", ["run", "build"], { stdio: "pipe" })
        const dataDir = yield* temporaryDirectory
        // Inside the package, so that they find it under its own name.
        const folder = yield* Effect.acquireRelease(
          Effect.sync(() => mkdtempSync(join(process.cwd(), "dist/example-"))),
          (path) => Effect.sync(() => rmSync(path, { recursive: true }))
        )
        const printed = examples.map((code, index) => {
          const file = join(folder, `${index}.mjs`)
          writeFileSync(file, code)
          return execFileSync(process.execPath, [file], {
            cwd: dataDir,
            encoding: "utf8",
            env: { PATH: process.env.PATH, HOME: process.env.HOME, DATA_DIR: dataDir, HTTP_PORT: "0" }
          })
        })
        assert.lengthOf(printed, 3)
        assert.include(printed[0], "Hello, world")
        assert.include(printed[1], "/recent")
        assert.include(printed[2], "Ann is logged in")
      }),
    180_000
  )

  it("lists every variable that has an effect, and no other", () => {
    const listed = new Set([...readme.matchAll(/`([A-Z]{2,}(?:_[A-Z]+)+)`/g)].map((match) => match[1]))
    for (const name of variableNames) {
      assert.strictEqual(listed.has(name), !("withoutEffect" in variables[name]), name)
    }
  })
})
