// Set-up for the two commands of the README: installs the locked dependencies when they are missing or out
// of date. Runs on any Node >= 18 with no dependency of its own; everything else runs on the Node 26 that
// the lock file pins (npm puts node_modules/.bin first on the PATH of its scripts).
import { spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import { existsSync, readFileSync, writeFileSync } from "node:fs"

const stamp = "node_modules/.zapiska-lock"
const wanted = createHash("sha256").update(readFileSync("package-lock.json")).digest("hex")
const installed = existsSync(stamp) ? readFileSync(stamp, "utf8") : ""

if (installed !== wanted) {
  console.log(installed ? "Dependencies changed: installing" : "First run: installing dependencies")
  const npm = spawnSync("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], {
    stdio: "inherit",
    shell: process.platform === "win32"
  })
  if (npm.status !== 0) {
    console.error(
      "Installing the dependencies failed; the lines above say why. Run the command again once that is mended."
    )
    process.exit(1)
  }
  writeFileSync(stamp, wanted)
}
