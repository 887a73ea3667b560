/** A wire to Redis that can be cut without either end being told. */
import { connect, createServer, type Server } from "node:net"
import { Effect } from "effect"

/** `deaf`: what Redis answers does not arrive. `cut`: nothing passes. */
export type Wire = "whole" | "deaf" | "cut"

export const proxy = (to: number) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly port: number; readonly set: (wire: Wire) => void; readonly server: Server }>(
      (resume) => {
        let wire: Wire = "whole"
        const server = createServer((near) => {
          const far = connect(to, "127.0.0.1")
          near.on("data", (bytes) => void (wire === "cut" || far.write(bytes)))
          far.on("data", (bytes) => void (wire === "whole" && near.write(bytes)))
          const end = () => {
            near.destroy()
            far.destroy()
          }
          for (const side of [near, far]) side.on("error", end).on("close", end)
        })
        server.listen(0, "127.0.0.1", () => {
          const address = server.address()
          const port = typeof address === "object" ? address!.port : 0
          resume(
            Effect.succeed({
              port,
              set: (next) => {
                wire = next
              },
              server
            })
          )
        })
      }
    ),
    ({ server }) => Effect.sync(() => server.close())
  )
