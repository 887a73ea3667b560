import { request } from "node:http"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer, Logger, Redacted, type Scope } from "effect"
import type { HttpServer } from "effect/http"
import { AppId, TenantId } from "../../src/domain/Ids.ts"
import { Health } from "../../src/ops/Health.ts"
import { listen, localUrl, serve } from "../../src/ops/HttpServer.ts"
import { Bots } from "../../src/telegram/Bots.ts"
import { type Taken, Taking, UpdateNotStored } from "../../src/telegram/Taking.ts"
import { routes } from "../../src/telegram/WebhookDoor.ts"
import { secretOf } from "../../src/telegram/WebhookRules.ts"
import { ask } from "../support/ask.ts"
import { messageUpdate } from "./updates.ts"

const ann = { tenant: TenantId.make("acme"), app: AppId.make("ann") }
const bob = { tenant: TenantId.make("acme"), app: AppId.make("bob") }
/** Another tenant's, of the same name. */
const namesake = { tenant: TenantId.make("other"), app: AppId.make("ann") }
const gone = { tenant: TenantId.make("acme"), app: AppId.make("gone") }
const settings = { secret: Redacted.make("a secret of the operator's") }
const header = "x-telegram-bot-api-secret-token"

const bots = Bots.layer([
  { ...ann, token: Redacted.make("7:ann") },
  { ...bob, token: Redacted.make("8:bob") },
  { ...namesake, token: Redacted.make("9:ann") }
])

interface Hall {
  /** What was handed on to be stored, by bot and number. */
  readonly handed: ReadonlyArray<string>
  readonly post: (
    path: string,
    secret: string | undefined,
    body?: string
  ) => Effect.Effect<number, Error, HttpServer.HttpServer>
}

/** A door with a store behind it that is told how to behave. */
const test = (
  name: string,
  store: (id: number) => Effect.Effect<Taken, UpdateNotStored>,
  body: (hall: Hall) => Effect.Effect<unknown, unknown, HttpServer.HttpServer | Health | Scope.Scope>
) =>
  it.live(name, () =>
    Effect.suspend(() => {
      const handed: Array<string> = []
      const taking = Layer.mock(Taking, {
        one: ({ app }, botId, raw) => {
          const id = (raw as { update_id: number }).update_id
          handed.push(`${app} ${botId} ${id}`)
          return store(id)
        }
      })
      const server = serve(routes(settings), [], [{ name: "bot.example", below: "/telegram/" }]).pipe(
        Layer.provideMerge(listen({ host: "127.0.0.1", port: 0, alternatives: 0 })),
        Layer.provideMerge(Layer.mergeAll(Health.layer, taking, bots, Logger.layer([])))
      )
      const post: Hall["post"] = (path, secret, content = JSON.stringify(messageUpdate(1))) =>
        Effect.map(
          ask(
            path,
            { host: "bot.example", ...(secret === undefined ? {} : { [header]: secret }) },
            "POST",
            content
          ),
          ({ status }) => status
        )
      return body({ handed, post }).pipe(Effect.scoped, Effect.provide(server))
    })
  )

const stored = () => Effect.succeed("stored" as const)

describe("the webhook door", () => {
  test("takes what carries the bot's own secret, and answers when it is stored", stored, ({ handed, post }) =>
    Effect.gen(function* () {
      assert.strictEqual(yield* post("/telegram/acme/ann", secretOf(settings, ann)), 200)
      assert.strictEqual(yield* post("/telegram/acme/bob", secretOf(settings, bob)), 200)
      assert.deepStrictEqual(handed, ["ann 7 1", "bob 8 1"])
    })
  )

  test(
    "answers a wrong secret, none, another bot's and an unknown bot alike, and reads nothing of them",
    stored,
    ({ handed }) =>
      Effect.gen(function* () {
        const right = secretOf(settings, ann)
        const wrong = right.replace(/.$/, (last) => (last === "0" ? "1" : "0"))
        assert.strictEqual(wrong.length, right.length)
        const strangers: ReadonlyArray<readonly [path: string, secret: string | undefined]> = [
          ["/telegram/acme/ann", undefined],
          ["/telegram/acme/ann", ""],
          ["/telegram/acme/ann", "wrong"],
          ["/telegram/acme/ann", wrong],
          ["/telegram/acme/ann", Redacted.value(settings.secret)],
          ["/telegram/acme/ann", secretOf(settings, bob)],
          ["/telegram/acme/ann", secretOf(settings, namesake)],
          ["/telegram/other/ann", right],
          ["/telegram/acme/gone", secretOf(settings, gone)],
          ["/telegram/acme/gone", undefined],
          ["/telegram/ACME/ann", right],
          ["/telegram/acme%2Fann/x", right]
        ]
        for (const [path, secret] of strangers) {
          const answer = yield* ask(
            path,
            { host: "bot.example", ...(secret === undefined ? {} : { [header]: secret }) },
            "POST",
            "{"
          )
          assert.deepStrictEqual(
            [answer.status, answer.body, answer.headers["retry-after"]],
            [401, "", undefined]
          )
        }
        assert.isEmpty(handed)
      })
  )

  test("refuses a stranger before the body has come", stored, () =>
    Effect.gen(function* () {
      const url = new URL("/telegram/acme/ann", yield* localUrl)
      const status = yield* Effect.callback<number | undefined, Error>((resume) => {
        const sent = request(url, { method: "POST", headers: { "content-length": "1000" } }, (response) => {
          resume(Effect.succeed(response.statusCode))
          response.resume()
        })
        sent.on("error", (error) => resume(Effect.fail(error)))
        sent.flushHeaders()
        return Effect.sync(() => sent.destroy())
      })
      assert.strictEqual(status, 401)
    }).pipe(Effect.timeout("30 seconds"))
  )

  test("a body that is no update is refused; one of a mebibyte is too large", stored, ({ handed, post }) =>
    Effect.gen(function* () {
      const to = (content: string) => post("/telegram/acme/ann", secretOf(settings, ann), content)
      for (const content of ["", "{", "[]", "null", "{}", `{"update_id":"1"}`, `{"update_id":1.5}`])
        assert.strictEqual(yield* to(content), 400, content)
      const padded = (size: number) => {
        const bare = JSON.stringify({ ...messageUpdate(2), padding: "" })
        return JSON.stringify({ ...messageUpdate(2), padding: "x".repeat(size - bare.length) })
      }
      assert.strictEqual(yield* to(padded(1024 * 1024)), 200)
      assert.strictEqual(yield* to(padded(1024 * 1024 + 1)), 413)
      assert.deepStrictEqual(handed, ["ann 7 2"])
    })
  )

  test(
    "a duplicate and a stranger's update are taken like any other",
    (id) => Effect.succeed(id === 1 ? "duplicate" : "refused"),
    ({ post }) =>
      Effect.gen(function* () {
        const secret = secretOf(settings, ann)
        assert.strictEqual(yield* post("/telegram/acme/ann", secret), 200)
        assert.strictEqual(yield* post("/telegram/acme/ann", secret, JSON.stringify(messageUpdate(2))), 200)
      })
  )

  const asksAgain = Effect.fnUntraced(function* (id: number) {
    const { status, headers } = yield* ask(
      "/telegram/acme/ann",
      { host: "bot.example", [header]: secretOf(settings, ann) },
      "POST",
      JSON.stringify(messageUpdate(id))
    )
    assert.strictEqual(status, 503)
    assert.match(String(headers["retry-after"]), /^[123]$/)
  })

  test(
    "what cannot be stored, or breaks, is asked for again",
    (id) => (id === 1 ? new UpdateNotStored({ reason: "away" }) : Effect.die("broken")),
    () => Effect.andThen(asksAgain(1), asksAgain(2))
  )

  test(
    "a process that goes down asks to come again, and tells strangers nothing of it",
    stored,
    ({ handed, post }) =>
      Effect.gen(function* () {
        yield* Health.use(({ drain }) => drain)
        yield* asksAgain(1)
        assert.strictEqual(yield* post("/telegram/acme/ann", "wrong"), 401)
        assert.isEmpty(handed)
      })
  )

  const open = Deferred.makeUnsafe<void>()
  test(
    "of one noisy bot it stores 64 at once, asks for more to come again, and leaves places for the others",
    () => Effect.as(Deferred.await(open), "stored" as const),
    ({ handed, post }) =>
      Effect.gen(function* () {
        const to = (bot: typeof ann, id: number) =>
          post(
            `/telegram/${bot.tenant}/${bot.app}`,
            secretOf(settings, bot),
            JSON.stringify(messageUpdate(id))
          )
        const noisy = yield* Effect.forkChild(
          Effect.forEach(
            Array.from({ length: 64 }, (_, id) => id + 1),
            (id) => to(ann, id),
            { concurrency: "unbounded" }
          )
        )
        while (handed.length < 64) yield* Effect.sleep("10 millis")
        yield* asksAgain(65)
        const others = yield* Effect.forkChild(
          Effect.forEach([bob, namesake], (bot) => to(bot, 1), { concurrency: "unbounded" })
        )
        while (handed.length < 66) yield* Effect.sleep("10 millis")
        yield* asksAgain(66)
        yield* Deferred.succeed(open, undefined)
        assert.deepStrictEqual([...new Set(yield* Fiber.join(noisy))], [200])
        assert.deepStrictEqual(yield* Fiber.join(others), [200, 200])
        assert.strictEqual(yield* to(ann, 67), 200)
      })
  )
})
