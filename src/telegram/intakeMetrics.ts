/** What operators see of the way in. No chat, user or tenant is ever a label. */
import { Effect, Metric } from "effect"

/** With `kind`: message, edited_message, callback_query, …: the fields of an update Telegram documents. */
export const updatesReceived = Metric.counter("updates_received_total", {
  description: "Updates Telegram gave out, by kind, repeated ones counted again",
  incremental: true
})
export const updatesStored = Metric.counter("updates_stored_total", {
  description: "Updates stored for their conversation",
  incremental: true
})
export const updatesDuplicated = Metric.counter("updates_duplicated_total", {
  description: "Updates that were stored before and came again",
  incremental: true
})
export const updatesRefused = Metric.counter("updates_refused_total", {
  description: "Updates of strangers, of which nothing is kept",
  incremental: true
})
/** With `limit`: user_minute, user_day, tenant_minute, tenant_day, storage. */
export const updatesOverLimit = Metric.counter("updates_over_limit_total", {
  description: "Messages that were not stored because their sender, or the tenant, sent more than they may",
  incremental: true
})
export const limitCountersAway = Metric.counter("limit_counters_away_total", {
  description: "Times Redis did not count messages in time and each process began to count by itself",
  incremental: true
})
/** With `kind`, as Telegram names it. */
export const updatesUnknown = Metric.counter("updates_unknown_total", {
  description: "Updates of a kind that is not understood, or that could not be read",
  incremental: true
})
export const storeFailures = Metric.counter("updates_store_failures_total", {
  description: "Times an update could not be stored and was tried again",
  incremental: true
})
/** With `reason`: conflict, wait, outage, refused, unauthorized. */
export const pollFailures = Metric.counter("poll_failures_total", {
  description: "Polls Telegram did not answer with updates, by reason",
  incremental: true
})
export const lastPollTime = Metric.gauge("poll_last_success_seconds", {
  description: "When Telegram last answered a poll, in seconds since 1970"
})
/** With `outcome`: taken, unauthorized, unreadable, too_large, busy, failed. */
export const webhookRequests = Metric.counter("webhook_requests_total", {
  description: "Requests to webhooks, by what became of them",
  incremental: true
})
export const webhookPending = Metric.gauge("webhook_pending_updates", {
  description: "Updates that wait at Telegram, of the bots this process holds, when last looked"
})
export const webhookErrors = Metric.counter("webhook_delivery_errors_total", {
  description: "Failed deliveries Telegram told of, at most one a look",
  incremental: true
})
/** With `reason`: wait, outage, refused, unauthorized. */
export const webhookFailures = Metric.counter("webhook_call_failures_total", {
  description: "Times a webhook could not be set or looked at, by reason",
  incremental: true
})

/** A counter nobody has counted with is not shown; these say 0 from the start. */
export const shown = Effect.forEach(
  [updatesStored, updatesDuplicated, updatesRefused, storeFailures],
  (counter) => Metric.update(counter, 0),
  { discard: true }
)
