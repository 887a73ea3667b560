#!/usr/bin/env node
/**
 * The front door. Compiled code is kept beside the dependencies it was made of, which halves the time a start takes
 * to load; where nothing can be written it is compiled each time.
 */
import { enableCompileCache } from "node:module"
import { fileURLToPath } from "node:url"

enableCompileCache(fileURLToPath(new URL("../node_modules/.cache/zapiska", import.meta.url)))
await import("./cli/zapiska.ts")
