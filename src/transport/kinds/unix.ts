import { chmodSync, lstatSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { isMainThread } from 'node:worker_threads'
import { ConnectError } from '../connector.ts'
import type { ListeningKind } from './kind.ts'
import { listening, open, plainly } from './sockets.ts'

/** Where a server is found, on this machine. */
export interface UnixPlace {
  readonly path: string
  /** Who may connect, as `chmod` has it; default: 0o600, this user alone. */
  readonly mode?: number
}

/**
 * A Unix socket: `path` of the target before that of the route, and otherwise the host of a URL such as
 * `http+unix://%2Frun%2Fa.sock/`.
 */
export const unix: ListeningKind<{ readonly path?: string }, UnixPlace> = {
  name: 'unix',
  async connect(target, { signal }, given) {
    const path = target.path ?? given.path ?? pathIn(target.host)
    if (path === undefined) {
      const what = `no path of a Unix socket in ${JSON.stringify(target.host)}`
      throw new ConnectError('unsupported', `${what}: context.over('…', unix, { path }) gives one`)
    }
    return plainly(await open({ ...target, path }, { path }, signal))
  },
  async listen({ path, mode = 0o600 }) {
    await clear(path)
    // Between bind and chmod no other user may slip in; a worker thread has no umask of its own to change.
    const former = isMainThread ? process.umask(0o777 & ~mode) : undefined
    const opening = listening({ path })
    if (former !== undefined) process.umask(former)
    const listener = await opening
    chmodSync(path, mode)
    return listener
  },
}

/** A path in place of a host name, `/` as `%2F`. */
function pathIn(host: string): string | undefined {
  if (!/%2f/i.test(host)) return undefined
  try {
    return decodeURIComponent(host)
  } catch {
    return undefined
  }
}

/** Removes the socket of a server that is gone, and nothing else. */
async function clear(path: string): Promise<void> {
  const there = lstatSync(path, { throwIfNoEntry: false })
  if (there === undefined || !there.isSocket()) return
  const gone = await new Promise<boolean>(resolve => {
    const probe = connect({ path })
    probe.once('connect', () => resolve(false))
    // One that is too busy to answer (EAGAIN) is there, and so is one that we may not ask (EACCES).
    probe.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code === 'ECONNREFUSED'))
    probe.once('connect', () => probe.destroy())
  })
  if (gone) rmSync(path, { force: true })
}
