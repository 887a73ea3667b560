/** Reads a client's requests by mtcute's published schema, and writes the answers of the data centre. */
import { createRequire } from "node:module"
import type { mtp, tl } from "@mtcute/core"

import { __tlReaderMap, __tlWriterMap, TlBinaryReader, TlBinaryWriter } from "@mtcute/core/utils.js"

interface Argument {
  readonly name: string
  readonly type: string
  readonly typeModifiers?: { readonly predicate?: string; readonly isVector?: boolean }
}
interface Entry {
  readonly kind: "class" | "method"
  readonly name: string
  readonly id: number
  readonly arguments: ReadonlyArray<Argument>
}

const schema: { readonly e: ReadonlyArray<Entry> } = createRequire(import.meta.url)(
  "@mtcute/core/tl/api-schema.json"
)
const methods = new Map(
  schema.e.filter(({ kind }) => kind === "method").map((entry) => [entry.id >>> 0, entry])
)

const camel = (name: string) => name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase())

const readValue = (reader: TlBinaryReader, type: string): unknown => {
  switch (type) {
    case "int":
      return reader.int()
    case "int53":
      return reader.int53()
    case "long":
      return reader.long()
    case "double":
      return reader.double()
    case "string":
      return reader.string()
    case "bytes":
      return reader.bytes()
    case "Bool":
    case "bool":
      return reader.boolean()
    case "!X":
    case "X":
      return readMethod(reader)
    default:
      return reader.object()
  }
}

const readMethod = (reader: TlBinaryReader): tl.RpcMethod => {
  const id = reader.uint() >>> 0
  const entry = methods.get(id)
  if (entry === undefined) throw new Error(`unknown method ${id.toString(16)}`)
  const request: Record<string, unknown> = { _: entry.name }
  const flags: Record<string, number> = {}
  for (const { name, type, typeModifiers = {} } of entry.arguments) {
    if (type === "#") {
      flags[name] = reader.uint()
      continue
    }
    if (typeModifiers.predicate !== undefined) {
      const [field = "", bit] = typeModifiers.predicate.split(".")
      const set = ((flags[field] ?? 0) >>> Number(bit)) & 1
      if (type === "true") request[camel(name)] = set === 1
      if (set === 0 || type === "true") continue
    }
    if (typeModifiers.isVector) {
      reader.uint()
      request[camel(name)] = Array.from({ length: reader.uint() }, () => readValue(reader, type))
    } else {
      request[camel(name)] = readValue(reader, type)
    }
  }
  // Written by the schema the type was generated from.
  return request as unknown as tl.RpcMethod
}

export type Incoming =
  | { readonly kind: "call"; readonly request: tl.RpcMethod; readonly updates: boolean }
  | { readonly kind: "service"; readonly message: mtp.TlObject }

/** A call without what it is wrapped in (`invokeWithLayer`, `initConnection`, `invokeWithoutUpdates`). */
export const read = (body: Buffer): Incoming => {
  const reader = new TlBinaryReader(__tlReaderMap, body)
  if (!methods.has(body.readUInt32LE(0))) {
    return { kind: "service", message: reader.object() as mtp.TlObject }
  }
  let request = readMethod(reader)
  let updates = true
  while ("query" in request) {
    if (request._ === "invokeWithoutUpdates") updates = false
    request = request.query as tl.RpcMethod
  }
  return { kind: "call", request, updates }
}

export const write = (object: tl.TlObject | mtp.TlObject): Buffer =>
  Buffer.from(TlBinaryWriter.serializeObject(__tlWriterMap, object))

const header = (constructor: number, bytes: number) => {
  const buffer = Buffer.alloc(bytes)
  buffer.writeUInt32LE(constructor, 0)
  return buffer
}

const boolean = (value: boolean) => header(value ? 0x997275b5 : 0xbc799737, 4)

export type Answer = tl.TlObject | ReadonlyArray<tl.TlObject> | boolean

export const writeAnswer = (answer: Answer): Buffer => {
  if (typeof answer === "boolean") return boolean(answer)
  if ("_" in answer) return write(answer)
  const head = header(0x1cb5c415, 8)
  head.writeUInt32LE(answer.length, 4)
  return Buffer.concat([head, ...answer.map(write)])
}

export const writeError = (code: number, text: string): Buffer => {
  const writer = TlBinaryWriter.manual(64 + text.length * 2)
  writer.uint(0x2144ca19)
  writer.int(code)
  writer.string(text)
  return Buffer.from(writer.result())
}

export const rpcResult = (request: bigint, body: Buffer): Buffer => {
  const head = header(0xf35c6d01, 12)
  head.writeBigUInt64LE(request, 4)
  return Buffer.concat([head, body])
}
