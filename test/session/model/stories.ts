/** Walks that are walked every time: every reason there is, whatever the random ones come across. */
import type { Command } from "./Facts.ts"

const login = (method: "qr" | "code", who: "ann" | "bob"): Command => ({ _tag: "Login", at: 0, method, who })
const code = (right: boolean): Command => ({ _tag: "Code", at: 0, right })
const password = (right: boolean): Command => ({ _tag: "Password", at: 0, right })
const pass = (seconds: number): Command => ({ _tag: "Pass", seconds })
const trouble = (kind: "none" | "network" | "flood"): Command => ({ _tag: "Trouble", kind })
const dies = (state: "unregistered" | "revoked" | "duplicated"): Command => ({ _tag: "Key", state })
const scan = (who: "ann" | "bob" | "seen"): Command => ({ _tag: "Scan", who })
const use: Command = { _tag: "Use", at: 0 }
const validate: Command = { _tag: "Validate", at: 0 }
const loggedIn = [login("code", "ann"), code(true)]

export const stories: Array<[boolean, Array<Command>]> = [
  [false, [login("qr", "bob"), scan("seen"), scan("bob"), password(false), password(true), use]],
  [true, [login("qr", "bob"), scan("bob"), password(true), login("code", "bob"), code(true), password(true)]],
  [false, [login("code", "bob"), code(true), password(false), password(false), password(false)]],
  [false, [login("code", "ann"), code(false), code(false), code(false)]],
  [false, [login("qr", "ann"), { _tag: "Cancel", at: 0 }, login("qr", "ann"), pass(60)]],
  [false, [login("qr", "ann"), { _tag: "Restart", at: 0, how: "kill" }, login("code", "ann"), pass(60)]],
  [false, [login("qr", "ann"), trouble("flood"), scan("ann"), login("qr", "ann"), trouble("none"), pass(60)]],
  [false, [login("code", "ann"), trouble("network"), code(true)]],
  [false, [...loggedIn, use, { _tag: "Steal" }, pass(60), use]],
  [false, [...loggedIn, trouble("network"), validate, trouble("none"), pass(400)]],
  [false, [...loggedIn, use, trouble("network"), use, trouble("none"), pass(20), validate]],
  [false, [...loggedIn, use, trouble("flood"), use, use, dies("unregistered"), trouble("none"), pass(100)]],
  [false, [...loggedIn, dies("revoked"), use, ...loggedIn, dies("duplicated"), use]],
  [false, [...loggedIn, dies("unregistered"), validate, ...loggedIn, { _tag: "Tamper", byte: 40 }, use, use]],
  [false, [...loggedIn, { _tag: "Revoke", at: 1 }, { _tag: "Revoke", at: 1 }]]
]
