/**
 * A conversation as a cluster entity: one owner for everything a person sends in one chat. What is received
 * is stored before Telegram hears of it and stays pending until the unit of work that holds it is durable,
 * so that after a crash the engine delivers again exactly what was not.
 */
import { Cause, Clock, Duration, Effect, Fiber, Metric, Option, Schema, Semaphore } from "effect"
import { ClusterSchema, Entity } from "effect/cluster"
import { Rpc } from "effect/rpc"
import type { SqlError } from "effect/sql"
import type { UpdateId } from "../domain/Ids.ts"
import type { IncomingMessage, IncomingUpdate } from "../domain/IncomingMessage.ts"
import { reach } from "../ops/Failpoint.ts"
import { Directory } from "../store/Directory.ts"
import { HandledUpdates } from "../store/HandledUpdates.ts"
import { TaskManager } from "../task/TaskManager.ts"
import { decodeUpdate } from "../telegram/UpdateDecoder.ts"
import * as Aggregator from "./Aggregator.ts"
import { pressOf } from "./Buttons.ts"
import { ConversationSettings } from "./ConversationSettings.ts"
import { MessageProcessor } from "./MessageProcessor.ts"
import { unitDuration, units, windowsOpen } from "./metrics.ts"
import { type Fate, outlasting, persistently } from "./Persistently.ts"
import { served, unlessRemoved } from "./Served.ts"
import { commandOf, notedBy, StoredUpdate, userOf } from "./StoredUpdate.ts"
import type { UserContext } from "./UserContext.ts"

export const Receive = Rpc.make("Receive", {
  payload: { id: Schema.String, update: Schema.String },
  primaryKey: ({ id }) => id
})
  .annotate(ClusterSchema.Persisted, true)
  .annotate(ClusterSchema.InterruptOnTermination, true)

export const Conversation = Entity.make("Conversation", [Receive])

export const layer = Conversation.toLayer(
  Effect.gen(function* () {
    const { entityId: id } = yield* Entity.CurrentAddress
    const processor = yield* MessageProcessor
    const tasks = yield* TaskManager
    const handled = yield* HandledUpdates
    const { clocksApart, rules } = yield* ConversationSettings
    const directory = yield* Directory
    const activated = yield* Clock.currentTimeMillis
    // Messages are accepted one at a time in the order they were stored; what they wait for is not.
    const order = yield* Semaphore.make(1)
    let user: UserContext | undefined
    // A window was stopped: what was in it may come into another.
    let reopened = false

    const windows = new Set<string>()
    // When the conversation goes to another replica its messages do: nobody here may go on with them.
    yield* Effect.addFinalizer(() =>
      Effect.forEach(
        windows,
        (window) => Effect.catchTag(tasks.stop(window), "TaskUnknown", () => Effect.void),
        { concurrency: "unbounded", discard: true }
      )
    )

    /** Counted, timed and said: what was done for whom, how long it took and how it ended. */
    const measured = (kind: string, context: UserContext, effect: Effect.Effect<Fate>) =>
      Effect.gen(function* () {
        const [took, outcome] = yield* Effect.timed(effect)
        yield* Metric.update(Metric.withAttributes(units, { kind, outcome }), 1)
        yield* Metric.update(Metric.withAttributes(unitDuration, { kind }), Duration.toSeconds(took))
        yield* Effect.logInfo("Unit handled").pipe(
          Effect.annotateLogs({
            tenant: context.tenant,
            app: context.app,
            operation: `unit.${kind}`,
            kind,
            outcome,
            duration: Math.round(Duration.toMillis(took)),
            success: outcome === "done"
          })
        )
      })

    /** As hard as it can be, for whom there still is. */
    const tried = <E>(
      context: UserContext,
      what: string,
      effect: Effect.Effect<void, E>,
      otherwise: Effect.Effect<void, E>
    ) =>
      persistently(
        what,
        unlessRemoved(context.tenant, effect),
        unlessRemoved(context.tenant, otherwise)
      ).pipe(Effect.provideService(Directory, directory))

    const processUnit = (unit: Aggregator.Unit): Effect.Effect<Aggregator.Outcome> =>
      Effect.suspend(() => {
        const context = user!
        let outcome: Aggregator.Outcome = "finished"
        const again = reopened || unit.members.some(({ receivedAt }) => receivedAt <= activated + clocksApart)
        const save = (options: { readonly raw: boolean }): Effect.Effect<void, SqlError.SqlError> =>
          processor.unit(context, unit, { ...options, again }).pipe(
            Effect.catchTag("AlreadyHandled", ({ updates }) =>
              Effect.sync(() => {
                const before = new Set(updates)
                const all = [...unit.members.map((one) => one.updateId), ...unit.absorbed]
                // A part of it was durable after all. What is left finds its place anew: an edit belongs in the
                // note that holds its message, and the first of the rest gives its answer another name.
                if (!all.every((one) => before.has(one))) outcome = "reopen"
              })
            )
          )
        return measured(
          "note",
          context,
          tried(
            context,
            "Saving a note",
            Effect.andThen(reach("closed"), save({ raw: false })),
            save({ raw: true })
          )
        ).pipe(Effect.map(() => outcome))
      })

    const aggregator = Aggregator.make<never>({
      rules,
      onOpen: (first) => Effect.suspend(() => processor.opened(user!, first.updateId, rules.quiet)),
      fork: (first, fiber) => {
        const window = `window/${id}/${first.updateId}`
        windows.add(window)
        return tasks
          .start(
            {
              id: window,
              kind: "window",
              description: `Collecting messages of ${id}`,
              owner: { tenant: user!.tenant, app: user!.app }
            },
            Metric.modify(windowsOpen, 1).pipe(
              Effect.andThen(fiber),
              Effect.ensuring(Metric.modify(windowsOpen, -1)),
              Effect.ensuring(Effect.sync(() => windows.delete(window)))
            )
          )
          .pipe(
            Effect.catchTag("TaskManagerStopped", () => Effect.never),
            Effect.catchTag("TaskExists", Effect.die)
          )
      },
      process: processUnit
    })

    const atOnce = (
      kind: string,
      context: UserContext,
      updateId: UpdateId,
      effect: Effect.Effect<void, unknown>
    ) =>
      measured(
        kind,
        context,
        tried<unknown>(context, `Update ${updateId} (${kind})`, effect, processor.giveUp(context, updateId))
      )
    const once = (...unit: Parameters<typeof atOnce>) => aggregator.inTurn(atOnce(...unit))

    const mayNote = (context: UserContext) =>
      outlasting("Asking what a person may do", processor.mayNote(context))

    /** Takes an update in, in its order; the effect it returns ends when the update is done. */
    const accept = (
      stored: StoredUpdate,
      update: IncomingUpdate,
      handledBefore: Effect.Effect<boolean>
    ): Effect.Effect<Effect.Effect<Aggregator.Outcome>> =>
      Effect.gen(function* () {
        const context = userOf(stored, update)
        // Of who stops a draft it says too little to write notes in their name.
        if (update._tag !== "DraftStopped") user = context
        const { updateId } = update
        const finished = Effect.succeed<Aggregator.Outcome>("finished")
        if (yield* handledBefore) return finished
        // A note that looks like a command is a note: nobody gave it to a bot.
        const commanded = (message: IncomingMessage) => (context.unanswered ? undefined : commandOf(message))
        const ignore = (kind: string) =>
          once(kind, context, updateId, processor.ignored(context, updateId)).pipe(Effect.andThen(finished))
        const offer = (message: IncomingMessage) =>
          aggregator.offer({ updateId, message, receivedAt: stored.receivedAt })

        switch (update._tag) {
          case "Message": {
            const call = commanded(update.message)
            if (call === undefined) {
              if (!(yield* mayNote(context))) {
                return once("refused", context, updateId, processor.refused(context, updateId)).pipe(
                  Effect.andThen(finished)
                )
              }
              yield* processor.received(context, update.message)
              return yield* offer(update.message)
            }
            if (!(yield* processor.isOurs(context, call))) return ignore("command")
            const pending = aggregator.pending().length
            if (call.name === "done") yield* aggregator.closeNow
            return once(
              "command",
              context,
              updateId,
              processor.command(context, updateId, update.message, call, pending)
            ).pipe(Effect.andThen(finished))
          }
          case "EditedMessage": {
            const call = commanded(update.message)
            const message = call === undefined ? update.message : notedBy(update.message, call)
            // An edit does not run a command, and the command is no text of a note.
            if (message === undefined) return ignore("edit")
            if (call !== undefined && !(yield* processor.isOurs(context, call))) return ignore("edit")
            const merged = aggregator.merge({ updateId, message })
            if (merged !== undefined) return merged
            let known = true
            return once(
              "edit",
              context,
              updateId,
              processor.edited(context, updateId, message).pipe(
                Effect.tap((amended) =>
                  Effect.sync(() => {
                    known = amended
                  })
                ),
                Effect.asVoid
              )
            ).pipe(Effect.andThen(Effect.suspend(() => (known ? finished : Effect.flatten(offer(message))))))
          }
          case "Button": {
            const pending = aggregator.pending().length
            const press = Option.getOrUndefined(pressOf(update.data))
            if (press?._tag === "Done" && press.owner === context.sender) yield* aggregator.closeNow
            // What is under way is what it stops: it does not wait for that.
            const handle = press?._tag === "Stop" ? atOnce : once
            const { receivedAt } = stored
            return handle(
              "button",
              context,
              updateId,
              processor.button(context, update, { pending, receivedAt })
            ).pipe(Effect.andThen(finished))
          }
          case "DraftStopped":
            return atOnce("stop", context, updateId, processor.stopped(context, update)).pipe(
              Effect.andThen(finished)
            )
          default:
            return once("other", context, updateId, processor.other(context, update)).pipe(
              Effect.andThen(finished)
            )
        }
      })

    /** Asked at once; the answer is waited for in the update's turn. */
    const handledBefore = (
      stored: StoredUpdate,
      updateId: UpdateId,
      turn: "first" | "again"
    ): Effect.Effect<Effect.Effect<boolean>> =>
      // At first, only what was stored before this activation can have been handled by an earlier one.
      turn === "first" && stored.receivedAt > activated + clocksApart
        ? Effect.succeed(Effect.succeed(false))
        : outlasting(
            `Asking whether update ${updateId} was handled before`,
            handled.among(stored, [updateId])
          ).pipe(
            Effect.map((before) => before.has(updateId)),
            Effect.forkChild({ startImmediately: true }),
            Effect.map(Fiber.join)
          )

    const receive = (stored: StoredUpdate, turn: "first" | "again"): Effect.Effect<void> =>
      Effect.gen(function* () {
        const update = decodeUpdate(stored.raw)
        const before = yield* handledBefore(stored, update.updateId, turn)
        const done = yield* order.withPermits(1)(
          Effect.gen(function* () {
            if (yield* served(stored.tenant)) return yield* accept(stored, update, before)
            yield* Effect.logInfo("What a tenant that was removed had not handled is left undone")
            return Effect.succeed<Aggregator.Outcome>("finished")
          })
        )
        if ((yield* done) === "reopen") {
          reopened = true
          yield* Effect.delay(receive(stored, "again"), rules.quiet)
        }
      }).pipe(Effect.provideService(Directory, directory))

    return Conversation.of({
      Receive: ({ payload }) =>
        Schema.decodeEffect(StoredUpdate)(payload.update).pipe(
          Effect.flatMap((stored) => {
            const whose = { tenant: stored.tenant, app: stored.app }
            return Effect.andThen(
              Effect.annotateCurrentSpan(whose),
              Effect.annotateSpans(receive(stored, "first"), whose)
            )
          }),
          // Nothing but success may leave: an error would be stored as the answer and the message be gone.
          Effect.catchCause((cause) =>
            Cause.hasInterruptsOnly(cause)
              ? Effect.failCause(cause as Cause.Cause<never>)
              : Effect.logError("An update cannot be handled by this version; it is kept", cause).pipe(
                  Effect.annotateLogs({ update: payload.id }),
                  Effect.andThen(Effect.never)
                )
          ),
          Rpc.fork
        )
    })
  }),
  {
    concurrency: "unbounded",
    mailboxCapacity: "unbounded",
    // The next message activates it again in milliseconds; an idle one only costs memory.
    maxIdleTime: "10 seconds"
  }
)
