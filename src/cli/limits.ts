/** `zapiska limits`: how much a tenant and each of its people may send and store. */
import { Effect, Option, Schema, SchemaTransformation } from "effect"
import { Command, Flag } from "effect/cli"
import type { LimitsView } from "../app/admin/LimitsGroup.ts"
import type { TenantLimits } from "../domain/TenantLimits.ts"
import { flag, tenant } from "./Arguments.ts"
import { ask, asking, show } from "./Asking.ts"
import { CommandRefused } from "./Connection.ts"
import { table } from "./Table.ts"

const words: Readonly<Record<keyof TenantLimits, string>> = {
  userPerMinute: "messages a minute of one person",
  userPerDay: "messages a day of one person",
  tenantPerMinute: "messages a minute of all of them",
  tenantPerDay: "messages a day of all of them",
  storageBytes: "bytes of notes and files"
}
const names = Object.keys(words) as ReadonlyArray<keyof TenantLimits>

const units: Readonly<Record<string, number>> = { "": 1, MB: 1e6, GB: 1e9, TB: 1e12 }

/** A number, or `default`; bytes with a unit. */
const limit = (pattern: RegExp, message: string) =>
  Schema.String.check(Schema.isPattern(pattern, { message })).pipe(
    Schema.decodeTo(
      Schema.NullOr(Schema.Int),
      SchemaTransformation.transform({
        decode: (typed: string) => {
          const [, number, unit = ""] = /^(\d+) ?(\w*)$/.exec(typed) ?? []
          return number === undefined ? null : Number(number) * (units[unit] ?? 1)
        },
        encode: (value: number | null) => (value === null ? "default" : String(value))
      })
    )
  )

const count = limit(/^(default|[1-9]\d{0,8})$/, "a whole number above 0, or `default`")
const size = limit(/^(default|[1-9]\d{0,5} ?[MGT]B)$/, "a size such as `500 MB` or `10 GB`, or `default`")

/** Their values, those of the installation where the tenant has none of its own. */
const told = ({ defaults, ...own }: LimitsView) =>
  table(
    ["limit", "value"],
    names.map((name) => ({
      limit: words[name],
      value: own[name]?.toString() ?? `${defaults[name] ?? "none"} (default)`
    }))
  )

const showOne = Command.make(
  "show",
  { tenant },
  Effect.fnUntraced(function* ({ tenant }) {
    const limits = yield* ask((client) => client.limits.get({ params: { tenant } }))
    yield* show(limits, told(limits))
  })
).pipe(
  Command.withDescription("The limits of a tenant; the defaults are LIMIT_USER, LIMIT_TENANT, LIMIT_STORAGE")
)

const set = Command.make(
  "set",
  {
    tenant,
    userPerMinute: flag("user-per-minute", count, words.userPerMinute).pipe(Flag.optional),
    userPerDay: flag("user-per-day", count, words.userPerDay).pipe(Flag.optional),
    tenantPerMinute: flag("tenant-per-minute", count, words.tenantPerMinute).pipe(Flag.optional),
    tenantPerDay: flag("tenant-per-day", count, words.tenantPerDay).pipe(Flag.optional),
    storageBytes: flag("storage", size, "notes and files, such as 10 GB").pipe(Flag.optional)
  },
  Effect.fnUntraced(function* ({ tenant, ...given }) {
    const payload: Partial<TenantLimits> = Object.fromEntries(
      names.flatMap((name) => Option.toArray(Option.map(given[name], (value) => [name, value])))
    )
    if (Object.keys(payload).length === 0) {
      return yield* new CommandRefused({ message: "Say which limit: see zapiska limits set --help" })
    }
    const limits = yield* ask((client) => client.limits.set({ params: { tenant }, payload }))
    yield* show(limits, told(limits))
  })
).pipe(Command.withDescription("Change limits of a tenant; `default` takes one back to the installation's"))

export const limits = Command.make("limits").pipe(
  Command.withDescription("How much a tenant may send and store: show, set"),
  Command.withSubcommands([showOne, set]),
  Command.withGlobalFlags(asking)
)
