import { Duration, Effect } from "effect"
import { defaultInviteLifetime, type InviteRole, mostUses } from "../../domain/Invite.ts"
import { BotPort } from "../../telegram/BotPort.ts"
import { Invites, inviteLink } from "../../telegram/Invites.ts"
import { Permission } from "../../telegram/Permission.ts"
import { peopleTexts } from "../PeopleTexts.ts"
import type { Command, CommandRequest } from "./Command.ts"

interface Invitation {
  readonly role: InviteRole
  readonly uses: number
}

/** `[member|reader] [uses]`, in any order; a member, once. `undefined`: something else. */
export const invitationIn = (argument: string): Invitation | undefined => {
  let role: InviteRole | undefined
  let uses: number | undefined
  for (const word of argument.toLowerCase().split(/\s+/)) {
    if (word === "") continue
    if (role === undefined && (word === "member" || word === "reader")) role = word
    else if (uses === undefined && /^[1-9]\d{0,3}$/.test(word) && Number(word) <= mostUses)
      uses = Number(word)
    else return undefined
  }
  return { role: role ?? "member", uses: uses ?? 1 }
}

/** Why there is no link, or what it is to do. */
const asked = Effect.fnUntraced(function* ({ user, argument }: CommandRequest) {
  const words = peopleTexts[user.language]
  if (!(yield* Permission.use((permission) => permission.takesInvites(user))))
    return { refusal: words.invitesIdle }
  // A private chat has the id of its person.
  if (user.chat !== user.sender) return { refusal: words.inviteInPrivate }
  const invitation = invitationIn(argument)
  return invitation === undefined ? { refusal: words.inviteUsage } : { invitation }
})

/** A link is sent at once and not by the outbox, whose rows would keep its code. */
export const invite: Command = {
  name: "invite",
  least: "owner",
  beforehand: Effect.fn("command.invite")(
    function* (request) {
      const { invitation } = yield* asked(request)
      if (invitation === undefined) return []
      const { user, updateId } = request
      const port = yield* BotPort
      const { username } = yield* port.identity(user)
      const id = `${user.botId}-${updateId}`
      const made = yield* Invites.use((invites) =>
        invites.create(user.tenant, { ...invitation, id }, `user:${user.sender}`)
      )
      const days = Duration.toDays(defaultInviteLifetime)
      const text = peopleTexts[user.language].invite({
        ...invitation,
        link: inviteLink(username, made.code),
        days
      })
      yield* port.send(user.address, { _tag: "Text", text, linkPreview: false })
      return []
    },
    // The tenant is being removed, and its bot with it: there is nobody to answer to.
    Effect.catchTag("TenantUnknown", () => Effect.succeed([]))
  ),
  run: (request) =>
    Effect.map(asked(request), ({ refusal }) =>
      refusal === undefined ? [] : [{ _tag: "Text", text: refusal }]
    )
}
