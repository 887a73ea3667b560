import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import fc from "fast-check"
import {
  eventOf,
  IllegalMove,
  isPending,
  MoveReason,
  moves,
  next,
  reasonsFrom,
  SessionKind,
  SessionState
} from "../../src/session/SessionState.ts"

const kinds = SessionKind.literals
const states = SessionState.literals
const reasons = MoveReason.literals

/** All states that can be reached from `from`, which need not be among them. */
const reachable = (kind: SessionKind, from: SessionState): ReadonlySet<SessionState> => {
  const found = new Set<SessionState>()
  const look = (state: SessionState): void => {
    for (const move of moves) {
      if (move.kind !== kind || move.from !== state || found.has(move.to)) continue
      found.add(move.to)
      look(move.to)
    }
  }
  look(from)
  return found
}

const lived = (kind: SessionKind) => [...reachable(kind, "ABSENT")]

describe("the states of a session", () => {
  it("move only as the table says, and everything else is an error that names what would be possible", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...kinds),
        fc.constantFrom(...states),
        fc.constantFrom(...reasons),
        (kind, from, reason) => {
          const listed = moves.filter(
            (move) => move.kind === kind && move.from === from && move.reason === reason
          )
          assert.isAtMost(listed.length, 1)
          const result = next({ kind, state: from }, reason)
          if (listed[0] !== undefined) return assert.deepStrictEqual(result, Result.succeed(listed[0].to))
          const error = Result.getOrElse(Result.flip(result), () => undefined)
          assert.instanceOf(error, IllegalMove)
          for (const possible of reasonsFrom(kind, from)) assert.include(error.message, possible)
        }
      )
    )
  })

  for (const kind of kinds) {
    it(`of a ${kind}: from every one there is a way to be authorized, and a way to be ended`, () => {
      for (const state of lived(kind)) {
        assert.isTrue(reachable(kind, state).has("AUTHORIZED"), `${state} to AUTHORIZED`)
        assert.isTrue(reachable(kind, state).has("REVOKED"), `${state} to REVOKED`)
      }
    })
  }

  it("are all lived by an account, while a bot logs in without being asked for anything", () => {
    assert.sameMembers(lived("user"), states.slice())
    assert.sameMembers(
      lived("bot"),
      states.filter((state) => state !== "ABSENT" && !isPending(state))
    )
  })

  it("need a login once they are ended: no ended session comes back by itself", () => {
    for (const from of ["ABSENT", "REVOKED"] as const)
      assert.sameMembers([...reasonsFrom("user", from)], ["qr_started", "code_sent"])
  })

  it("whoever waits for a login can be told no for every reason there is", () => {
    for (const state of states.filter(isPending))
      for (const reason of ["login_cancelled", "login_expired", "account_refused", "api_error"] as const)
        assert.deepStrictEqual(next({ kind: "user", state }, reason), Result.succeed("ABSENT"))
  })

  it("are announced by what happened while a login is under way, and else by where it led", () => {
    assert.strictEqual(eventOf({ reason: "qr_started", to: "PENDING_QR" }), "session.qr_started")
    assert.strictEqual(eventOf({ reason: "qr_scanned", to: "PENDING_QR" }), "session.qr_scanned")
    assert.strictEqual(eventOf({ reason: "password_verified", to: "AUTHORIZED" }), "session.authorized")
    assert.strictEqual(eventOf({ reason: "flood_wait", to: "STALE" }), "session.stale")
    assert.strictEqual(eventOf({ reason: "session_revoked", to: "REVOKED" }), "session.revoked")
  })
})
