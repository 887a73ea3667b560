// The page's side of the JSON API and of the live events.

const read = async (path, init) => {
  const response = await fetch(path, init)
  const body = await response.json().catch(() => ({ error: `The sandbox answered ${response.status}` }))
  if (!response.ok) throw new Error(body.error ?? `The sandbox answered ${response.status}`)
  return body
}

/** One action of the control table. */
export const act = (action, input) =>
  read(`/sandbox/api/actions/${action}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(input)
  })

const query = (path, params) => {
  const search = new URLSearchParams(
    Object.entries(params)
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => [key, String(value)])
  )
  return read(`${path}?${search}`)
}

export const fetchState = (user) => query("/sandbox/api/state", { user })
export const fetchTree = () => read("/sandbox/api/kb/tree")
export const fetchNote = (path) => query("/sandbox/api/kb/file", { path })
export const fetchLog = (path) => query("/sandbox/api/kb/log", { path })
export const fetchDiff = (commit, path) => query("/sandbox/api/kb/diff", { commit, path })

export const fileUrl = (fileId) => `/sandbox/api/file?id=${encodeURIComponent(fileId)}`
export const mediaUrl = (path) => `/sandbox/api/kb/media?path=${encodeURIComponent(path)}`

/** The bytes of a blob as the API takes them. */
export const toBase64 = (blob) =>
  new Promise((resolve, reject) => {
    const reader = new FileReader()
    reader.onload = () => resolve(String(reader.result).replace(/^[^,]*,/, ""))
    reader.onerror = () => reject(new Error(`${blob.name ?? "The file"} cannot be read`))
    reader.readAsDataURL(blob)
  })

/**
 * Live events of one person's chats. `hello` comes after each (re)connection: list everything anew then.
 * @returns {() => void} closes it
 */
export const listen = (user, { hello, event, knowledge, lost }) => {
  const source = new EventSource(`/sandbox/api/events?user=${user}`)
  source.addEventListener("hello", hello)
  source.addEventListener("knowledge", knowledge)
  source.addEventListener("message", (message) => event(JSON.parse(message.data)))
  let again
  source.addEventListener("error", () => {
    lost()
    // A refused connection is final for the browser; a server that restarts deserves another try.
    if (source.readyState === EventSource.CLOSED) {
      clearTimeout(again)
      again = setTimeout(() => {
        close = listen(user, { hello, event, knowledge, lost })
      }, 2000)
    }
  })
  let close = () => source.close()
  return () => {
    clearTimeout(again)
    source.close()
    close()
  }
}
