/**
 * Where logs, spans and metrics go: the console, for people or for machines, and an OTLP collector when there
 * is one. Everything passes the scrubber as its last step, as text.
 */
import { Cause, Context, Effect, Formatter, Layer, Logger, type LogLevel, References, Tracer } from "effect"
import { Scrubber } from "./Scrub.ts"

export interface TelemetryOptions {
  readonly level: "trace" | "debug" | "info" | "warn" | "error" | "fatal" | "none"
  /** Undefined: pretty on a terminal, JSON everywhere else. */
  readonly format: "pretty" | "json" | undefined
  readonly otlpEndpoint: string | undefined
  readonly version: string
}

const levels: Record<TelemetryOptions["level"], LogLevel.LogLevel> = {
  trace: "Trace",
  debug: "Debug",
  info: "Info",
  warn: "Warn",
  error: "Error",
  fatal: "Fatal",
  none: "None"
}

/** The span a line is written in: what ties logs to traces. `operation` is the method at work. */
const spanOf = (options: Logger.Options<unknown>) => {
  const span = Context.getOrUndefined(options.fiber.context, Tracer.ParentSpan)
  if (span === undefined) return {}
  return {
    ...(span._tag === "Span" ? { operation: span.name } : {}),
    traceId: span.traceId,
    spanId: span.spanId
  }
}

/** One JSON object a line. */
const formatJson = Logger.make<unknown, string>((options) => {
  const { annotations, spans, fiberId: _, ...line } = Logger.formatStructured.log(options)
  return Formatter.formatJson({ ...line, ...spanOf(options), annotations, spans })
})

const colours: Record<string, number> = { TRACE: 90, DEBUG: 90, INFO: 32, WARN: 33, ERROR: 31, FATAL: 35 }

/** A line for a person: time, level, words, then what belongs to them; causes below it. */
const formatPretty = (coloured: boolean) =>
  Logger.make<unknown, string>((options) => {
    const paint = (text: string, colour: number) => (coloured ? `\u001b[${colour}m${text}\u001b[0m` : text)
    const { level, message, timestamp, annotations } = Logger.formatStructured.log(options)
    const words = (Array.isArray(message) ? message : [message]).map((part) =>
      typeof part === "string" ? part : Formatter.formatJson(part)
    )
    const labels = Object.entries(annotations).map(([label, value]) => `${label}=${String(value)}`)
    const head = `${timestamp.slice(11, 23)} ${paint(level.padEnd(5), colours[level] ?? 0)} ${words.join(" ")}`
    const cause = options.cause.reasons.length === 0 ? [] : Cause.pretty(options.cause).split("\n")
    return [labels.length === 0 ? head : `${head} ${paint(labels.join(" "), 90)}`, ...cause].join("\n    ")
  })

/** The console's logger alone; the message texts of errors and of whatever is logged are scrubbed with it. */
const consoleLogger = (options: TelemetryOptions, scrub: (text: string) => string) => {
  const terminal = process.stdout.isTTY === true
  const pretty = options.format === "pretty" || (options.format === undefined && terminal)
  const format = pretty ? formatPretty(terminal) : formatJson
  return Logger.withConsoleLog(Logger.map(format, scrub))
}

/** Replaces the default loggers. With an endpoint also exports; what is left goes out when the scope closes. */
export const telemetry = (options: TelemetryOptions): Layer.Layer<never, never, Scrubber> =>
  Layer.unwrap(
    Effect.gen(function* () {
      const { text: scrub } = yield* Scrubber
      const console = Layer.merge(
        Logger.layer([consoleLogger(options, scrub)]),
        Layer.succeed(References.MinimumLogLevel, levels[options.level])
      )
      const { otlpEndpoint: endpoint, version } = options
      if (endpoint === undefined) return console
      // Loaded only when wanted: the SDK costs memory and a tenth of a second.
      const { otlpExport } = yield* Effect.promise(() => import("./OtlpExport.ts"))
      return otlpExport({ endpoint, version, scrub }).pipe(Layer.provideMerge(console))
    })
  )
