import { readFile } from 'node:fs/promises'
import { type Flow, flowKey } from '../../transfer/tcp/flow.ts'

/** TCP_LISTEN and TCP_CLOSE: no connections. */
const NONE: ReadonlySet<string> = new Set(['0A', '07'])
const TABLES = ['tcp', 'tcp6'] as const
const MAPPED = '00000000000000000000ffff'

/** The connections of this host's kernel, by {@link flowKey}, also those that end. */
export async function connectionsOfKernel(): Promise<ReadonlySet<string>> {
  const keys = new Set<string>()
  for (const table of TABLES)
    for (const line of (await textOf(`/proc/net/${table}`)).split('\n').slice(1)) {
      const [, local, remote, state] = line.trim().split(/\s+/)
      if (local === undefined || remote === undefined || state === undefined || NONE.has(state)) continue
      const [ours, theirs] = [nameOf(local), nameOf(remote)]
      keys.add(`${ours}-${theirs}`)
    }
  return keys
}

/** Whether it is there. */
export function isConnected(kernel: ReadonlySet<string>, flow: Flow): boolean {
  return kernel.has(flowKey(flow))
}

/** Empty on a host without such connections. */
async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'latin1')
  } catch {
    return ''
  }
}

/** `ADDRESS:PORT` in hexadecimal, the address in words of 32 bits as this machine orders them. */
function nameOf(text: string): string {
  const [address = '', port = ''] = text.split(':')
  const bytes = address.match(/.{8}/g)!.flatMap(word => word.match(/../g)!.reverse())
  const name = bytes.join('').toLowerCase()
  return `${name.startsWith(MAPPED) ? name.slice(MAPPED.length) : name}:${Number.parseInt(port, 16)}`
}
