/**
 * How a command speaks to the running process: it finds where that listens and the token it takes, and says in plain
 * words what is in the way.
 */
import { Effect, FileSystem, Option, Redacted, Schema } from "effect"
import { FetchHttpClient, HttpClient, HttpClientRequest } from "effect/http"
import { HttpApiClient } from "effect/http-api"
import { AppConfig } from "../app/AppConfig.ts"
import { AdminApi } from "../app/admin/Api.ts"
import { adminTokenFile, adminUrlFile } from "../app/DataDirFiles.ts"

/** Whatever keeps a command from being carried out, in words for whoever gave it. */
export class CommandRefused extends Schema.TaggedError<CommandRefused>()("CommandRefused", {
  message: Schema.String
}) {}

const refused = (message: string) => new CommandRefused({ message })

interface Process {
  readonly url: string
  /** How we know of it. */
  readonly because: string
}

/** A file of DATA_DIR, if there is one. */
const read = Effect.fnUntraced(function* (path: string) {
  const files = yield* FileSystem.FileSystem
  return yield* files.readFileString(path).pipe(
    Effect.map((text) => Option.some(text.trim())),
    Effect.catchReason("PlatformError", "NotFound", () => Effect.succeed(Option.none<string>())),
    Effect.mapError((error) =>
      refused(`${path} cannot be read (${error.reason._tag}): run this as its owner`)
    )
  )
})

const locate = Effect.fnUntraced(function* (given: Option.Option<string>) {
  const { dataDir, http } = yield* AppConfig
  if (Option.isSome(given)) {
    const url = URL.parse(given.value)
    return url !== null && /^https?:$/.test(url.protocol) && url.username === ""
      ? { url: url.origin, because: "--url" }
      : yield* refused(`--url ${given.value} is no address: it begins with https:// or http://`)
  }
  const path = adminUrlFile(dataDir)
  const left = yield* read(path)
  if (Option.isSome(left)) return { url: left.value, because: path }
  const host = http.host === "0.0.0.0" || http.host === "::" ? "127.0.0.1" : http.host
  return {
    url: `http://${host.includes(":") ? `[${host}]` : host}:${http.port}`,
    because: `${path} is not there; HTTP_HOST and HTTP_PORT`
  }
})

const isAlive = Schema.is(Schema.Struct({ live: Schema.Literal(true) }))

/** Nobody else is shown the token: what listens there says that it is one of us. */
const meet = Effect.fnUntraced(function* ({ url, because }: Process) {
  const start = "Start the assistant (`npm start`) in the directory it belongs to, or set DATA_DIR to its own"
  const response = yield* HttpClient.get(`${url}/health/live`).pipe(
    Effect.timeout("10 seconds"),
    Effect.mapError(() => refused(`No assistant answers at ${url} (${because}). ${start}`))
  )
  if (response.status === 503) {
    return yield* refused(`The assistant at ${url} is still starting; try again in a moment`)
  }
  const answer = yield* Effect.orElseSucceed(response.json, () => undefined)
  if (!isAlive(answer)) return yield* refused(`What listens at ${url} (${because}) is not Zapiska. ${start}`)
})

/** The token of this machine goes to processes of this machine; another's has to be named. */
const tokenFor = Effect.fnUntraced(function* (given: Option.Option<string>) {
  const { adminToken, dataDir } = yield* AppConfig
  if (adminToken !== undefined) return { token: adminToken, from: "ADMIN_TOKEN" }
  if (Option.isSome(given)) {
    return yield* refused("With --url the token of that process is needed: put it into ADMIN_TOKEN")
  }
  const path = adminTokenFile(dataDir)
  const token = yield* read(path)
  return Option.isSome(token)
    ? { token: Redacted.make(token.value), from: path }
    : yield* refused(
        `${path} is not there, and ADMIN_TOKEN is not set: the running process has one of the two`
      )
})

export type Client = HttpApiClient.ForApi<typeof AdminApi>

/** A client of the admin API. `given`: an address instead of the one this machine's process left. */
export const connect = Effect.fn("Connection.connect")(
  function* (given: Option.Option<string>) {
    const place = yield* locate(given)
    yield* meet(place)
    const { token, from } = yield* tokenFor(given)
    const client: Client = yield* HttpApiClient.make(AdminApi, {
      baseUrl: place.url,
      transformClient: HttpClient.mapRequest(HttpClientRequest.bearerToken(Redacted.value(token)))
    })
    return { client, url: place.url, tokenFrom: from }
  },
  Effect.provide([AppConfig.layer, FetchHttpClient.layer])
)

/** What any call may fail with besides what its endpoint declares. */
export const explain =
  (place: { readonly url: string; readonly tokenFrom: string }) =>
  (error: { readonly _tag: string; readonly message: string }): CommandRefused => {
    if (error._tag === "Unauthorized") {
      return refused(
        `${place.url} does not take the token in ${place.tokenFrom}: it was started with another one`
      )
    }
    if (error._tag === "SchemaError") {
      return refused(
        `${place.url} answers in a way this command does not understand: is it of another version?\n${error.message}`
      )
    }
    if (error._tag === "HttpClientError") {
      return refused(`${place.url} did not answer as it should; its log says why. (${error.message})`)
    }
    return refused(error.message)
  }
