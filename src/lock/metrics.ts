/** What operators see of the locks. */
import { Metric } from "effect"

const seconds = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300]

export const leasesHeld = Metric.gauge("leases_held", { description: "Leases this process holds" })
export const leasesLost = Metric.counter("leases_lost_total", {
  description: "Leases that ended under their holder",
  incremental: true
})
export const leaseWait = Metric.histogram("lease_wait_seconds", {
  description: "Time until a lease was acquired",
  boundaries: seconds
})
export const fencesRejected = Metric.counter("fences_rejected_total", {
  description: "Writes refused because a newer owner had written",
  incremental: true
})
export const lockClockAlarms = Metric.counter("lock_clock_alarms_total", {
  description: "Locks found to live longer than any can: the clock of the lock store stepped",
  incremental: true
})
