/** Which bots there are: the token of each, and the Bot API server it is spoken to through. */
import { Context, Effect, Layer, Redacted, Stream } from "effect"
import { type AppId, BotId, type TenantId } from "../domain/Ids.ts"
import { type BotKey, BotUnknown } from "./BotPort.ts"

export interface BotAccount {
  readonly tenant: TenantId
  readonly app: AppId
  readonly token: Redacted.Redacted<string>
  /** Base URL of the Bot API server, without the `/bot<token>` part. Absent: Telegram's own. */
  readonly apiRoot?: string
  /** `stored`: kept by operators, and may come and go. Absent: what the process was started with. */
  readonly origin?: "stored"
}

/** What @BotFather gives: the bot's id, a colon, 35 letters, digits, `-` or `_`. */
export const tokenShape = /^\d{6,16}:[\w-]{30,}$/

/** One word for a bot, for maps and circuits. A tenant or app never holds a `/`. */
export const botName = (bot: BotKey): string => `${bot.tenant}/${bot.app}`

/** The bot's own user id, which its token begins with. It stays when the token is replaced. */
export const botIdOf = ({ token }: Pick<BotAccount, "token">): BotId =>
  BotId.make(Number.parseInt(Redacted.value(token), 10))

export class Bots extends Context.Service<
  Bots,
  {
    /** The same object until the bot has another token. */
    readonly get: (bot: BotKey) => Effect.Effect<BotAccount, BotUnknown>
    readonly list: Effect.Effect<ReadonlyArray<BotKey>>
    /** All accounts, as they are and then each time one came, went or has another token. Never ends. */
    readonly changes: Stream.Stream<ReadonlyArray<BotAccount>>
  }
>()("zapiska/telegram/Bots") {
  /** A fixed list of bots. */
  static readonly layer = (accounts: ReadonlyArray<BotAccount>): Layer.Layer<Bots> => {
    const known = new Map(accounts.map((account) => [botName(account), account]))
    return Layer.succeed(Bots, {
      get: (bot) => {
        const account = known.get(botName(bot))
        return account === undefined ? Effect.fail(new BotUnknown({ app: bot.app })) : Effect.succeed(account)
      },
      list: Effect.succeed(accounts.map(({ tenant, app }) => ({ tenant, app }))),
      changes: Stream.concat(Stream.make(accounts), Stream.never)
    })
  }
}
