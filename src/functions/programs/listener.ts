import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { MARK } from './guardian.ts'

/** As the kernel lists sockets: the state of one that listens. */
const LISTENS = '0A'

/**
 * Whether all that listens on a port of this machine is a program's own: any other user could have taken the
 * port before it, on one address of several, and would be given the clients' requests.
 * @param session of the program's processes, or else they have the mark in their environment
 * @returns true also where the kernel does not let us see
 */
export function isOwn(port: number, session: number, mark: string): boolean {
  const others = listeners(port)
  if (others === undefined) return true
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name) || !belongs(`/proc/${name}`, session, mark)) continue
    try {
      for (const fd of readdirSync(`/proc/${name}/fd`)) others.delete(linkOf(`/proc/${name}/fd/${fd}`))
    } catch (error) {
      // One that has become another user's is not shown to us.
      if ((error as NodeJS.ErrnoException).code === 'EACCES') return true
    }
  }
  return others.size === 0
}

/** The sockets that listen there, as `socket:[4711]`; undefined if that cannot be seen. */
function listeners(port: number): Set<string> | undefined {
  const wanted = port.toString(16).toUpperCase().padStart(4, '0')
  const found = new Set<string>()
  let seen = false
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    const lines = textOf(table)?.trim().split('\n').slice(1)
    seen ||= lines !== undefined
    for (const line of lines ?? []) {
      const [, local = '', , state, , , , , , inode] = line.trim().split(/\s+/)
      if (state === LISTENS && local.endsWith(`:${wanted}`)) found.add(`socket:[${inode}]`)
    }
  }
  return seen ? found : undefined
}

function belongs(process: string, session: number, mark: string): boolean {
  // Behind the name, which may hold anything, come state, parent, group and session.
  const stat = textOf(`${process}/stat`)
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ')
  if (Number(fields?.[3]) === session) return true
  return textOf(`${process}/environ`)?.split('\0').includes(`${MARK}=${mark}`) === true
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'latin1')
  } catch {
    return undefined
  }
}

function linkOf(file: string): string {
  try {
    return readlinkSync(file)
  } catch {
    return ''
  }
}
