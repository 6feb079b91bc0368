import { once } from 'node:events'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { createServer } from 'node:net'
import type { Ports } from '../../supervisor/supervisor.ts'
import { type Finding, fault, ok } from './finding.ts'

/** A port that the stack file names. */
export interface WantedPort {
  readonly name: keyof Ports
  readonly port: number
  readonly variable: string
}

/**
 * Whether the ports are free, or by which process they are held.
 * @param own those that this platform has already, if it runs
 */
export async function checkPorts(
  host: string,
  wanted: readonly WantedPort[],
  own: Ports | undefined,
): Promise<Finding[]> {
  const found: Finding[] = []
  for (const { name, port, variable } of wanted) {
    const what = `port ${name}`
    if (own !== undefined) found.push(ok(what, `${own[name]}, held by this platform, which runs`))
    else if (port === 0) found.push(ok(what, 'any free one'))
    else found.push(await checkPort(what, host, port, variable))
  }
  return found
}

async function checkPort(what: string, host: string, port: number, variable: string): Promise<Finding> {
  const server = createServer().listen({ host, port, exclusive: true })
  try {
    await once(server, 'listening')
    return ok(what, `${host} port ${port} is free`)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const advice = `choose another: ${variable}=PORT, or in the stack file`
    if (code === 'EADDRINUSE') return fault(what, `${host} port ${port} is held by ${holderOf(port)}`, advice)
    if (code === 'EACCES') return fault(what, `port ${port} is for root alone`, `${advice}, above 1023`)
    return fault(what, `nothing can listen on ${host} port ${port} (${code})`, advice)
  } finally {
    server.close()
  }
}

/** The process that listens on a port, by name and number, as far as this user may see it. */
export function holderOf(port: number): string {
  const sockets = ['tcp', 'tcp6'].flatMap(table => listeningOn(port, `/proc/net/${table}`))
  const pid = sockets.length === 0 ? undefined : ownerOf(new Set(sockets.map(one => `socket:[${one}]`)))
  if (pid === undefined) return 'another process, of another user'
  return `${commandOf(pid)} (process ${pid})`
}

/** The kernel's numbers of the sockets: state 0A is LISTEN, the tenth column the inode (proc(5)). */
function listeningOn(port: number, table: string): string[] {
  const hex = port.toString(16).toUpperCase().padStart(4, '0')
  return lines(table).flatMap(line => {
    const columns = line.trim().split(/\s+/)
    return columns[3] === '0A' && columns[1]?.endsWith(`:${hex}`) ? [columns[9] ?? ''] : []
  })
}

function ownerOf(links: ReadonlySet<string>): number | undefined {
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    const folder = `/proc/${entry}/fd`
    // It may have ended, or be another user's; or a descriptor is closed while we look at the others.
    const open = unlessGone(() => readdirSync(folder)) ?? []
    if (open.some(fd => links.has(unlessGone(() => readlinkSync(`${folder}/${fd}`)) ?? '')))
      return Number(entry)
  }
  return undefined
}

function unlessGone<T>(look: () => T): T | undefined {
  try {
    return look()
  } catch {
    return undefined
  }
}

function commandOf(pid: number): string {
  return lines(`/proc/${pid}/comm`)[0] ?? 'a process'
}

function lines(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').split('\n')
  } catch {
    return []
  }
}
