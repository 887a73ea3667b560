/** What people call a chat they choose. */
import { Schema } from "effect"

/** `saved`, or a channel or group the account is in: by its id, or by its name as `@news`. */
export const ChatName = Schema.String.check(
  Schema.isPattern(/^(saved|-?\d{1,16}|@\w{1,64})$/, {
    message: "saved, the id of a channel or group, or its name as @news"
  })
).pipe(Schema.brand("ChatName"))
export type ChatName = typeof ChatName.Type
