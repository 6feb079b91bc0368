import type { Member } from '../../src/supervisor/member.ts'
import { Replica } from '../../src/supervisor/replica.ts'

const POLICY = { first: 100, most: 1000, healthyAfter: 5000, crashLoop: 3 }

/**
 * A replica as the supervisor has it, without a process. @param id of the process that it is said to have;
 * undefined: none
 */
export function replica(name: string, id: number | undefined, ready = id !== undefined): Replica {
  const functionName = name.replace(/-\d+$/, '')
  const settings = { name, functionName, channel: 'native', provider: 'node', logLevel: 'info' } as const
  const made = new Replica({ name, role: 'container', entry: new URL('file:///nowhere'), settings }, POLICY)
  if (id !== undefined) {
    const peer = { id, role: 'container', name, functionName, publicKey: new Uint8Array(32) } as const
    made.member = { id, spec: made.spec, peer: ready ? peer : undefined } as unknown as Member
  }
  if (ready) made.life.ready(0)
  return made
}
