/** The login page without its page: the socket a browser has that opened a link. */
import { Effect } from "effect"

/** `told`: everything it was told so far. `closed`: the code it is closed with. */
export const live = (url: string, cookie: string) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const socket = new WebSocket(`${url.replace("http", "ws")}/live`, { headers: { cookie } })
      const told: Array<string> = []
      socket.addEventListener("message", ({ data }) => told.push(String(data)))
      const closed = new Promise<number>((resolve) =>
        socket.addEventListener("close", ({ code }) => resolve(code), { once: true })
      )
      await new Promise((resolve) => socket.addEventListener("open", resolve, { once: true }))
      return { socket, told, closed: Effect.promise(() => closed) }
    }),
    ({ socket }) => Effect.sync(() => socket.close())
  )
