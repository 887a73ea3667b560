/**
 * Wake-up calls between those who write rows and those who follow them (`LISTEN`/`NOTIFY`), on any replica.
 * A signal carries no data worth keeping: whoever listens also looks at the rows now and then.
 */
import { Context, type Effect, type Stream } from "effect"
import type { SqlClient, SqlError } from "effect/sql"

export type SignalChannel = "zapiska_outbox" | "zapiska_revisions"

export class Signals extends Context.Service<
  Signals,
  {
    /** Sent when the surrounding transaction commits; dropped when it does not. `payload` under 8,000 bytes. */
    readonly notify: (
      sql: SqlClient.SqlClient,
      channel: SignalChannel,
      payload: string
    ) => Effect.Effect<void, SqlError.SqlError>
    /** Payloads as they come. Reconnects by itself; signals missed meanwhile are not repeated. */
    readonly listen: (channel: SignalChannel) => Stream.Stream<string>
  }
>()("zapiska/store/Signals") {}
