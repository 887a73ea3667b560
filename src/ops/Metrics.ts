/**
 * What the process says about itself. Metrics of a service are defined beside the service; here is only what
 * belongs to none.
 */
import { monitorEventLoopDelay } from "node:perf_hooks"
import { Effect, Layer, Metric, Schedule } from "effect"

const residentMemory = Metric.gauge("process_resident_memory_bytes", {
  description: "Resident memory of the process in bytes"
})
const heapUsed = Metric.gauge("process_heap_used_bytes", {
  description: "Used heap of the JavaScript engine in bytes"
})
const cpuSeconds = Metric.gauge("process_cpu_seconds", {
  description: "Processor time used since the start, in seconds"
})
const startTime = Metric.gauge("process_start_time_seconds", {
  description: "Start of the process in seconds since 1970"
})
const loopLag = Metric.gauge("event_loop_lag_seconds", {
  description: "How late timers fired since the last sample, by quantile"
})
const lagOf = (quantile: string) => Metric.withAttributes(loopLag, { quantile })

const resolutionMillis = 20

/** Samples the gauges at once and then every ten seconds. */
export const processMetrics: Layer.Layer<never> = Layer.effectDiscard(
  Effect.gen(function* () {
    const histogram = yield* Effect.acquireRelease(
      Effect.sync(() => {
        const monitor = monitorEventLoopDelay({ resolution: resolutionMillis })
        monitor.enable()
        return monitor
      }),
      (monitor) => Effect.sync(() => monitor.disable())
    )
    const lag = (nanos: number) => Math.max(0, nanos / 1e6 - resolutionMillis) / 1000
    const sample = Effect.gen(function* () {
      const memory = process.memoryUsage()
      const cpu = process.cpuUsage()
      yield* Metric.update(residentMemory, memory.rss)
      yield* Metric.update(heapUsed, memory.heapUsed)
      yield* Metric.update(cpuSeconds, (cpu.user + cpu.system) / 1e6)
      yield* Metric.update(lagOf("0.5"), lag(histogram.percentile(50)))
      yield* Metric.update(lagOf("0.99"), lag(histogram.percentile(99)))
      yield* Metric.update(lagOf("1"), lag(histogram.max))
      histogram.reset()
    })
    yield* Metric.update(startTime, Math.round(performance.timeOrigin / 1000))
    yield* sample
    yield* sample.pipe(
      Effect.delay("10 seconds"),
      Effect.repeat(Schedule.forever),
      Effect.tapCause((cause) => Effect.logError("The process no longer measures itself", cause)),
      Effect.forkScoped
    )
  })
)
