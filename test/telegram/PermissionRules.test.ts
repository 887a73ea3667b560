import { assert, describe, it } from "@effect/vitest"
import { AppId, defaultApp, defaultTenant, TenantId } from "../../src/domain/Ids.ts"
import type { Sender } from "../../src/domain/IncomingMessage.ts"
import { mayAs } from "../../src/domain/Role.ts"
import { mayHaveRole, refusalChat, roleOf, ruleFor } from "../../src/telegram/PermissionRules.ts"
import { decodeUpdate } from "../../src/telegram/UpdateDecoder.ts"
import { messageUpdate } from "./updates.ts"

const person = (id: number, kind: Sender["kind"] = "user"): Sender => ({ id, kind, name: "x" })
const said = (text: string, more: object = {}) => decodeUpdate(messageUpdate(1, { text, ...more }))

describe("who may use a bot", () => {
  const none = { member: undefined, everybody: "member" } as const

  it("listed people as owners, members as what they are where there is no list, and with `*` everyone", () => {
    assert.strictEqual(roleOf([7], 7, none), "owner")
    assert.isUndefined(roleOf([8], 7, { ...none, member: "owner" }))
    assert.isUndefined(roleOf("claim", 7, none))
    assert.strictEqual(roleOf("claim", 7, { ...none, member: "reader" }), "reader")
    assert.strictEqual(roleOf("everyone", 7, none), "member")
    assert.strictEqual(roleOf("everyone", 7, { member: undefined, everybody: "owner" }), "owner")
    assert.strictEqual(roleOf("everyone", 7, { ...none, member: "reader" }), "reader")
  })

  it("no bots, and chats that speak for themselves only where everyone may", () => {
    for (const rule of ["claim", [7], "everyone"] as const) {
      assert.isTrue(mayHaveRole(rule, person(7)))
      assert.isFalse(mayHaveRole(rule, person(7, "bot")))
      assert.strictEqual(mayHaveRole(rule, person(-7, "chat")), rule === "everyone")
    }
  })

  it("the configuration speaks of the bot it names; a bot added later has members", () => {
    const bot = { tenant: defaultTenant, app: defaultApp }
    for (const rule of ["claim", [7], "everyone"] as const) {
      assert.strictEqual(ruleFor(bot, rule), rule)
      assert.strictEqual(ruleFor({ ...bot, app: AppId.make("second") }, rule), "claim")
      assert.strictEqual(ruleFor({ ...bot, tenant: TenantId.make("other") }, rule), "claim")
    }
  })

  it("each role may what those below it may", () => {
    const roles = ["reader", "member", "owner"] as const
    roles.forEach((role, high) => {
      roles.forEach((least, low) => {
        assert.strictEqual(mayAs(role, least), high >= low)
      })
      assert.isFalse(mayAs(undefined, role))
    })
  })
})

describe("a refusal", () => {
  it("answers a person in a private chat, and is silent in groups and about membership", () => {
    assert.isDefined(refusalChat(said("x")))
    assert.isUndefined(refusalChat(said("x", { chat: { id: -5, type: "supergroup", title: "g" } })))
    const membership = {
      chat: { id: 7, type: "private" },
      from: { id: 7, first_name: "A" },
      new_chat_member: { status: "kicked" }
    }
    assert.isUndefined(refusalChat(decodeUpdate({ update_id: 1, my_chat_member: membership })))
  })
})
