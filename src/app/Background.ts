/** What runs without being asked: the bots, the followed chats, the git copies, the clearing of old rows. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { Effect, Layer, Schedule } from "effect"
import * as Purge from "../conversation/Purge.ts"
import * as RepositoryNotices from "../conversation/RepositoryNotices.ts"
import { commandNames, texts } from "../conversation/Texts.ts"
import { defaultTenant, type TenantId } from "../domain/Ids.ts"
import { languages } from "../domain/Language.ts"
import { Blobs } from "../knowledge/Blobs.ts"
import { BotFleet } from "../session/BotFleet.ts"
import { FollowFleet } from "../session/FollowFleet.ts"
import { Directory, enabledTenants } from "../store/Directory.ts"
import { HandledUpdates } from "../store/HandledUpdates.ts"
import { TaskManager } from "../task/TaskManager.ts"
import { Callbacks } from "../telegram/Callbacks.ts"
import { Invites } from "../telegram/Invites.ts"
import { Outbox } from "../telegram/Outbox.ts"
import { AppConfig } from "./AppConfig.ts"
import { repositoriesIn } from "./DataDirFiles.ts"
import * as TenantTasks from "./TenantTasks.ts"

const backoff = Schedule.min([Schedule.exponential("500 millis"), Schedule.spaced("30 seconds")])

/** English for everybody, and each other language for its own speakers. */
const menus = languages.map((language) => ({
  ...(language === "en" ? {} : { language }),
  commands: commandNames.map((command) => ({ command, description: texts[language].commands[command] }))
}))

/** How long it is known which updates were handled. */
const remembered = "30 days"

/** No file is on its way for so long. */
const unfinished = "1 day"

const owner = { tenant: defaultTenant }

export const layer = Layer.effectDiscard(
  Effect.gen(function* () {
    const { dataDir } = yield* AppConfig
    const blobs = yield* Blobs
    const callbacks = yield* Callbacks
    const directory = yield* Directory
    const fleet = yield* BotFleet
    const follows = yield* FollowFleet
    const handled = yield* HandledUpdates
    const invites = yield* Invites
    const outbox = yield* Outbox
    const tasks = yield* TaskManager

    const purgeOf = (tenant: TenantId) =>
      outbox
        .purge(tenant, Purge.kept)
        .pipe(
          Effect.andThen(callbacks.purge(tenant, Purge.kept)),
          Effect.andThen(invites.purge(tenant, Purge.kept)),
          Effect.andThen(blobs.purge(tenant, unfinished)),
          Effect.andThen(handled.forget(tenant, remembered))
        )

    yield* tasks.start(
      {
        id: "tenants",
        kind: "tenants",
        description: "Does what is done for each tenant, as tenants come and go",
        owner,
        restart: backoff
      },
      TenantTasks.follow(repositoriesIn(dataDir))
    )
    yield* tasks.start(
      {
        id: "repository notices",
        kind: "notices",
        description: "Tells people what their work in the repository met",
        owner,
        restart: backoff
      },
      RepositoryNotices.tell
    )
    yield* tasks.start(
      {
        id: "purge",
        kind: "purge",
        description: "Removes finished updates, sent messages, ended buttons and invites after a week",
        owner,
        restart: backoff
      },
      Purge.purge().pipe(
        Effect.andThen(
          Effect.flatMap(directory.listing, (listing) =>
            Effect.forEach(enabledTenants(listing), purgeOf, { discard: true })
          )
        ),
        Effect.repeat(Schedule.jittered(Schedule.spaced("1 hour"))),
        Effect.asVoid
      )
    )
    yield* tasks.start(
      {
        id: "bots",
        kind: "bots",
        description: "Runs the bots, as they come, go and get other tokens",
        owner,
        restart: backoff
      },
      fleet.follow(menus)
    )
    yield* tasks.start(
      {
        id: "follows",
        kind: "follows",
        description: "Has the chats of people's accounts followed, as they are chosen",
        owner,
        restart: backoff
      },
      follows.follow
    )
    // Before those that run the bots end them: it would start them again.
    yield* Effect.addFinalizer(() => Effect.catchTag(tasks.stop("bots"), "TaskUnknown", Effect.die))
  })
).pipe(Layer.provide(NodeFileSystem.layer))
