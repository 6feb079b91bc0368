import type { Clock, Timer } from '../../time/clock.ts'
import { openPair, openTcpPair, type Pair } from '../../transfer/pair.ts'
import { freshTls } from '../../transfer/parcel.ts'
import { EMPTY } from '../../wire/index.ts'
import { RehearsalClient } from './rehearsal-client.ts'
import { RehearsalHost, type RehearsalOptions, RehearsalSupervisor } from './rehearsal-host.ts'

/** The first ids: what is asked for next decides which host must have the connection. */
const SIDES = [1, 2] as const
/** From whom the connection comes at first: neither of these. */
const CLIENT = 0
/** Moves without a pause. */
const BATCH = 20
/** Milliseconds for one move; one that takes longer is given up, and the rehearsal with it. */
const PATIENCE = 2000
/** Clients: all of them ask in turns, and are idle then together. */
const CLIENTS = 32
/** Rounds after which one of them goes, and another comes in its place. */
const LIFE = 8

/** A move took longer than it may: the machine has other work, and a rehearsal is no reason to add to it. */
export class BusyError extends Error {
  override readonly name = 'BusyError'

  constructor() {
    super(`one move took more than ${PATIENCE / 1000} s`)
  }
}

/**
 * Connections that two hosts in this process hand to and fro, by the code and the kernel calls that real
 * ones take: sealing, messages, descriptors, raw streams, TLS, HTTP and a function. After some hundred moves
 * the engine has compiled all of it, for the kinds of objects that it has seen. So, if asked for, one is
 * TCP, as a client's is, and others are Unix streams, as legs are; clients come and go; they move over a
 * request, and together while they are idle, as in a roll-out; requests, answers and functions are not all
 * alike; and what a container has made of its settings is made here by the same code. It needs the native
 * channel.
 */
export class Rehearsal {
  readonly #supervisor = new RehearsalSupervisor()
  readonly #hosts: RehearsalHost[]
  #ids: number = SIDES.length
  readonly #clients: RehearsalClient[] = []
  readonly #options: RehearsalOptions
  readonly #clock: Clock
  #moves = 0
  /** Requests. */
  #asked = 0
  #answered: () => void = () => {}
  #failed: (error: Error) => void = () => {}

  /** Makes both hosts. */
  constructor(options: RehearsalOptions) {
    this.#options = options
    this.#clock = options.clock
    const [one, other] = SIDES.map((id, side) => new RehearsalHost(options, this.#supervisor, id, side))
    one!.meet(other!)
    this.#hosts = [one!, other!]
  }

  /** How often connections have moved. */
  get moves(): number {
    return this.#moves
  }

  /**
   * Has connections move in turns until there is enough of it, then closes everything.
   * @param pause milliseconds after every {@link BATCH} moves
   * @throws Error one does not move
   */
  async run(pause: number, enough: () => boolean): Promise<void> {
    try {
      const tcp = await openTcpPair().catch(() => undefined)
      if (tcp !== undefined) this.#connect(tcp)
      while (this.#clients.length < (this.#options.varied === true ? CLIENTS : 1)) this.#connect(unixPair())
      await this.#moveOn(pause, enough)
    } finally {
      // The answer came before the verdict: until then the one who had the connection keeps its descriptor.
      const end = this.#clock.steady() + PATIENCE
      while (this.#hosts.some(({ courier }) => courier.inCustody > 0) && this.#clock.steady() < end)
        await this.#pass(1)
      for (const client of this.#clients) client.close()
      for (const host of this.#hosts) await host.close()
      this.#supervisor.close()
    }
  }

  /** One move after the other, each begun by the answer to the one before. */
  #moveOn(pause: number, enough: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      let patience: Timer | undefined
      let seen = -1
      const over = (end: () => void): void => {
        patience?.stop()
        end()
      }
      // Looked at now and then: one timer for all of them.
      const look = (): void => {
        if (seen === this.#moves) over(() => reject(new BusyError()))
        else {
          seen = this.#moves
          patience = this.#clock.after(PATIENCE, look)
        }
      }
      const ask = (): void => {
        if (enough()) over(resolve)
        else this.#clients[this.#asked++ % this.#clients.length]!.ask()
      }
      const goOn = (): void => {
        if (pause > 0 && this.#asked % BATCH === 0) this.#clock.after(pause, ask)
        else ask()
      }
      this.#answered = () => {
        this.#moves++
        if (this.#options.varied !== true || this.#asked % this.#clients.length > 0) goOn()
        else this.#roundOver(goOn)
      }
      this.#failed = error => over(() => reject(error))
      look()
      ask()
    })
  }

  /** Every client has its answer, and is idle in the same host. */
  #roundOver(then: () => void): void {
    const round = (this.#asked / this.#clients.length) % LIFE
    if (round === 0) {
      this.#clients.pop()?.close()
      this.#connect(unixPair())
      then()
      // Back again, so that each is where its next request is not for.
    } else if (round === 1) this.#handOver(() => this.#handOver(then))
    else this.#replace(this.#clients[0]!.host, then)
  }

  /** Moves all clients to the other host, as they are. */
  #handOver(then: () => void): void {
    let missing = this.#clients.length
    for (const { sessionId, host } of this.#clients) {
      this.#hosts[host]!.host.move(sessionId, this.#hosts[1 - host]!.peer.id, ({ outcome, detail }) => {
        if (outcome !== 'moved') this.#failed(new Error(`an idle connection was ${outcome}: ${detail}`))
        this.#moves++
        if (--missing === 0) then()
      })
    }
    for (const client of this.#clients) client.host = 1 - client.host
  }

  /** Another host takes the place of the one that has all clients: it hands them over, as in a roll-out. */
  #replace(side: number, then: () => void): void {
    const before = this.#hosts[side]!
    const other = this.#hosts[1 - side]!
    const successor = before.successor(++this.#ids, [other])
    this.#hosts[side] = successor
    const loads = [{ id: other.peer.id, connections: 0 }]
    for (const { peer } of [before, successor, other]) {
      this.#supervisor.tell(peer.id, { kind: 'statusRequest' })
      this.#supervisor.tell(peer.id, { kind: 'loads', loads })
      if (peer !== before.peer) this.#supervisor.tell(peer.id, { kind: 'draining', id: before.peer.id })
    }
    before.drain(() => {
      this.#moves += this.#clients.length
      for (const one of [successor, other]) one.forget(before)
      before.close().then(then, this.#failed)
    })
  }

  /** A connection at the first host. */
  #connect([mine, theirs]: Pair): void {
    const { tls, limits, varied = false } = this.#options
    const client = new RehearsalClient(
      tls.provider,
      mine,
      varied,
      () => this.#answered(),
      error => this.#failed(error),
    )
    this.#clients.push(client)
    const { sessionId } = client
    const envelope = freshTls({ sessionId, idleLeft: limits.timers['keep-alive'], inbound: EMPTY })
    this.#hosts[0]!.host.take({ envelope, descriptor: theirs }, CLIENT)
  }

  #pass(milliseconds: number): Promise<void> {
    return new Promise(resolve => this.#clock.after(milliseconds, resolve))
  }
}

function unixPair(): Pair {
  return openPair() as Pair
}
