import { Layer } from "effect"
import * as LocksMemory from "../../src/lock/LocksMemory.ts"
import { contract } from "./contract.ts"
import { fences } from "./fences.ts"

contract(LocksMemory.layer.pipe(Layer.provide(fences)))
