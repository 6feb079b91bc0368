import { openTcpPair } from '../../src/transfer/pair.ts'
import { freshTls } from '../../src/transfer/parcel.ts'
import { EMPTY } from '../../src/wire/index.ts'
import { rehearsalOptions } from './rehearsal.ts'

/** From whom the connections come at first. */
const CLIENT = 0

/** Idle connections in this process, which one host after the other hands over to the next when it drains. */
export interface Drains {
  /** Starts a host, and drains the one before. @returns when it has all connections, and nothing waits */
  drain(): Promise<void>
  close(): Promise<void>
}

/**
 * Opens so many TLS connections over TCP, and uses each once. Nothing is loaded before this is called, so
 * that a bench can count what is bound and made.
 */
export async function openDrains(count: number): Promise<Drains> {
  const options = await rehearsalOptions()
  const [{ RehearsalHost, RehearsalSupervisor }, { RehearsalClient }] = await Promise.all([
    import('../../src/containers/process/rehearsal-host.ts'),
    import('../../src/containers/process/rehearsal-client.ts'),
  ])
  let id = 1
  const supervisor = new RehearsalSupervisor()
  let current = new RehearsalHost(options, supervisor, id, 0)
  const clients: InstanceType<typeof RehearsalClient>[] = []
  const idleLeft = options.limits.timers['keep-alive']
  for (let i = 0; i < count; i++) {
    const [mine, theirs] = await openTcpPair()
    await new Promise<void>((resolve, reject) => {
      const client = new RehearsalClient(options.tls.provider, mine, false, resolve, reject)
      clients.push(client)
      const envelope = freshTls({ sessionId: client.sessionId, idleLeft, inbound: EMPTY })
      current.host.take({ envelope, descriptor: theirs }, CLIENT)
      client.ask()
    })
  }
  return {
    async drain() {
      const before = current
      current = before.successor(++id, [])
      await new Promise<void>(resolve => before.drain(resolve))
      current.forget(before)
      await before.close()
    },
    async close() {
      for (const client of clients) client.close()
      await current.close()
      supervisor.close()
    },
  }
}
