/** Files through people's accounts, also where another process has the account. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Option, Stream } from "effect"
import { defaultTenant } from "../../src/domain/Ids.ts"
import { Blobs } from "../../src/knowledge/Blobs.ts"
import { makeMemoryStore } from "../../src/lock/LocksMemory.ts"
import { AccountFiles, accountFileLimit } from "../../src/session/AccountFiles.ts"
import { KnownAccounts } from "../../src/session/KnownAccounts.ts"
import { SessionManager } from "../../src/session/SessionManager.ts"
import { clientTo } from "../support/mtproto/accounts.ts"
import { LoopbackTelegram } from "../support/mtproto/LoopbackTelegram.ts"
import { fileBytes } from "../support/mtproto/World.ts"
import { ada, beneath, loggedIn, withoutPassword } from "./mtproto/support.ts"
import { locksOf, process } from "./process.ts"
import { added, key } from "./support.ts"

const bot = { id: 99, username: "notes_bot" }
const date = 1_700_000_000
const size = 9_000_003

/** Two processes with one database, one Telegram and one place for locks; a file that was sent to the bot. */
const world = Effect.gen(function* () {
  const telegram = yield* LoopbackTelegram
  const store = yield* makeMemoryStore
  const started = (owner: string) =>
    Layer.build(
      AccountFiles.layer.pipe(
        Layer.provideMerge(KnownAccounts.layer),
        Layer.provideMerge(Blobs.layer),
        Layer.provideMerge(
          process(clientTo(telegram.dataCentre), { replica: owner, locks: locksOf({ ...store, owner }) })
        ),
        Layer.fresh
      )
    )
  const one = yield* started("one")
  const other = yield* started("other")
  yield* telegram.addAccount(withoutPassword)
  yield* telegram.addBot(bot)
  const file = yield* telegram.addFile({ size, name: "film.bin", mime: "application/octet-stream" })
  yield* telegram.say(ada.id, { text: "", media: telegram.attachment(file), date }, { to: bot.id })
  yield* Effect.provideContext(Effect.andThen(added(), loggedIn()), one)
  return { one, other, file }
})

const wanted = { tenant: defaultTenant, bot: bot.username, person: ada.id, date, size }

describe("a file too large for a bot", () => {
  it.live("comes through the account of its sender, from whichever process has that", () =>
    Effect.gen(function* () {
      const { one, other, file } = yield* world
      const held = yield* Context.get(one, SessionManager).client(key)
      const found = yield* Context.get(other, AccountFiles).sent(wanted)
      assert(Option.isSome(found) && found.value._tag === "Stored")
      const read = yield* Stream.runCollect(Context.get(other, Blobs).read(defaultTenant, found.value.blob))
      assert.isTrue(Buffer.concat(read).equals(fileBytes(file, 0, size)))
      // The one that had it let go of it.
      assert.strictEqual((yield* Effect.flip(held.ended))._tag, "HeldElsewhere")
    }).pipe(Effect.scoped, Effect.provide(beneath))
  )

  it.live("does not come without its sender's account, when nobody sent it, or beyond all limits", () =>
    Effect.gen(function* () {
      const { one } = yield* world
      const { sent } = Context.get(one, AccountFiles)
      assert.isTrue(Option.isNone(yield* sent({ ...wanted, person: 1 })))
      assert.isTrue(Option.isNone(yield* sent({ ...wanted, size: size + 1 })))
      assert.isTrue(Option.isNone(yield* sent({ ...wanted, bot: "nobody_bot" })))
      assert.deepStrictEqual(
        yield* sent({ ...wanted, size: accountFileLimit + 1 }),
        Option.some({ _tag: "TooLarge" as const, limit: accountFileLimit })
      )
      yield* Context.get(one, SessionManager).revoke(key, "admin")
      const { sessions } = Context.get(one, KnownAccounts)
      yield* Effect.repeat(Effect.delay(sessions(defaultTenant), "20 millis"), {
        until: ([session]) => session?.state === "REVOKED"
      })
      assert.isTrue(Option.isNone(yield* sent(wanted)))
    }).pipe(Effect.scoped, Effect.provide(beneath))
  )
})
