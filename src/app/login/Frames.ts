/** What the login page and the process tell each other, over one socket. */
import { Schema } from "effect"
import type { LoginStep } from "../../session/LoginStep.ts"
import { type LoginView, viewOf } from "../admin/SessionViews.ts"
import { type QrPath, qrPath } from "../QrPicture.ts"

const secret = (label: string, longest: number) =>
  Schema.RedactedFromValue(Schema.NonEmptyString.check(Schema.isMaxLength(longest)), { label })

/** What a person does on the page. */
export const Act = Schema.Union([
  /** By a code to scan, or by one that is sent to `phone`. `anew`: what is under way, wherever it is, is ended. */
  Schema.TaggedStruct("Begin", {
    phone: Schema.optionalKey(secret("phone number", 40)),
    anew: Schema.Boolean
  }),
  /** Looks at what is under way. */
  Schema.TaggedStruct("Join", {}),
  Schema.TaggedStruct("Code", { code: secret("code", 40) }),
  Schema.TaggedStruct("Password", { password: secret("password", 1024) }),
  Schema.TaggedStruct("Cancel", {})
])
export type Act = typeof Act.Type

export const decodeAct = Schema.decodeEffect(Schema.fromJsonString(Act))

/** What the page shows. */
export type Frame =
  | Exclude<LoginView, { readonly _tag: "Qr" }>
  | { readonly _tag: "Qr"; readonly picture: QrPath }
  /** Nothing is under way. */
  | { readonly _tag: "Idle" }
  /** Another process has it, and can alone be answered by whoever is connected to it. */
  | { readonly _tag: "Elsewhere"; readonly owner: string | undefined }
  /** The last answer was not the right one; the step stays. */
  | { readonly _tag: "Refused"; readonly reason: string; readonly message: string }

export const frameOf = (step: LoginStep): Frame => {
  const view = viewOf(step)
  return view._tag === "Qr" ? { _tag: "Qr", picture: qrPath(view.url) } : view
}
