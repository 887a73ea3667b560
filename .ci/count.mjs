// Sums up a CI run: the tests in vitest's JSON report and the checks of `run` itself, one `passed|failed|skipped`
// and a name a line. The last line printed is the result, and the exit code says whether anything failed.
//
//   count.mjs --failed REPORT        prints the files to run once more, alone: those of a few failed tests
//   count.mjs REPORT CHECKS SECOND   sums up; SECOND is the report of that second run
import { existsSync, readFileSync } from "node:fs"
import { relative } from "node:path"

/** More than a busy machine makes fail by itself. */
const few = 3

const read = (file) => (existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : undefined)
const testsOf = (report) =>
  (report?.testResults ?? []).flatMap(({ name, assertionResults }) =>
    assertionResults.map((test) => ({ ...test, file: relative(process.cwd(), name) }))
  )
const keyOf = ({ file, fullName }) => `${file}: ${fullName}`
const whyOf = ({ failureMessages = [] }) =>
  failureMessages.map((message) =>
    message
      .split("\n")
      .filter((line) => !/^\s+at .*(node_modules|new Promise)/.test(line))
      .slice(0, 8)
      .map((line) => `    ${line.slice(0, 300)}`)
      .join("\n")
  )
const failed = (test) => test.status === "failed"

if (process.argv[2] === "--failed") {
  const tests = testsOf(read(process.argv[3])).filter(failed)
  if (tests.length <= few) for (const file of new Set(tests.map((test) => test.file))) console.log(file)
  process.exit()
}

const [reportFile, checksFile, secondFile] = process.argv.slice(2)
const count = { passed: 0, failed: 0, skipped: 0 }
const say = (word, test) => console.log([`${word} ${keyOf(test)}`, ...whyOf(test)].join("\n"))

const report = read(reportFile)
if (report === undefined) {
  console.log("The tests left no report")
  count.failed++
}
const passedAlone = new Set(
  testsOf(read(secondFile))
    .filter(({ status }) => status === "passed")
    .map(keyOf)
)
let unsteady = 0
for (const test of testsOf(report)) {
  if (test.status === "passed") count.passed++
  else if (!failed(test)) count.skipped++
  else if (passedAlone.has(keyOf(test))) {
    count.passed++
    unsteady++
    say("UNSTEADY, to be mended: failed beside others and passed alone:", test)
  } else {
    count.failed++
    say("FAILED", test)
  }
}
// A file that cannot even be loaded has no test to blame.
for (const file of report?.testResults ?? [])
  if (file.status === "failed" && !file.assertionResults.some(failed)) {
    count.failed++
    console.log(`FAILED ${relative(process.cwd(), file.name)}: ${file.message}`)
  }
const blamed = count.failed + unsteady
for (const line of readFileSync(checksFile, "utf8").split("\n").filter(Boolean)) {
  const [outcome, name] = line.split("\t")
  // The run of the tests fails with its tests: counted once, but never overlooked.
  if (name === "tests" && (outcome === "passed" || blamed > 0)) continue
  count[outcome]++
  if (outcome !== "passed") console.log(`${outcome.toUpperCase()} ${name}`)
}

const skipped = count.skipped > 0 ? `, ${count.skipped} skipped` : ""
console.log(`${count.passed} passed, ${count.failed} failed${skipped}`)
process.exit(count.failed === 0 ? 0 : 1)
