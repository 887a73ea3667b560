/** What operators see of the sessions. No tenant, app or account is ever a label. */
import { Metric } from "effect"

/** With `from`, `to`, `reason`, `kind`. */
export const sessionTransitions = Metric.counter("session_state_transitions_total", {
  description: "Moves of sessions from one state to another",
  incremental: true
})
/** With `result`: live, or why there was no client. */
export const clientLatency = Metric.histogram("session_get_client_latency_seconds", {
  description: "Time until a live client of a session was had, or was refused",
  boundaries: [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60]
})
/** Live clients of people's accounts in this process. */
export const clientsLive = Metric.gauge("session_clients_live", {
  description: "Sessions of people's accounts this process has a live client of"
})
/** With `told`: new, edited, history, or read again. */
export const followedMessages = Metric.counter("session_followed_messages_total", {
  description: "Messages of followed chats that were handed on to become notes",
  incremental: true
})
