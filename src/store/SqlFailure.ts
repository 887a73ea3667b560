/** Whether a failed statement may succeed when it is tried again, unchanged. */
import { Schema } from "effect"
import type { SqlError } from "effect/sql"

/**
 * PostgreSQL error classes that tell of the server's state, not of the statement: 25 (the transaction was
 * ended for being idle, or the server is read-only), 53 (out of resources), 57 (shutting down, starting up),
 * 58 (input or output failed). Source: PostgreSQL manual, appendix A.
 */
const ofTheServer = /^(25|53|57|58)/

const hasCode = Schema.is(Schema.Struct({ code: Schema.String }))

export const isTransient = ({ reason }: SqlError.SqlError): boolean =>
  reason.isRetryable ||
  reason._tag === "AuthenticationError" ||
  (hasCode(reason.cause) && ofTheServer.test(reason.cause.code))
