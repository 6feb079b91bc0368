import { readFileSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { connect, type TLSSocket } from 'node:tls'
import { obey, report, roleOf } from '../rig/child.ts'
import { MESSAGE, type Memory, type Order, type Report, type Role, SERVER_NAME } from './rows.ts'
import { listen } from './servers.ts'

/** A server whose memory is looked at, or the client that fills it with connections. */
async function main(): Promise<void> {
  const role = roleOf<Role>()
  if (role.role === 'client') {
    const client = new Client(role.port, role.authority)
    obey<Order, Report>(async order => {
      if (order.do === 'open') await client.open(order.count)
      else if (order.do === 'close') await client.close()
      return { say: 'done' }
    })
    report({ say: 'listening', port: 0 })
    return
  }
  const { port, connections } = await listen(role.stack, role)
  obey<Order, Report>(async () => ({ say: 'memory', ...(await memory(connections())) }))
  report({ say: 'listening', port })
}

async function memory(connections: number): Promise<Memory> {
  // Twice, with a moment in between: what was collected may have to be finalised.
  for (let round = 0; round < 3; round++) {
    ;(globalThis as { gc?: () => void }).gc?.()
    await setTimeout(50)
  }
  const { rss, heapUsed, external } = process.memoryUsage()
  const anonymous = anonymousBytes()
  return {
    connections,
    resident: rss,
    heap: heapUsed,
    external,
    ...(anonymous === undefined ? {} : { anonymous }),
  }
}

function anonymousBytes(): number | undefined {
  try {
    const [, kibibytes] =
      /^Pss_Anon:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/smaps_rollup', 'utf8')) ?? []
    return kibibytes === undefined ? undefined : Number(kibibytes) * 1024
  } catch {
    return undefined
  }
}

class Client {
  readonly #port: number
  readonly #authority: string
  readonly #open: TLSSocket[] = []

  constructor(port: number, authority: string) {
    this.#port = port
    this.#authority = authority
  }

  /** So many more connections, each checked with one message. */
  async open(count: number): Promise<void> {
    let left = count
    const worker = async (): Promise<void> => {
      while (left-- > 0) this.#open.push(await this.#connect())
    }
    await Promise.all(Array.from({ length: 8 }, worker))
  }

  #connect(): Promise<TLSSocket> {
    const message = Buffer.from(Array.from({ length: MESSAGE }, (_, index) => index))
    return new Promise((resolve, reject) => {
      const socket = connect({
        port: this.#port,
        host: '127.0.0.1',
        servername: SERVER_NAME,
        ca: this.#authority,
        minVersion: 'TLSv1.3',
      })
      socket.on('error', reject)
      let received = Buffer.alloc(0)
      socket.on('data', bytes => {
        received = Buffer.concat([received, bytes])
        if (received.length < MESSAGE) return
        if (received.equals(message)) resolve(socket)
        else reject(new Error('the echo differs from what was sent'))
      })
      socket.write(message)
    })
  }

  async close(): Promise<void> {
    for (const socket of this.#open.splice(0)) socket.destroy()
    await setTimeout(200)
  }
}

await main()
