#!/usr/bin/env node
// The command as npx and npm find it. Any Node from 18 on can run this file; what it starts needs Node 26, which comes
// with the dependencies of a clone.
import { spawn } from "node:child_process"
import { existsSync } from "node:fs"
import { createRequire } from "node:module"
import { constants } from "node:os"
import { fileURLToPath } from "node:url"

const needed = 26
const here = (path) => fileURLToPath(new URL(`../../${path}`, import.meta.url))

/** A Node that is new enough: this one, or the one among the dependencies. */
const node = () => {
  if (Number.parseInt(process.versions.node, 10) >= needed) return process.execPath
  try {
    const require = createRequire(import.meta.url)
    const path = require.resolve(`node/bin/node${process.platform === "win32" ? ".exe" : ""}`)
    return existsSync(path) ? path : undefined
  } catch {
    return undefined
  }
}

const complain = (text) => {
  console.error(text)
  process.exit(1)
}

// Sources in a clone; beneath node_modules Node runs only what is compiled.
const compiled = here("dist/main.js")
const main = /[\\/]node_modules[\\/]/.test(compiled) && existsSync(compiled) ? compiled : here("src/main.ts")

const found = node()
if (!existsSync(here("node_modules/effect")) && main.endsWith(".ts")) {
  complain(`Nothing is installed yet: run \`npm ci\` in ${here("")}`)
}
if (found === undefined) {
  complain(
    `Zapiska needs Node ${needed}, and this is ${process.version}: run \`npm ci\` in ${here("")}, which brings it`
  )
}

const child = spawn(found, [main, ...process.argv.slice(2)], { stdio: "inherit" })
// Ctrl-C reaches the child by itself; what is sent to this process alone is passed on.
for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal))
process.on("SIGINT", () => {})
child.on("error", (error) => complain(`${found} cannot be started: ${error.message}`))
child.on("exit", (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)))
