/**
 * Traces, metrics and logs over OTLP/HTTP as JSON, by the OpenTelemetry SDK. Its exporters get serializers that
 * scrub the finished text, so that nothing reaches the wire by another way.
 */
import * as NodeSdk from "@effect/opentelemetry/NodeSdk"
import { DiagLogLevel, diag } from "@opentelemetry/api"
import { OTLPExporterBase } from "@opentelemetry/otlp-exporter-base"
import {
  convertLegacyHttpOptions,
  createOtlpHttpExportDelegate
} from "@opentelemetry/otlp-exporter-base/node-http"
import {
  type IExporterMetricsHelper,
  type ISerializer,
  JsonLogsSerializer,
  JsonMetricsSerializer,
  JsonTraceSerializer,
  LogsExporterMetricsHelper,
  MetricsExporterMetricsHelper,
  TraceExporterMetricsHelper
} from "@opentelemetry/otlp-transformer"
import { BatchLogRecordProcessor } from "@opentelemetry/sdk-logs"
import { PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics"
import { BatchSpanProcessor } from "@opentelemetry/sdk-trace-base"
import { Effect, Layer } from "effect"

export interface OtlpOptions {
  /** The collector's base address; `/v1/traces` and the like are added. */
  readonly endpoint: string
  readonly version: string
  readonly scrub: (text: string) => string
}

const scrubbing = <Request, Response>(
  serializer: ISerializer<Request, Response>,
  scrub: (text: string) => string
): ISerializer<Request, Response> => ({
  serializeRequest: (request) => {
    const body = serializer.serializeRequest(request)
    return body && new TextEncoder().encode(scrub(new TextDecoder().decode(body)))
  },
  deserializeResponse: (data) => serializer.deserializeResponse(data)
})

/**
 * Losing telemetry is said and is nobody else's trouble: a failure handed on would come back as a rejected
 * flush and turn an orderly exit into a crash.
 */
class SayingExporter<Item> extends OTLPExporterBase<Item> {
  override export(items: Item, done: Parameters<OTLPExporterBase<Item>["export"]>[1]) {
    super.export(items, ({ error }) => {
      if (error !== undefined) diag.warn(error.message)
      done({ code: 0 })
    })
  }
}

const exporter = <Item, Response>(
  options: OtlpOptions,
  signal: "traces" | "metrics" | "logs",
  serializer: ISerializer<Item, Response>,
  helper: IExporterMetricsHelper<Item>
) =>
  new SayingExporter(
    createOtlpHttpExportDelegate(
      convertLegacyHttpOptions(
        { url: `${options.endpoint}/v1/${signal}`, timeoutMillis: 5_000 },
        signal.toUpperCase(),
        `v1/${signal}`,
        { "Content-Type": "application/json" }
      ),
      scrubbing(serializer, options.scrub),
      `otlp_http_json_${signal}`,
      helper,
      undefined
    )
  )

/** A collector that is away is said in our log; the SDK would keep it to itself. */
const diagnostics = Layer.effectDiscard(
  Effect.gen(function* () {
    const run = Effect.runForkWith(yield* Effect.context<never>())
    const say = (message: string) => {
      run(Effect.logWarning(`The export of telemetry has trouble: ${message}`))
    }
    const quiet = () => {}
    yield* Effect.acquireRelease(
      Effect.sync(() =>
        diag.setLogger(
          { error: say, warn: say, info: quiet, debug: quiet, verbose: quiet },
          { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true }
        )
      ),
      () => Effect.sync(() => diag.disable())
    )
  })
)

export const otlpExport = (options: OtlpOptions): Layer.Layer<never> =>
  NodeSdk.layer(() => ({
    resource: { serviceName: "zapiska", serviceVersion: options.version },
    spanProcessor: new BatchSpanProcessor(
      exporter(options, "traces", JsonTraceSerializer, TraceExporterMetricsHelper),
      { maxQueueSize: 8_192 }
    ),
    metricReader: new PeriodicExportingMetricReader({
      exporter: exporter(options, "metrics", JsonMetricsSerializer, MetricsExporterMetricsHelper),
      exportIntervalMillis: 30_000
    }),
    logRecordProcessor: new BatchLogRecordProcessor({
      exporter: exporter(options, "logs", JsonLogsSerializer, LogsExporterMetricsHelper)
    }),
    shutdownTimeout: "2 seconds"
  })).pipe(Layer.provide(diagnostics))
