/** Tenants and their bots come, change and go while the assistant runs: nobody restarts it. */
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { AppId, type TenantId, UserId } from "../../src/domain/Ids.ts"
import { BotApiEmulator } from "../../src/sandbox/Control.ts"
import type { User } from "../../src/sandbox/Views.ts"
import { Apps } from "../../src/session/Apps.ts"
import { Vault } from "../../src/session/Vault.ts"
import { Audit } from "../../src/store/Audit.ts"
import * as Database from "../../src/store/Database.ts"
import { DatabaseOwner } from "../../src/store/DatabaseOwner.ts"
import { Tenants } from "../../src/store/Tenants.ts"
import { Bots } from "../../src/telegram/Bots.ts"
import { GrammyApi } from "../../src/telegram/GrammyApi.ts"
import { Members } from "../../src/telegram/Members.ts"
import { eventually } from "../support/Application.ts"
import { Assistant, connectionOf, newPerson, notedIn, query, rowsWith } from "../support/Assistant.ts"

/** An operator at another process on the same database, who knows its key. */
const operator = Layer.unwrap(
  Effect.gen(function* () {
    const { dataDir } = yield* Assistant
    const { apiRoot } = yield* BotApiEmulator
    const key = readFileSync(join(dataDir, "secrets.key"), "utf8").trim()
    const masterKey = Redacted.make(new Uint8Array(Buffer.from(key, "base64")))
    return Apps.layer({ apiRoot }).pipe(
      Layer.provide(GrammyApi.layer),
      Layer.provide(Bots.layer([])),
      Layer.provide(Vault.layer({ masterKey })),
      Layer.provideMerge(Layer.merge(Tenants.layer, Members.layer)),
      Layer.provideMerge(Audit.layer),
      Layer.provide(Database.layer({ secretsKey: Redacted.make(key), poolSize: 2, enginePoolSize: 1 })),
      Layer.provide(Layer.succeed(DatabaseOwner, { connection: connectionOf(dataDir) }))
    )
  })
)

const world = operator.pipe(Layer.provideMerge(Assistant.layer({ env: { NOTE_WINDOW: "500 millis" } })))

interface Served {
  readonly tenant: TenantId
  readonly app: AppId
  readonly botId: number
  readonly person: User
}

/** A new tenant with a bot of its own, and somebody who writes to it. */
const served = Effect.fnUntraced(function* (name: string) {
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

const tell = ({ botId, person }: Served, text: string) =>
  BotApiEmulator.use(({ sendText }) => sendText({ bot: botId, chat: person.id, text }))

/** What the bot said, newest first. */
const said = ({ botId, person }: Served) =>
  BotApiEmulator.use(({ messages }) =>
    Effect.map(messages({ bot: botId, chat: person.id, limit: 100 }), (all) =>
      all.filter(({ from }) => from.isBot).map(({ text }) => text)
    )
  )

const notesOf = ({ tenant }: Served) =>
  Effect.flatMap(Assistant, ({ dataDir }) => notedIn(join(dataDir, "kb", tenant, "notes")))

const noted = Effect.fnUntraced(function* (one: Served, text: string) {
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

/** Updates that wait at Telegram, confirmed by nobody. */
const pending = ({ botId }: Served) =>
  BotApiEmulator.use((emulator) => Effect.map(emulator.pending({ bot: botId }), ({ count }) => count))

it.live(
  "bots are added, silenced, given other tokens and removed while it runs, each tenant's notes apart",
  () =>
    Effect.gen(function* () {
      const { application, dataDir } = yield* Assistant
      const emulator = yield* BotApiEmulator
      const apps = yield* Apps
      const tenants = yield* Tenants
      const acme = yield* served("acme")
      const other = yield* served("other")
      yield* tell(acme, "The plan of Acme")
      yield* tell(other, "The plan of others")
      yield* noted(acme, "The plan of Acme")
      yield* noted(other, "The plan of others")
      for (const [one, theirs] of [
        [acme, "of others"],
        [other, "of Acme"]
      ] as const) {
        assert.notInclude(yield* notesOf(one), theirs)
      }

      // Of what is disabled nothing is fetched; the other goes on. Enabled again, it gets what waited.
      yield* apps.disable(acme, "admin")
      yield* eventually("it has let go of the bot", silent(acme))
      yield* tell(acme, "Written into silence")
      yield* tell(other, "Still noted")
      yield* noted(other, "Still noted")
      assert.strictEqual(yield* pending(acme), 1)
      yield* apps.enable(acme, "admin")
      yield* noted(acme, "Written into silence")

      // The old token is worth nothing from now on.
      const { token } = yield* emulator.revokeToken({ bot: acme.botId })
      yield* apps.rotate(acme, Redacted.make(token), "admin")
      yield* tell(acme, "With another token")
      yield* noted(acme, "With another token")

      yield* tenants.disable(other.tenant, "admin")
      yield* eventually("it has let go of the tenant's bot", silent(other))
      yield* tell(other, "Never read")
      yield* tenants.remove(other.tenant, "admin")
      yield* eventually(
        "its files are gone",
        Effect.sync(() => !existsSync(join(dataDir, "kb", "other")))
      )
      assert.isTrue(existsSync(join(dataDir, "kb", "acme")))
      yield* eventually(
        "no row holds what it wrote",
        Effect.map(rowsWith("The plan of others"), (tables) => tables.length === 0)
      )
      assert.strictEqual(yield* pending(other), 1)
      yield* tell(acme, "Acme goes on")
      yield* noted(acme, "Acme goes on")

      const actions = yield* query(`SELECT tenant_id || ' ' || action FROM zapiska.audit
      WHERE action ~ '^(tenant|app)' ORDER BY at`)
      assert.deepStrictEqual(actions.flat(), [
        "acme tenant.added",
        "acme app.added",
        "other tenant.added",
        "other app.added",
        "acme app.disabled",
        "acme app.enabled",
        "acme app.rotated",
        "other tenant.disabled",
        "other tenant.removed"
      ])
      assert.notInclude(application.output(), token.split(":")[1]!)
    }).pipe(Effect.provide(world)),
  120_000
)

/** No process holds a poll open for it: what is sent waits. */
const silent = ({ tenant, app }: Served) =>
  Effect.flatMap(Assistant, ({ application, dataDir }) =>
    Effect.promise((signal) =>
      fetch(`${application.url}/api/tasks`, {
        signal,
        headers: {
          authorization: `Bearer ${readFileSync(join(dataDir, "admin.token"), "utf8").trim()}`
        }
      }).then((answer) => answer.json() as Promise<ReadonlyArray<{ id: string; status: string }>>)
    ).pipe(
      Effect.map(
        (tasks) => !tasks.some(({ id, status }) => id === `poller/${tenant}/${app}` && status === "running")
      )
    )
  )
