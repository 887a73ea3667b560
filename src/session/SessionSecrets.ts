/** What a session needs from the vault: the API id and hash it logs in with, and what is kept of it between connections. */
import { Context, Effect, Layer, Option, Redacted } from "effect"
import type { SqlError } from "effect/sql"
import type { TenantId } from "../domain/Ids.ts"
import { Scrubber } from "../ops/Scrub.ts"
import type { KeptSession } from "../telegram/UserClient.ts"
import { Corrupted, CredentialsMissing } from "./SessionError.ts"
import { type SessionKey, sessionName } from "./SessionEvents.ts"
import type { SessionRow } from "./SessionRow.ts"
import { type SecretName, type SecretUnreadable, Vault, type VaultError } from "./Vault.ts"

export interface ApiCredentials {
  readonly apiId: number
  readonly apiHash: Redacted.Redacted<string>
}

export class SessionSecrets extends Context.Service<
  SessionSecrets,
  {
    readonly credentials: (row: SessionRow) => Effect.Effect<ApiCredentials, CredentialsMissing | VaultError>
    /** `Corrupted`: it is there and does not open, or it should be there and is not. */
    readonly kept: (key: SessionKey) => Effect.Effect<KeptSession, Corrupted | VaultError>
    /** Takes the place of what was kept. Joins a transaction, as everything here does. */
    readonly keep: (key: SessionKey, kept: KeptSession) => Effect.Effect<void, VaultError>
    /** Up to where the updates of the account are taken. */
    readonly keepPositions: (
      key: SessionKey,
      positions: Redacted.Redacted<string>
    ) => Effect.Effect<void, VaultError>
    readonly destroy: (key: SessionKey) => Effect.Effect<void, SqlError.SqlError>
    /** The API id and hash of that name. */
    readonly forgetCredentials: (tenant: TenantId, alias: string) => Effect.Effect<void, SqlError.SqlError>
    /** What does not open is kept apart, the rest destroyed. */
    readonly setAside: (key: SessionKey) => Effect.Effect<void, SqlError.SqlError>
  }
>()("zapiska/session/SessionSecrets") {
  static readonly layer: Layer.Layer<SessionSecrets, never, Scrubber | Vault> = Layer.effect(
    this,
    Effect.suspend(() => make)
  )
}

type Part = keyof KeptSession

/** An app never holds a dot: no part of one session is the session of another. */
const nameOf = ({ app }: SessionKey, part: Part): SecretName => ({
  kind: "session",
  alias: part === "session" ? app : `${app}.${part}`
})
const parts: ReadonlyArray<Part> = ["session", "peers", "positions"]

/** As `https://my.telegram.org` gives them: a number, and 32 hexadecimal digits. */
const written = /^(\d{1,10}):([0-9a-fA-F]{32})$/

const isLostSecret = (error: { readonly _tag: string; readonly lost?: SecretUnreadable["lost"] }) =>
  error._tag === "SecretUnreadable" && error.lost === "secret"

const make = Effect.gen(function* () {
  const vault = yield* Vault
  // Neither a hash nor a session has a shape to know it by.
  const { register } = yield* Scrubber

  const get = (key: SessionKey, part: Part) =>
    vault.get(key.tenant, nameOf(key, part)).pipe(
      Effect.asSome,
      Effect.catchTag("SecretUnknown", () => Effect.succeedNone)
    )

  const put = (key: SessionKey, part: Part, secret: Redacted.Redacted) =>
    vault.put(key.tenant, nameOf(key, part), secret)

  /** Without peers or positions a session is as good; what does not open of them is only kept apart. */
  const getOptional = (key: SessionKey, part: Part) =>
    get(key, part).pipe(
      Effect.catchIf(isLostSecret, () =>
        Effect.logWarning(
          `The ${part} kept of session ${sessionName(key)} do not open and were set aside`
        ).pipe(Effect.andThen(vault.setAside(key.tenant, nameOf(key, part))), Effect.as(Option.none()))
      )
    )

  const destroy = (key: SessionKey, which: ReadonlyArray<Part> = parts) =>
    Effect.forEach(which, (part) => vault.remove(key.tenant, nameOf(key, part)), { discard: true })

  return SessionSecrets.of({
    credentials: Effect.fn("SessionSecrets.credentials")(function* (row) {
      const session = sessionName(row)
      const missing = (problem: string) => new CredentialsMissing({ session, problem })
      const alias = row.apiKeyAlias
      if (alias === undefined) return yield* missing("none are named for it")
      const secret = yield* vault
        .get(row.tenant, { kind: "api-key", alias })
        .pipe(Effect.catchTag("SecretUnknown", () => missing("the ones named for it are not in the vault")))
      const [, id, hash] = written.exec(Redacted.value(secret).trim()) ?? []
      if (id === undefined || hash === undefined)
        return yield* missing("what is stored is not shaped like them")
      const apiHash = Redacted.make(hash, { label: "api-hash" })
      yield* register(apiHash)
      return { apiId: Number(id), apiHash }
    }),

    kept: Effect.fn("SessionSecrets.kept")(function* (key) {
      const corrupted = new Corrupted({ session: sessionName(key) })
      const session = yield* get(key, "session").pipe(Effect.catchIf(isLostSecret, () => Effect.succeedNone))
      if (Option.isNone(session)) return yield* corrupted
      yield* register(session.value)
      const peers = yield* getOptional(key, "peers")
      const positions = yield* getOptional(key, "positions")
      return {
        session: session.value,
        ...(Option.isNone(peers)
          ? {}
          : { peers: Redacted.make(new Uint8Array(Buffer.from(Redacted.value(peers.value), "base64"))) }),
        ...(Option.isNone(positions) ? {} : { positions: positions.value })
      }
    }),

    keep: Effect.fn("SessionSecrets.keep")(function* (key, { peers, positions, session }) {
      yield* register(session)
      yield* put(key, "session", session)
      if (peers !== undefined)
        yield* put(key, "peers", Redacted.make(Buffer.from(Redacted.value(peers)).toString("base64")))
      if (positions !== undefined) yield* put(key, "positions", positions)
    }),

    keepPositions: Effect.fn("SessionSecrets.keepPositions")((key, positions) =>
      put(key, "positions", positions)
    ),

    destroy: Effect.fn("SessionSecrets.destroy")((key) => destroy(key)),

    forgetCredentials: Effect.fn("SessionSecrets.forgetCredentials")((tenant, alias) =>
      vault.remove(tenant, { kind: "api-key", alias })
    ),

    setAside: Effect.fn("SessionSecrets.setAside")((key) =>
      Effect.andThen(vault.setAside(key.tenant, nameOf(key, "session")), destroy(key, ["peers", "positions"]))
    )
  })
})
