import { NodeServices } from "@effect/platform-node"
import { assert, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { projectedRef } from "../../../src/knowledge/git/FastImport.ts"
import { Git, repositoryAt } from "../../../src/knowledge/git/Git.ts"
import { checkedOutRef, importedRef, mainRef, readRefs } from "../../../src/knowledge/git/Place.ts"
import { git, save, temporary } from "./Harness.ts"

it.live("refs are read as git says them: loose, packed, packed and moved on, and deleted", () =>
  Effect.gen(function* () {
    const directory = yield* temporary("refs")
    const repository = repositoryAt(directory)
    git(directory, "init", "--quiet", "--initial-branch=main")
    const commit = (text: string) => {
      save(directory, "a.md", text)
      git(directory, "add", ".")
      git(directory, "-c", "user.name=A", "-c", "user.email=a@b", "commit", "--quiet", "-m", text)
      return git(directory, "rev-parse", "HEAD").trim()
    }
    const told = (ref: string) =>
      git(directory, "for-each-ref", "--format=%(objectname)", ref).trim() || undefined
    const same = Effect.gen(function* () {
      const refs = yield* readRefs(repository)
      assert.deepStrictEqual(refs, {
        main: told(mainRef),
        projected: told(projectedRef),
        checkedOut: told(checkedOutRef),
        imported: told(importedRef)
      })
      return refs
    })
    assert.isUndefined((yield* same).main)
    const first = commit("first")
    for (const ref of [projectedRef, checkedOutRef]) git(directory, "update-ref", ref, first)
    assert.strictEqual((yield* same).checkedOut, first)
    git(directory, "pack-refs", "--all")
    assert.strictEqual((yield* same).main, first)
    const second = commit("second")
    git(directory, "update-ref", projectedRef, second)
    git(directory, "update-ref", importedRef, first)
    assert.deepInclude(yield* same, { main: second, projected: second, checkedOut: first, imported: first })
    git(directory, "pack-refs", "--all")
    git(directory, "update-ref", "-d", importedRef)
    assert.isUndefined((yield* same).imported)
  }).pipe(Effect.provide(Git.layer.pipe(Layer.provide(NodeServices.layer))))
)
