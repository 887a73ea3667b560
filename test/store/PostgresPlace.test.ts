import { assert, it } from "@effect/vitest"
import { fitsSocket } from "../../src/store/PostgresCluster.ts"
import { chooseUser, permits, stateName } from "../../src/store/PostgresPlace.ts"
import { parseServerFile } from "../../src/store/PostgresProcess.ts"

const passwd = (...names: ReadonlyArray<string>) =>
  [
    "root:x:0:0::/root:/bin/sh",
    ...names.map((name, index) => `${name}:x:${101 + index}:${201 + index}::/:/bin/false`)
  ].join("\n")

it("root hands the server to a user of its own, else PostgreSQL's, else nobody, never to root", () => {
  assert.deepStrictEqual(chooseUser(passwd("nobody", "postgres", "zapiska")), {
    name: "zapiska",
    uid: 103,
    gid: 203
  })
  assert.strictEqual(chooseUser(passwd("nobody", "postgres"))?.name, "postgres")
  assert.strictEqual(chooseUser(passwd("daemon", "nobody"))?.name, "nobody")
  assert.isUndefined(chooseUser(passwd("daemon")))
  assert.isUndefined(chooseUser("zapiska:x:0:0::/:/bin/sh"))
})

it("what a user may do is read from the owner's, the group's or the others' bits, the first that applies", () => {
  const user = { name: "u", uid: 5, gid: 6 }
  assert.isTrue(permits({ mode: 0o40100, uid: 5, gid: 0 }, user, 1))
  assert.isFalse(permits({ mode: 0o40011, uid: 5, gid: 6 }, user, 1))
  assert.isTrue(permits({ mode: 0o40710, uid: 0, gid: 6 }, user, 1))
  assert.isFalse(permits({ mode: 0o40701, uid: 0, gid: 6 }, user, 1))
  assert.isTrue(permits({ mode: 0o40701, uid: 0, gid: 0 }, user, 1))
  assert.isFalse(permits({ mode: 0o100744, uid: 0, gid: 0 }, user, 5))
})

it("two directories of the same name have different state directories", () => {
  assert.match(stateName("/home/a/data"), /^data-[0-9a-f]{12}$/)
  assert.notStrictEqual(stateName("/home/a/data"), stateName("/home/b/data"))
  assert.match(stateName("/home/a/мои данные"), /^[A-Za-z0-9._-]+$/)
})

it("a socket's path has room on every system", () => {
  assert.isTrue(fitsSocket("/tmp"))
  assert.isTrue(fitsSocket(`/${"x".repeat(84)}`))
  assert.isFalse(fitsSocket(`/${"x".repeat(90)}`))
  assert.isFalse(fitsSocket(`/${"я".repeat(45)}`))
})

it("PostgreSQL's file of a server is read only when it is whole", () => {
  const lines = ["123", "/data", "1700000000", "5432", "/data/socket", "", " 1 2", "ready"]
  assert.deepStrictEqual(parseServerFile(lines.join("\n")), {
    pid: 123,
    port: 5432,
    socketDirectory: "/data/socket"
  })
  assert.isUndefined(parseServerFile(""))
  assert.isUndefined(parseServerFile(lines.slice(0, 4).join("\n")))
})
