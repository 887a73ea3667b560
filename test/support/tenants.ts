/** Tenants of a running assistant: an operator who adds them, each with a bot and somebody who writes to it. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { assert } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { AppId, type TenantId, UserId } from "../../src/domain/Ids.ts"
import { Scrubber } from "../../src/ops/Scrub.ts"
import { BotApiEmulator } from "../../src/sandbox/Control.ts"
import type { User } from "../../src/sandbox/Views.ts"
import { Apps } from "../../src/session/Apps.ts"
import { SessionStore } from "../../src/session/SessionStore.ts"
import { Vault } from "../../src/session/Vault.ts"
import { Audit } from "../../src/store/Audit.ts"
import * as Database from "../../src/store/Database.ts"
import { DatabaseOwner } from "../../src/store/DatabaseOwner.ts"
import { Tenants } from "../../src/store/Tenants.ts"
import { Bots } from "../../src/telegram/Bots.ts"
import { GrammyApi } from "../../src/telegram/GrammyApi.ts"
import { Members } from "../../src/telegram/Members.ts"
import { eventually } from "./Application.ts"
import { Assistant, connectionOf, newPerson, notedIn } from "./Assistant.ts"

/** An operator at another process on the same database, who knows its key. */
export const operatorOf = Effect.fnUntraced(function* (dataDir: string) {
  const { apiRoot } = yield* BotApiEmulator
  const key = readFileSync(join(dataDir, "secrets.key"), "utf8").trim()
  const masterKey = Redacted.make(new Uint8Array(Buffer.from(key, "base64")))
  return Apps.layer({ apiRoot }).pipe(
    Layer.provide(GrammyApi.layer),
    Layer.provide(Bots.layer([])),
    Layer.provide(Vault.layer({ masterKey })),
    Layer.provide(SessionStore.layer({ replica: "operator" }).pipe(Layer.provide(Scrubber.layer))),
    Layer.provideMerge(Layer.merge(Tenants.layer, Members.layer)),
    Layer.provideMerge(Audit.layer),
    Layer.provide(Database.layer({ secretsKey: Redacted.make(key), poolSize: 2, enginePoolSize: 1 })),
    Layer.provide(Layer.succeed(DatabaseOwner, { connection: connectionOf(dataDir) }))
  )
})

export const operator = Layer.unwrap(Effect.flatMap(Assistant, ({ dataDir }) => operatorOf(dataDir)))

export interface Served {
  readonly tenant: TenantId
  readonly app: AppId
  readonly botId: number
  readonly person: User
}

/** A new tenant with a bot of its own, and somebody who writes to it. */
export const served = Effect.fnUntraced(function* (name: string) {
  const emulator = yield* BotApiEmulator
  const { id: tenant } = yield* Tenants.use(({ add }) => add({ id: name }, "admin"))
  const { id: botId, token } = yield* emulator.createBot({ username: `${name}_bot`, name })
  const app = AppId.make("helper")
  const kept = yield* Apps.use(({ add }) => add({ tenant, app, token: Redacted.make(token) }, "admin"))
  assert.strictEqual(kept.telegram, "accepted")
  const person = yield* newPerson({ name })
  const user = UserId.make(person.id)
  yield* Members.use(({ add }) => add(tenant, { user, role: "member" }, "admin"))
  yield* emulator.start({ bot: botId, user: person.id })
  return { tenant, app, botId, person } satisfies Served
})

export const tell = ({ botId, person }: Served, text: string) =>
  BotApiEmulator.use(({ sendText }) => sendText({ bot: botId, chat: person.id, text }))

/** What the bot said, newest first. */
export const said = ({ botId, person }: Served) =>
  BotApiEmulator.use(({ messages }) =>
    Effect.map(messages({ bot: botId, chat: person.id, limit: 100 }), (all) =>
      all.filter(({ from }) => from.isBot).map(({ text }) => text)
    )
  )

export const notesOf = ({ tenant }: Served) =>
  Effect.flatMap(Assistant, ({ dataDir }) => notedIn(join(dataDir, "kb", tenant, "notes")))

export const noted = Effect.fnUntraced(function* (one: Served, text: string) {
  const { application } = yield* Assistant
  yield* eventually(
    `"${text}" is a note of ${one.tenant} and answered`,
    Effect.gen(function* () {
      const notes = yield* notesOf(one)
      const answers = yield* said(one)
      return notes.includes(text) && answers.some((answer) => answer.startsWith("✅"))
    }),
    { seconds: 60, detail: application.output }
  )
})
