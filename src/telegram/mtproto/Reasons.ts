/** What each of Telegram's refusals means to us: a pure and total table. Source: https://core.telegram.org/api/errors */
import {
  AccountGone,
  AccountMoved,
  ApiCredentialsRefused,
  AuthKeyDuplicated,
  AuthKeyUnregistered,
  CallRefused,
  ChatClosed,
  CodeExpired,
  CodeWrong,
  FileGone,
  FloodWait,
  PasswordNeeded,
  PasswordWrong,
  PhoneWrong,
  SessionRevoked,
  TelegramTrouble,
  type UserError
} from "../UserError.ts"

const table: Readonly<Record<string, (method: string) => UserError>> = {
  AUTH_KEY_UNREGISTERED: (method) => new AuthKeyUnregistered({ method }),
  AUTH_KEY_INVALID: (method) => new AuthKeyUnregistered({ method }),
  AUTH_KEY_PERM_EMPTY: (method) => new AuthKeyUnregistered({ method }),
  SESSION_REVOKED: (method) => new SessionRevoked({ method }),
  SESSION_EXPIRED: (method) => new SessionRevoked({ method }),
  AUTH_KEY_DUPLICATED: (method) => new AuthKeyDuplicated({ method }),
  USER_DEACTIVATED: (method) => new AccountGone({ method }),
  USER_DEACTIVATED_BAN: (method) => new AccountGone({ method }),
  PHONE_NUMBER_BANNED: (method) => new AccountGone({ method }),
  SESSION_PASSWORD_NEEDED: (method) => new PasswordNeeded({ method }),
  PASSWORD_HASH_INVALID: (method) => new PasswordWrong({ method }),
  SRP_PASSWORD_CHANGED: (method) => new PasswordWrong({ method }),
  PHONE_NUMBER_INVALID: (method) => new PhoneWrong({ method }),
  PHONE_NUMBER_UNOCCUPIED: (method) => new PhoneWrong({ method }),
  PHONE_CODE_INVALID: (method) => new CodeWrong({ method }),
  PHONE_CODE_EMPTY: (method) => new CodeWrong({ method }),
  PHONE_CODE_EXPIRED: (method) => new CodeExpired({ method }),
  PHONE_CODE_HASH_EMPTY: (method) => new CodeExpired({ method }),
  API_ID_INVALID: (method) => new ApiCredentialsRefused({ method }),
  API_ID_PUBLISHED_FLOOD: (method) => new ApiCredentialsRefused({ method }),
  CHANNEL_PRIVATE: (method) => new ChatClosed({ method }),
  CHANNEL_INVALID: (method) => new ChatClosed({ method }),
  CHAT_ID_INVALID: (method) => new ChatClosed({ method }),
  PEER_ID_INVALID: (method) => new ChatClosed({ method }),
  USERNAME_NOT_OCCUPIED: (method) => new ChatClosed({ method }),
  USERNAME_INVALID: (method) => new ChatClosed({ method }),
  FILE_REFERENCE_EXPIRED: (method) => new FileGone({ method }),
  FILE_REFERENCE_INVALID: (method) => new FileGone({ method }),
  FILE_REFERENCE_EMPTY: (method) => new FileGone({ method }),
  FILE_ID_INVALID: (method) => new FileGone({ method }),
  LOCATION_INVALID: (method) => new FileGone({ method })
}

/** What a session does not survive: its key is worth nothing any more. */
export const endsSession = (error: UserError): boolean =>
  error._tag === "AuthKeyUnregistered" ||
  error._tag === "SessionRevoked" ||
  error._tag === "AuthKeyDuplicated" ||
  error._tag === "AccountMoved" ||
  error._tag === "AccountGone"

const flood = /^(?:FLOOD|FLOOD_PREMIUM|FLOOD_TEST_PHONE|SLOWMODE)_WAIT_(\d+)$/

const elsewhere = /^(?:USER|NETWORK)_MIGRATE_\d+$/

/** No number in it is so long that it could be of a person: a phone number, a code. */
const itsOwnWord = /^(?!.*\d{5})[A-Z0-9_]{1,64}$/

/** `text` as Telegram said it, such as `FLOOD_WAIT_17`; only its own words are ever repeated. */
export const reasonOf = (
  method: string,
  { code, text }: { readonly code: number; readonly text: string }
): UserError => {
  const known = Object.hasOwn(table, text) ? table[text] : undefined
  if (known !== undefined) return known(method)
  const wait = flood.exec(text)?.[1]
  // A day and more is told as it is; what is no number of seconds cannot be one.
  if (wait !== undefined && Number.isSafeInteger(Number(wait)))
    return new FloodWait({ method, seconds: Number(wait) })
  if (text === "PHONE_PASSWORD_FLOOD" || code === 420) return new FloodWait({ method, seconds: 86_400 })
  if (elsewhere.test(text)) return new AccountMoved({ method })
  if (code >= 500 || code < 0) return new TelegramTrouble({ method })
  if (code === 401) return new AuthKeyUnregistered({ method })
  const reason = itsOwnWord.test(text) ? text : "UNKNOWN"
  return new CallRefused({ method, code: Math.trunc(code), reason })
}
