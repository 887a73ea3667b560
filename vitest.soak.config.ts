import { defineConfig } from "vitest/config"
import base from "./vitest.config.ts"

/** The long fault tests, one at a time: minutes each, hours when asked for. */
export default defineConfig({
  test: {
    ...base.test,
    include: ["test/**/*.soak.ts"],
    // A seed of its own each time; a failure prints it.
    env: { SEED: "random" },
    testTimeout: 4 * 3_600_000,
    hookTimeout: 600_000,
    maxWorkers: 1,
    fileParallelism: false
  }
})
