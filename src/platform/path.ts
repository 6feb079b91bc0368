/** Which function a path names, and the path that is left for it. */
export interface PathOwner {
  readonly functionName: string
  /** Begins with a slash: `/a/b` of `/echo/a/b`, `/` of `/echo`. */
  readonly functionPath: string
}

/**
 * The function that a path names by `/NAME`, `/NAME/…`, `/function/NAME` or `/function/NAME/…`; undefined if
 * it names none.
 * @param path without query, as the client sent it: nothing in it is decoded
 * @param known the names of the functions there are
 */
export function ownerOfPath(path: string, known: ReadonlySet<string>): PathOwner | undefined {
  const rest = path.startsWith('/function/') ? path.slice('/function'.length) : undefined
  return (rest === undefined ? undefined : firstSegment(rest, known)) ?? firstSegment(path, known)
}

function firstSegment(path: string, known: ReadonlySet<string>): PathOwner | undefined {
  if (!path.startsWith('/')) return undefined
  const slash = path.indexOf('/', 1)
  const functionName = slash < 0 ? path.slice(1) : path.slice(1, slash)
  if (functionName === '' || !known.has(functionName)) return undefined
  return { functionName, functionPath: slash < 0 ? '/' : path.slice(slash) }
}
