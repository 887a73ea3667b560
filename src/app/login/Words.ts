/** What the login page says, in each language the bot speaks: the words of its files by name, and those of its script. */
import type { Language } from "../../domain/Language.ts"
import type { LoginError } from "../../session/SessionError.ts"

type Reason = LoginError["_tag"] | "NoLogin" | "SqlError"

/** In the place of `{…}` something is put that the page knows. */
interface ScriptWords {
  readonly lastTry: string
  readonly tries: string
  readonly sent: string
  readonly someCode: string
  readonly digits: string
  readonly ways: Readonly<Record<"app" | "sms" | "call" | "email" | "other", string>>
  readonly hint: string
  readonly owner: string
  readonly away: string
  /** Why a login ended, where it is not said as the process says it. `{message}`: what that is. */
  readonly ended: Readonly<Partial<Record<Reason, string>>>
  /** Of an answer that may be given again. */
  readonly refused: Readonly<Partial<Record<Reason, string>>>
}

const en = {
  page: {
    title: "Log in to Telegram",
    session: "Session",
    lost: "The connection is cut. Connecting again…",
    heading: "Log your Telegram account in",
    about:
      "The assistant stays logged in and can read what your account can read. Your phone lists it under " +
      "Settings → Devices, where you can end it at any time.",
    showQr: "Show a QR code",
    showQrMore: "Your phone scans it from this screen",
    noScreen: "no second screen?",
    phone: "Your phone number",
    sendCode: "Send a code",
    connecting: "Connecting to Telegram…",
    scan: "Scan this with your phone",
    picture: "QR code",
    scanOpen: "Open Telegram on your phone",
    scanGo: "Go to Settings → Devices → Link Desktop Device",
    scanPoint: "Point the phone at this picture",
    scanChanges: "The picture changes by itself every half minute.",
    codeInstead: "Use a code instead",
    cancel: "Cancel",
    scanned: "Scanned",
    confirm: "Confirm it on your phone.",
    enterCode: "Enter the code",
    code: "Code",
    goOn: "Go on",
    enterPassword: "Enter your password",
    aboutPassword:
      "Your account has a two-step password. It goes to Telegram as a proof only, and is kept nowhere.",
    password: "Two-step password",
    logIn: "Log in",
    done: "Logged in as",
    doneSaved:
      "From now on what you write into Saved Messages becomes notes here, unless you ended that before. Nothing older is " +
      "taken, and no other chat until you choose it: send your bot /follow. To stop it, send /unfollow saved.",
    doneEnd: "To end all of it, choose it on your phone under Settings → Devices. You can close this page.",
    notLoggedIn: "You are not logged in",
    again: "Begin again",
    elsewhere: "It is under way elsewhere",
    aboutElsewhere: "This session is being logged in already",
    aboutElsewhereMore:
      ", and this page is not connected to that. You can look again, for that may change, or end it there and begin anew.",
    look: "Look again",
    anew: "Begin anew",
    goneTitle: "This link has ended",
    gone: "This link works no longer",
    aboutGone:
      "A login link works once, in one browser, and for ten minutes. Perhaps it was opened before, perhaps it is older, " +
      "or a part of it was lost on the way.",
    goneAsk: "Send your bot /login for a new one. An operator makes one with",
    noScript: "This page needs JavaScript to show a code that changes."
  },
  script: {
    lastTry: "This is the last try.",
    tries: "{n} tries are left.",
    sent: "Telegram sent {code} {way}.",
    someCode: "a code",
    digits: "a code of {n} digits",
    ways: {
      app: "in your Telegram app",
      sms: "by SMS",
      call: "by a call",
      email: "by e-mail",
      other: "to you"
    },
    hint: "Your hint: {hint}",
    owner: ", by {owner}",
    away: "The assistant does not answer now. Try again in a moment.",
    ended: {},
    refused: {}
  } satisfies ScriptWords as ScriptWords
}

type PageWords = Readonly<Record<keyof typeof en.page, string>>

const ruEnded: Readonly<Record<Reason, string>> = {
  AccountRefused: "Вошли не в тот аккаунт, поэтому вход отменён. Войдите в тот, для которого эта ссылка.",
  AlreadyAuthorized: "Здесь уже вошли. Чтобы войти заново, сначала завершите прежний сеанс.",
  CodeRefused: "Код неверен или больше не действует. Начните заново.",
  CredentialsMissing: "У ассистента нет API id и hash с https://my.telegram.org. Их должен дать оператор.",
  HeldElsewhere: "Этим сеансом занят другой процесс ассистента. Попробуйте ещё раз через минуту.",
  LoginCancelled: "Вход отменён. Можно начать заново.",
  LoginExpired: "Вход занял слишком много времени. Начните заново.",
  LoginFailed: "Войти не получилось. Вот что ответил Telegram: {message}",
  LoginUnderWay: "В этот сеанс уже кто-то входит. Сначала завершите или отмените тот вход.",
  NoLogin: "Этот вход уже закончился. Начните заново.",
  NotAnAccount: "Это сеанс бота, входить в него не нужно.",
  PasswordRefused: "Пароль слишком много раз был неверен. Начните заново.",
  RateLimited: "Telegram просит подождать. Попробуйте позже. ({message})",
  SessionUnknown: "Такого сеанса больше нет. Попросите новую ссылку.",
  SqlError: "Ассистент сейчас не отвечает. Попробуйте чуть позже.",
  TenantDisabled: "Оператор отключил этого клиента, входить пока нельзя."
}

const ru: { readonly page: PageWords; readonly script: ScriptWords } = {
  page: {
    title: "Вход в Telegram",
    session: "Сеанс",
    lost: "Связь прервалась. Подключаюсь снова…",
    heading: "Вход в ваш аккаунт Telegram",
    about:
      "Ассистент останется в вашем аккаунте и сможет читать то же, что и вы. На телефоне он виден в разделе " +
      "Настройки → Устройства; там его можно отключить в любой момент.",
    showQr: "Показать QR-код",
    showQrMore: "Телефон отсканирует его с этого экрана",
    noScreen: "нет второго экрана?",
    phone: "Ваш номер телефона",
    sendCode: "Прислать код",
    connecting: "Подключаюсь к Telegram…",
    scan: "Отсканируйте телефоном",
    picture: "QR-код",
    scanOpen: "Откройте Telegram на телефоне",
    scanGo: "Зайдите в Настройки → Устройства → Подключить устройство",
    scanPoint: "Наведите телефон на эту картинку",
    scanChanges: "Картинка сама меняется каждые полминуты.",
    codeInstead: "Лучше код",
    cancel: "Отменить",
    scanned: "Отсканировано",
    confirm: "Подтвердите вход на телефоне.",
    enterCode: "Введите код",
    code: "Код",
    goOn: "Дальше",
    enterPassword: "Введите пароль",
    aboutPassword:
      "У вашего аккаунта есть облачный пароль. В Telegram уйдёт лишь доказательство, что вы его знаете; он нигде не сохранится.",
    password: "Облачный пароль",
    logIn: "Войти",
    done: "Вы вошли как",
    doneSaved:
      "С этого момента всё, что вы пишете в Избранное, становится заметками, если вы раньше это не отключили. Более " +
      "старое не берётся, другие чаты — только когда вы их выберете: пошлите боту /follow. Чтобы перестать: /unfollow saved.",
    doneEnd:
      "Чтобы выйти совсем, выберите этот сеанс на телефоне: Настройки → Устройства. Страницу можно закрыть.",
    notLoggedIn: "Войти не получилось",
    again: "Начать заново",
    elsewhere: "Вход идёт в другом месте",
    aboutElsewhere: "В этот сеанс уже входят",
    aboutElsewhereMore:
      ", и эта страница с тем входом не связана. Можно посмотреть ещё раз, вдруг что-то изменилось, или прекратить тот вход и начать заново.",
    look: "Посмотреть ещё раз",
    anew: "Начать заново",
    goneTitle: "Ссылка больше не действует",
    gone: "Эта ссылка больше не работает",
    aboutGone:
      "Ссылка для входа срабатывает один раз, в одном браузере, в течение десяти минут. Может быть, её уже открывали, " +
      "или она старше, или часть её потерялась по дороге.",
    goneAsk: "Пошлите боту /login, и он даст новую. У оператора для этого есть",
    noScript: "Чтобы показывать меняющийся код, этой странице нужен JavaScript."
  },
  script: {
    lastTry: "Это последняя попытка.",
    tries: "Осталось попыток: {n}.",
    sent: "Telegram прислал {code} {way}.",
    someCode: "код",
    digits: "код (цифр: {n})",
    ways: {
      app: "в приложение Telegram",
      sms: "по SMS",
      call: "звонком",
      email: "на электронную почту",
      other: "вам"
    },
    hint: "Ваша подсказка: {hint}",
    owner: ", процесс {owner}",
    away: "Ассистент сейчас не отвечает. Попробуйте через минуту.",
    ended: ruEnded,
    refused: { CodeRefused: "Код неверен", PasswordRefused: "Пароль неверен", NoLogin: ruEnded.NoLogin }
  }
}

const wordsOf = { en, ru } satisfies Record<Language, { page: PageWords; script: ScriptWords }>

/** For the places of the page's files. */
export const put = (language: Language): Readonly<Record<string, string>> => {
  const { page, script } = wordsOf[language]
  // An arrow begins no line.
  const bound = Object.entries(page).map(([name, text]) => [name, text.replaceAll(" →", "\u00a0→")])
  return { lang: language, ...Object.fromEntries(bound), words: JSON.stringify(script) }
}
