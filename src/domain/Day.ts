/** A day as people write it, such as 2026-01-31, which is the Unix second it begins in (UTC). */
import { Schema, SchemaTransformation } from "effect"

export const dayOf = (seconds: number): string => new Date(seconds * 1000).toISOString().slice(0, 10)

/** JavaScript would take the 30th of February for a day of March. */
const isDay = (typed: string): boolean =>
  /^\d{4}-\d\d-\d\d$/.test(typed) &&
  !Number.isNaN(Date.parse(typed)) &&
  dayOf(Date.parse(typed) / 1000) === typed

export const Day = Schema.String.check(
  Schema.makeFilter((typed) => (isDay(typed) ? undefined : "a day such as 2026-01-31"))
).pipe(
  Schema.decodeTo(
    Schema.Int,
    SchemaTransformation.transform({
      decode: (typed: string) => Math.max(0, Date.parse(typed) / 1000),
      encode: dayOf
    })
  )
)
