/**
 * Random tests are the same in every run, so that a change is to blame for a failure: `SEED` gives another run, the
 * soak one of its own each time.
 */
import fc from "fast-check"

export const usualSeed = 20261122

const given = Number(process.env.SEED ?? usualSeed)

export const seed = Number.isSafeInteger(given) ? given : Math.floor(Math.random() * 2 ** 31)

fc.configureGlobal({ ...fc.readConfigureGlobal(), seed })
