import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import * as fs from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, layer as layerOf } from "@effect/vitest"
import { Clock, Effect, Random } from "effect"
import { GitProjection } from "../../../src/knowledge/GitProjection.ts"
import type { Connection } from "../../../src/store/DatabaseOwner.ts"
import { TestDatabase } from "../../support/Postgres.ts"
import { plain } from "../../support/TestServer.ts"
import { baseOf } from "../Harness.ts"
import {
  everything,
  expectSound,
  git,
  layer,
  projectSettled,
  record,
  root,
  save,
  settle,
  show
} from "./Harness.ts"

/** A projector that is ready to start at a word. */
const boot = async (connection: Connection, name: string): Promise<ChildProcess> => {
  const child = spawn(process.execPath, [fileURLToPath(new URL("projector.ts", import.meta.url))], {
    stdio: ["pipe", "pipe", "inherit"],
    env: { ...process.env, NODE_COMPILE_CACHE: join(root, "compiled") }
  })
  const place = { connection: plain(connection), directory: join(root, "kb"), name, settle }
  child.stdin!.write(`${JSON.stringify(place)}\n`)
  await once(child.stdout!, "data")
  return child
}

const kill = async (child: ChildProcess) => {
  child.kill("SIGKILL")
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit")
}

layerOf(layer, { excludeTestServices: true })("a killed projector", (it) => {
  it.effect(
    "just continues: sound, the same as a fresh projection, with everything a person wrote",
    () =>
      Effect.gen(function* () {
        const name = "killed"
        const key = baseOf(name)
        const { owner } = yield* TestDatabase
        const directory = (yield* GitProjection).directory(key)
        const written: Array<string> = []
        let next = boot(owner, name)
        let midway = 0
        let takes = 0
        // Vacuous if the kills came before or after the work.
        for (let kills = 0; kills < 32 || midway === 0; kills += 1) {
          const child = yield* Effect.promise(() => next)
          // The next one starts up meanwhile.
          next = boot(owner, name)
          for (let count = 0; count < 4; count += 1)
            yield* record(key, {
              [`topics/inbox/2026-11/${10 + (kills % 10)}-note-${kills}-${count}.md`]: `note ${kills} ${count}\n`,
              [`topics/work/2026-11/01-shared-${count}.md`]: `ours, after ${kills} kills\n`
            })
          yield* record(
            key,
            Object.fromEntries(
              Array.from({ length: 60 }, (_, index) => [`many/${index}.md`, `${kills} ${index}\n`])
            )
          )
          if (kills % 3 !== 2 && fs.existsSync(directory)) {
            const path = kills % 2 === 0 ? `mine/${kills}.md` : "topics/work/2026-11/01-shared-1.md"
            const line = `by hand, ${kills}\n`
            save(directory, path, `${show(directory, path) ?? ""}${line}`)
            written.push(line)
          }
          child.stdin!.write("go\n")
          // Spread over what a projection takes on this machine, which every fifth one is let finish to learn.
          if (kills % 5 === 0) {
            const begin = yield* Clock.currentTimeMillis
            yield* Effect.promise(() => once(child.stdout!, "data"))
            takes = (yield* Clock.currentTimeMillis) - begin
          } else yield* Effect.sleep(yield* Random.nextIntBetween(1, Math.ceil(takes * 1.2)))
          yield* Effect.promise(() => kill(child))
          if (fs.existsSync(join(directory, ".git/index.lock"))) midway += 1
          if (kills % 5 === 4 && show(directory, ".git/index.lock") === undefined) {
            const mine = `committed, ${kills}\n`
            save(directory, `committed/${kills}.md`, mine)
            git(directory, "add", `committed/${kills}.md`)
            git(directory, "commit", "-qm", `Mine ${kills}`)
            written.push(mine)
          }
        }
        yield* Effect.promise(async () => kill(await next))
        yield* projectSettled(key)
        const last = yield* projectSettled(key)
        assert.deepStrictEqual([last.imported, last.waiting], [0, undefined])
        assert.deepStrictEqual(yield* expectSound(key), [])
        const known = yield* everything(key)
        assert.deepStrictEqual(
          written.filter((line) => !known.some((text) => text.includes(line))),
          []
        )
      }),
    600_000
  )
})
