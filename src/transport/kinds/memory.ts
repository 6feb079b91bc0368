import { ConnectError, type Connected } from '../connector.ts'
import { Inbound } from '../inbound.ts'
import type { Accepted, Listener } from '../listener.ts'
import type { Transport, TransportHandlers } from '../transport.ts'
import { LOOP } from '../turn.ts'
import type { ListeningKind } from './kind.ts'

/** Bytes beyond which the writer waits for the reader. */
const MOST = 65_536

/** Two ends of a connection within this process: what one writes, the other reads. No Node is in it. */
export function pair(): readonly [Transport, Transport] {
  const [one, other] = [new End(), new End()]
  one.peer = other
  other.peer = one
  return [one, other]
}

/** One end. What it receives lies here until its owner reads. */
class End implements Transport {
  peer!: End
  onDrain: (() => void) | undefined
  readonly #inbound = new Inbound({
    later: work => void LOOP.later(work),
    rested: () => this.#drain(),
  })
  #destroyed = false
  /** We have said that nothing more follows. */
  #finished = false
  /** The peer waits for room here. */
  #owesDrain = false

  get queued(): boolean {
    return this.unsent > MOST
  }

  get unsent(): number {
    return this.peer.#inbound.bytes
  }

  read(handlers: TransportHandlers): void {
    if (this.#destroyed) this.#inbound.fail(new Error('the connection was closed'))
    this.#inbound.read(handlers)
  }

  pause(): void {
    this.#inbound.pause()
  }

  resume(): void {
    this.#inbound.resume()
  }

  write(chunks: readonly Uint8Array[]): 'flushed' | 'queued' {
    const { peer } = this
    if (this.#destroyed || this.#finished || peer.#destroyed) return 'flushed'
    // The writer may use its memory again.
    for (const chunk of chunks) if (chunk.length > 0) peer.#inbound.push(chunk.slice())
    peer.#owesDrain = this.queued
    return this.queued ? 'queued' : 'flushed'
  }

  end(): void {
    if (this.#destroyed || this.#finished) return
    this.#finished = true
    this.peer.#inbound.end()
  }

  destroy(): void {
    if (this.#destroyed) return
    this.#destroyed = true
    this.onDrain = undefined
    this.#inbound.close()
    const inOrder = this.#finished && this.peer.#finished
    const what = inOrder ? 'the connection has ended' : 'the peer has closed the connection'
    this.peer.#inbound.fail(new Error(what))
  }

  /** There is room for more of what the peer says. */
  #drain(): void {
    if (!this.#owesDrain || this.#inbound.bytes > MOST) return
    this.#owesDrain = false
    this.peer.onDrain?.()
  }
}

/** Servers within this process, by name: what a network is elsewhere. */
export class MemoryHub {
  readonly #listeners = new Map<string, MemoryListener>()

  /** @throws Error if a server has that name already */
  listen(name: string): Listener {
    if (this.#listeners.has(name)) throw new Error(`a server called ${JSON.stringify(name)} is there already`)
    const listener = new MemoryListener(name, () => this.#listeners.delete(name))
    this.#listeners.set(name, listener)
    return listener
  }

  /** @returns our end of a new connection; undefined if no server has that name */
  connect(name: string): Transport | undefined {
    return this.#listeners.get(name)?.connect()
  }
}

class MemoryListener implements Listener {
  readonly address: { readonly name: string }
  readonly #closed: () => void
  #take: ((accepted: Accepted) => void) | undefined
  #early: Accepted[] = []

  constructor(name: string, closed: () => void) {
    this.address = { name }
    this.#closed = closed
  }

  connect(): Transport {
    const [ours, theirs] = pair()
    const accepted = { transport: theirs, peer: {}, local: this.address }
    if (this.#take === undefined) this.#early.push(accepted)
    else this.#take(accepted)
    return ours
  }

  start(take: (accepted: Accepted) => void): void {
    this.#take = take
    const early = this.#early
    this.#early = []
    for (const one of early) take(one)
  }

  async close(): Promise<void> {
    this.#closed()
    for (const { transport } of this.#early) transport.destroy()
  }
}

/** A server of this process: the host of the URL is its name in the hub. */
export const memory: ListeningKind<
  { readonly hub: MemoryHub },
  { readonly hub: MemoryHub; readonly name: string }
> = {
  name: 'memory',
  async connect({ host }, _attempt, { hub }): Promise<Connected> {
    const transport = hub.connect(host)
    if (transport === undefined)
      throw new ConnectError('connect', `no server of this process is called ${JSON.stringify(host)}`)
    return { transport, alpn: undefined, secure: false }
  },
  async listen({ hub, name }) {
    return hub.listen(name)
  },
}
