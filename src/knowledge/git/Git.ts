/**
 * Runs the system git in one repository: argument arrays, a clean environment, nothing read from the
 * machine's or the user's configuration, no hooks, no prompts.
 */
import { Config, Context, Effect, Layer, PlatformError, Schema, Stream } from "effect"
import { ChildProcess, ChildProcessSpawner } from "effect/process"

/** Details may hold paths, so the message leaves out whatever git put in quotes. */
export class GitError extends Schema.TaggedError<GitError>()("GitError", {
  action: Schema.String,
  directory: Schema.String,
  detail: Schema.String,
  cause: Schema.optionalKey(Schema.Defect())
}) {
  override get message() {
    const line = this.detail.trim().split("\n", 1)[0] ?? ""
    return `${this.action} failed in ${this.directory}: ${line.replace(/'[^']*'|"[^"]*"/g, "…")}`
  }
}

export class GitMissing extends Schema.TaggedError<GitMissing>()("GitMissing", { cause: Schema.Defect() }) {
  override get message() {
    return "git cannot be run, and the notes are kept in a git repository. Install git, or add the directory it is in to PATH, and start again."
  }
}

export interface GitResult {
  readonly code: number
  readonly out: Uint8Array
  readonly err: string
}

export interface GitOptions<E = never> {
  /** Bytes for its standard input; without them it gets none. */
  readonly input?: Stream.Stream<Uint8Array, E>
  /** The index file to use instead of the repository's own, which belongs to the person. */
  readonly index?: string
}

/** A repository: where its files are and where its `.git` is. */
export interface Repository {
  readonly directory: string
  readonly gitDirectory: string
}

export const repositoryAt = (directory: string): Repository => ({
  directory,
  gitDirectory: `${directory}/.git`
})

/** The 4b825dc… every git knows: the tree with nothing in it. */
export const emptyTree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"

/**
 * What a person's configuration could change about the hashes, or make git run. Attributes are taken care
 * of by `info/attributes` of the repository, which only a file can hold.
 */
const settings = [
  "core.hooksPath=/dev/null",
  "core.fsmonitor=false",
  "core.untrackedCache=false",
  "core.sparseCheckout=false",
  "core.splitIndex=false",
  "core.autocrlf=false",
  "core.safecrlf=false",
  "core.quotePath=false",
  "core.precomposeUnicode=false",
  "core.protectHFS=true",
  "core.protectNTFS=true",
  "core.excludesFile=/dev/null",
  "core.attributesFile=/dev/null",
  "protocol.ext.allow=never",
  "submodule.recurse=false",
  "commit.gpgSign=false",
  "log.showSignature=false",
  "gc.autoDetach=false",
  "fastimport.unpackLimit=100",
  "status.relativePaths=false"
].flatMap((setting) => ["-c", setting])

const environment = (repository: Repository, path: string, index: string | undefined) => ({
  PATH: path,
  HOME: `${repository.gitDirectory}/zapiska/home`,
  XDG_CONFIG_HOME: `${repository.gitDirectory}/zapiska/home`,
  GIT_DIR: repository.gitDirectory,
  GIT_WORK_TREE: repository.directory,
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_CONFIG_SYSTEM: "/dev/null",
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_ATTR_NOSYSTEM: "1",
  GIT_NO_REPLACE_OBJECTS: "1",
  GIT_LITERAL_PATHSPECS: "1",
  GIT_TERMINAL_PROMPT: "0",
  GIT_COMMITTER_NAME: "Zapiska",
  GIT_COMMITTER_EMAIL: "zapiska@localhost",
  GIT_AUTHOR_NAME: "Zapiska",
  GIT_AUTHOR_EMAIL: "zapiska@localhost",
  LC_ALL: "C",
  TZ: "UTC",
  // glibc gives zlib's buffers back to the kernel after each object otherwise: 2.3 of 3.6 s for 10,000 revisions.
  MALLOC_MMAP_THRESHOLD_: "8388608",
  MALLOC_TRIM_THRESHOLD_: "134217728",
  ...(index === undefined ? {} : { GIT_INDEX_FILE: index })
})

const decoder = new TextDecoder()
const encoder = new TextEncoder()

/** Standard input of commands that read lines. */
export const linesOf = (lines: ReadonlyArray<string>): Stream.Stream<Uint8Array> =>
  Stream.make(encoder.encode(lines.map((line) => `${line}\n`).join("")))

export class Git extends Context.Service<
  Git,
  {
    /** Runs to the end, whatever the exit code. */
    readonly run: <E = never>(
      repository: Repository,
      args: ReadonlyArray<string>,
      options?: GitOptions<E>
    ) => Effect.Effect<GitResult, GitError | E>
    /** Standard output of a run that must succeed. */
    readonly bytes: <E = never>(
      repository: Repository,
      args: ReadonlyArray<string>,
      options?: GitOptions<E>
    ) => Effect.Effect<Uint8Array, GitError | E>
    readonly text: <E = never>(
      repository: Repository,
      args: ReadonlyArray<string>,
      options?: GitOptions<E>
    ) => Effect.Effect<string, GitError | E>
  }
>()("zapiska/knowledge/git/Git") {
  static readonly layer = Layer.effect(
    Git,
    Effect.gen(function* () {
      const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
      const path = yield* Config.String("PATH").pipe(Config.withDefault("/usr/local/bin:/usr/bin:/bin"))
      // Without it everything but the repository would work, and nobody would notice for a while.
      yield* spawner
        .exitCode(ChildProcess.make("git", ["--version"], { env: { PATH: path }, extendEnv: false }))
        .pipe(Effect.mapError((cause) => new GitMissing({ cause })))

      const failure =
        (repository: Repository, args: ReadonlyArray<string>) =>
        (detail: string, cause?: unknown): GitError =>
          new GitError({
            action: `git ${args[0]}`,
            directory: repository.directory,
            detail,
            ...(cause === undefined ? {} : { cause })
          })

      const start = <E>(
        repository: Repository,
        args: ReadonlyArray<string>,
        options: GitOptions<E> | undefined
      ) =>
        spawner
          .spawn(
            ChildProcess.make("git", [...settings, ...args], {
              cwd: repository.directory,
              env: environment(repository, path, options?.index),
              extendEnv: false,
              stdin: options?.input === undefined ? "ignore" : "pipe"
            })
          )
          .pipe(
            Effect.mapError((error) =>
              failure(repository, args)("it did not start; is git installed and in PATH?", error)
            )
          )

      const run = <E = never>(
        repository: Repository,
        args: ReadonlyArray<string>,
        options?: GitOptions<E>
      ): Effect.Effect<GitResult, GitError | E> => {
        const fail = failure(repository, args)
        return Effect.gen(function* () {
          const process = yield* start(repository, args, options)
          // A git that ends early closes its input; its exit code and words tell more than the broken pipe.
          const feed: Effect.Effect<void, E> =
            options?.input === undefined
              ? Effect.void
              : Stream.run(options.input, process.stdin).pipe(
                  Effect.catch((error) =>
                    error instanceof PlatformError.PlatformError ? Effect.void : Effect.fail(error)
                  )
                )
          const [out, err, code] = yield* Effect.all(
            [
              Stream.mkUint8Array(process.stdout).pipe(
                Effect.mapError((error) => fail("lost its output", error))
              ),
              Stream.mkUint8Array(process.stderr).pipe(
                Effect.mapError((error) => fail("lost its output", error))
              ),
              process.exitCode.pipe(Effect.mapError((error) => fail("it was killed", error))),
              feed
            ],
            { concurrency: "unbounded" }
          )
          return { code, out, err: decoder.decode(err) }
        }).pipe(Effect.scoped, Effect.withSpan(`git ${args[0]}`))
      }

      const bytes = <E = never>(
        repository: Repository,
        args: ReadonlyArray<string>,
        options?: GitOptions<E>
      ): Effect.Effect<Uint8Array, GitError | E> =>
        Effect.flatMap(run(repository, args, options), (result) =>
          result.code === 0
            ? Effect.succeed(result.out)
            : Effect.fail(failure(repository, args)(result.err || `exit code ${result.code}`))
        )

      return Git.of({
        run,
        bytes,
        text: (repository, args, options) =>
          Effect.map(bytes(repository, args, options), (out) => decoder.decode(out))
      })
    })
  )
}
