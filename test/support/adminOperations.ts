/** Every operation the admin API offers, from its own document, with examples of what it takes. */
import { assert } from "@effect/vitest"
import { Effect, type Schema } from "effect"
import { call } from "./adminApi.ts"

export interface Operation {
  readonly method: string
  /** With `{names}` in it. */
  readonly path: string
  readonly takes: boolean
}

export const nameOf = ({ method, path }: Operation) => `${method} ${path}`

export const operations = Effect.map(call("GET", "/api/openapi.json"), ({ body }) =>
  Object.entries<Record<string, { readonly requestBody?: unknown }>>(body.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(
      ([method, { requestBody }]): Operation => ({
        method: method.toUpperCase(),
        path,
        takes: requestBody !== undefined
      })
    )
  )
)

export const examplePlaces: Readonly<Record<string, string>> = {
  tenant: "acme",
  app: "helper",
  user: "7",
  invite: "i7",
  chat: "saved"
}

export const filled = ({ path }: Operation, places: Readonly<Record<string, string>> = examplePlaces) =>
  path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    assert.property(places, name, "a new parameter needs an example here")
    return places[name]!
  })

/** Of every operation that takes something: what changes something where it is let in. `token`: of a bot. */
export const payloads = (token: string): Readonly<Record<string, Schema.Json>> => ({
  "POST /api/tenants": { tenant: "burglar" },
  "POST /api/tenants/{tenant}/apps": { app: "burglar", token },
  "POST /api/tenants/{tenant}/apps/{app}/rotate": { token },
  "POST /api/tenants/{tenant}/users": { user: 66, role: "owner" },
  "PUT /api/tenants/{tenant}/users/{user}/role": { role: "owner" },
  "POST /api/tenants/{tenant}/invites": { role: "member" },
  "PATCH /api/tenants/{tenant}/limits": { userPerDay: 1_000_000 },
  "POST /api/tenants/{tenant}/sessions": {
    app: "burglar",
    apiId: 1,
    apiHash: "0123456789abcdef0123456789abcdef"
  },
  "POST /api/tenants/{tenant}/sessions/{app}/login": {},
  "POST /api/tenants/{tenant}/sessions/{app}/login/code": { code: "12345" },
  "POST /api/tenants/{tenant}/sessions/{app}/login/password": { password: "guessed" },
  "POST /api/tenants/{tenant}/sessions/{app}/follows": { chat: "saved" }
})

/** What `operation` takes, or nothing. */
export const payloadOf = (operation: Operation, known: Readonly<Record<string, Schema.Json>>) => {
  const payload = known[nameOf(operation)]
  if (operation.takes) assert.isDefined(payload, `${nameOf(operation)} needs an example here`)
  return payload === undefined ? {} : { payload }
}
