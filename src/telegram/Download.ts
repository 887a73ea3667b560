/** A file from Telegram as one stream, whatever breaks on the way: it goes on where it stopped. */
import { Clock, Duration, Effect, Random, Stream } from "effect"
import { type BotPortError, TooLarge, Unavailable } from "./BotPort.ts"
import type { CallFailed } from "./GrammyApi.ts"
import { retryLimit } from "./Outcome.ts"

/** Bytes getFile gives out. Source: Bot API, getFile. */
export const downloadLimit = 20 * 1024 * 1024

/**
 * All the time a file may take. Nothing for half a minute ends a try, five such tries in a row end it all: this is
 * for the server that gives a byte now and then. Whoever needs the file asks for it again later.
 */
const patience = Duration.minutes(10)

/** Where the bytes are for about an hour. `size` in bytes, as far as Telegram says. */
export interface Place {
  readonly path: string
  readonly size: number | undefined
}

export interface Source {
  /** Asks Telegram for the place, anew each time. */
  readonly locate: Effect.Effect<Place, BotPortError>
  readonly read: (path: string, from: number) => Stream.Stream<Uint8Array, CallFailed | BotPortError>
  /** Waits until the bot may repeat something. */
  readonly again: Effect.Effect<void>
}

export const checkSize = (size: number | undefined): Effect.Effect<void, TooLarge> =>
  size !== undefined && size > downloadLimit
    ? Effect.fail(new TooLarge({ what: "The file", size, limit: downloadLimit, unit: "bytes" }))
    : Effect.void

const unavailable = (reason: string) => new Unavailable({ method: "file", reason })

const reasonOf = ({ outcome }: CallFailed): string => ("reason" in outcome ? outcome.reason : outcome._tag)

/** Milliseconds before the try after `fruitless` ones that brought nothing. */
const ceiling = (fruitless: number): number => Math.min(250 * 2 ** fruitless, 10_000)

/** What broke it, and whether another address is needed. */
interface Broken {
  readonly reason: string
  readonly expired: boolean
}

/** Whether to go on after this error; `undefined`: it would end the same. */
const brokenBy = ({ outcome }: CallFailed): Broken | undefined => {
  switch (outcome._tag) {
    case "Retry":
    case "Unknown":
      return { reason: outcome.reason, expired: false }
    case "Wait":
      return { reason: `asked to wait ${outcome.seconds} s`, expired: false }
    case "FileExpired":
      return { reason: outcome.reason, expired: true }
    default:
      return undefined
  }
}

/**
 * Every byte of the file once, in order. Five tries in a row that bring nothing end it, and so does a file that
 * is longer than Telegram said, or takes too long; one that ends early counts as broken off.
 */
export const download = (source: Source): Stream.Stream<Uint8Array, BotPortError> =>
  Stream.suspend(() => {
    let place: Place | undefined
    let received = 0
    /** What had come when the last try began, and the tries in a row that brought nothing. */
    let before = 0
    let fruitless = 0
    let deadline = Number.POSITIVE_INFINITY

    const inTime = Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      if (now > deadline) return yield* unavailable(`it did not come within ${Duration.format(patience)}`)
      deadline = Math.min(deadline, now + Duration.toMillis(patience))
    })

    const open = Effect.gen(function* () {
      yield* inTime
      const known = place ?? (yield* source.locate)
      yield* checkSize(known.size)
      place = known
      before = received
      return source.read(known.path, received)
    })

    const counted = (chunk: Uint8Array) =>
      Effect.flatMap(inTime, (): Effect.Effect<void, TooLarge | Unavailable> => {
        received += chunk.length
        const size = place?.size
        return size !== undefined && received > size
          ? Effect.fail(unavailable(`more than the ${size} bytes Telegram announced came`))
          : checkSize(received)
      })

    const goOn = ({ reason, expired }: Broken): Stream.Stream<Uint8Array, BotPortError> =>
      Stream.unwrap(
        Effect.gen(function* () {
          fruitless = received > before ? 0 : fruitless + 1
          if (fruitless > retryLimit.many) return Stream.fail(unavailable(reason))
          if (expired) place = undefined
          // An expired address is no fault of anybody's: there is nothing to wait for the first time.
          if (!expired || fruitless > 1) yield* Effect.sleep(yield* Random.nextBetween(0, ceiling(fruitless)))
          yield* source.again
          return attempt
        })
      )

    const rest = Stream.suspend(() =>
      place?.size !== undefined && received < place.size
        ? goOn({ reason: `only ${received} of ${place.size} bytes came`, expired: false })
        : Stream.empty
    )

    const attempt: Stream.Stream<Uint8Array, BotPortError> = Stream.unwrap(open).pipe(
      Stream.tap(counted),
      Stream.catchTag("CallFailed", (error) => {
        // Broken off after its last byte, it is not broken off.
        if (received === place?.size) return Stream.empty
        const broken = brokenBy(error)
        return broken === undefined ? Stream.fail(unavailable(reasonOf(error))) : goOn(broken)
      }),
      Stream.concat(rest)
    )
    return attempt
  })
