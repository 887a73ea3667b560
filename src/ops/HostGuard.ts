/**
 * Which names this server answers to. A page elsewhere can make a browser ask us under its own name (DNS
 * rebinding) or from its own origin; both are refused before anything else happens.
 */
import { isIP } from "node:net"

/** Host without port, lower case, brackets of IPv6 taken off; undefined when it is no host at all. */
export const hostOf = (header: string): string | undefined => {
  const url = URL.parse(`http://${header}`)
  if (url === null || url.username !== "" || url.pathname !== "/" || header.includes("/")) return undefined
  return url.hostname.replace(/^\[|\]$/g, "").replace(/\.$/, "")
}

/** Loopback, by name or by number. */
export const isLoopback = (host: string): boolean =>
  host === "localhost" ||
  host.endsWith(".localhost") ||
  host === "::1" ||
  (isIP(host) === 4 && host.startsWith("127."))

/** A number can be had by no rebinding: only names have to be ours. */
const isOurs = (host: string, names: ReadonlyArray<string>): boolean =>
  isLoopback(host) || isIP(host) !== 0 || names.includes(host)

export interface Request {
  readonly host: string | undefined
  readonly origin: string | undefined
}

/** Why the request is refused, or undefined. `names`: the names we are known by, lower case. */
export const refusal = (request: Request, names: ReadonlyArray<string>): string | undefined => {
  const host = request.host === undefined ? undefined : hostOf(request.host)
  if (host === undefined || !isOurs(host, names))
    return `This server does not answer to the name ${host ?? "it was asked under"}; HTTP_ALLOWED_HOSTS lists the names it has`
  if (request.origin === undefined) return undefined
  const origin = URL.parse(request.origin)
  const same =
    origin !== null &&
    (origin.protocol === "http:" || origin.protocol === "https:") &&
    origin.host === URL.parse(`${origin.protocol}//${request.host}`)?.host
  return same ? undefined : "Requests from other sites' pages are refused"
}
