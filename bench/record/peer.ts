import { said } from '../tamper/lie.ts'
import { dial, type Line, listen } from './line.ts'
import { BULK, ECHO, type Order, PIECE, piece, type Report, type Role, SMALL } from './rows.ts'

/**
 * One end of the connections of one stack: a process of its own. A server answers; a client does what its
 * parent orders.
 */
async function main(): Promise<void> {
  process.on('disconnect', () => process.exit())
  process.on('message', (order: Order) => {
    if (order.do === 'cpu') sayCpu()
  })
  const role = JSON.parse(process.argv[2] ?? '') as Role
  try {
    if (role.role === 'server') {
      say({ say: 'listening', port: await listen(role.stack, role, serve) })
      return
    }
    const client = new Client(() => dial(role.stack, role.port, role.authority))
    say({ say: 'ready', cipherSuite: await client.check() })
    process.on('message', (order: Order) => {
      if (order.do === 'cpu') return
      client.measure(order).then(samples => say({ say: 'measured', samples }), fail)
    })
  } catch (error) {
    fail(error as Error)
  }
}

function say(report: Report): void {
  process.send?.(report)
}

function sayCpu(): void {
  const { user, system } = process.cpuUsage()
  say({ say: 'cpu', microseconds: user + system })
}

function fail(error: Error): void {
  say({ say: 'failed', reason: error.message })
}

const PATTERN = piece()
/** What servers send. */
const GIVEN = said(PATTERN)

function serve(line: Line): void {
  line.onBytes = first => {
    if (first[0] === ECHO) {
      line.onBytes = bytes => void line.write(bytes)
      return
    }
    let left = new DataView(first.buffer, first.byteOffset).getUint32(1)
    const send = (): void => {
      while (left > 0) {
        left--
        if (!line.write(GIVEN)) return
      }
    }
    line.onDrain = send
    send()
  }
}

/** The end that measures. */
class Client {
  readonly #dial: () => Promise<Line>

  constructor(dial: () => Promise<Line>) {
    this.#dial = dial
  }

  /**
   * Before anything is timed: what comes back, and what comes in bulk, must be what it should be. @returns
   * the cipher suite
   */
  async check(): Promise<string> {
    const line = await this.#dial()
    const { cipherSuite } = line
    line.write(Uint8Array.of(ECHO))
    for (const length of [1, SMALL, PIECE, SMALL]) {
      const sent = PATTERN.subarray(0, length)
      compare(await exchange(line, () => line.write(sent), length), sent)
    }
    line.close()
    const bulk = await this.#dial()
    const received = await exchange(bulk, () => bulk.write(bulkOrder(20)), 20 * PIECE)
    for (let at = 0; at < received.length; at += PIECE) compare(received.subarray(at, at + PIECE), PATTERN)
    bulk.close()
    return cipherSuite
  }

  measure(order: Exclude<Order, { do: 'cpu' }>): Promise<number[]> {
    return order.do === 'bulk' ? this.#bulk(order.pieces) : this.#roundTrips(order.count)
  }

  /** @returns µs of each round trip, on a connection of its own */
  async #roundTrips(count: number): Promise<number[]> {
    const line = await this.#dial()
    const message = PATTERN.slice(0, SMALL)
    const samples: number[] = []
    line.write(Uint8Array.of(ECHO))
    await new Promise<void>(resolve => {
      let received = 0
      let began = performance.now()
      line.onBytes = bytes => {
        received += bytes.length
        if (received < SMALL) return
        const now = performance.now()
        samples.push((now - began) * 1000)
        received = 0
        if (samples.length === count) {
          resolve()
          return
        }
        began = performance.now()
        line.write(message)
      }
      line.write(message)
    })
    line.close()
    return samples
  }

  /** @returns megabytes (10^6) a second, one sample */
  async #bulk(pieces: number): Promise<number[]> {
    const line = await this.#dial()
    const total = pieces * PIECE
    const began = performance.now()
    await new Promise<void>(resolve => {
      let received = 0
      line.onBytes = bytes => {
        received += bytes.length
        if (received >= total) resolve()
      }
      line.write(bulkOrder(pieces))
    })
    const seconds = (performance.now() - began) / 1000
    line.close()
    return [total / seconds / 1e6]
  }
}

function bulkOrder(pieces: number): Uint8Array {
  const order = new Uint8Array(5)
  order[0] = BULK
  new DataView(order.buffer).setUint32(1, pieces)
  return order
}

/** Writes, and gathers so many bytes. */
function exchange(line: Line, write: () => void, length: number): Promise<Uint8Array> {
  return new Promise(resolve => {
    const gathered = new Uint8Array(length)
    let at = 0
    line.onBytes = bytes => {
      gathered.set(bytes, at)
      at += bytes.length
      if (at === length) resolve(gathered)
    }
    write()
  })
}

function compare(actual: Uint8Array, expected: Uint8Array): void {
  if (Buffer.compare(actual, expected) !== 0) throw new Error(`${expected.length} bytes came back changed`)
}

await main()
