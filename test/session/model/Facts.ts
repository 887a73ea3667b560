/** What a session may do next, from what is known of it and of the world around it. Pure; the table is the product's. */
import {
  isLoggedIn,
  isPending,
  type MoveReason,
  type SessionState
} from "../../../src/session/SessionState.ts"
import type { Place } from "./World.ts"

export type Who = "ann" | "bob"
export type KeyState = "valid" | "unregistered" | "revoked" | "duplicated"
export type TroubleKind = "none" | "network" | "flood"

export type Command =
  | { readonly _tag: "Login"; readonly at: Place; readonly method: "qr" | "code"; readonly who: Who }
  | { readonly _tag: "Scan"; readonly who: Who | "seen" }
  | { readonly _tag: "Code"; readonly at: Place; readonly right: boolean }
  | { readonly _tag: "Password"; readonly at: Place; readonly right: boolean }
  | { readonly _tag: "Cancel"; readonly at: Place }
  | { readonly _tag: "Use"; readonly at: Place }
  | { readonly _tag: "Validate"; readonly at: Place }
  | { readonly _tag: "Revoke"; readonly at: Place }
  | { readonly _tag: "Key"; readonly state: KeyState }
  | { readonly _tag: "Trouble"; readonly kind: TroubleKind }
  | { readonly _tag: "Pass"; readonly seconds: number }
  | { readonly _tag: "Restart"; readonly at: Place; readonly how: "close" | "kill" }
  | { readonly _tag: "Steal" }
  | { readonly _tag: "Tamper"; readonly byte: number }

export interface Login {
  readonly at: Place
  readonly method: "qr" | "code"
  readonly who: Who
  readonly wrong: number
  readonly alive: boolean
}

export interface Facts {
  readonly state: SessionState
  readonly moves: number
  /** Only this account may be logged in. */
  readonly expected: boolean
  readonly login: Login | undefined
  readonly trouble: TroubleKind
  readonly key: KeyState
  readonly tampered: boolean
  /** A process was killed or a lease stolen of late: who owns what is settled by time alone. */
  readonly disturbed: boolean
}

/** What is seen from outside when a command is given. */
export interface Seen {
  /** The place whose client is live. */
  readonly holder: Place | undefined
  /** Telegram is not asked now. */
  readonly waits: "flood" | "trouble" | undefined
}

const ends = {
  unregistered: "session_expired",
  revoked: "session_revoked",
  duplicated: "key_duplicated"
} as const

/** Moves there is a reason for while this command is given. */
export const possible = (facts: Facts, command: Command): ReadonlySet<MoveReason> => {
  const { disturbed, expected, key, login, tampered, trouble } = facts
  const reasons = new Set<MoveReason>()
  const may = (when: boolean, ...those: ReadonlyArray<MoveReason>) => {
    if (when) for (const reason of those) reasons.add(reason)
  }
  const is = (...tags: ReadonlyArray<Command["_tag"]>) => tags.includes(command._tag)
  may(trouble === "network", "validation_failed", "api_error")
  may(trouble === "flood", "flood_wait")
  may(trouble === "none" && key === "valid", "validation_success")
  if (key !== "valid") may(trouble === "none", ends[key])
  may(tampered, "material_corrupted")
  may(command._tag === "Login", "qr_started", "code_sent")
  may(is("Scan"), "qr_scanned", "password_required", "authorization_success")
  may(is("Code"), "authorization_success", "password_required")
  may(is("Code") && login?.wrong === 2, "code_refused")
  may(is("Password"), "password_verified")
  may(is("Password") && login?.wrong === 2, "password_refused")
  may(is("Password") && expected, "account_refused")
  may(is("Cancel", "Revoke"), "login_cancelled")
  may(is("Revoke"), "manual_revoke")
  may(is("Pass", "Restart") || disturbed || login?.alive === false, "login_expired")
  // Somebody else has the lease, or has had it.
  may(disturbed, "api_error")
  return reasons
}

const troubled = (
  trouble: TroubleKind,
  reasons: { readonly network: MoveReason; readonly flood: MoveReason }
) => (trouble === "none" ? undefined : [reasons[trouble]])

const inLogin = { network: "api_error", flood: "flood_wait" } as const

/** The moves that follow, where nothing else can; otherwise nothing is known but what is possible. */
export const expectedMoves = (
  facts: Facts,
  seen: Seen,
  command: Command
): ReadonlyArray<MoveReason> | undefined => {
  const { expected, key, login, state, tampered, trouble } = facts
  if (facts.disturbed || command._tag === "Pass") return undefined
  const elsewhere = "at" in command && login !== undefined && login.at !== command.at
  switch (command._tag) {
    case "Key":
    case "Trouble":
    case "Steal":
    case "Tamper":
      return []
    case "Login":
      if (isLoggedIn(state)) return []
      if (isPending(state)) return elsewhere ? undefined : []
      if (seen.waits === "flood") return []
      if (command.method === "qr") return ["qr_started"]
      return trouble === "none" ? ["code_sent"] : []
    case "Scan":
      if (state !== "PENDING_QR") return []
      return (
        troubled(trouble, inLogin) ?? [
          ({ seen: "qr_scanned", ann: "authorization_success", bob: "password_required" } as const)[
            command.who
          ]
        ]
      )
    case "Code":
      if (state !== "PENDING_CODE" || elsewhere || login === undefined) return []
      if (trouble !== "none") return troubled(trouble, inLogin)
      if (!command.right) return login.wrong === 2 ? ["code_refused"] : []
      return [login.who === "ann" ? "authorization_success" : "password_required"]
    case "Password":
      if (state !== "PENDING_PASSWORD" || elsewhere || login === undefined) return []
      if (trouble !== "none") return troubled(trouble, inLogin)
      if (!command.right) return login.wrong === 2 ? ["password_refused"] : []
      return [expected ? "account_refused" : "password_verified"]
    case "Cancel":
      if (!isPending(state)) return []
      return elsewhere ? undefined : ["login_cancelled"]
    case "Revoke":
      if (isLoggedIn(state)) return ["manual_revoke"]
      if (!isPending(state)) return []
      return elsewhere ? undefined : ["login_cancelled"]
    case "Restart":
      return command.how === "close" && login?.at === command.at ? ["login_expired"] : []
    case "Use":
    case "Validate": {
      if (!isLoggedIn(state)) return []
      const live = seen.holder === command.at
      if (seen.holder !== undefined && !live) return []
      if (seen.waits !== undefined && !(live && command._tag === "Validate")) return []
      if (!live && tampered) return ["material_corrupted"]
      const using = live && command._tag === "Use"
      if (trouble !== "none") {
        if (state === "STALE") return []
        return [trouble === "flood" ? "flood_wait" : using ? "api_error" : "validation_failed"]
      }
      if (key !== "valid") return [ends[key]]
      return state === "STALE" && !using ? ["validation_success"] : []
    }
  }
}

/** Seconds after which no login is under way and no theft or death is felt any more. */
export const settledAfter = 60
/** Seconds after which Telegram has been asked. */
export const askedAfter = 400

/** What must not be once so much time has passed. */
export const overdue = (facts: Facts, state: SessionState, seconds: number): string | undefined => {
  if (seconds >= settledAfter && isPending(state)) return "a login was left behind"
  if (seconds < askedAfter || facts.trouble !== "none" || !isLoggedIn(facts.state)) return undefined
  if (facts.key !== "valid" && isLoggedIn(state)) return "a dead session was not noticed"
  return state === "STALE" ? "a session that is well was left in doubt" : undefined
}

/** What is known after a command and the moves that followed it. */
export const after = (
  facts: Facts,
  command: Command,
  made: ReadonlyArray<MoveReason>,
  { state, stolen }: { readonly state: SessionState; readonly stolen: boolean }
): Facts => {
  const begun = made.includes("qr_started") || made.includes("code_sent")
  const login =
    command._tag === "Login" && begun
      ? { at: command.at, method: command.method, who: command.who, wrong: 0, alive: true }
      : facts.login
  const wrong = (command._tag === "Code" || command._tag === "Password") && !command.right
  const asks = state === "PENDING_CODE" ? "Code" : "Password"
  const gone = command._tag === "Restart" && command.at === login?.at
  const counted =
    login === undefined || !isPending(state)
      ? undefined
      : {
          ...login,
          alive: login.alive && !gone,
          wrong: made.includes("password_required")
            ? 0
            : login.wrong +
              (wrong && command._tag === asks && command.at === login.at && facts.trouble === "none" ? 1 : 0)
        }
  const newKey = made.includes("authorization_success") || made.includes("password_verified")
  return {
    ...facts,
    state,
    moves: facts.moves + made.length,
    login: counted,
    trouble: command._tag === "Trouble" ? command.kind : facts.trouble,
    key: newKey ? "valid" : command._tag === "Key" ? command.state : facts.key,
    tampered: isLoggedIn(state) && !newKey && (facts.tampered || command._tag === "Tamper"),
    disturbed:
      stolen ||
      (command._tag === "Restart" && command.how === "kill") ||
      (facts.disturbed && !(command._tag === "Pass" && command.seconds >= settledAfter))
  }
}
