import { Duration, Effect, Redacted } from "effect"
import { UserId } from "../../domain/Ids.ts"
import { LoginLinks, linkLifetime } from "../../session/LoginLinks.ts"
import { BotPort } from "../../telegram/BotPort.ts"
import { loginTexts } from "../LoginTexts.ts"
import type { Command, CommandRequest } from "./Command.ts"

const isPrivate = ({ user }: CommandRequest) => user.chat === user.sender

/** Sent at once and not by the outbox, whose rows would keep the link; and so is what stands in its way. */
export const login: Command = {
  name: "login",
  // Whoever runs the assistant has the account that is logged in.
  least: "owner",
  beforehand: Effect.fn("command.login")(function* (request) {
    if (!isPrivate(request)) return []
    const { user } = request
    const words = loginTexts[user.language]
    const minutes = Duration.toMinutes(linkLifetime)
    const text = yield* LoginLinks.use((links) =>
      links.createFor(user.tenant, UserId.make(user.sender))
    ).pipe(
      Effect.map(({ local, url }) => words.link({ url: Redacted.value(url), minutes, local })),
      Effect.catchTags({
        AlreadyAuthorized: () => Effect.succeed(words.loggedIn),
        CredentialsMissing: () => Effect.succeed(words.withoutKey(user.tenant)),
        NotAnAccount: Effect.die,
        SessionUnknown: Effect.die
      })
    )
    yield* (yield* BotPort).send(user.address, { _tag: "Text", text, linkPreview: false })
    return []
  }),
  run: (request) => {
    const text = loginTexts[request.user.language].inPrivate
    return Effect.succeed(isPrivate(request) ? [] : [{ _tag: "Text", text }])
  }
}
