import { assert, it } from "@effect/vitest"
import { Effect, Layer, Stream, SubscriptionRef } from "effect"
import { TestClock } from "effect/testing"
import { AppId, TenantId } from "../../src/domain/Ids.ts"
import { AccountFiles } from "../../src/session/AccountFiles.ts"
import { FollowFleet } from "../../src/session/FollowFleet.ts"
import { FollowStore } from "../../src/session/FollowStore.ts"
import { sessionName } from "../../src/session/SessionEvents.ts"
import { SessionManager } from "../../src/session/SessionManager.ts"
import { SessionSecrets } from "../../src/session/SessionSecrets.ts"
import { Directory, type Listing } from "../../src/store/Directory.ts"
import { HandledUpdates } from "../../src/store/HandledUpdates.ts"
import { Signals } from "../../src/store/Signals.ts"
import { Limits } from "../../src/telegram/Limits.ts"
import { Permission } from "../../src/telegram/Permission.ts"
import { UpdateSink } from "../../src/telegram/Taking.ts"

const tenantOf = (nth: number) => TenantId.make(`t${nth}`)
const listingOf = (many: number): Listing => ({
  tenants: new Map(Array.from({ length: many }, (_, nth) => [tenantOf(nth), "enabled" as const])),
  apps: []
})

it.effect(
  "many tenants that come at once are looked at a few times, and the last one is not left out",
  () => {
    let looks = 0
    const working = new Set<string>()
    const all = 200
    return Effect.gen(function* () {
      const listed = yield* SubscriptionRef.make(listingOf(1))
      const layer = FollowFleet.layer.pipe(
        Layer.provide([
          Layer.mock(AccountFiles, {}),
          Layer.mock(HandledUpdates, {}),
          Layer.mock(Limits, {}),
          Layer.mock(Permission, {}),
          Layer.mock(SessionSecrets, {}),
          Layer.mock(UpdateSink, {}),
          Layer.mock(Signals, { listen: () => Stream.never, resumed: Stream.never }),
          Layer.mock(Directory, {
            listing: SubscriptionRef.get(listed),
            changes: SubscriptionRef.changes(listed)
          }),
          Layer.mock(FollowStore, {
            sessions: (tenant) =>
              Effect.sync(() => {
                looks++
                return [{ tenant, app: AppId.make("mine") }]
              }).pipe(Effect.delay("1 millis"))
          }),
          Layer.mock(SessionManager, {
            start: (key) => Effect.sync(() => working.add(sessionName(key))),
            stop: () => Effect.void
          })
        ])
      )
      yield* FollowFleet.use(({ follow }) => Effect.forkScoped(follow)).pipe(Effect.provide(layer))
      for (let many = 2; many <= all; many++) {
        yield* SubscriptionRef.set(listed, listingOf(many))
        yield* TestClock.adjust("1 millis")
      }
      yield* TestClock.adjust("29 seconds")
      assert.strictEqual(working.size, all)
      assert.isBelow(looks, 10 * all)
    })
  }
)
