/**
 * Sockets that ask before each write whether they still may. Once they may not, nothing more leaves with this key:
 * what stays queued is dropped with the socket, and no new one is opened.
 */
import { connect as open, type Socket } from "node:net"
import { ConnectionClosedError } from "@fuman/net"
import { IntermediatePacketCodec, type TelegramTransport } from "@mtcute/core"

type Connection = Awaited<ReturnType<TelegramTransport["connect"]>>

/** How much is given to a socket at once: each piece is asked for, and waits until the one before has left. */
const pieceBytes = 65_536

export interface GuardedTransport extends TelegramTransport {
  /** "up" from the first byte that may be written, "down" when no socket is open. */
  readonly state: () => "up" | "down" | "over"
  /** Closes every socket, also those still being opened, and opens none any more. */
  readonly end: () => void
}

const reading = (socket: Socket) => {
  let chunks: Array<Buffer> = []
  let waiting: (() => void) | undefined
  let failure: Error | undefined
  const wake = () => {
    const resume = waiting
    waiting = undefined
    resume?.()
  }
  socket.on("data", (data) => {
    chunks.push(Buffer.from(data))
    socket.pause()
    wake()
  })
  socket.on("error", (error) => {
    failure = error
  })
  socket.on("close", () => {
    failure ??= new ConnectionClosedError()
    wake()
  })
  return async (into: Uint8Array): Promise<number> => {
    while (chunks.length === 0) {
      if (failure !== undefined) throw new ConnectionClosedError()
      socket.resume()
      await new Promise<void>((resume) => {
        waiting = resume
      })
    }
    const [first, ...rest] = chunks as [Buffer, ...Array<Buffer>]
    into.set(first.subarray(0, into.length))
    chunks = first.length > into.length ? [first.subarray(into.length), ...rest] : rest
    return Math.min(first.length, into.length)
  }
}

/** `mayWrite` is asked, and has to answer, at once. */
export const makeTransport = (mayWrite: () => boolean): GuardedTransport => {
  const sockets = new Set<Socket>()
  let over = false
  const end = () => {
    over = true
    for (const socket of sockets) socket.destroy()
  }
  const allowed = () => {
    if (!over && !mayWrite()) end()
    return !over
  }

  const write = async (socket: Socket, bytes: Uint8Array) => {
    for (let at = 0; at < bytes.length; at += pieceBytes) {
      if (!allowed() || socket.destroyed) throw new ConnectionClosedError()
      await new Promise<void>((resume, fail) => {
        socket.write(bytes.subarray(at, at + pieceBytes), (error) =>
          error ? fail(new ConnectionClosedError()) : resume()
        )
      })
    }
  }

  return {
    state: () =>
      over ? "over" : [...sockets].some((socket) => socket.readyState === "open") ? "up" : "down",
    end,
    packetCodec: () => new IntermediatePacketCodec(),
    connect: (dc) =>
      new Promise<Connection>((resume, fail) => {
        if (!allowed()) return fail(new ConnectionClosedError())
        const socket = open({
          host: dc.ipAddress,
          port: dc.port,
          noDelay: true,
          keepAlive: true,
          timeout: 10_000
        })
        sockets.add(socket)
        socket.once("timeout", () => socket.destroy())
        socket.once("close", () => {
          sockets.delete(socket)
          fail(new ConnectionClosedError())
        })
        socket.on("error", () => undefined)
        socket.once("connect", () => {
          socket.setTimeout(0)
          resume({
            localAddress: null,
            remoteAddress: null,
            read: reading(socket),
            write: (bytes) => write(socket, bytes),
            close: () => socket.destroy()
          })
        })
      })
  }
}
