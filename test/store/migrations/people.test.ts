import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { TenantId } from "../../../src/domain/Ids.ts"
import { TenantScope } from "../../../src/store/TenantScope.ts"
import { databaseAt, empty, migrated } from "./databaseAt.ts"

interface Person {
  readonly app: string
  readonly user: number
  readonly role: string
  readonly language?: string
}

const fill = (members: Readonly<Record<string, ReadonlyArray<Person>>>) =>
  databaseAt(
    5,
    Object.entries(members).map(([tenant, people]) => ({
      tenant,
      fill: (sql) =>
        Effect.forEach(
          people,
          ({ app, user, role, language = null }) =>
            sql`INSERT INTO members (tenant_id, app, user_id, role, name, language)
              VALUES (${tenant}, ${app}, ${user}::bigint, ${role}, ${`${user} of ${app}`}, ${language})`
        )
    }))
  )

it.live(
  "who was in several bots of a tenant is in it once, as the highest they were, and nobody is lost",
  () =>
    Effect.gen(function* () {
      yield* Effect.scoped(
        fill({
          alpha: [
            { app: "default", user: 1, role: "reader", language: "ru" },
            { app: "second", user: 1, role: "owner" },
            { app: "third", user: 1, role: "member" },
            { app: "default", user: 2, role: "member", language: "en" },
            { app: "second", user: 3, role: "reader" }
          ],
          beta: [
            { app: "default", user: 1, role: "reader" },
            { app: "second", user: 1, role: "member", language: "de" },
            { app: "second", user: 4, role: "owner" }
          ]
        })
      )
      const rows = yield* Effect.provide(
        TenantScope.use(({ transaction }) =>
          Effect.forEach(["alpha", "beta"], (tenant) =>
            transaction(
              TenantId.make(tenant),
              (sql) => sql<{ user: number; role: string; language: string | null }>`
              SELECT user_id::int AS user, role, language FROM members ORDER BY 1`
            )
          )
        ),
        migrated
      )
      assert.deepStrictEqual(rows, [
        [
          { user: 1, role: "owner", language: "ru" },
          { user: 2, role: "member", language: "en" },
          { user: 3, role: "reader", language: null }
        ],
        [
          { user: 1, role: "member", language: "de" },
          { user: 4, role: "owner", language: null }
        ]
      ])
    }).pipe(Effect.provide(empty))
)
