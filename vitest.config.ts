import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    setupFiles: ["test/support/seed.ts"],
    globalSetup: ["test/support/globalSetup.ts"],
    // Two cores, real servers and processes: a test that waits for another is not a failure.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    maxWorkers: 2,
    // Tests that ask to run together mostly wait: for windows to close, for answers to come.
    maxConcurrency: 20,
    reporters: ["default"]
  }
})
