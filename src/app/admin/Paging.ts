/** How a list that has no end is read on. */
import { Schema } from "effect"

/** The id of the last row seen: those below it are given. */
export const before = Schema.optionalKey(
  Schema.FiniteFromString.check(
    Schema.isInt({ message: "expected the id of a row, a whole number" })
  ).annotate({
    description: "The id of the last row seen: those before it are given"
  })
)
