/**
 * What to tell the user about a port that cannot be had. @param variable, key where another one can be chosen
 */
export function portError(error: unknown, port: number, variable: string, key: string): Error {
  const { code, message } = error as NodeJS.ErrnoException
  // It is not the port: no other one would do.
  if (code === undefined) return new Error(`Node ${process.version} cannot open port ${port}: ${message}`)
  if (code === 'ENOTFOUND' || code === 'EADDRNOTAVAIL' || code === 'EAI_AGAIN')
    return new Error(
      `gateway.host is not an address of this machine (${code}): ` +
        'choose another one with HOTPOTATO_HOST=ADDRESS',
    )
  const why =
    code === 'EADDRINUSE'
      ? 'is in use'
      : code === 'EACCES'
        ? 'may not be used by this user'
        : `cannot be opened (${code})`
  return new Error(
    `port ${port} ${why}: choose another one with ${variable}=PORT, or ${key} in hotpotato.yml`,
  )
}
