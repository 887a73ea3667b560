/**
 * Random tests are the same in every run, so that a change is to blame for a failure: `SEED` gives another run, the
 * soak one of its own each time.
 */
import fc from "fast-check"

const seed = Number(process.env.SEED ?? 20261122)

if (Number.isSafeInteger(seed)) fc.configureGlobal({ ...fc.readConfigureGlobal(), seed })
