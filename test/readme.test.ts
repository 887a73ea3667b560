import { execFileSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { variableNames, variables } from "../src/app/Variables.ts"

const readme = readFileSync("README.md", "utf8")

describe("README", () => {
  it("its example runs as it stands", () => {
    const example = /```js\n([\s\S]*?)```/.exec(readme)?.[1]
    assert.isDefined(example)
    execFileSync("npm", ["run", "build"], { stdio: "pipe" })
    // Inside the package, so that it is found under its own name.
    const folder = mkdtempSync(join(process.cwd(), "dist/example-"))
    try {
      writeFileSync(join(folder, "example.mjs"), example!)
      const printed = execFileSync(process.execPath, [join(folder, "example.mjs")], { encoding: "utf8" })
      assert.include(printed, "Hello, world")
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it("lists every variable that has an effect, and no other", () => {
    const listed = new Set([...readme.matchAll(/`([A-Z]{2,}(?:_[A-Z]+)+)`/g)].map((match) => match[1]))
    for (const name of variableNames) {
      assert.strictEqual(listed.has(name), !("withoutEffect" in variables[name]), name)
    }
  })
})
