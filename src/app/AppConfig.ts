/**
 * The configuration, decoded once: from the environment and, for what is not set there, from `.env` in the
 * working directory. Whatever is wrong is reported together; a secret is never shown.
 */
import { join } from "node:path"
import { parseEnv } from "node:util"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { Context, Effect, FileSystem, Layer, type Redacted, Result, Schema } from "effect"
import {
  decodeEnvironment,
  type Environment,
  Problem,
  type Settings,
  secretsIn,
  withoutEffect
} from "./Environment.ts"
import { meantBy } from "./Misspelled.ts"
import { variableNames } from "./Variables.ts"

export class ConfigInvalid extends Schema.TaggedError<ConfigInvalid>()("ConfigInvalid", {
  problems: Schema.NonEmptyArray(Problem)
}) {
  override get message() {
    const many = this.problems.length === 1 ? "one problem" : `${this.problems.length} problems`
    const lines = this.problems.map(
      ({ variable, wrong, allowed }) => `  ${variable}: ${wrong}\n    allowed: ${allowed}`
    )
    return [
      `The configuration has ${many}:`,
      ...lines,
      "Set it right in the environment or in .env and start again."
    ].join("\n")
  }
}

/** What the process was started with: the one place that looks at it. Tests put their own here. */
export const ProcessEnvironment = Context.Reference<{
  readonly variables: Environment
  /** Where `.env` is looked for, and where relative paths begin. */
  readonly directory: string
}>("zapiska/app/ProcessEnvironment", {
  defaultValue: () => ({ variables: process.env, directory: process.cwd() })
})

export class AppConfig extends Context.Service<
  AppConfig,
  Settings & {
    /** What to tell the operator at start; names only, no values. */
    readonly warnings: ReadonlyArray<string>
    /** Every secret of the environment, for the scrubber. */
    readonly secrets: ReadonlyArray<Redacted.Redacted>
  }
>()("zapiska/app/AppConfig") {
  static readonly layer: Layer.Layer<AppConfig, ConfigInvalid> = Layer.effect(
    AppConfig,
    Effect.suspend(() => make)
  ).pipe(Layer.provide(NodeFileSystem.layer))
}

export const warningsFor = (environment: Environment): ReadonlyArray<string> => [
  ...Object.keys(environment).flatMap((name) => {
    const meant = meantBy(name, variableNames)
    return meant === undefined || environment[name] === undefined
      ? []
      : [`${name} is set, which means nothing here; perhaps ${meant} was meant`]
  }),
  ...withoutEffect(environment).map(
    (name) => `${name} is set and well-formed, but has no effect in this version`
  )
]

const readDotEnv = Effect.fnUntraced(function* (directory: string) {
  const files = yield* FileSystem.FileSystem
  const path = join(directory, ".env")
  return yield* files.readFileString(path).pipe(
    Effect.map((text): Environment => parseEnv(text)),
    Effect.catchReason("PlatformError", "NotFound", () => Effect.succeed<Environment>({})),
    Effect.mapError(
      (error) =>
        new ConfigInvalid({
          problems: [
            {
              variable: ".env",
              wrong: `${path} cannot be read (${error.reason._tag})`,
              allowed: "a file the process may read, or none"
            }
          ]
        })
    )
  )
})

const make = Effect.gen(function* () {
  const { variables, directory } = yield* ProcessEnvironment
  const environment: Environment = { ...(yield* readDotEnv(directory)), ...variables }
  const decoded = decodeEnvironment(environment, directory)
  if (Result.isFailure(decoded)) return yield* new ConfigInvalid({ problems: decoded.failure })
  return AppConfig.of({
    ...decoded.success,
    warnings: warningsFor(environment),
    secrets: secretsIn(environment)
  })
})
