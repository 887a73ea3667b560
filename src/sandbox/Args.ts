/**
 * The arguments of a Bot API call, whichever way they came: JSON, query, urlencoded or multipart. In forms
 * everything is a string, structures being JSON within; both are read alike here.
 */
import { Effect, Option, Result, Schema } from "effect"
import { parseMultipart } from "./Multipart.ts"
import { type Answer, badRequest, type Refusal } from "./Refusal.ts"

export interface Upload {
  readonly name: string
  readonly mime: string
  readonly bytes: Uint8Array
}

export interface Args {
  readonly values: Readonly<Record<string, unknown>>
  readonly uploads: ReadonlyMap<string, Upload>
}

const fromQuery = (query: URLSearchParams): Record<string, unknown> => Object.fromEntries(query.entries())

const unreadable: Refusal = { code: 400, description: "Bad Request: the request body cannot be parsed" }

const fromForm = (body: Uint8Array, contentType: string): Effect.Effect<Args, Refusal> => {
  const parts = parseMultipart(contentType, body)
  if (parts === undefined) return Effect.fail(unreadable)
  const values: Record<string, unknown> = {}
  const uploads = new Map<string, Upload>()
  for (const { name, filename, type, bytes } of parts) {
    if (filename === undefined) values[name] = new TextDecoder().decode(bytes)
    else uploads.set(name, { name: filename, mime: type, bytes })
  }
  return Effect.succeed({ values, uploads })
}

const Fields = Schema.fromJsonString(Schema.Record(Schema.String, Schema.Unknown))
const decodeFields = Schema.decodeUnknownOption(Fields)

/** Reads query and body. An empty body has no arguments. */
export const parse = (
  query: URLSearchParams,
  contentType: string,
  body: Uint8Array
): Effect.Effect<Args, Refusal> => {
  const asked = fromQuery(query)
  const none = new Map<string, Upload>()
  if (body.length === 0) return Effect.succeed({ values: asked, uploads: none })
  if (contentType.startsWith("multipart/form-data")) {
    return Effect.map(fromForm(body, contentType), ({ values, uploads }) => ({
      values: { ...asked, ...values },
      uploads
    }))
  }
  const text = new TextDecoder().decode(body)
  if (contentType.startsWith("application/x-www-form-urlencoded")) {
    return Effect.succeed({ values: { ...asked, ...fromQuery(new URLSearchParams(text)) }, uploads: none })
  }
  return Option.match(decodeFields(text), {
    onNone: () => Effect.fail(unreadable),
    onSome: (values) => Effect.succeed({ values: { ...asked, ...values }, uploads: none })
  })
}

export const text = (args: Args, name: string): string | undefined => {
  const value = args.values[name]
  return typeof value === "string" ? value : typeof value === "number" ? String(value) : undefined
}

export const integer = (args: Args, name: string): number | undefined => {
  const value = args.values[name]
  if (typeof value === "number") return Number.isSafeInteger(value) ? value : undefined
  return typeof value === "string" && /^-?\d{1,16}$/.test(value) ? Number(value) : undefined
}

export const float = (args: Args, name: string): number | undefined => {
  const value = args.values[name]
  if (typeof value === "number") return value
  return typeof value === "string" && /^-?\d+(\.\d+)?$/.test(value) ? Number(value) : undefined
}

export const flag = (args: Args, name: string): boolean => {
  const value = args.values[name]
  return value === true || value === "true" || value === "True" || value === "1" || value === 1
}

/** A structure, given as JSON or as a string of JSON. Absent, null and "" are absent. */
export const structure = <A>(args: Args, name: string, schema: Schema.Decoder<A>): Answer<A | undefined> => {
  const value = args.values[name]
  if (value === undefined || value === null || value === "") return Result.succeed(undefined)
  const decoded =
    typeof value === "string"
      ? Schema.decodeUnknownOption(Schema.fromJsonString(schema))(value)
      : Schema.decodeUnknownOption(schema)(value)
  return Option.isSome(decoded) ? Result.succeed(decoded.value) : badRequest(`can't parse ${name}`)
}

/** As `structure`, and it must be there. */
export const required = <A>(args: Args, name: string, schema: Schema.Decoder<A>): Answer<A> =>
  Result.flatMap(structure(args, name, schema), (value) =>
    value === undefined ? badRequest(`${name} is missing`) : Result.succeed(value)
  )
