/**
 * The assistant, ending itself with -9 at the failpoint `FAILPOINT` names: `<name>:<how many times reached>`; and with
 * the Telegram of a test for people's accounts, where `DATA_CENTRE` says how to reach it.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Effect, Layer } from "effect"
import * as Application from "../../src/app/Application.ts"
import { AtFailpoint } from "../../src/ops/Failpoint.ts"
import { OtherDataCentre } from "../../src/telegram/MtcuteClient.ts"

const [name, count = "1"] = (process.env.FAILPOINT ?? "").split(":")
let left = Number(count)

const die = Effect.sync(() => {
  process.kill(process.pid, "SIGKILL")
}).pipe(Effect.andThen(Effect.never))

const { DATA_CENTRE } = process.env

NodeRuntime.runMain(
  Layer.launch(Application.layer).pipe(
    Effect.provideService(AtFailpoint, (reached) =>
      Effect.suspend(() => (reached === name && --left === 0 ? die : Effect.void))
    ),
    Effect.provideService(OtherDataCentre, DATA_CENTRE === undefined ? undefined : JSON.parse(DATA_CENTRE))
  )
)
