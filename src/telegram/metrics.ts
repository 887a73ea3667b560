/** What operators see of the bots' traffic. No chat, user or tenant is ever a label. */
import { Metric } from "effect"

const seconds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]

/** Attempts, with `method` and `outcome`. */
export const botCalls = Metric.counter("bot_calls_total", {
  description: "Calls to the Bot API by method and outcome, each attempt counted",
  incremental: true
})
export const botCallDuration = Metric.histogram("bot_call_duration_seconds", {
  description: "Time of one attempt to call the Bot API",
  boundaries: seconds
})
/** With `to`: open, half_open, closed. */
export const breakerTransitions = Metric.counter("bot_breaker_transitions_total", {
  description: "Changes of the circuit breakers of the bots",
  incremental: true
})
/** Chats and bots parked after a 429, with `scope`: chat, bot. */
export const parks = Metric.counter("bot_parks_total", {
  description: "Times a chat or a whole bot was parked because Telegram asked to wait",
  incremental: true
})
/** Rows not settled yet, with `state`: pending, sending. */
export const outboxRows = Metric.gauge("outbox_rows", {
  description: "Outbox rows that are not settled, by state"
})
/** With `state`: sent, unknown, dead. */
export const outboxSettled = Metric.counter("outbox_settled_total", {
  description: "Outbox rows settled, by the state they ended in",
  incremental: true
})
export const outboxOldest = Metric.gauge("outbox_oldest_age_seconds", {
  description: "Age of the oldest outbox row that is not settled"
})
/** From the row's creation to Telegram's acceptance. */
export const outboxDelay = Metric.histogram("outbox_delay_seconds", {
  description: "Time from a row's creation until Telegram accepted it",
  boundaries: seconds
})
/** Failed calls and rows that were not repeated (yet), because the bot repeats too much already. */
export const repeatsRefused = Metric.counter("bot_repeats_refused_total", {
  description: "Repetitions that had to wait, or were left out, because the bot's retry budget was spent",
  incremental: true
})
/** 0 while the circuit is closed. Of several bots, the one that changed last. */
export const breakerNextTry = Metric.gauge("bot_breaker_next_try_timestamp_seconds", {
  description: "When a bot whose circuit is open tries Telegram again, as Unix time"
})
