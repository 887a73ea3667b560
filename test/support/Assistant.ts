/**
 * The whole assistant for end-to-end tests: one real process with its own PostgreSQL and git, talking to an
 * emulator in the test's process; and people who write to it, each in a chat of their own.
 */
import { execFile } from "node:child_process"
import { readFileSync } from "node:fs"
import { join, posix } from "node:path"
import { PgConnection } from "@effect/sql-pg"
import { assert } from "@effect/vitest"
import { Context, Effect, Layer, Redacted, type Schema } from "effect"
import { parse } from "yaml"
import type { EmulatorOptions } from "../../src/sandbox/BotApiEmulator.ts"
import { BotApiEmulator } from "../../src/sandbox/Control.ts"
import type { Message, User } from "../../src/sandbox/Views.ts"
import {
  type Application,
  type ApplicationOptions,
  eventually,
  start,
  temporaryDirectory
} from "./Application.ts"
import { emulatorLayer } from "./emulator.ts"

export interface NoteFile {
  readonly path: string
  readonly text: string
  /** Below the front matter. */
  readonly body: string
  readonly title: string
  readonly category: string
  readonly tags: ReadonlyArray<string>
  readonly chat: number
  readonly messages: ReadonlyArray<number>
}

export class Assistant extends Context.Service<
  Assistant,
  {
    readonly application: Application
    readonly dataDir: string
    /** What `git` says in the repository of the notes, as bytes. */
    readonly gitBytes: (...args: ReadonlyArray<string>) => Effect.Effect<Buffer>
    readonly git: (...args: ReadonlyArray<string>) => Effect.Effect<string>
    /** The committed notes with messages of this chat, oldest first. */
    readonly notes: (chat: number) => Effect.Effect<ReadonlyArray<NoteFile>>
  }
>()("test/Assistant") {
  /** Windows close after two seconds: whether a burst falls into one, a machine that is busy decides. */
  static readonly layer = (
    options: Partial<EmulatorOptions> & Pick<ApplicationOptions, "env" | "webhookSecret"> = {}
  ): Layer.Layer<Assistant | BotApiEmulator> => {
    const { env, webhookSecret, ...emulator } = options
    return Layer.effect(Assistant, make(env, webhookSecret === undefined ? {} : { webhookSecret })).pipe(
      Layer.provideMerge(emulatorLayer(emulator))
    )
  }
}

const noteOf = (path: string, text: string): NoteFile => {
  const [, yaml = "", body = ""] = /^---\n(.*?)\n---\n(.*)$/s.exec(text) ?? []
  const { title, category, tags, source } = parse(yaml)
  return {
    path,
    text,
    body,
    title,
    category,
    tags,
    chat: source.chat,
    messages: source.messages
  }
}

/** The committed notes of the first tenant, as their owner has them. */
export const reading = (dataDir: string): Pick<Assistant["Service"], "git" | "gitBytes" | "notes"> => {
  const repository = join(dataDir, "kb", "default", "notes")
  const gitBytes = (...args: ReadonlyArray<string>) =>
    Effect.callback<Buffer>((resume) => {
      execFile(
        "git",
        ["-c", "core.quotePath=false", ...args],
        { cwd: repository, encoding: "buffer", maxBuffer: 1 << 28 },
        (error, out, err) =>
          resume(
            error === null ? Effect.succeed(out) : Effect.die(new Error(`git ${args.join(" ")}: ${err}`))
          )
      )
    })
  const git = (...args: ReadonlyArray<string>) => Effect.map(gitBytes(...args), (out) => out.toString())
  const notes = (chat: number) =>
    Effect.gen(function* () {
      // The first note makes the repository. Read at one commit, for the next may come meanwhile.
      const head = yield* Effect.catchDefect(git("rev-parse", "HEAD"), () => Effect.succeed(""))
      if (head === "") return []
      const commit = head.trim()
      const list = yield* Effect.catchDefect(
        git("grep", "-lE", `^ +chat: ${chat}$`, commit, "--", "topics"),
        // It fails when it finds nothing.
        () => Effect.succeed("")
      )
      const names = list.split("\n").filter((line) => line !== "")
      const read = yield* Effect.forEach(names, (name) =>
        Effect.map(git("show", name), (text) => noteOf(name.slice(commit.length + 1), text))
      )
      return read
        .filter((note) => note.chat === chat)
        .sort((a, b) => Math.min(...a.messages) - Math.min(...b.messages))
    })
  return { gitBytes, git, notes }
}

const make = Effect.fnUntraced(function* (
  env: ApplicationOptions["env"],
  options: Pick<ApplicationOptions, "webhookSecret">
) {
  const emulator = yield* BotApiEmulator
  const dataDir = yield* temporaryDirectory
  const application = yield* start({
    ...options,
    dataDir,
    emulator,
    env: { NOTE_WINDOW: "2 seconds", NOTE_WINDOW_MAX: "20 seconds", ...env }
  })
  return Assistant.of({ application, dataDir, ...reading(dataDir) })
})

/** Somebody new; a private chat's id is the person's. */
export const newPerson = (options: { readonly name?: string; readonly language?: string } = {}) =>
  BotApiEmulator.use(({ createUser }) =>
    createUser({ firstName: options.name ?? "Ann", language: options.language ?? "en" })
  )

/** One message after the other, as quickly as one can. */
export const say = (person: User, ...texts: ReadonlyArray<string>) =>
  BotApiEmulator.use(({ sendTexts }) =>
    sendTexts({ messages: texts.map((text) => ({ chat: person.id, text })) })
  )

/** What the bot said in a chat, oldest first, as it stands now. */
export const answers = (chat: number, thread?: number) =>
  BotApiEmulator.use(({ messages }) =>
    Effect.map(messages({ chat, limit: 200, ...(thread === undefined ? {} : { thread }) }), (all) =>
      all.filter(({ from, service }) => from.isBot && service === undefined).reverse()
    )
  )

/** With long windows: what was said until now is one note, however busy the machine is. */
export const finish = Effect.fnUntraced(function* (person: User) {
  yield* answered(person.id, /^✍️/u)
  yield* say(person, "/done")
})

const shown = (messages: ReadonlyArray<Message>) => messages.map(({ text }) => text).join("\n---\n")

/** Waits until an answer matches; the newest that does. */
export const answered = Effect.fnUntraced(function* (
  chat: number,
  pattern: RegExp,
  options: { readonly times?: number; readonly thread?: number; readonly seconds?: number } = {}
) {
  let matching: ReadonlyArray<Message> = []
  let all: ReadonlyArray<Message> = []
  yield* eventually(
    `${options.times ?? 1} answers like ${pattern}`,
    Effect.map(answers(chat, options.thread), (found) => {
      all = found
      matching = found.filter(({ text }) => pattern.test(text))
      return matching.length >= (options.times ?? 1)
    }),
    { detail: () => shown(all), ...options }
  )
  return matching.at(-1)!
})

export const saved = /^(✅|✏️)/u

/** Waits until so many notes of a chat are committed and each is answered with its result. */
export const notesSaved = Effect.fnUntraced(function* (
  chat: number,
  count = 1,
  options: { readonly seconds?: number } = {}
) {
  const { notes } = yield* Assistant
  let found: ReadonlyArray<NoteFile> = []
  yield* eventually(
    `${count} notes of chat ${chat}`,
    Effect.map(notes(chat), (now) => {
      found = now
      return now.length >= count
    }),
    { detail: () => found.map(({ text }) => text).join("\n"), ...options }
  )
  yield* answered(chat, saved, { times: count, ...options })
  return found
})

export const noteSaved = (chat: number, options?: { readonly seconds?: number }) =>
  Effect.map(notesSaved(chat, 1, options), (notes) => notes[0]!)

/** Presses the button with this caption under a message and waits for the bot's answer. */
export const press = (message: Message, caption: string, from?: number) =>
  BotApiEmulator.use((emulator) => {
    const button = message.buttons.flat().find(({ text }) => text === caption)
    if (button?.data === undefined)
      return Effect.die(new Error(`no button ${caption} under: ${message.text}`))
    return emulator.press({
      chat: message.chat,
      messageId: message.id,
      data: button.data,
      timeoutMillis: 60_000,
      ...(from === undefined ? {} : { from })
    })
  })

/** The application's own database, as its superuser. */
export const connectionOf = (dataDir: string) => {
  const [, , , port, host] = readFileSync(join(dataDir, "db", "data", "postmaster.pid"), "utf8").split("\n")
  return {
    host: host!,
    port: Number(port),
    database: "zapiska",
    username: "postgres",
    password: Redacted.make(readFileSync(join(dataDir, "db", "password"), "utf8").trim())
  }
}

/** Asks the application's own database, as its superuser. */
export const query = Effect.fnUntraced(function* (sql: string) {
  const { dataDir } = yield* Assistant
  return yield* Effect.scoped(
    Effect.flatMap(PgConnection.make(connectionOf(dataDir)), (connection) => connection.queryValues(sql, []))
  )
})

/** All lines of the committed notes of a repository. */
export const notedIn = (repository: string) =>
  Effect.callback<string>((resume) => {
    execFile(
      "git",
      ["grep", "-h", "", "HEAD", "--", "topics"],
      { cwd: repository, maxBuffer: 1 << 28 },
      // There is no repository yet, or no note in it.
      (error, out) => resume(Effect.succeed(error === null ? out : ""))
    )
  })

/** Rows of the whole database, the engine's included, that hold a text. */
export const rowsWith = Effect.fnUntraced(function* (text: string) {
  const tables = yield* query(
    `SELECT quote_ident(table_schema) || '.' || quote_ident(table_name) FROM information_schema.tables
     WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')`
  )
  const found = yield* Effect.forEach(tables, ([table]) =>
    Effect.map(
      query(`SELECT count(*)::int FROM ${table} AS t WHERE t::text LIKE '%${text}%'`),
      ([row]) => [String(table), Number(row?.[0])] as const
    )
  )
  return found.filter(([, rows]) => rows > 0).map(([table]) => table)
})

/** Waits until each of these messages is in a note of the chat, with its files; fails when one is in two. */
export const eachNotedOnce = Effect.fnUntraced(function* (chat: number, messageIds: ReadonlyArray<number>) {
  const { notes } = yield* Assistant
  let found: ReadonlyArray<NoteFile> = []
  const missing = () => {
    const noted = found.flatMap(({ messages }) => messages)
    return messageIds.filter((id) => !noted.includes(id))
  }
  yield* eventually(
    `each message of chat ${chat} is in a note`,
    Effect.map(notes(chat), (now) => {
      found = now
      return missing().length === 0 && now.every(({ body }) => !body.includes("not fetched yet"))
    }),
    { detail: () => `missing: ${missing().join(", ")}` }
  )
  yield* answered(chat, saved, { times: found.length })
  const noted = found.flatMap(({ messages }) => messages)
  assert.deepStrictEqual(noted, [...new Set(noted)], "a message is in two notes")
  return found
})

/** The bytes behind each link of a note into `media/`, in order. */
export const mediaOf = Effect.fnUntraced(function* (note: NoteFile) {
  const { gitBytes } = yield* Assistant
  const links = [...note.body.matchAll(/\]\(<?(?<to>[^)>]*media\/[^)>]*)>?\)/g)].map(({ groups }) =>
    posix.join(posix.dirname(note.path), decodeURI(groups?.to ?? ""))
  )
  return yield* Effect.forEach(links, (path) =>
    Effect.map(gitBytes("show", `HEAD:${path}`), (bytes) => ({ path, bytes }))
  )
})

/** A message as Telegram would tell it, for what no action of a person can make. */
export const rawMessage = (
  person: User,
  messageId: number,
  fields: Readonly<Record<string, Schema.Json>>
) => ({
  message_id: messageId,
  date: Math.floor(Date.now() / 1000),
  chat: { id: person.id, type: "private", first_name: person.firstName },
  from: {
    id: person.id,
    is_bot: false,
    first_name: person.firstName,
    ...(person.language === undefined ? {} : { language_code: person.language })
  },
  ...fields
})

export const inject = (update: Readonly<Record<string, Schema.Json>>, updateId?: number) =>
  BotApiEmulator.use((emulator) =>
    emulator.inject({ update, ...(updateId === undefined ? {} : { updateId }) })
  )
