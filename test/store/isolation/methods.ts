/** Which methods of our services know tenants, read from the sources: a new one is not forgotten. */
import { globSync, readFileSync } from "node:fs"

const services = /class (\w+) extends Context\.Service<\s*\1,\s*\{\n([\s\S]*?)\n {2}\}\s*>/g
const members = /^ {4}readonly (\w+):([\s\S]*?)(?=^ {4}readonly |^ {4}\/\*\*|$(?![\s\S]))/gm
const knowsTenant = /\b(tenant|TenantId|Address|Bound|AuditEntry|\w*Key|\w*Update|Stream<\w*Key>)\b/

/** `Service.method`, for every method of those services of which one knows tenants. */
export const tenantMethods = (): ReadonlyArray<string> =>
  globSync("src/**/*.ts").flatMap((file) =>
    [...readFileSync(file, "utf8").matchAll(services)].flatMap(([, service, body]) => {
      const methods = [...body!.matchAll(members)]
      return methods.some(([, , type]) => knowsTenant.test(type!))
        ? methods.map(([, method]) => `${service}.${method}`)
        : []
    })
  )
