/**
 * What the admin API answers when it does not do what was asked: what happened, to what, and what to do. Here is also
 * how a request that does not fit its schema comes to be told so.
 */
import { Cause, Effect, Layer, Schema, SchemaIssue, type Types } from "effect"
import { HttpApiError, HttpApiMiddleware } from "effect/http-api"

export const Problem = Schema.Struct({
  /** Where in the request: `payload.role`, `params.tenant`. */
  field: Schema.String,
  /** What is wrong with it or what is allowed there; never what was sent, which may be a secret. */
  problem: Schema.String
})
export type Problem = typeof Problem.Type

/** The request is not one we understand. */
export class Invalid extends Schema.TaggedError<Invalid>()(
  "Invalid",
  { message: Schema.String, problems: Schema.Array(Problem) },
  {
    httpApiStatus: 400,
    description: "The request is not understood: which fields, and what is allowed there"
  }
) {}

/** `reason`: a word for programs, such as `BotTaken`. */
const told = { reason: Schema.String, message: Schema.String }

/** It speaks of something that is not there. */
export class Missing extends Schema.TaggedError<Missing>()("Missing", told, {
  httpApiStatus: 404,
  description: "There is no such thing"
}) {}

/** It is understood, and what there is does not allow it. */
export class Conflict extends Schema.TaggedError<Conflict>()("Conflict", told, {
  httpApiStatus: 409,
  description: "What there is does not allow it"
}) {}

/** It may succeed when it is tried again, unchanged. */
export class Unavailable extends Schema.TaggedError<Unavailable>()(
  "Unavailable",
  { message: Schema.String },
  { httpApiStatus: 503, description: "Not now: the database does not answer" }
) {}

const format = SchemaIssue.makeFormatterStandardSchemaV1({
  leafHook: (issue) => {
    if (issue._tag === "MissingKey") return "it is missing"
    if (issue._tag === "UnexpectedKey") return "there is no such field"
    return SchemaIssue.defaultLeafHook(issue).replace(/^Expected /, "expected ")
  }
})

const nameOf = (segment: PropertyKey | { readonly key: PropertyKey }) =>
  String(typeof segment === "object" ? segment.key : segment)

/** Every problem of a value that does not fit its schema. `within`: what the value is called. */
export const problemsOf = (within: string, issue: SchemaIssue.Issue): ReadonlyArray<Problem> =>
  format(issue).issues.map(({ path, message }) => ({
    field: [within, ...(path ?? []).map(nameOf)].join("."),
    problem: message
  }))

/** What every request may meet, and telling who asked what is wrong with it. */
export class Refusing extends HttpApiMiddleware.Service<Refusing>()("zapiska/app/admin/Refusing", {
  error: [Invalid, Unavailable]
}) {}

const misunderstood = ({ kind, cause }: HttpApiError.HttpApiSchemaError) => {
  const problems = problemsOf(kind.toLowerCase(), cause.issue)
  return new Invalid({
    message: `The request is not understood: ${problems.map(({ field, problem }) => `${field}: ${problem}`).join("; ")}`,
    problems
  })
}

export const refusing: Layer.Layer<Refusing> = Layer.succeed(Refusing, (handle) =>
  handle.pipe(
    Effect.catch((error: Types.unhandled): Effect.Effect<never, Types.unhandled | Invalid> => {
      if (!HttpApiError.HttpApiSchemaError.is(error)) return Effect.fail(error)
      // What does not fit the schema of an answer is not the fault of who asked.
      return error.kind === "Body" || error.kind === "ResponseHeaders"
        ? Effect.die(error)
        : misunderstood(error)
    }),
    // The answer is an empty 500: what happened is for the operator alone.
    Effect.tapCause((cause) =>
      Cause.hasDies(cause) ? Effect.logError("The admin API could not answer", cause) : Effect.void
    )
  )
)

interface Told {
  readonly _tag: string
  readonly message: string
}

/** What the services say, as the API says it: for `Effect.catchTag`. */
export const missing = (error: Told): Effect.Effect<never, Missing> =>
  Effect.fail(new Missing({ reason: error._tag, message: error.message }))
export const conflict = (error: Told): Effect.Effect<never, Conflict> =>
  Effect.fail(new Conflict({ reason: error._tag, message: error.message }))
export const invalid =
  (field: string) =>
  ({ message }: Told): Effect.Effect<never, Invalid> =>
    Effect.fail(new Invalid({ message, problems: [{ field, problem: message }] }))
