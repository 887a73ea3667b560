/**
 * The Bot API methods the emulator knows. The table is checked against grammY's own types: a method renamed or
 * removed upstream stops the compiler. Anything else answers 404, and getUpdates waits, so it is on its own.
 */
import type { ApiMethods } from "grammy/types"
import type { Call } from "./Content.ts"
import * as Change from "./methods/Change.ts"
import * as Chats from "./methods/Chats.ts"
import * as Media from "./methods/Media.ts"
import * as Send from "./methods/Send.ts"
import * as Settings from "./methods/Settings.ts"
import type { Answer } from "./Refusal.ts"
import type { World } from "./World.ts"

export type Method = (world: World, call: Call) => Answer<unknown>

export const methods = {
  getMe: Settings.getMe,
  setMyCommands: Settings.setMyCommands,
  getMyCommands: Settings.getMyCommands,
  deleteMyCommands: Settings.deleteMyCommands,
  setWebhook: Settings.setWebhook,
  deleteWebhook: Settings.deleteWebhook,
  getWebhookInfo: Settings.getWebhookInfo,

  sendMessage: Send.sendMessage,
  sendRichMessage: Send.sendRichMessage,
  sendMessageDraft: Send.sendMessageDraft,
  sendChatAction: Send.sendChatAction,
  sendLocation: Send.sendLocation,
  sendVenue: Send.sendVenue,
  sendContact: Send.sendContact,
  sendPoll: Send.sendPoll,
  sendDice: Send.sendDice,

  sendPhoto: Media.sendPhoto,
  sendDocument: Media.sendDocument,
  sendVideo: Media.sendVideo,
  sendAudio: Media.sendAudio,
  sendVoice: Media.sendVoice,
  sendAnimation: Media.sendAnimation,
  sendVideoNote: Media.sendVideoNote,
  sendSticker: Media.sendSticker,
  sendMediaGroup: Media.sendMediaGroup,
  getFile: Media.getFile,

  editMessageText: Change.editMessageText,
  editMessageCaption: Change.editMessageCaption,
  editMessageReplyMarkup: Change.editMessageReplyMarkup,
  deleteMessage: Change.deleteMessage,
  deleteMessages: Change.deleteMessages,
  setMessageReaction: Change.setMessageReaction,
  answerCallbackQuery: Change.answerCallbackQuery,

  getChat: Chats.getChat,
  getChatMember: Chats.getChatMember,
  createForumTopic: Chats.createForumTopic,
  forwardMessage: Chats.forwardMessage,
  copyMessage: Chats.copyMessage
} satisfies { readonly [M in keyof ApiMethods]?: Method }

const byName: ReadonlyMap<string, Method> = new Map(
  Object.entries(methods).map(([name, method]) => [name.toLowerCase(), method])
)

/** Telegram reads method names in any case. */
export const methodNamed = (name: string): Method | undefined => byName.get(name.toLowerCase())
