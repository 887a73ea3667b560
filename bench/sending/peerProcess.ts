/**
 * grammY with its own plugins, in a process of its own that can be stopped: `node peerProcess.ts <apiRoot> <token>
 * <throttled|plain>` reads the messages from its input, asks for all of them at once, as its users do, and ends with the
 * last answer.
 */
import { text } from "node:stream/consumers"
import { autoRetry } from "@grammyjs/auto-retry"
import { apiThrottler } from "@grammyjs/transformer-throttler"
import { Api } from "grammy"
import type { Item } from "./Workload.ts"

const [apiRoot = "", token = "", kind = "plain"] = process.argv.slice(2)

const api = new Api(token, { apiRoot })
api.config.use(autoRetry())
// Outside of the other: a chat's next message waits while one is being repeated.
if (kind === "throttled") api.config.use(apiThrottler())

const items: ReadonlyArray<Item> = JSON.parse(await text(process.stdin))
await Promise.allSettled(items.map(({ chat, text: words }) => api.sendMessage(chat, words)))
process.exit(0)
