/** The commands, in the order of Telegram's menu. */
import type { Command } from "./Command.ts"
import { done } from "./done.ts"
import { follow, unfollow } from "./follow.ts"
import { help } from "./help.ts"
import { invite } from "./invite.ts"
import { login } from "./login.ts"
import { note } from "./note.ts"
import { recent } from "./recent.ts"
import { start } from "./start.ts"
import { status } from "./status.ts"
import { undo } from "./undo.ts"

export const commands: ReadonlyArray<Command> = [
  done,
  recent,
  undo,
  note,
  status,
  invite,
  login,
  follow,
  unfollow,
  help,
  start
]
