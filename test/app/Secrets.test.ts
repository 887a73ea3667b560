import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger, Redacted } from "effect"
import { AppConfig, ProcessEnvironment } from "../../src/app/AppConfig.ts"
import type { Environment } from "../../src/app/Environment.ts"
import { Secrets } from "../../src/app/Secrets.ts"
import { Scrubber } from "../../src/ops/Scrub.ts"

const directory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "zapiska-secrets-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true }))
)

const start = (path: string, environment: Environment = {}) =>
  Effect.gen(function* () {
    const secrets = yield* Secrets
    const scrubber = yield* Scrubber
    return { ...secrets, scrubbed: scrubber.text }
  }).pipe(
    Effect.provide(
      Secrets.layer.pipe(
        Layer.provideMerge(Scrubber.layer),
        Layer.provide(AppConfig.layer),
        Layer.provide(Layer.succeed(ProcessEnvironment, { variables: environment, directory: path }))
      )
    )
  )

const tokenFile = (path: string) => join(path, "data", "admin.token")
const keyFile = (path: string) => join(path, "data", "secrets.key")

describe("Secrets", () => {
  it.effect("are made once, for the owner's eyes only, and are the same at the next start", () =>
    Effect.gen(function* () {
      const path = yield* directory
      const first = yield* start(path)
      const second = yield* start(path)
      assert.strictEqual(Redacted.value(first.key).length, 32)
      assert.isAtLeast(Redacted.value(first.adminToken).length, 40)
      assert.strictEqual(Redacted.value(second.adminToken), Redacted.value(first.adminToken))
      assert.deepStrictEqual(Redacted.value(second.key), Redacted.value(first.key))
      assert.strictEqual(first.adminTokenFile, tokenFile(path))
      for (const file of [tokenFile(path), keyFile(path)])
        assert.strictEqual(statSync(file).mode & 0o777, 0o600)
      assert.sameMembers(readdirSync(join(path, "data")), ["admin.token", "secrets.key"])
    })
  )

  it.effect("differ from place to place", () =>
    Effect.gen(function* () {
      const one = yield* start(yield* directory)
      const other = yield* start(yield* directory)
      assert.notStrictEqual(Redacted.value(one.adminToken), Redacted.value(other.adminToken))
      assert.notDeepEqual(Redacted.value(one.key), Redacted.value(other.key))
    })
  )

  it.effect("come from the environment when it has them, and then nothing is written", () =>
    Effect.gen(function* () {
      const path = yield* directory
      const secrets = yield* start(path, {
        ADMIN_TOKEN: "sixteen-letters-or-more",
        SECRETS_KEY: Buffer.alloc(32, 9).toString("base64")
      })
      assert.strictEqual(Redacted.value(secrets.adminToken), "sixteen-letters-or-more")
      assert.isUndefined(secrets.adminTokenFile)
      assert.deepStrictEqual(readdirSync(join(path, "data")), [])
    })
  )

  for (const [name, content] of [
    ["short", "c2hvcnQ="],
    ["empty", ""],
    ["damaged", `${"!".repeat(44)}\n`]
  ] as const) {
    it.effect(`a ${name} key file is an error that says what to do, and stays as it is`, () =>
      Effect.gen(function* () {
        const path = yield* directory
        yield* start(path)
        writeFileSync(keyFile(path), content)
        const error = yield* Effect.flip(start(path))
        assert.strictEqual(error._tag, "SecretFileUnusable")
        assert.include(error.message, keyFile(path))
        assert.include(error.message, "backup")
        assert.include(error.message, "SECRETS_KEY")
        if (content !== "") assert.notInclude(error.message, content.trim())
        assert.strictEqual(readFileSync(keyFile(path), "utf8"), content)
      })
    )
  }

  it.effect("what a crash left half-made is made anew", () =>
    Effect.gen(function* () {
      const path = yield* directory
      yield* start(path)
      rmSync(keyFile(path))
      writeFileSync(`${keyFile(path)}.new`, "ha")
      assert.strictEqual(Redacted.value((yield* start(path)).key).length, 32)
    })
  )

  it.effect("a file open to others is warned about", () =>
    Effect.gen(function* () {
      const path = yield* directory
      yield* start(path)
      chmodSync(tokenFile(path), 0o644)
      const lines: Array<unknown> = []
      const logger = Logger.make(({ message }) => {
        lines.push(message)
      })
      yield* start(path).pipe(Effect.provide(Logger.layer([logger])))
      assert.include(String(lines), `chmod 600 ${tokenFile(path)}`)
    })
  )

  it.effect("are known to the scrubber", () =>
    Effect.gen(function* () {
      const secrets = yield* start(yield* directory)
      const said = `token ${Redacted.value(secrets.adminToken)} key ${Buffer.from(Redacted.value(secrets.key)).toString("base64")}`
      assert.strictEqual(secrets.scrubbed(said), "token <hidden> key <hidden>")
    })
  )
})
