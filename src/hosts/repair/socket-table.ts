import { readFile } from 'node:fs/promises'
import { type Flow, flowKey } from '../../transfer/tcp/flow.ts'

/** TCP_LISTEN and TCP_CLOSE: no connections. */
const NONE: ReadonlySet<string> = new Set(['0A', '07'])
const TABLES = ['tcp', 'tcp6'] as const
const MAPPED = '00000000000000000000ffff'

/**
 * The connections of this host's kernel, by {@link flowKey}, also those that end.
 * @throws Error they cannot be read now, as where no descriptor is free: that says nothing of any of them
 */
export async function connectionsOfKernel(directory = '/proc/net'): Promise<ReadonlySet<string>> {
  const keys = new Set<string>()
  for (const table of TABLES)
    for (const line of (await textOf(`${directory}/${table}`)).split('\n').slice(1)) {
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

/** Empty where the kernel has no such table: without IPv6, say. */
async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'latin1')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
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
