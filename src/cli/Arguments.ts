/** What commands are given, in the words of the domain. */
import { Effect, Schema } from "effect"
import { Argument, CliError } from "effect/cli"
import { problemsOf } from "../app/admin/Refusals.ts"
import { AppId, TenantId } from "../domain/Ids.ts"

/** `name`, as it is called in the help and when it is wrong. */
export const argument = <A>(name: string, schema: Schema.Codec<A, string>, description: string) =>
  Argument.String(name).pipe(
    Argument.withDescription(description),
    Argument.mapEffect((value) =>
      Effect.mapError(
        Schema.decodeEffect(schema)(value),
        ({ issue }) =>
          new CliError.InvalidValue({
            option: name,
            value,
            expected: problemsOf(name, issue)
              .map(({ problem }) => problem.replace(/^expected /, ""))
              .join("; "),
            kind: "argument"
          })
      )
    )
  )

export const tenant = argument("tenant", TenantId, "The id of a tenant, such as default")
export const app = argument("app", AppId, "The name of one of its bots")
