import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import { hostOf, isLoopback, refusal } from "../../src/ops/HostGuard.ts"

const names = ["127.0.0.1", "notes.example.org"]

describe("refusal", () => {
  it("lets in our own names, loopback and plain addresses, with any port", () => {
    for (const host of [
      "localhost",
      "localhost:8080",
      "LOCALHOST:8080",
      "127.0.0.1:8080",
      "[::1]:8080",
      "10.1.2.3:80",
      "[2001:db8::1]",
      "notes.example.org",
      "Notes.Example.org:8443",
      "notes.example.org."
    ])
      assert.isUndefined(refusal({ host, origin: undefined }, names), host)
  })

  it("refuses every other name, and none at all", () => {
    for (const host of [
      undefined,
      "",
      "evil.example",
      "evil.example:8080",
      "localhost.evil.example",
      "127.0.0.1.evil.example",
      "notes.example.org.evil.example",
      "user@localhost",
      "localhost/..",
      "a b"
    ])
      assert.isString(refusal({ host, origin: undefined }, names), String(host))
  })

  it("lets in pages of the very same origin only", () => {
    const from = (origin: string) => refusal({ host: "localhost:8080", origin }, names)
    assert.isUndefined(from("http://localhost:8080"))
    for (const origin of [
      "null",
      "",
      "http://localhost",
      "http://localhost:8081",
      "http://127.0.0.1:8080",
      "https://evil.example",
      "http://localhost:8080.evil.example",
      "file://localhost:8080",
      "chrome-extension://localhost:8080"
    ])
      assert.isString(from(origin), origin)
    assert.isUndefined(
      refusal({ host: "notes.example.org", origin: "https://notes.example.org" }, names),
      "behind a proxy that speaks https"
    )
  })

  it("answers for any header without throwing", () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (host, origin) => {
        const reason = refusal({ host, origin }, names)
        return reason === undefined || reason.length > 0
      })
    )
  })
})

describe("isLoopback", () => {
  it("knows the loopback names and numbers", () => {
    for (const host of ["localhost", "a.localhost", "127.0.0.1", "127.8.9.1", "::1"])
      assert.isTrue(isLoopback(host), host)
    for (const host of ["0.0.0.0", "::", "10.0.0.1", "127.evil.example", "localhost.example"])
      assert.isFalse(isLoopback(host), host)
  })
})

describe("hostOf", () => {
  it("reads one spelling of a host", () => {
    assert.strictEqual(hostOf("[::1]:80"), "::1")
    assert.strictEqual(hostOf("EXAMPLE.org:80"), "example.org")
  })
})
