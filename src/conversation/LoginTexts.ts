/** What people are told who want to log their own account in, in each language the bot speaks. */
import { bold, code, compose, type FormattedText, plain } from "../domain/FormattedText.ts"
import type { Language } from "../domain/Language.ts"

export interface LoginTexts {
  /** `local`: the machine of the assistant alone can open the link. */
  readonly link: (link: {
    readonly url: string
    readonly minutes: number
    readonly local: boolean
  }) => FormattedText
  readonly inPrivate: FormattedText
  readonly loggedIn: FormattedText
  /** The tenant has no API id and hash to log in with. */
  readonly withoutKey: (tenant: string) => FormattedText
}

const en: LoginTexts = {
  link: ({ url, minutes, local }) =>
    compose(
      bold("Log your account in"),
      "\n\nOpen this page on ",
      bold("another screen"),
      ", such as a computer, for this phone has to scan what it shows. Without a second screen the page can also send " +
        "you a code.\n\n",
      // No client makes a link of an address only one machine can open.
      local ? code(url) : url,
      local ? "\n\nIt opens only on the machine I run on; the operator can change that with PUBLIC_URL." : "",
      `\n\nIt works once, for ${minutes} minutes, and for your account only. `,
      bold("Give it to nobody"),
      ", and never type a code from Telegram anywhere else.\n\n" +
        "Once you are logged in, what you write into Saved Messages becomes notes here; nothing older, and no other chat " +
        "until one is chosen. To stop that, send me /unfollow saved; to end all of it, choose it on your phone under " +
        "Settings → Devices."
    ),
  inPrivate: plain("Everybody here would see the link. Ask me in our private chat."),
  loggedIn: plain(
    "Your account is logged in already, and what you write into Saved Messages becomes notes here, unless that was " +
      "ended. To log out, choose it on your phone under Settings → Devices; to stop the notes alone, send " +
      "me /unfollow saved."
  ),
  withoutKey: (tenant) =>
    compose(
      "The operator has to give me an API id and hash of https://my.telegram.org first:\n",
      code(`npx zapiska session add ${tenant} me --api-id <id>`),
      "\nThen ask me again."
    )
}

const ru: LoginTexts = {
  link: ({ url, minutes, local }) =>
    compose(
      bold("Вход в ваш аккаунт"),
      "\n\nОткройте эту страницу на ",
      bold("другом экране"),
      ", например на компьютере: этому телефону нужно отсканировать то, что на ней. Если второго экрана нет, страница " +
        "может прислать код.\n\n",
      local ? code(url) : url,
      local
        ? "\n\nОна открывается только на той машине, где я работаю; оператор может это изменить через PUBLIC_URL."
        : "",
      `\n\nСсылка сработает один раз, в течение ${minutes} минут, и только для вашего аккаунта. `,
      bold("Никому её не давайте"),
      " и нигде больше не вводите коды от Telegram.\n\n" +
        "После входа всё, что вы напишете в «Избранное», будет становиться заметками здесь; ничего из прошлого и " +
        "никаких других чатов, пока их не выберут. Чтобы это прекратить, отправьте мне /unfollow saved; чтобы выйти " +
        "совсем, завершите сеанс на телефоне: Настройки → Устройства."
    ),
  inPrivate: plain("Здесь ссылку увидят все. Попросите меня в личном чате."),
  loggedIn: plain(
    "Вы уже вошли, и всё, что вы пишете в «Избранное», становится заметками здесь, если это не отключено. Чтобы выйти, " +
      "выберите этот сеанс на телефоне: Настройки → Устройства; чтобы прекратить только заметки, отправьте " +
      "мне /unfollow saved."
  ),
  withoutKey: (tenant) =>
    compose(
      "Сначала оператор должен дать мне API id и hash с https://my.telegram.org:\n",
      code(`npx zapiska session add ${tenant} me --api-id <id>`),
      "\nПотом попросите меня снова."
    )
}

export const loginTexts: Readonly<Record<Language, LoginTexts>> = { en, ru }
