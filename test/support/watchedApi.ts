/** A way to the Bot API server for one process alone, on which every poll it begins is seen as it leaves. */
import { createServer, connect as dial, type Socket } from "node:net"
import { Clock, Effect } from "effect"

export interface Poll {
  readonly bot: number
  /** Unix milliseconds. */
  readonly at: number
}

/** A request may begin anywhere in what arrives: the longest beginning of one is kept until the rest comes. */
const kept = 200
const polling = /POST \/bot(\d+):[^/\s]+\/getUpdates/g

/** `apiRoot` to give to the process. `seen` hears of each poll, whatever becomes of it. */
export const watchedApi = Effect.fnUntraced(function* (apiRoot: string, seen: (poll: Poll) => void) {
  const { hostname, port } = new URL(apiRoot)
  const clock = yield* Clock.Clock
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const upstream = dial(Number(port), hostname)
    let tail = ""
    client.on("data", (data) => {
      const text = tail + data.toString("latin1")
      let end = 0
      for (const match of text.matchAll(polling)) {
        seen({ bot: Number(match[1]), at: clock.currentTimeMillisUnsafe() })
        end = match.index + match[0].length
      }
      tail = text.slice(Math.max(end, text.length - kept))
    })
    for (const [one, other] of [
      [client, upstream],
      [upstream, client]
    ] as const) {
      sockets.add(one)
      one.pipe(other)
      one.on("error", () => other.destroy())
      one.on("close", () => {
        sockets.delete(one)
        other.destroy()
      })
    }
  })
  const listening = yield* Effect.acquireRelease(
    Effect.callback<number>((resume) => {
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : 0))
      })
    }),
    () =>
      Effect.callback<void>((resume) => {
        for (const socket of sockets) socket.destroy()
        server.close(() => resume(Effect.void))
      })
  )
  return `http://127.0.0.1:${listening}`
})
