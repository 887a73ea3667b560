/** What a command that failed leaves behind: what happened and what to do, for a person to read. */
import { Cause, Console, Effect } from "effect"
import { CliError } from "effect/cli"
import { scrubShapes } from "../ops/Scrub.ts"
import { printableLines } from "./Table.ts"

/**
 * One paragraph a problem. A stack is shown only for what nobody foresaw. `undefined`: there is nothing to say,
 * because it was stopped on purpose or what was wrong with the command line is told already.
 */
export const lastWords = (cause: Cause.Cause<unknown>): string | undefined => {
  const told = cause.reasons.flatMap((reason) => {
    if (Cause.isInterruptReason(reason)) return []
    if (Cause.isFailReason(reason) && CliError.isCliError(reason.error)) return []
    if (Cause.isFailReason(reason) && reason.error instanceof Error && reason.error.message !== "") {
      return [reason.error.message]
    }
    return [`This should not have happened:\n${Cause.pretty(Cause.fromReasons([reason]))}`]
  })
  return told.length === 0 ? undefined : printableLines(scrubShapes([...new Set(told)].join("\n\n")))
}

/** Says them on the error output, where they belong even when the logs are for machines. */
export const sayLastWords = (cause: Cause.Cause<unknown>): Effect.Effect<void> => {
  const words = lastWords(cause)
  return words === undefined ? Effect.void : Console.error(words)
}
