/** What commands that ask the running process have in common: their flags, the asking itself, and how answers are shown. */
import { Console, Effect, Option, Pull, Redacted, Stdio, Stream } from "effect"
import { Flag, GlobalFlag, Prompt } from "effect/cli"
import type { TenantId } from "../domain/Ids.ts"
import { type Client, CommandRefused, connect, explain } from "./Connection.ts"
import { printableLines, type Row, table } from "./Table.ts"

const Url = GlobalFlag.Setting("url")({
  flag: Flag.String("url").pipe(
    Flag.withDescription(
      "A process elsewhere, such as https://notes.example; its token is taken from ADMIN_TOKEN"
    ),
    Flag.optional
  )
})
const Json = GlobalFlag.Setting("json")({
  flag: Flag.Boolean("json").pipe(Flag.withDescription("Print JSON, for programs"), Flag.withDefault(false))
})

/** Of every command that asks. */
export const asking = [Url, Json] as const

/** One or more calls to the running process. */
export const ask = Effect.fnUntraced(function* <
  A,
  E extends { readonly _tag: string; readonly message: string },
  R
>(body: (client: Client) => Effect.Effect<A, E, R>) {
  const place = yield* connect(yield* Url)
  return yield* Effect.mapError(body(place.client), explain(place))
})

/** One call for the tenant that is named, or for each there is. */
export const ofEach = Effect.fnUntraced(function* <A, E, R>(
  client: Client,
  named: Option.Option<TenantId>,
  call: (tenant: TenantId) => Effect.Effect<A, E, R>
) {
  const tenants = Option.isSome(named) ? [named.value] : (yield* client.tenants.list()).map(({ id }) => id)
  return yield* Effect.forEach(tenants, (tenant) => call(tenant))
})

/** `value` for programs, `words` for people. */
export const show = Effect.fnUntraced(function* (value: unknown, words: string) {
  yield* Console.log((yield* Json) ? JSON.stringify(value, null, 2) : printableLines(words))
})

/** `none`: what people are told of a list without rows. */
export const showRows = Effect.fnUntraced(function* <A>(
  values: ReadonlyArray<A>,
  options: { readonly columns: ReadonlyArray<string>; readonly row: (value: A) => Row; readonly none: string }
) {
  yield* show(values, values.length === 0 ? options.none : table(options.columns, values.map(options.row)))
})

/** More than any secret has; somebody may pipe in the wrong file. */
const longestSecret = 4096

const checked = Effect.fnUntraced(function* (what: string, text: string) {
  const secret = text.trim()
  if (secret === "")
    return yield* new CommandRefused({ message: `${what}: nothing came in on the standard input` })
  if (text.length > longestSecret) {
    return yield* new CommandRefused({
      message: `${what}: what came in on the standard input is too long to be one`
    })
  }
  return Redacted.make(secret)
})

const typed = (what: string) => Prompt.run(Prompt.Hidden({ message: `${what} (it is not shown)` }))

/** Never an argument: those are seen in the list of processes and stay in the shell's history. */
export const readSecret = Effect.fnUntraced(function* (what: string) {
  const stdio = yield* Stdio.Stdio
  if (yield* stdio.stdinIsTerminal) return yield* typed(what)
  const text = yield* stdio.stdin.pipe(
    Stream.decodeText(),
    Stream.runFold(
      () => "",
      (read, more) => (read + more).slice(0, longestSecret + 1)
    )
  )
  return yield* checked(what, text)
})

/** For a command that asks several times: each answer is the next line, which may come as late as it likes. */
export const secretLines = Effect.gen(function* () {
  const stdio = yield* Stdio.Stdio
  if (yield* stdio.stdinIsTerminal) return typed
  const lines = yield* Stream.toPull(Stream.splitLines(Stream.decodeText(stdio.stdin)))
  const left: Array<string> = []
  const next = Effect.gen(function* () {
    while (left.length === 0) left.push(...(yield* lines))
    return left.shift() ?? ""
  })
  return (what: string) =>
    next.pipe(
      Pull.catchDone(() => Effect.succeed("")),
      Effect.flatMap((line) => checked(what, line))
    )
})

export const yes = Flag.Boolean("yes").pipe(
  Flag.withAlias("y"),
  Flag.withDescription("Do not ask whether it is meant"),
  Flag.withDefault(false)
)

/** What cannot be undone is typed once more, or meant by `--yes`. */
export const confirm = Effect.fnUntraced(function* (options: {
  readonly yes: boolean
  readonly what: string
  readonly name: string
}) {
  if (options.yes) return
  const stdio = yield* Stdio.Stdio
  if (!(yield* stdio.stdinIsTerminal)) {
    return yield* new CommandRefused({ message: `${options.what}. This cannot be undone: say so with --yes` })
  }
  const typed = yield* Prompt.run(
    Prompt.String({ message: `${options.what}. This cannot be undone. Type ${options.name} to go on:` })
  )
  if (typed.trim() !== options.name) return yield* new CommandRefused({ message: "Nothing was changed" })
})
