/**
 * mtcute's storage, kept in memory and handed out in three parts (`KeptSession`), so that it can be stored as
 * ciphertext by whoever owns the session. No file and no database of its own.
 */
import type { IPeersRepository, ITelegramStorageProvider } from "@mtcute/core"
import { serializeBasicDcOption } from "@mtcute/core/utils.js"
import { Effect, Option, Redacted, Schema } from "effect"
import { type DataCentre, type KeptSession, SessionUnreadable } from "../UserClient.ts"

const Bytes = Schema.Uint8ArrayFromBase64
const Values = Schema.Record(Schema.String, Bytes)

const SessionPart = Schema.fromJsonString(
  Schema.Struct({ version: Schema.Literal(1), keys: Values, values: Values })
)
const PositionsPart = Schema.fromJsonString(Schema.Struct({ version: Schema.Literal(1), values: Values }))
const Peer = Schema.Struct({
  id: Schema.Int,
  accessHash: Schema.String,
  isMin: Schema.Boolean,
  usernames: Schema.mutable(Schema.Array(Schema.String)),
  updated: Schema.Finite,
  phone: Schema.optionalKey(Schema.String),
  complete: Bytes
})
const PeersPart = Schema.fromJsonString(
  Schema.Struct({ version: Schema.Literal(1), peers: Schema.Array(Peer) })
)

/** The most chats and people remembered; who was not seen for longest is forgotten first and can be asked for. */
const peersKept = 1000

/** Where mtcute keeps how far the updates are taken, of the account and of each channel by itself. */
const isPosition = (key: string) => key.startsWith("updates_")
const ofAccount = "updates_pts"
const ofChannel = "updates_channel:"
/** What Telegram gives anew for the asking, every half hour. */
const isPassing = (key: string) => key.startsWith("salts:")

export interface SessionStorage extends ITelegramStorageProvider {
  readonly session: () => Redacted.Redacted<string>
  readonly peersPart: () => Redacted.Redacted<Uint8Array>
  /** Of the account and of these channels; none before Telegram has said where the account is. */
  readonly positions: (channels: ReadonlySet<number>) => Option.Option<Redacted.Redacted<string>>
  /** Called each time mtcute has noted how far it came. */
  onSaved: () => void
}

const entriesOf = (values: ReadonlyMap<string, Uint8Array>, wanted: (key: string) => boolean) =>
  Object.fromEntries([...values].filter(([key]) => wanted(key)))

const decode = <A>(
  part: "session" | "peers" | "positions",
  schema: Schema.Codec<A, string>,
  text: string
): Effect.Effect<A, SessionUnreadable> =>
  // What could not be read may be a key: nothing of it goes into the error.
  Effect.mapError(Schema.decodeUnknownEffect(schema)(text), () => new SessionUnreadable({ part }))

export const makeStorage = Effect.fnUntraced(function* (kept: Option.Option<KeptSession>) {
  const keys = new Map<string, Uint8Array>()
  const values = new Map<string, Uint8Array>()
  const peers = new Map<number, IPeersRepository.PeerInfo>()
  if (Option.isSome(kept)) {
    const { session, positions, peers: seen } = kept.value
    const part = yield* decode("session", SessionPart, Redacted.value(session))
    for (const [dc, key] of Object.entries(part.keys)) keys.set(dc, key)
    for (const [key, value] of Object.entries(part.values)) values.set(key, value)
    if (positions !== undefined) {
      const { values: taken } = yield* decode("positions", PositionsPart, Redacted.value(positions))
      for (const [key, value] of Object.entries(taken)) values.set(key, value)
    }
    if (seen !== undefined) {
      const { peers: known } = yield* decode(
        "peers",
        PeersPart,
        new TextDecoder().decode(Redacted.value(seen))
      )
      for (const peer of known) peers.set(peer.id, peer)
    }
  }

  const temporary = (dc: number, nth: number) => `${dc}/${nth}`
  const find = (matches: (peer: IPeersRepository.PeerInfo) => boolean) =>
    [...peers.values()].find((peer) => !peer.isMin && matches(peer)) ?? null

  const storage: SessionStorage = {
    onSaved: () => undefined,
    driver: { save: () => storage.onSaved() },
    kv: {
      set: (key, value) => void values.set(key, value),
      get: (key) => values.get(key) ?? null,
      delete: (key) => void values.delete(key),
      deleteAll: () => values.clear()
    },
    authKeys: {
      set: (dc, key) => void (key === null ? keys.delete(`${dc}`) : keys.set(`${dc}`, key)),
      get: (dc) => keys.get(`${dc}`) ?? null,
      // Keys for a day at a time are not used: the lease already says who may use the one that lasts.
      setTemp: (dc, nth) => void keys.delete(temporary(dc, nth)),
      getTemp: () => null,
      deleteByDc: (dc) => void keys.delete(`${dc}`),
      deleteAll: () => keys.clear()
    },
    peers: {
      store: (peer) => {
        peers.delete(peer.id)
        peers.set(peer.id, peer)
        const [oldest] = peers.keys()
        if (peers.size > peersKept && oldest !== undefined) peers.delete(oldest)
      },
      getById: (id) => peers.get(id) ?? null,
      getByUsername: (username) => find(({ usernames }) => usernames.includes(username.toLowerCase())),
      getByPhone: (phone) => find((peer) => peer.phone === phone),
      deleteAll: () => peers.clear()
    },
    // Only of use for people of whom no access hash is known, and nobody is written to.
    refMessages: {
      store: () => undefined,
      getByPeer: () => null,
      delete: () => undefined,
      deleteByPeer: () => undefined,
      deleteAll: () => undefined
    },
    session: () =>
      Redacted.make(
        Schema.encodeSync(SessionPart)({
          version: 1,
          keys: Object.fromEntries(keys),
          values: entriesOf(values, (key) => !isPosition(key) && !isPassing(key))
        })
      ),
    positions: (channels) => {
      const wanted = (key: string) =>
        key.startsWith(ofChannel) ? channels.has(Number(key.slice(ofChannel.length))) : isPosition(key)
      if (!values.has(ofAccount)) return Option.none()
      const text = Schema.encodeSync(PositionsPart)({ version: 1, values: entriesOf(values, wanted) })
      return Option.some(Redacted.make(text))
    },
    peersPart: () =>
      Redacted.make(
        new TextEncoder().encode(
          Schema.encodeSync(PeersPart)({
            version: 1,
            peers: [...peers.values()].map(({ phone, ...peer }) => ({
              ...peer,
              ...(phone === undefined ? {} : { phone })
            }))
          })
        )
      )
  }
  return storage
})

/** A session made of a key that is known to be good there: what a test has instead of a login. */
export const preparedSession = (dc: DataCentre, key: Uint8Array): Redacted.Redacted<string> => {
  const main = { id: dc.id, ipAddress: dc.host, port: dc.port }
  return Redacted.make(
    Schema.encodeSync(SessionPart)({
      version: 1,
      keys: { [dc.id]: key },
      values: { dc_main: serializeBasicDcOption(main) }
    })
  )
}
