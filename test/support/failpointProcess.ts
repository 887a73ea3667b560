/** The assistant, ending itself with -9 at the failpoint `FAILPOINT` names: `<name>:<how many times reached>`. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Effect, Layer } from "effect"
import * as Application from "../../src/app/Application.ts"
import { AtFailpoint } from "../../src/ops/Failpoint.ts"

const [name, count = "1"] = (process.env.FAILPOINT ?? "").split(":")
let left = Number(count)

const die = Effect.sync(() => {
  process.kill(process.pid, "SIGKILL")
}).pipe(Effect.andThen(Effect.never))

NodeRuntime.runMain(
  Layer.launch(Application.layer).pipe(
    Effect.provideService(AtFailpoint, (reached) =>
      Effect.suspend(() => (reached === name && --left === 0 ? die : Effect.void))
    )
  )
)
