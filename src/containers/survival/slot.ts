import type { Session } from '../../tls13/index.ts'
import type { Envelope } from '../../transfer/envelope.ts'
import { type ExtensionValues, extensionOf, type SlotExtension } from '../../transfer/extensions.ts'
import { ErrnoError, type Libc, type Probe, probe } from '../../transfer/native/libc.ts'
import type { SlotHeader } from '../../transfer/slot.ts'
import type { SlotFile } from '../../transfer/slot-file.ts'
import { countsOf } from '../../transfer/socket-counts.ts'
import type { Descriptor } from '../../transfer/stream.ts'
import { equal } from '../../wire/index.ts'
import { type Survival, type SurvivalOwner, sealSnapshot } from './survival.ts'

/**
 * The container's side of a connection whose socket the gateway has a duplicate of: it counts the bytes both
 * ways, and leaves a checkpoint with these counts in shared memory whenever nothing is underway. When we die,
 * the kernel still knows how many bytes have gone through the socket: if a checkpoint says the same, nothing
 * has happened since, and another container goes on from it.
 *
 * So no record of ours needs to wait for a checkpoint, as it does on a leg: what has been written without one
 * shows in the kernel's counts.
 */
export class Slot implements Survival {
  readonly #owner: SurvivalOwner
  readonly #gateway: number
  readonly #cookie: Uint8Array
  readonly #slot: number
  #sequence: number
  received: number
  #sent: number
  attempts = 0
  renewing: boolean
  cut = false
  readonly shared = true
  /** The counts that the newest checkpoint knows. */
  #covered: { readonly received: number; readonly sent: number } | undefined
  #header: Omit<SlotHeader, 'sessionId'>
  /** Where it stands as {@link #header}. */
  #said: SlotFile | undefined

  constructor(
    owner: SurvivalOwner,
    { gateway, cookie, slot, sequence, received, sent }: SlotExtension,
    renewing: boolean,
  ) {
    this.#owner = owner
    this.#gateway = gateway
    this.#cookie = cookie
    this.#slot = slot
    this.#sequence = sequence
    this.received = received
    this.#sent = sent
    this.renewing = renewing
    this.#header = { state: 'live', generation: owner.generation, target: 0 }
  }

  get extensions(): ExtensionValues {
    return {
      slot: {
        gateway: this.#gateway,
        cookie: this.#cookie,
        slot: this.#slot,
        sequence: this.#sequence,
        received: this.received,
        sent: this.#sent,
      },
    }
  }

  take(session: Session): Uint8Array[] {
    const output = session.takeSealed()
    if (session.writable && (this.renewing || session.keyUpdateDue)) {
      session.updateKeys(false)
      output.push(...session.takeSealed())
      this.renewing = false
    }
    for (const { length } of output) this.#sent += length
    return output
  }

  /**
   * Signs the slot, and leaves a checkpoint if this is a moment to go on from, and not the one that it was
   * before.
   */
  written(session: Session, queued: boolean): void {
    const { received } = this
    const sent = this.#sent
    const file = this.#owner.host.slots.of(this.#gateway)
    if (file === undefined) return
    // The gateway's file may reach us after the connection, from wherever it comes.
    if (file !== this.#said) this.#say(this.#header)
    if (queued || !session.writable || !this.#owner.quiet) return
    if (this.#covered?.received === received && this.#covered.sent === sent) return
    this.#covered = { received, sent }
    const { host, sessionId, generation } = this.#owner
    this.#sequence++
    const sealed = sealSnapshot(this.#owner, this)
    const checkpoint = { sessionId, functionName: host.functionName, generation, received, sent, sealed }
    // One that is too large leaves the connection without cover; a successor that finds the older one sees
    // that the counts differ.
    if (!file.writeCheckpoint(this.#slot, this.#sequence, checkpoint)) this.#sequence--
  }

  /** Nothing: a socket that has sent its FIN shows that to the gateway. */
  goodbye(): Uint8Array[] {
    return []
  }

  /** Nothing: {@link done} follows. */
  broken(): Uint8Array[] {
    return []
  }

  claim(): void {
    this.#say({ state: 'live', generation: this.#owner.generation, target: 0 })
  }

  offer(target: number, generation: number): void {
    this.#say({ state: 'offered', generation, target })
  }

  /** If it was being offered, to whom stays written: that container may have it, too. */
  done(): void {
    this.#say({ ...this.#header, state: 'done' })
  }

  #say(header: Omit<SlotHeader, 'sessionId'>): void {
    const { host, sessionId } = this.#owner
    this.#header = header
    this.#said = host.slots.of(this.#gateway)
    this.#said?.writeHeader(this.#slot, { ...header, sessionId })
  }
}

/** Whether what an envelope says of a slot is said of this socket. True where there is no slot. */
export function isOfSocket(
  envelope: Envelope,
  descriptor: Pick<Descriptor, 'fd'>,
  native = probe(),
): boolean {
  return compares(envelope, native, ({ cookie }, libc) => equal(libc.socketCookie(descriptor.fd), cookie))
}

/**
 * Whether an envelope from a checkpoint is how the connection stands: it is of this very socket, and what
 * went through that is what the checkpoint knows of. The gateway has looked already, but at what its
 * container had written; this was sealed. True where there is no slot.
 */
export function goesOn(envelope: Envelope, descriptor: Pick<Descriptor, 'fd'>, native = probe()): boolean {
  return compares(envelope, native, ({ cookie, received, sent }, libc) => {
    if (!equal(libc.socketCookie(descriptor.fd), cookie)) return false
    const counts = countsOf(libc, descriptor.fd)
    return counts?.read === received && counts.written === sent
  })
}

/** @returns false where the kernel cannot be asked, or does not say */
function compares(
  envelope: Envelope,
  native: Probe,
  compare: (slot: SlotExtension, libc: Libc) => boolean,
): boolean {
  const slot = extensionOf(envelope, 'slot')
  if (slot === undefined) return true
  try {
    return native.available && compare(slot, native.libc)
  } catch (error) {
    // No TCP socket, for instance.
    if (error instanceof ErrnoError) return false
    throw error
  }
}
