/** The assistant, ending itself with -9 at the failpoint `FAILPOINT` names: `<name>:<how many times reached>`. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Effect, Layer } from "effect"
import { program } from "../../src/cli/start.ts"
import { AtFailpoint } from "../../src/ops/Failpoint.ts"

const [name, count = "1"] = (process.env.FAILPOINT ?? "").split(":")
let left = Number(count)

const die = Effect.sync(() => {
  process.kill(process.pid, "SIGKILL")
}).pipe(Effect.andThen(Effect.never))

NodeRuntime.runMain(
  Layer.launch(program).pipe(
    Effect.provideService(AtFailpoint, (reached) =>
      Effect.suspend(() => (reached === name && --left === 0 ? die : Effect.void))
    ),
    Effect.provide(NodeServices.layer)
  )
)
