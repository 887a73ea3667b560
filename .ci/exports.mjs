// Imports every built module of package.json's `exports` by the name a developer would use, and looks for its
// types. Prints a line for each; the last one says how many there were.
import { existsSync, readFileSync } from "node:fs"

const { name, exports } = JSON.parse(readFileSync("package.json", "utf8"))
const failed = []
for (const [path, file] of Object.entries(exports)) {
  const types = file.replace(/\.js$/, ".d.ts")
  const specifier = path.replace(".", name)
  const reason = await import(specifier).then(
    (module) => {
      if (Object.keys(module).length === 0) return "it exports nothing"
      return existsSync(types) ? undefined : `${types} is missing`
    },
    (error) => String(error)
  )
  console.log(reason === undefined ? `ok ${specifier}` : `FAILED ${specifier}: ${reason}`)
  if (reason !== undefined) failed.push(specifier)
}
console.log(`${Object.keys(exports).length} exports, ${failed.length} failed`)
process.exit(failed.length === 0 ? 0 : 1)
