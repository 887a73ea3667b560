/** Tenants and their bots come, change and go while the assistant runs: nobody restarts it. */
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { BotApiEmulator } from "../../src/sandbox/Control.ts"
import { Apps } from "../../src/session/Apps.ts"
import { Tenants } from "../../src/store/Tenants.ts"
import { eventually } from "../support/Application.ts"
import { Assistant, query, rowsWith } from "../support/Assistant.ts"
import { noted, notesOf, operator, type Served, served, tell } from "../support/tenants.ts"

const world = operator.pipe(Layer.provideMerge(Assistant.layer({ env: { NOTE_WINDOW: "500 millis" } })))

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
  300_000
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
