/**
 * The two roles beside the owner: one for the domain tables, held to the tenant by row-level security, one for
 * the tables of the engine. Their passwords come from SECRETS_KEY, so there is nothing to configure.
 */
import { createHash, createHmac, hkdfSync, pbkdf2Sync } from "node:crypto"
import { Redacted } from "effect"

export const runtimeRole = "zapiska_runtime"
export const engineRole = "zapiska_engine"
export const roles = [runtimeRole, engineRole] as const
export type Role = (typeof roles)[number]

/** Settings that hold wherever the role logs in: a frozen process must not keep a row locked. */
export const roleSettings: Readonly<Record<Role, Readonly<Record<string, string>>>> = {
  [runtimeRole]: {
    search_path: "zapiska",
    idle_in_transaction_session_timeout: "5s",
    lock_timeout: "4s"
  },
  [engineRole]: { search_path: "zapiska_engine" }
}

const derive = (secretsKey: Redacted.Redacted, purpose: string) =>
  Buffer.from(hkdfSync("sha256", Buffer.from(Redacted.value(secretsKey), "base64"), "zapiska", purpose, 32))

export const rolePassword = (secretsKey: Redacted.Redacted, role: Role) =>
  Redacted.make(derive(secretsKey, `postgres/${role}`).toString("base64url"))

/**
 * What PostgreSQL stores for a password (RFC 5803): it opens nothing by itself, so statements that carry it may
 * be shown to an operator and end up in a log.
 */
export const roleVerifier = (secretsKey: Redacted.Redacted, role: Role) => {
  const iterations = 4096
  const salt = derive(secretsKey, `postgres/${role}/salt`).subarray(0, 16)
  const salted = pbkdf2Sync(Redacted.value(rolePassword(secretsKey, role)), salt, iterations, 32, "sha256")
  const keyed = (name: string) => createHmac("sha256", salted).update(name).digest()
  const stored = createHash("sha256").update(keyed("Client Key")).digest("base64")
  return `SCRAM-SHA-256$${iterations}:${salt.toString("base64")}$${stored}:${keyed("Server Key").toString("base64")}`
}

export const createRole = (secretsKey: Redacted.Redacted, role: Role) =>
  `CREATE ROLE ${role} LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE PASSWORD '${roleVerifier(secretsKey, role)}'`

export const setPassword = (secretsKey: Redacted.Redacted, role: Role) =>
  `ALTER ROLE ${role} PASSWORD '${roleVerifier(secretsKey, role)}'`

/** What a role as it is (`rolconfig`, `name=value`) still lacks. */
export const missingSettings = (role: Role, config: ReadonlyArray<string> | null) =>
  Object.entries(roleSettings[role])
    .filter(([name, value]) => !config?.includes(`${name}=${value}`))
    .map(([name, value]) => `ALTER ROLE ${role} SET ${name} = '${value}'`)
