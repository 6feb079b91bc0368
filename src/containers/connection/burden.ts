import { type Account, type Holder, memoryProblem } from '../../http/memory-budget.ts'
import type { Guard } from '../../transport/guard.ts'
import type { Protocol } from '../protocol/protocol.ts'
import type { ConnectionHost } from './connection-host.ts'
import type { Inlet } from './inlet.ts'
import type { Outlet } from './outlet.ts'

/** Bytes that a connection may go on holding after it has given up what it could; with more it ends. */
const RESIDUE = 65_536

/** Bytes of a parcel that are not counted: they are fewer than what the connection is besides. */
const TRIFLE = 1024

/** What a burden asks of its connection. */
export interface Burdened {
  readonly host: Pick<ConnectionHost, 'clock' | 'memory'>
  readonly out: Outlet
  readonly protocol: Protocol
  readonly guard: Guard
  /** It is served here: neither on its way nor ending. */
  readonly open: boolean
  /** It is ending. */
  readonly gone: boolean
  /** Does what can be done. */
  pump(): void
  /** Ends it so that the client sees that something is missing. */
  destroy(reason: Error): void
}

/** What one connection holds of its container's memory, counted where it lies, and how it gives that up. */
export class Burden implements Holder {
  readonly #owner: Burdened
  readonly #in: Inlet
  readonly #account: Account
  /** While the connection is on its way, or its fate is open. */
  #frozen = 0
  #weighing = false

  constructor(owner: Burdened, inlet: Inlet) {
    this.#owner = owner
    this.#in = inlet
    this.#account = owner.host.memory.open(this)
  }

  get progress(): number {
    return this.#in.received + this.#owner.out.sent
  }

  weigh(): number {
    const { open, gone, out, protocol, guard } = this.#owner
    try {
      if (open) return out.held + protocol.held
      return gone ? out.held : this.#frozen
    } catch (error) {
      // It is weighed when others need room, too, and they have nothing to do with what is wrong here.
      guard.fail(error)
      return 0
    }
  }

  /** Something has come, gone, or been given up. */
  update(): void {
    // Most requests come and go in one piece, and need no clock.
    if (this.#account.held === 0 && this.weigh() === 0) return
    this.#account.weigh(this.#owner.host.clock.steady())
  }

  /** The same, as soon as what is underway is done. */
  updateSoon(): void {
    if (this.#weighing) return
    this.#weighing = true
    queueMicrotask(() => {
      this.#weighing = false
      this.update()
    })
  }

  /**
   * The connection is about to be taken apart, to travel: its parcel is held until it is {@link close | gone}
   * or open again.
   */
  freeze(): void {
    const held = this.#owner.out.held + this.#owner.protocol.held
    this.#frozen = held < TRIFLE ? 0 : held
  }

  close(): void {
    this.#account.close()
  }

  shed(): boolean {
    const { open, gone, guard } = this.#owner
    if (!open && !gone) return false
    // Another connection may be at work just now, and has nothing to do with what goes wrong here.
    guard.run(() => this.#shed())
    return true
  }

  #shed(): void {
    const owner = this.#owner
    const what = memoryProblem('connection.memoryBytes', owner.host.memory.limit)
    if (owner.open) {
      owner.protocol.shed(what)
      owner.pump()
    }
    // What the client does not take can only be dropped.
    if ((owner.open || owner.gone) && this.weigh() > RESIDUE) owner.destroy(new Error(what.detail))
  }
}
