/** What people call a tenant or a person. */
import { Schema } from "effect"

export const Name = Schema.NonEmptyString.check(
  Schema.isMaxLength(200, { message: "at most 200 characters" })
)
