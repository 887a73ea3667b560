/**
 * What watches the process, as the configuration wants it: the scrubber first, which knows every secret of the
 * environment, then telemetry and the measuring of the process behind it.
 */
import { Effect, Layer } from "effect"
import { processMetrics } from "../ops/Metrics.ts"
import { Scrubber } from "../ops/Scrub.ts"
import { telemetry } from "../ops/Telemetry.ts"
import { AppConfig } from "./AppConfig.ts"
import { version } from "./version.ts"

/** Gives the scrubber to whoever learns of more secrets; says the warnings of the configuration. */
export const observability: Layer.Layer<Scrubber, never, AppConfig> = Layer.effectDiscard(
  Effect.flatMap(AppConfig, ({ warnings }) => Effect.forEach(warnings, (line) => Effect.logWarning(line)))
).pipe(
  Layer.provideMerge(processMetrics),
  Layer.provideMerge(
    Layer.unwrap(
      Effect.gen(function* () {
        const config = yield* AppConfig
        const scrubber = yield* Scrubber
        yield* Effect.forEach(config.secrets, scrubber.register)
        return telemetry({ ...config.log, otlpEndpoint: config.otlpEndpoint, version })
      })
    )
  ),
  Layer.provideMerge(Scrubber.layer)
)
