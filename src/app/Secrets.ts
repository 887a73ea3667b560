/**
 * The two secrets nobody has to think of: the bearer of the admin API and the key that seals stored
 * credentials. Given in the environment, or made once and kept in DATA_DIR, readable by its owner only.
 */
import { randomBytes } from "node:crypto"
import { join } from "node:path"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { Context, Effect, FileSystem, Layer, Option, Redacted, Schema } from "effect"
import { Scrubber } from "../ops/Scrub.ts"
import { AppConfig } from "./AppConfig.ts"
import { adminTokenFile } from "./DataDirFiles.ts"
import { variables } from "./Variables.ts"

/** Never mended by making a new one: what the old one sealed could not be opened again. */
export class SecretFileUnusable extends Schema.TaggedError<SecretFileUnusable>()("SecretFileUnusable", {
  path: Schema.String,
  wrong: Schema.String,
  variable: Schema.String
}) {
  override get message() {
    return `${this.path} ${this.wrong}. Put the file back from a backup or set ${this.variable}; only if nothing depends on it yet, delete it and a new one is made`
  }
}

export class Secrets extends Context.Service<
  Secrets,
  {
    readonly adminToken: Redacted.Redacted
    /** 32 bytes. */
    readonly key: Redacted.Redacted<Uint8Array>
    /** Where the operator finds the token; undefined when it came from the environment. */
    readonly adminTokenFile: string | undefined
  }
>()("zapiska/app/Secrets") {
  static readonly layer: Layer.Layer<Secrets, SecretFileUnusable, AppConfig | Scrubber> = Layer.effect(
    Secrets,
    Effect.suspend(() => make)
  ).pipe(Layer.provide(NodeFileSystem.layer))
}

interface SecretFile<A> {
  readonly path: string
  readonly variable: "ADMIN_TOKEN" | "SECRETS_KEY"
  readonly read: (text: string) => Option.Option<A>
  readonly encoding: "base64" | "base64url"
}

/** Whole on the disk before it has its name: a crash leaves no file or a good one. */
const create = Effect.fnUntraced(function* (path: string, content: string) {
  const files = yield* FileSystem.FileSystem
  const unfinished = `${path}.new`
  yield* files.remove(unfinished, { force: true })
  yield* Effect.scoped(
    Effect.gen(function* () {
      const file = yield* files.open(unfinished, { flag: "wx", mode: 0o600 })
      yield* file.writeAll(new TextEncoder().encode(content))
      yield* file.sync
    })
  )
  yield* files.rename(unfinished, path)
})

const load = Effect.fnUntraced(function* <A>(file: SecretFile<A>) {
  const files = yield* FileSystem.FileSystem
  const text = yield* files.readFileString(file.path).pipe(
    Effect.catchReason("PlatformError", "NotFound", () => {
      const made = `${randomBytes(32).toString(file.encoding)}\n`
      return Effect.as(create(file.path, made), made)
    }),
    Effect.mapError(
      (error) =>
        new SecretFileUnusable({
          path: file.path,
          wrong: `cannot be read or made (${error.reason._tag})`,
          variable: file.variable
        })
    )
  )
  const mode = yield* files.stat(file.path).pipe(
    Effect.map((info) => info.mode & 0o077),
    Effect.orElseSucceed(() => 0)
  )
  if (mode !== 0) yield* Effect.logWarning(`${file.path} is open to others; run: chmod 600 ${file.path}`)
  const value = file.read(text.trim())
  if (Option.isSome(value)) return value.value
  return yield* new SecretFileUnusable({
    path: file.path,
    wrong: `is damaged: it holds ${text.trim().length} characters that are not what was written there`,
    variable: file.variable
  })
})

const make = Effect.gen(function* () {
  const config = yield* AppConfig
  const scrubber = yield* Scrubber
  const files = yield* FileSystem.FileSystem
  const tokenFile = adminTokenFile(config.dataDir)
  yield* files.makeDirectory(config.dataDir, { recursive: true }).pipe(
    Effect.mapError(
      (error) =>
        new SecretFileUnusable({
          path: config.dataDir,
          wrong: `(DATA_DIR) cannot be made (${error.reason._tag})`,
          variable: "DATA_DIR"
        })
    )
  )
  const adminToken =
    config.adminToken ??
    (yield* load({
      path: tokenFile,
      variable: "ADMIN_TOKEN",
      read: variables.ADMIN_TOKEN.read,
      encoding: "base64url"
    }))
  const key =
    config.secretsKey ??
    (yield* load({
      path: join(config.dataDir, "secrets.key"),
      variable: "SECRETS_KEY",
      read: variables.SECRETS_KEY.read,
      encoding: "base64"
    }))
  yield* scrubber.register(adminToken)
  yield* scrubber.register(Redacted.make(Buffer.from(Redacted.value(key)).toString("base64")))
  return Secrets.of({ adminToken, key, adminTokenFile: config.adminToken ? undefined : tokenFile })
})
