/**
 * A port for a process that is told where to listen. The system gives none of these by itself, and each of the workers
 * that run tests at once has a range of its own: nobody takes one between its choice and its use.
 */
import { createServer } from "node:net"
import { Effect } from "effect"

const first = 12_000
const each = 1_000

const worker = Number(process.env.VITEST_POOL_ID ?? 0) % 20
let next = Math.floor(Math.random() * each)

const isFree = (port: number) =>
  Effect.callback<boolean>((resume) => {
    const server = createServer()
    server.once("error", () => resume(Effect.succeed(false)))
    server.listen(port, "127.0.0.1", () => server.close(() => resume(Effect.succeed(true))))
  })

export const freePort: Effect.Effect<number> = Effect.suspend(() => {
  const port = first + worker * each + (next++ % each)
  return Effect.flatMap(isFree(port), (free) => (free ? Effect.succeed(port) : freePort))
})
