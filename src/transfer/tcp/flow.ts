import { isIP } from 'node:net'
import { hex, struct, type TypeOf, uint16 } from '../../wire/index.ts'
import { sockets } from '../native/sockets.ts'
import { readName } from './names.ts'
import { TcpEnds } from './state.ts'

/** What tells one TCP connection from all others: both addresses and both ports. `local` is the server's. */
export const Flow = struct('Flow', { ends: TcpEnds, localPort: uint16, remotePort: uint16 })
export type Flow = TypeOf<typeof Flow>

/** @returns undefined: it is no TCP connection, or has no peer any more */
export function flowOf(fd: number): Flow | undefined {
  const calls = sockets()
  try {
    const remote = readName(calls.name(fd, 'peer'))
    const local = readName(calls.name(fd, 'own'))
    if (remote === undefined || local === undefined) return undefined
    const ends = { family: local.family, local: local.address, remote: remote.address }
    return { ends, localPort: local.port, remotePort: remote.port }
  } catch {
    return undefined
  }
}

/** The same text for the same connection. */
export function flowKey({ ends, localPort, remotePort }: Flow): string {
  return `${hex(ends.local)}:${localPort}-${hex(ends.remote)}:${remotePort}`
}

/** An address as text: RFC 5952 is not kept to, each group is written. */
export function addressText(address: Uint8Array): string {
  if (address.length === 4) return address.join('.')
  const groups = Array.from({ length: 8 }, (_, i) =>
    ((address[2 * i]! << 8) | address[2 * i + 1]!).toString(16),
  )
  return groups.join(':')
}

/** The same the other way round, of any form that is written. @returns undefined: it is no address */
export function addressBytes(text: string): Uint8Array | undefined {
  const version = isIP(text)
  if (version === 4) return Uint8Array.from(text.split('.'), Number)
  // Of one link, or with IPv4 at its end: no address that packets are steered to.
  if (version !== 6 || /[%.]/.test(text)) return undefined
  const [head = '', tail] = text.split('::')
  const groups = (part: string): number[] =>
    part === '' ? [] : part.split(':').map(one => Number.parseInt(one, 16))
  const [before, after] = [groups(head), groups(tail ?? '')]
  const all = [...before, ...Array<number>(8 - before.length - after.length).fill(0), ...after]
  return Uint8Array.from(all.flatMap(group => [group >> 8, group & 0xff]))
}
