/** What operators see of the conversations. */
import { Metric } from "effect"

export const windowsOpen = Metric.gauge("windows_open", { description: "Windows collecting messages" })

export const units = Metric.counter("units_total", {
  description: "Units of work by kind (note, edit, command, button, other) and outcome",
  incremental: true
})

/** Milliseconds. */
export const unitDuration = Metric.timer("unit_duration", {
  description: "From the closing of a unit to its effects being durable",
  boundaries: [5, 10, 20, 30, 50, 100, 250, 500, 1000, 5000, 30_000]
})
