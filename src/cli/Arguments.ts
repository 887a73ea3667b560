/** What commands are given, in the words of the domain. */
import { Effect, Schema } from "effect"
import { Argument, CliError, Flag } from "effect/cli"
import { problemsOf } from "../app/admin/Refusals.ts"
import { AppId, TenantId } from "../domain/Ids.ts"

/** What is typed, decoded; what is wrong with it is said in the words of the schema. */
const decoded =
  <A>(kind: "argument" | "flag", name: string, schema: Schema.Codec<A, string>) =>
  (value: string) =>
    Effect.mapError(
      Schema.decodeEffect(schema)(value),
      ({ issue }) =>
        new CliError.InvalidValue({
          option: name,
          value,
          expected: problemsOf(name, issue)
            .map(({ problem }) => problem.replace(/^expected /, ""))
            .join("; "),
          kind
        })
    )

export const argument = <A>(name: string, schema: Schema.Codec<A, string>, description: string) =>
  Argument.String(name).pipe(
    Argument.withDescription(description),
    Argument.mapEffect(decoded("argument", name, schema))
  )

export const flag = <A>(name: string, schema: Schema.Codec<A, string>, description: string) =>
  Flag.String(name).pipe(Flag.withDescription(description), Flag.mapEffect(decoded("flag", name, schema)))

export const tenant = argument("tenant", TenantId, "The id of a tenant, such as default")
export const app = argument("app", AppId, "The name of one of its bots")
export const session = argument("app", AppId, "The name of the session: that of a bot, or of an account")
