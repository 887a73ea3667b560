// Builds the package for developers who import its services: the compiled modules with their types, and the
// files that are served as they are.
import { spawnSync } from "node:child_process"
import { cpSync, rmSync } from "node:fs"

rmSync("dist", { recursive: true, force: true })
const compiled = spawnSync("tsc", ["-p", "tsconfig.build.json"], {
  stdio: "inherit",
  shell: process.platform === "win32"
})
if (compiled.status !== 0) process.exit(compiled.status ?? 1)
cpSync("src", "dist", { recursive: true, filter: (path) => !path.endsWith(".ts") })
