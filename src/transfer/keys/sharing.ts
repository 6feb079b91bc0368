import { DecodeError, decode, encode, utf8 } from '../../wire/index.ts'
import type { ControlMessage } from '../control.ts'
import { SealError, type Sealer } from '../seal.ts'
import { SlotFileOffer } from '../slot.ts'
import type { Descriptor } from '../stream.ts'
import { KEYS } from './ring.ts'

/** What a file of slots is sealed for, in the place of a session: its id is a label. */
const SLOTS = { sessionId: utf8('hotpotato slot/1'), generation: 0 } as const

/** What a process does with what its peers share. */
export interface SharingHandlers {
  /**
   * A gateway's file of slots, as its descriptor, which is the handler's from now on; whose it is is certain.
   */
  slots?(file: Descriptor, slots: number, from: number): void
  /** Keys that a peer shares with us; its id is certain. Whether it may is for the handler to say. */
  keys?(bytes: Uint8Array, from: number): void
}

/** How a peer is spoken to, and told on. */
interface Outside {
  tell(to: number, message: ControlMessage, descriptors?: readonly Descriptor[]): boolean
  senseless(from: number, reason: string): void
}

/** What peers share, sealed from one to the other: keys of a ring, and files of slots. */
export class Sharing {
  readonly #sealer: Sealer
  readonly #handlers: SharingHandlers
  readonly #outside: Outside

  constructor(sealer: Sealer, handlers: SharingHandlers, outside: Outside) {
    this.#sealer = sealer
    this.#handlers = handlers
    this.#outside = outside
  }

  /** Seals keys to a peer and sends them. @returns false if that peer is not there */
  keys(target: number, keys: Uint8Array): boolean {
    return this.#send(() =>
      this.#outside.tell(target, { kind: 'keys', sealed: this.#sealer.seal(target, KEYS, keys) }),
    )
  }

  /** Gives a peer our file of slots; it stays ours, too. @returns false if that peer is not there */
  slots(target: number, file: Descriptor, slots: number): boolean {
    return this.#send(() => {
      const sealed = this.#sealer.seal(target, SLOTS, encode(SlotFileOffer, { slots }))
      return this.#outside.tell(target, { kind: 'slots', sealed }, [file])
    })
  }

  #send(send: () => boolean): boolean {
    try {
      return send()
    } catch (error) {
      if (error instanceof SealError) return false
      throw error
    }
  }

  /** Keys have come. */
  keysCame(from: number, sealed: Uint8Array): void {
    try {
      this.#handlers.keys?.(this.#sealer.open(from, KEYS, sealed), from)
    } catch (error) {
      if (error instanceof DecodeError) this.#outside.senseless(from, error.message)
      else if (!(error instanceof SealError)) throw error
      // Of two that are being introduced one may not know the other yet: it will ask by sending its own.
      else if (error.reason !== 'unknown_peer') this.#outside.senseless(from, error.message)
    }
  }

  /** A file of slots has come; its descriptors are ours. */
  slotsCame(from: number, sealed: Uint8Array, [file, ...others]: readonly Descriptor[]): void {
    for (const other of others) other.close()
    try {
      const { slots } = decode(SlotFileOffer, this.#sealer.open(from, SLOTS, sealed))
      if (file === undefined || this.#handlers.slots === undefined) file?.close()
      else this.#handlers.slots(file, slots, from)
    } catch (error) {
      file?.close()
      if (!(error instanceof SealError || error instanceof DecodeError)) throw error
      this.#outside.senseless(from, error.message)
    }
  }
}
