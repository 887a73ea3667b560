/** An error in every way it can come to be printed, to look for what must not be in it. */
import { format, inspect } from "node:util"
import { Cause, Effect, Exit, Logger, Schema } from "effect"

class Wrapping extends Schema.TaggedError<Wrapping>()("Wrapping", { cause: Schema.Defect() }) {}

const all = { depth: null, showHidden: true } as const

const formats = [Logger.formatJson, Logger.formatLogFmt, Logger.formatSimple, Logger.formatStructured]

const logged = (what: unknown): Effect.Effect<string> =>
  Effect.gen(function* () {
    const lines: Array<string> = []
    const keep = Logger.make((options) => {
      for (const { log } of formats) lines.push(inspect(log(options), all))
      lines.push(inspect(options.message, all))
    })
    yield* Effect.logError("failed", what).pipe(Effect.provide(Logger.layer([keep])))
    return lines.join("\n")
  })

export const printed = (cause: Cause.Cause<unknown>): Effect.Effect<string> =>
  Effect.gen(function* () {
    const error = Cause.squash(cause)
    const wrapped = [
      new Error("wrapped", { cause: error }),
      new AggregateError([error], String(error)),
      new Wrapping({ cause: error })
    ]
    return [
      yield* logged(cause),
      yield* logged(error),
      String(error),
      format("%s %o %j", error, error, error),
      inspect(error, all),
      inspect(structuredClone(error), all),
      JSON.stringify(error),
      inspect(cause, all),
      JSON.stringify(cause),
      Cause.pretty(cause),
      inspect(Exit.failCause(cause), all),
      error instanceof Error ? `${error.message} ${error.stack} ${inspect(error.cause, all)}` : "",
      error instanceof Error ? JSON.stringify(error, Object.getOwnPropertyNames(error)) : "",
      ...wrapped.flatMap((one) => [
        String(one),
        inspect(one, all),
        JSON.stringify(one),
        Cause.pretty(Cause.fail(one)),
        Cause.pretty(Cause.die(one))
      ])
    ].join("\n")
  })
