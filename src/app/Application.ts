/**
 * The whole assistant as one Layer: what `zapiska start` runs, and what a test runs with another `BotPort` in it. Its
 * settings come from the environment and `.env`, or from `ProcessEnvironment` where a program gives its own.
 */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Context, Layer } from "effect"
import { DatabaseUse } from "../store/DatabaseUse.ts"
import type { BotPort } from "../telegram/BotPort.ts"
import { AppConfig } from "./AppConfig.ts"
import * as Embedded from "./Embedded.ts"
import { observability } from "./Observability.ts"

/** `bot`: what everything said goes to. Messages still come from Telegram, or from the sandbox. */
export const layerWith = <A, E>(options: {
  readonly bot: Layer.Layer<BotPort | A, E, Embedded.BeneathBot>
}) =>
  Embedded.layerWith(options.bot).pipe(
    Layer.provide(observability),
    Layer.provide(AppConfig.layer),
    Layer.provide(NodeServices.layer)
  )

export const layer = layerWith({ bot: Embedded.telegram })

/** Fails when the process cannot go on, because others work with its database. */
export const untilLost = (services: Context.Context<DatabaseUse>) => Context.get(services, DatabaseUse).lost
