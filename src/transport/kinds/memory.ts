import { ConnectError, type Connected } from '../connector.ts'
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
  /** What has come and was not read. */
  #inbound: Uint8Array[] = []
  #bytes = 0
  #handlers: TransportHandlers | undefined
  #paused = false
  #destroyed = false
  /** We have said that nothing more follows; so has the peer; and that has been told. */
  #finished = false
  #ended = false
  #told = false
  #gone: Error | undefined
  #scheduled = false
  /** The peer waits for room here. */
  #owesDrain = false

  get queued(): boolean {
    return this.peer.#bytes > MOST
  }

  get unsent(): number {
    return this.peer.#bytes
  }

  read(handlers: TransportHandlers): void {
    this.#handlers = handlers
    if (this.#destroyed) this.#gone ??= new Error('the connection was closed')
    this.#soon()
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    this.#soon()
  }

  write(chunks: readonly Uint8Array[]): 'flushed' | 'queued' {
    const { peer } = this
    if (this.#destroyed || this.#finished || peer.#destroyed) return 'flushed'
    for (const chunk of chunks) {
      if (chunk.length === 0) continue
      // The writer may use its memory again.
      peer.#inbound.push(chunk.slice())
      peer.#bytes += chunk.length
    }
    peer.#soon()
    peer.#owesDrain = this.queued
    return this.queued ? 'queued' : 'flushed'
  }

  end(): void {
    if (this.#destroyed || this.#finished) return
    this.#finished = true
    this.peer.#ended = true
    this.peer.#soon()
  }

  destroy(): void {
    if (this.#destroyed) return
    this.#destroyed = true
    this.#handlers = undefined
    this.onDrain = undefined
    this.#inbound = []
    this.#bytes = 0
    const inOrder = this.#finished && this.peer.#finished
    this.peer.#gone ??= new Error(inOrder ? 'the connection has ended' : 'the peer has closed the connection')
    this.peer.#soon()
  }

  /** Never within a call of the other side: neither has to expect to be called back. */
  #soon(): void {
    if (this.#scheduled || this.#handlers === undefined) return
    this.#scheduled = true
    LOOP.later(() => {
      this.#scheduled = false
      this.#deliver()
    })
  }

  #deliver(): void {
    while (!this.#paused && this.#handlers !== undefined) {
      const bytes = this.#inbound.shift()
      if (bytes === undefined) break
      this.#bytes -= bytes.length
      this.#handlers.bytes(bytes)
    }
    if (this.#owesDrain && this.#bytes <= MOST) {
      this.#owesDrain = false
      this.peer.onDrain?.()
    }
    if (this.#paused || this.#inbound.length > 0) return
    if (this.#ended && !this.#told) {
      this.#told = true
      this.#handlers?.end()
    }
    if (this.#gone === undefined) return
    const handlers = this.#handlers
    this.#handlers = undefined
    handlers?.error(this.#gone)
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
