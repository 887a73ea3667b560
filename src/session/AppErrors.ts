/** Why an app could not be added or changed: what to do about it is in each. None of them carries a token. */
import { Schema } from "effect"
import { BotId } from "../domain/Ids.ts"

const key = { tenant: Schema.String, app: Schema.String }

export class AppInvalid extends Schema.TaggedError<AppInvalid>()("AppInvalid", key, { httpApiStatus: 400 }) {
  override get message() {
    return `${JSON.stringify(this.app)} cannot name an app: 1 to 63 of a-z, 0-9 and '-', not beginning with '-'`
  }
}
export class AppUnknown extends Schema.TaggedError<AppUnknown>()("AppUnknown", key, { httpApiStatus: 404 }) {
  override get message() {
    return `The tenant ${this.tenant} has no app ${this.app} of its own; the list of its apps shows those there are`
  }
}
export class AppExists extends Schema.TaggedError<AppExists>()("AppExists", key, { httpApiStatus: 409 }) {
  override get message() {
    return `The tenant ${this.tenant} has an app ${this.app} already; rotate its token, or choose another name`
  }
}
export class AliasTaken extends Schema.TaggedError<AliasTaken>()(
  "AliasTaken",
  { ...key, alias: Schema.String },
  { httpApiStatus: 409 }
) {
  override get message() {
    return `The credential ${this.alias} belongs to another app of the tenant ${this.tenant}; name another one`
  }
}
/** Telegram gives each update of a bot once. */
export class BotTaken extends Schema.TaggedError<BotTaken>()(
  "BotTaken",
  { ...key, botId: BotId },
  { httpApiStatus: 409 }
) {
  override get message() {
    return `The bot ${this.botId} is served by this installation already, as another app; remove it there first`
  }
}
export class TokenMalformed extends Schema.TaggedError<TokenMalformed>()("TokenMalformed", key, {
  httpApiStatus: 400
}) {
  override get message() {
    return `What was given for ${this.tenant}/${this.app} is no bot token: @BotFather gives one such as 123456789: and 35 letters, digits, '-' or '_'`
  }
}
export class TokenRefused extends Schema.TaggedError<TokenRefused>()(
  "TokenRefused",
  { ...key, botId: BotId },
  { httpApiStatus: 400 }
) {
  override get message() {
    return `Telegram refuses this token of the bot ${this.botId}: it was mistyped or revoked. Get a valid one from @BotFather; nothing was changed`
  }
}
/** What a bot has said and heard is kept by its id. */
export class TokenOfAnotherBot extends Schema.TaggedError<TokenOfAnotherBot>()(
  "TokenOfAnotherBot",
  { ...key, botId: BotId, given: BotId },
  { httpApiStatus: 409 }
) {
  override get message() {
    return `The app ${this.tenant}/${this.app} is the bot ${this.botId}, and the token is that of the bot ${this.given}; add that one as an app of its own`
  }
}
