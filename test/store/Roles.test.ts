import { assert, it } from "@effect/vitest"
import { Redacted } from "effect"
import {
  createRole,
  engineRole,
  missingSettings,
  rolePassword,
  roles,
  runtimeRole
} from "../../src/store/Roles.ts"

const key = Redacted.make(Buffer.alloc(32, 1).toString("base64"))
const otherKey = Redacted.make(Buffer.alloc(32, 2).toString("base64"))

it("each role and each key has a password of its own, always the same", () => {
  const passwords = [key, otherKey].flatMap((secret) =>
    roles.map((role) => Redacted.value(rolePassword(secret, role)))
  )
  assert.strictEqual(new Set(passwords).size, 4)
  assert.strictEqual(Redacted.value(rolePassword(key, runtimeRole)), passwords[0])
})

it("the statement that makes a role tells neither its password nor the key", () => {
  for (const role of roles) {
    const statement = createRole(key, role)
    assert.notInclude(statement, Redacted.value(rolePassword(key, role)))
    assert.notInclude(statement, Redacted.value(key))
    assert.match(statement, /NOSUPERUSER NOBYPASSRLS/)
  }
})

it("only settings that a role lacks are set", () => {
  assert.lengthOf(missingSettings(runtimeRole, null), 3)
  assert.deepStrictEqual(missingSettings(runtimeRole, ["search_path=zapiska", "lock_timeout=1s"]), [
    "ALTER ROLE zapiska_runtime SET idle_in_transaction_session_timeout = '5s'",
    "ALTER ROLE zapiska_runtime SET lock_timeout = '4s'"
  ])
  assert.deepStrictEqual(missingSettings(engineRole, ["search_path=zapiska_engine"]), [])
})
