import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import { MessageId } from "../../src/domain/Ids.ts"
import { lastOf, setbackOf, type Told, takenAs } from "../../src/session/FollowRules.ts"

const id = (number: number) => MessageId.make(number)

interface Written {
  readonly messageId: MessageId
  readonly date: number
  readonly editDate?: number
}

/** A chat at Telegram: what is written and edited there, in the order of the numbers. */
interface Chat {
  readonly messages: Array<Written>
  clock: number
}

type Step =
  | { readonly _tag: "post" | "catchUp" | "reread" | "crash" }
  | { readonly _tag: "edit"; readonly nth: number }
  /** What was told before is told again. */
  | { readonly _tag: "again"; readonly nth: number }

const steps = fc.array(
  fc.oneof<fc.Arbitrary<Step>[]>(
    fc.record({ _tag: fc.constantFrom("post" as const, "catchUp" as const, "reread" as const) }),
    fc.record({ _tag: fc.constant("crash" as const) }),
    fc.record({ _tag: fc.constantFrom("edit" as const, "again" as const), nth: fc.nat(30) })
  ),
  { minLength: 1, maxLength: 60 }
)

const pageSize = 3

/** A follower as the worker is: what it hands on becomes a note of its message, or the newer text of one. */
const makeFollower = (chat: Chat, since: number) => {
  /** By message: the edit a note shows. */
  const notes = new Map<number, number>()
  let stored = id(0)
  let last = id(0)

  const take = (told: Told, messages: ReadonlyArray<Written>) => {
    for (const message of messages) {
      const as = takenAs({ last, since }, told, message)
      if (as === undefined) continue
      const edit = message.editDate ?? 0
      // The newer text stays, and an edit of what is not noted yet is noted.
      notes.set(message.messageId, Math.max(edit, notes.get(message.messageId) ?? 0))
    }
    if (told !== "edited") last = lastOf({ last }, messages)
  }
  const history = (told: "history" | "reread") => {
    for (let after = told === "reread" ? Math.max(0, last - 2 * pageSize) : Number(last); ; ) {
      const page = chat.messages.filter(({ messageId }) => messageId > after).slice(0, pageSize)
      if (page.length === 0) return
      after = page.at(-1)!.messageId
      take(
        told,
        page.filter(({ date }) => date >= since)
      )
      stored = last
    }
  }
  return {
    take,
    history,
    crash: () => {
      last = stored
    },
    notes
  }
}

describe("what is taken of a followed chat", () => {
  it("has every message since the chosen date once and as it was edited last, whatever is told again, late or never", () => {
    fc.assert(
      fc.property(steps, fc.nat(10), (script, since) => {
        const chat: Chat = { messages: [], clock: 0 }
        const follower = makeFollower(chat, since)
        const told: Array<readonly [Told, Written]> = []
        for (const step of script) {
          chat.clock += 1
          switch (step._tag) {
            case "post": {
              const message = { messageId: id(chat.messages.length + 1), date: chat.clock }
              chat.messages.push(message)
              told.push(["new", message])
              break
            }
            case "edit": {
              const at = step.nth % Math.max(1, chat.messages.length)
              const before = chat.messages[at]
              if (before === undefined) break
              chat.messages[at] = { ...before, editDate: chat.clock }
              told.push(["edited", chat.messages[at]])
              break
            }
            case "again": {
              // In the order of the numbers up to there, as Telegram does after a lost connection.
              const upTo = told.slice(0, (step.nth % Math.max(1, told.length)) + 1)
              follower.history("history")
              for (const [how, message] of upTo) follower.take(how, [message])
              break
            }
            case "crash":
              follower.crash()
              break
            default:
              follower.history(step._tag === "reread" ? "reread" : "history")
          }
        }
        follower.history("history")
        // Of what is told after the last position that was kept everything comes again: here, all edits.
        for (const [how, message] of told) if (how === "edited") follower.take(how, [message])
        const wanted = chat.messages.filter(({ date }) => date >= since)
        assert.deepStrictEqual(
          [...follower.notes].sort(([a], [b]) => a - b),
          wanted.map(({ messageId, editDate }) => [messageId, editDate ?? 0])
        )
      })
    )
  })

  it("is nothing from before the chosen date, new or edited", () => {
    const old = { messageId: id(9), date: 99, editDate: 200 }
    for (const told of ["new", "edited", "history", "reread"] as const)
      assert.isUndefined(takenAs({ since: 100, last: id(0) }, told, old))
  })

  it("is an edit of a known message when its chat is read anew, and nothing of one that was not edited", () => {
    const taken = { since: 0, last: id(10) }
    assert.strictEqual(takenAs(taken, "reread", { messageId: id(9), date: 5, editDate: 8 }), "edit")
    assert.isUndefined(takenAs(taken, "reread", { messageId: id(9), date: 5 }))
    assert.strictEqual(takenAs(taken, "reread", { messageId: id(11), date: 5, editDate: 8 }), "message")
  })

  it("never goes back behind what is taken", () => {
    assert.strictEqual(lastOf({ last: id(10) }, [{ messageId: id(4) }]), 10)
    assert.strictEqual(lastOf({ last: id(10) }, [{ messageId: id(12) }, { messageId: id(11) }]), 12)
    assert.strictEqual(lastOf({ last: id(10) }, []), 10)
  })
})

describe("a setback", () => {
  it("is waited for as long as Telegram asks, concerns one chat, or ends it all", () => {
    assert.deepStrictEqual(setbackOf({ _tag: "FloodWait", seconds: 77 }), { _tag: "wait", seconds: 77 })
    for (const _tag of ["NetworkDown", "Timeout", "TelegramTrouble", "SqlError", "UpdateNotStored"])
      assert.strictEqual(setbackOf({ _tag })._tag, "wait", _tag)
    for (const _tag of ["ChatClosed", "CallRefused", "FileGone"])
      assert.strictEqual(setbackOf({ _tag })._tag, "chat", _tag)
    for (const _tag of ["AuthKeyUnregistered", "SessionRevoked", "OwnershipEnded"])
      assert.strictEqual(setbackOf({ _tag })._tag, "over", _tag)
  })
})
