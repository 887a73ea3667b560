// Sums up a CI run: the tests in vitest's JSON report and the checks of `run` itself, one `passed|failed|skipped`
// and a name a line. The last line printed is the result, and the exit code says whether anything failed.
import { existsSync, readFileSync } from "node:fs"

const [reportFile, checksFile] = process.argv.slice(2)
const count = { passed: 0, failed: 0, skipped: 0 }

const report = existsSync(reportFile) ? JSON.parse(readFileSync(reportFile, "utf8")) : undefined
if (report === undefined) {
  console.log("The tests left no report")
  count.failed++
}
for (const file of report?.testResults ?? []) {
  for (const test of file.assertionResults) {
    if (test.status === "passed") count.passed++
    else if (test.status === "failed") {
      count.failed++
      console.log(`FAILED ${file.name}: ${test.fullName}`)
    } else count.skipped++
  }
  // A file that cannot even be loaded has no test to blame.
  if (file.status === "failed" && !file.assertionResults.some((test) => test.status === "failed")) {
    count.failed++
    console.log(`FAILED ${file.name}: ${file.message}`)
  }
}
const failedTests = count.failed
for (const line of readFileSync(checksFile, "utf8").split("\n").filter(Boolean)) {
  const [outcome, name] = line.split("\t")
  // The run of the tests fails with its tests: counted once, but never overlooked.
  if (name === "tests" && (outcome === "passed" || failedTests > 0)) continue
  count[outcome]++
  if (outcome !== "passed") console.log(`${outcome.toUpperCase()} ${name}`)
}

const skipped = count.skipped > 0 ? `, ${count.skipped} skipped` : ""
console.log(`${count.passed} passed, ${count.failed} failed${skipped}`)
process.exit(count.failed === 0 ? 0 : 1)
