/**
 * A tenant cannot tell whether it is alone: whatever several ask in turn of one database, each is answered as if it
 * had a database to itself, and its rows stay as they were while the others are at it.
 */
import { existsSync } from "node:fs"
import { assert, it } from "@effect/vitest"
import { type Context, Effect, Layer } from "effect"
import fc from "fast-check"
import { AppId, TenantId } from "../../src/domain/Ids.ts"
import { TenantScope } from "../../src/store/TenantScope.ts"
import { Tenants } from "../../src/store/Tenants.ts"
import { Permission } from "../../src/telegram/Permission.ts"
import { decodeUpdate } from "../../src/telegram/UpdateDecoder.ts"
import { messageUpdate } from "../telegram/updates.ts"
import { commands } from "./isolation/commands.ts"
import { tenantMethods } from "./isolation/methods.ts"
import type { Ask, Given } from "./isolation/things.ts"
import { outcome, rowsByTenant, type World, withoutPolicies, world } from "./isolation/World.ts"

const tenants = ["t-one", "t-two", "t-three"].map((name) => TenantId.make(name))

interface Step extends Omit<Ask, "buttons" | "codes"> {
  readonly command: string
}

/** A database, and what its tenants were given. */
const newWorld = Effect.gen(function* () {
  const context: Context.Context<World> = yield* Layer.build(world)
  const rows = yield* Effect.provideContext(rowsByTenant, context)
  const buttons: Given = new Map()
  const codes: Given = new Map()
  const ask = ({ command, ...by }: Step) =>
    Effect.timeout(commands[command]!({ ...by, buttons, codes }), "20 seconds").pipe(
      Effect.exit,
      Effect.map(outcome),
      Effect.provideContext(context)
    )
  const begin = (tenant: TenantId) =>
    Effect.provideContext(
      Tenants.use(({ add }) => add({ id: tenant }, "admin")),
      context
    )
  return { rows, ask, begin, withoutPolicies: Effect.provideContext(withoutPolicies, context) }
})

/** What the shared database answered to each step. */
const isolated = Effect.fnUntraced(function* (policies: "kept" | "gone", steps: ReadonlyArray<Step>) {
  const shared = yield* newWorld
  const alone = new Map<TenantId, Effect.Success<typeof newWorld>>()
  for (const tenant of tenants) {
    const own = yield* newWorld
    yield* shared.begin(tenant)
    yield* own.begin(tenant)
    alone.set(tenant, own)
  }
  if (policies === "gone") yield* shared.withoutPolicies
  let before = yield* shared.rows
  const answers: Array<readonly [string, ReturnType<typeof outcome>]> = []
  for (const step of steps) {
    const what = `${step.command} of ${step.tenant}`
    const here = yield* shared.ask(step)
    const after = yield* shared.rows
    assert.deepStrictEqual(here, yield* alone.get(step.tenant)!.ask(step), what)
    for (const other of tenants.filter((tenant) => tenant !== step.tenant)) {
      assert.notInclude(JSON.stringify(here), other, what)
      assert.strictEqual(after.get(other), before.get(other), `${what} changed rows of ${other}`)
    }
    before = after
    answers.push([step.command, here])
  }
  return answers
}, Effect.scoped)

const names = Object.keys(commands)

const step = fc.record({
  tenant: fc.constantFrom(...tenants),
  command: fc.constantFrom(...names),
  x: fc.nat(3),
  y: fc.nat(3)
})

/** A failure is told as it is: each try costs seconds, and a shorter one tells no more. */
const anySteps = (policies: "kept" | "gone", count: number) =>
  Effect.promise(() =>
    fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: count, maxLength: count }), async (steps) => {
        await Effect.runPromise(isolated(policies, steps))
      }),
      { numRuns: 1, endOnFailure: true }
    )
  )

it.live("tenants are answered as if each were alone, and none touches another's rows", () =>
  anySteps("kept", 150)
)

it.live("queries keep tenants apart by themselves: also when the policies of the tables are gone", () =>
  anySteps("gone", 150)
)

it.live("who was refused at one tenant's bot yesterday is forgotten by that tenant alone", () =>
  Effect.gen(function* () {
    const [one, two] = tenants.map((tenant) => ({ tenant, app: AppId.make("helper") }))
    yield* withoutPolicies
    for (const { tenant, app } of [one!, two!]) {
      yield* Tenants.use(({ add }) => add({ id: tenant }, "admin"))
      yield* TenantScope.use(({ transaction }) =>
        transaction(
          tenant,
          (sql) => sql`INSERT INTO refusals (tenant_id, app, refused_on, digest)
            VALUES (${tenant}, ${app}, '2020-01-01', decode(repeat('00', 32), 'hex'))`
        )
      )
    }
    const rows = yield* rowsByTenant
    const before = yield* rows
    const stranger = decodeUpdate(messageUpdate(1, { chat: { id: 7, type: "private" } }, 7))
    yield* Permission.use(({ admit }) => admit(one!, stranger))
    const after = yield* rows
    assert.notStrictEqual(after.get(one!.tenant), before.get(one!.tenant))
    assert.strictEqual(after.get(two!.tenant), before.get(two!.tenant))
  }).pipe(Effect.scoped, Effect.provide(world))
)

/** What belongs to others, what is there already, the last owner, a session without credentials. */
const alwaysRefused = [
  "Callbacks.redeem of another",
  "Members.remove",
  "Tenants.add",
  "SessionSecrets.credentials"
]

it.live(
  "one command after the other, by two tenants: all are answered, by queries that keep them apart",
  () =>
    Effect.gen(function* () {
      const rounds = [
        { x: 3, y: 0 },
        { x: 0, y: 0 }
      ]
      const steps = rounds.flatMap((round) =>
        names.flatMap((command) => tenants.slice(0, 2).map((tenant) => ({ tenant, command, ...round })))
      )
      const answers = yield* isolated("gone", steps)
      const answered = new Set(
        answers.flatMap(([command, { failed }]) => (failed === undefined ? [command] : []))
      )
      assert.deepStrictEqual(
        names.filter((command) => !answered.has(command)),
        alwaysRefused
      )
    })
)

/**
 * They keep no rows, and what they keep in memory, in files or in Redis bears the tenant's name or is one bot's; or
 * other tests ask them as two tenants would.
 */
const elsewhere: Readonly<Record<string, string>> = {
  BotPort: "test/telegram/BotPort.test.ts",
  AccountFiles: "test/session/AccountFiles.test.ts",
  Bots: "test/session/Apps.test.ts",
  ChatFollows: "test/session/ChatFollows.test.ts",
  KnownAccounts: "test/session/ChatFollows.test.ts",
  BotFleet: "test/session/BotFleet.test.ts",
  BotRunner: "test/session/BotRunner.test.ts",
  Directory: "test/store/TenantScope.test.ts",
  FakeTelegram: "test/telegram/FakeTelegram.test.ts",
  GitProjection: "test/knowledge/GitProjection.test.ts",
  GrammyApi: "test/telegram/GrammyApi.test.ts",
  Intake: "test/telegram/Intake.test.ts",
  Lease: "test/lock/contract.ts",
  Limits: "test/telegram/Limits.test.ts",
  Locks: "test/lock/contract.ts",
  LoginLinks: "test/session/LoginLinks.test.ts",
  MessageProcessor: "test/conversation/Conversation.test.ts",
  OutgoingFiles: "test/telegram/Download.test.ts",
  Pacer: "test/telegram/Pacer.test.ts",
  SessionManager: "test/session/SessionManager.test.ts",
  Streaming: "test/telegram/Streaming.test.ts",
  Taking: "test/telegram/Intake.test.ts",
  TenantScope: "test/store/TenantScope.test.ts",
  UpdateSink: "test/telegram/Intake.test.ts"
}
/** Not a question of one tenant: of the installation, or a stream of names. */
const others = [
  "Tenants.list",
  "Tenants.remove",
  "KnowledgeBase.changes",
  "RevisionLog.changes",
  "RevisionLog.missed"
]

it("every method of a service that knows tenants is among the commands, or its service is named here", () => {
  const methods = tenantMethods()
  assert.isAbove(methods.length, names.length)
  const named = [...names, ...others]
  const missing = methods.filter(
    (method) => !named.includes(method) && elsewhere[method.slice(0, method.indexOf("."))] === undefined
  )
  assert.deepStrictEqual(missing, [], "add a command to isolation/commands.ts")
  for (const file of Object.values(elsewhere)) assert.isTrue(existsSync(file), file)
})
