// Set-up for the two commands of the README: installs the locked dependencies when they are missing or out
// of date. Runs on any Node >= 18 with no dependency of its own; everything else runs on the Node 26 that
// the lock file pins (npm puts node_modules/.bin first on the PATH of its scripts).
import { spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import { existsSync, lstatSync, readFileSync, writeFileSync } from "node:fs"

const stamp = "node_modules/.zapiska-lock"
const wanted = createHash("sha256").update(readFileSync("package-lock.json")).digest("hex")
const installed = existsSync(stamp) ? readFileSync(stamp, "utf8") : ""

if (installed !== wanted) {
  if (lstatSync("node_modules", { throwIfNoEntry: false })?.isSymbolicLink()) {
    console.error(
      "node_modules is a link, and what it points to is not what package-lock.json asks for. Installing would empty it: run `npm ci` there, or remove the link, and run the command again."
    )
    process.exit(1)
  }
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
