/** How the test run's PostgreSQL travels from its set-up to the workers: plain data, no Effect values. */
import { Redacted } from "effect"
import type { Connection } from "../../src/store/DatabaseOwner.ts"

interface PlainConnection {
  readonly host: string
  readonly port: number
  readonly database: string
  readonly username: string
  readonly password: string
}

export interface TestServer {
  readonly superuser: PlainConnection
  readonly owner: PlainConnection
}

export const templateDatabase = "zapiska_template"

/** The tests' `SECRETS_KEY`: the roles are shared by all their databases, so all use one. */
export const secretsKey = Buffer.alloc(32, "zapiska-test").toString("base64")

export const plain = (connection: Connection): PlainConnection => ({
  host: connection.host ?? "",
  port: connection.port ?? 5432,
  database: connection.database ?? "",
  username: connection.username ?? "",
  password: Redacted.isRedacted(connection.password) ? String(Redacted.value(connection.password)) : ""
})

export const redacted = (connection: PlainConnection): Connection => ({
  ...connection,
  password: Redacted.make(connection.password)
})

/** As `DATABASE_URL` names it. */
export const urlOf = (connection: Connection): string => {
  const { database, host, password, port, username } = plain(connection)
  return `postgres://${username}:${encodeURIComponent(password)}@${encodeURIComponent(host)}:${port}/${database}`
}
