/** What operators see of the conversations. */
import { Metric } from "effect"

export const windowsOpen = Metric.gauge("windows_open", { description: "Windows collecting messages" })

export const units = Metric.counter("units_total", {
  description:
    "Units of work by kind (note, edit, command, button, refused, other) and outcome (done, given up)",
  incremental: true
})

export const unitDuration = Metric.histogram("unit_duration_seconds", {
  description: "From the closing of a unit to its effects being durable, by kind",
  boundaries: [0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1, 5, 30]
})
