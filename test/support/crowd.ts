import { Lookout } from '../../src/containers/watch/lookout.ts'
import { Tally } from '../../src/supervisor/admin/tally.ts'
import { type Listener, Observatory, type Place } from '../../src/supervisor/observatory/observatory.ts'
import type { ConnectionStatus } from '../../src/supervisor/sessions.ts'
import type { MemberStatus } from '../../src/supervisor/status.ts'
import { type ControlMessage, encodeControl } from '../../src/transfer/control.ts'
import { hex } from '../../src/wire/index.ts'
import { HandClock } from './hand-clock.ts'

/** Containers that have the connections. */
export const CONTAINERS = 10

/** Milliseconds between two steps of the same connection. */
const PAUSE = 1000
/** Milliseconds that pass at once. */
const TICK = 10
/** Milliseconds between two lines of news. */
const NEWS = 200

/** One connection, and the number of the container that has it, from 0. */
interface Moving {
  readonly sessionId: Uint8Array
  generation: number
  at: number
}

/**
 * Many connections that each move once a second, as ten containers tell them to the observatory. What is
 * noted, told and counted is the real thing; there are no sockets, and time goes on when the test says so.
 */
export class Crowd {
  readonly observatory: Observatory
  readonly tally = new Tally([])
  /** What was told to the first listener. */
  readonly told = { lines: 0, bytes: 0, missed: 0 }
  /** What all containers said to the observatory. */
  readonly said = { messages: 0, sights: 0, bytes: 0 }
  readonly #clock = new HandClock()
  readonly #places: ReadonlyMap<number, Place>
  readonly #lookouts: readonly Lookout[]
  readonly #connections: readonly Moving[]
  #next = 0

  constructor(count: number) {
    const places = Array.from({ length: CONTAINERS }, (_, number) => {
      const place: Place = { name: `echo-${number + 1}`, functionName: 'echo' }
      return [number + 1, place] as const
    })
    this.#places = new Map(places)
    this.#lookouts = places.map(() => new Lookout(this.#clock))
    this.#connections = Array.from({ length: count }, (_, number) => {
      const sessionId = new Uint8Array(16)
      new DataView(sessionId.buffer).setUint32(0, number)
      return { sessionId, generation: 0, at: number % CONTAINERS }
    })
    this.observatory = new Observatory({
      clock: this.#clock,
      tally: this.tally,
      containers: () => this.#places,
      tell: (id, message) => this.#watch(id, message),
      status: () => this.status(),
      connections: async () => this.#connections.map(one => this.#described(one)),
    })
  }

  /** As the admin port takes it: what goes to pages is counted. */
  get counted(): Pick<Observatory, 'subscribe' | 'life'> {
    return {
      life: id => this.observatory.life(id),
      subscribe: (listener: Listener) =>
        this.observatory.subscribe(line => {
          this.told.lines++
          this.told.bytes += Buffer.byteLength(line) + 1
          this.told.missed += (JSON.parse(line) as { missed?: number }).missed ?? 0
          listener(line)
        }),
    }
  }

  /** The processes, as the supervisor describes them. */
  async status(): Promise<readonly MemberStatus[]> {
    return [...this.#places].map(([id, { name, functionName }]) => ({
      ...{ name, role: 'container', functionName, state: 'ready', ready: true },
      ...{ id, pid: id, age: 1, restarts: 0 },
      counters: { connections: this.#connections.filter(({ at }) => at === id - 1).length },
    }))
  }

  /**
   * Lets a second pass, in which each connection moves to the next container.
   * @param told waits until a page has taken what it was told: it is told nothing while much waits for it
   */
  async second(told = async (): Promise<void> => {}): Promise<void> {
    const all = this.#connections.length
    for (let passed = TICK; passed <= PAUSE; passed += TICK) {
      for (const end = Math.floor((all * passed) / PAUSE); this.#next < end; this.#next++) this.#move()
      this.#clock.pass(TICK)
      if (passed % NEWS === 0) await told()
    }
    this.#next = 0
    // The observatory asks for the state, and waits for the answer.
    await new Promise(resolve => setImmediate(resolve))
  }

  #move(): void {
    const one = this.#connections[this.#next]!
    const from = this.#lookouts[one.at]!
    one.at = (one.at + 1) % CONTAINERS
    one.generation++
    from.note('left', one, { cause: 'request', target: one.at + 1, prepared: 0.08, handed: 0.4 })
    this.#lookouts[one.at]!.note('arrived', one, { prepared: 0.1 })
  }

  #watch(id: number, message: ControlMessage): void {
    if (message.kind !== 'watch') return
    this.#lookouts[id - 1]!.watch(message.milliseconds, message.most, said => {
      if (said.kind !== 'sights') return
      this.said.messages++
      this.said.sights += said.sights.length
      this.said.bytes += encodeControl(said).length
      this.observatory.heard(this.#places.get(id)!, said.sights, said.missed)
    })
  }

  #described({ sessionId, generation, at }: Moving): ConnectionStatus {
    return {
      ...{ id: hex(sessionId), generation, container: `echo-${at + 1}`, functionName: 'echo' },
      ...{ state: 'idle', protocol: 'HTTP/1.1', cipherSuite: 'TLS_AES_128_GCM_SHA256', tls: true },
      ...{ serverName: 'echo.local', requests: generation, hops: generation, age: 1, stays: undefined },
    }
  }
}
