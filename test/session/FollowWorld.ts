/** The follower of one account on a real database, with a client of the test's own; what it hands on and keeps. */
import { assert, it } from "@effect/vitest"
import { Context, Effect, Latch, Layer, Option, Queue, Redacted, type Scope, Stream } from "effect"
import { plain } from "../../src/domain/FormattedText.ts"
import { BlobHash, ChatId, MessageId, UserId } from "../../src/domain/Ids.ts"
import { IncomingMessage } from "../../src/domain/IncomingMessage.ts"
import { FenceStale } from "../../src/lock/Fences.ts"
import { AccountFiles } from "../../src/session/AccountFiles.ts"
import { FollowStore } from "../../src/session/FollowStore.ts"
import { makeFollowWorker } from "../../src/session/FollowWorker.ts"
import type { LiveSession } from "../../src/session/SessionLife.ts"
import { SessionStore } from "../../src/session/SessionStore.ts"
import { Audit } from "../../src/store/Audit.ts"
import { HandledUpdates } from "../../src/store/HandledUpdates.ts"
import { Limits } from "../../src/telegram/Limits.ts"
import { Permission } from "../../src/telegram/Permission.ts"
import { UpdateSink } from "../../src/telegram/Taking.ts"
import type { Source, UserError, UserUpdate } from "../../src/telegram/UserClient.ts"
import { beneath, eventually, key } from "./support.ts"

const ann = { id: UserId.make(42), name: "Ann" }
export const news = ChatId.make(-1_000_000_001_500)
export const since = 1_700_000_000

export const message = (
  id: number,
  fields: Partial<ConstructorParameters<typeof IncomingMessage>[0]> = {}
): IncomingMessage =>
  new IncomingMessage({
    messageId: MessageId.make(id),
    chat: { id: ChatId.make(ann.id), kind: "private" },
    sender: { id: ann.id, kind: "user", name: ann.name },
    date: since + id,
    text: plain(`text ${id}`),
    attachments: [],
    ...fields
  })
export const posted = (id: number, fields: Partial<ConstructorParameters<typeof IncomingMessage>[0]> = {}) =>
  message(id, {
    chat: { id: news, kind: "channel", title: "News" },
    sender: { id: news, kind: "chat", name: "News" },
    ...fields
  })

/** What came out of it: messages handed on, positions kept; and what stands in its way. */
export class Out extends Context.Service<
  Out,
  {
    readonly handed: Array<{ readonly what: string; readonly message: IncomingMessage }>
    readonly positions: Array<string>
    full: boolean
    /** Another has the session by now. */
    deposed: boolean
    /** Closed, nothing is durable. */
    readonly storing: Latch.Latch
  }
>()("test/Out") {
  static readonly layer = Layer.sync(Out, () => ({
    handed: [],
    positions: [],
    full: false,
    deposed: false,
    storing: Latch.makeUnsafe(true)
  }))
}

const around = Layer.unwrap(
  Effect.map(Out, (out) =>
    Layer.mergeAll(
      Layer.succeed(
        UpdateSink,
        UpdateSink.of({
          receive: (_key, _botId, _raw, update) =>
            out.storing.whenOpen(
              Effect.sync(() => {
                assert(update._tag === "Message" || update._tag === "EditedMessage")
                out.handed.push({
                  what: `${update._tag} ${update.message.messageId}`,
                  message: update.message
                })
                return "stored" as const
              })
            )
        })
      ),
      Layer.mock(Limits, { full: () => Effect.sync(() => out.full) }),
      Layer.mock(Permission, { language: () => Effect.succeed(Option.some("ru")) }),
      Layer.mock(AccountFiles, {
        ofMessage: () => Effect.succeed({ _tag: "Stored", blob: BlobHash.make("a".repeat(64)) })
      })
    )
  )
)

export const layer = Layer.mergeAll(
  FollowStore.layer,
  HandledUpdates.layer,
  SessionStore.layer({ replica: "one" })
).pipe(
  Layer.provideMerge(Audit.layer),
  Layer.provideMerge(around),
  Layer.provideMerge(Out.layer),
  Layer.provideMerge(beneath)
)

export type History = LiveSession["history"]

export const none: History = () => Stream.empty

/** The worker at work with a client that tells this; what it told of `updates`, and what it was asked. */
export const working = Effect.fnUntraced(function* (
  history: History,
  {
    begun = true,
    hasPositions = true,
    me = ann
  }: { readonly begun?: boolean; readonly hasPositions?: boolean; readonly me?: typeof ann } = {}
) {
  const worker = yield* makeFollowWorker
  const out = yield* Out
  const told = yield* Queue.unbounded<UserUpdate>()
  // How far the account is, first of all.
  if (begun) yield* Queue.offer(told, checkpoint("begun"))
  const asked: Array<ReadonlyArray<Source>> = []
  let renewed = false
  let pages = 0
  const client = {
    account: key,
    renew: Effect.sync(() => {
      renewed = true
    }),
    me: Effect.succeed(me),
    hasPositions,
    keepPositions: (positions: Redacted.Redacted<string>) =>
      out.deposed
        ? new FenceStale({ resource: "session", fence: 1 })
        : Effect.sync(() => void out.positions.push(Redacted.value(positions))),
    history: (...what: Parameters<History>) => {
      pages++
      return history(...what)
    },
    updates: (sources: ReadonlyArray<Source>): Stream.Stream<UserUpdate, UserError> => {
      asked.push(sources)
      return Stream.fromQueue(told)
    }
  }
  const fiber = yield* Effect.forkScoped(worker(key)(client as unknown as LiveSession))
  /** A look at each chat, and the page after which none comes: what is told from now on is taken as it comes. */
  const read = eventually(
    Effect.sync(() => pages),
    (now) => now >= 2
  )
  return { told, asked, fiber, read, renewed: () => renewed }
})

export const followed = (source: Source, account = ann.id) =>
  FollowStore.use((store) => store.follow(key, { account, source, title: "a chat", since }, "admin"))

export const test = (
  name: string,
  body: Effect.Effect<void, unknown, Layer.Success<typeof layer> | Scope.Scope>
) =>
  it.live(name, () =>
    Effect.andThen(
      SessionStore.use((store) => store.add(key, { kind: "user" })),
      body
    ).pipe(Effect.scoped, Effect.provide(layer))
  )

export const whats = Effect.map(Out, ({ handed }) => handed.map(({ what }) => what))
export const told = (source: Source, one: IncomingMessage): UserUpdate => ({
  _tag: "Message",
  source,
  message: one
})
export const checkpoint = (text: string): UserUpdate => ({
  _tag: "Checkpoint",
  positions: Redacted.make(text)
})
