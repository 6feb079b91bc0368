import type { CipherSuite, Opened, RecordCipher } from '../tls13/crypto/provider.ts'
import { nextTrafficSecret } from '../tls13/key-schedule.ts'
import type { RawRecord } from '../tls13/record.ts'
import { KeyedRecords } from '../tls13/record-cipher.ts'
import { ownMemory } from '../tls13/record-memory.ts'
import type { Side } from './event.ts'

/** A traffic secret of one side, and the number of the next record under it. */
export interface Epoch {
  readonly name: string
  secret: Uint8Array | undefined
  sequenceNumber: number
  /** What has opened its records so far. */
  cipher?: RecordCipher
}

/** A secret under the name that RFC 8446 has for it. */
export interface NamedSecret {
  readonly name: string
  readonly secret: Uint8Array
}

/** A record that was opened, and by what. */
export interface Unsealed extends Opened {
  readonly secret: string
  readonly sequenceNumber: number
}

const EPOCHS: Readonly<Record<Side, readonly string[]>> = {
  client: [
    'client_early_traffic_secret',
    'client_handshake_traffic_secret',
    'client_application_traffic_secret_0',
  ],
  server: ['server_handshake_traffic_secret', 'server_application_traffic_secret_0'],
}

/**
 * What one side sends: its traffic secrets one after the other, and how far its records have come. It opens
 * what it has keys for, and knows nothing of what the contents mean.
 */
export class Direction {
  readonly side: Side
  /** Records so far. */
  records = 0
  /** Handshake bytes that are no whole message yet. */
  handshake: Uint8Array = new Uint8Array(0)
  /** Whether records are sealed from here on. */
  sealed = false
  #epochs: Epoch[]

  constructor(side: Side) {
    this.side = side
    this.#epochs = EPOCHS[side].map(name => ({ name, secret: undefined, sequenceNumber: 0 }))
  }

  /** @returns whether that is a traffic secret of this side */
  learn(name: string, secret: Uint8Array): boolean {
    if (name === `${this.side}_application_traffic_secret_N`) {
      this.#renewed(secret)
      return true
    }
    const epoch = this.#epochs.find(one => one.name === name)
    if (epoch !== undefined) epoch.secret = secret
    return epoch !== undefined
  }

  /**
   * Opens a record by the key in use. Early data may be passed over: then it is the key of the handshake.
   * @param suites those that it may be
   * @returns `'later'`: the key is not known yet; undefined: none of those that are known fits
   */
  open(record: RawRecord, suites: readonly CipherSuite[]): Unsealed | 'later' | undefined {
    const early = this.#epochs[0]!.name === EPOCHS.client[0]
    const candidates = this.#epochs.slice(0, early ? 2 : 1)
    if (candidates.at(-1)!.secret === undefined && candidates[0]!.secret === undefined) return 'later'
    for (const [passed, epoch] of candidates.entries()) {
      const opened = tried(record, epoch, suites)
      if (opened === undefined) continue
      this.#epochs.splice(0, passed)
      return { ...opened, secret: epoch.name, sequenceNumber: epoch.sequenceNumber++ }
    }
    // The server may have no key for early data that it has refused, and will have one for what follows.
    if (candidates.at(-1)!.secret === undefined) return 'later'
    // Refused early data has no number in the handshake's count; what was forged has taken one.
    if (candidates.length === 1) candidates[0]!.sequenceNumber++
    return undefined
  }

  /**
   * The next key is in use from here on: after Finished, and after EndOfEarlyData. One that comes when there
   * is no next key is for the session to refuse.
   */
  advance(): void {
    if (this.#epochs.length > 1) this.#epochs.shift()
  }

  /** The next key of an extended key update is in use from here on: behind a response, and a finish. */
  renew(): void {
    if (this.#epochs.length === 1) this.#epochs.push(this.#following())
    this.#epochs.shift()
  }

  /** Its secret is told once, before that message or after it. */
  #renewed(secret: Uint8Array): void {
    const waiting = this.#epochs.find(one => one.secret === undefined)
    if (waiting !== undefined) waiting.secret = secret
    else this.#epochs.push({ ...this.#following(), secret })
  }

  #following(): Epoch {
    const name = this.#epochs.at(-1)!.name.replace(/\d+$/, number => String(Number(number) + 1))
    return { name, secret: undefined, sequenceNumber: 0 }
  }

  /** After a KeyUpdate. @returns the secret before and the one after; undefined if there was none */
  update({ hash }: CipherSuite): { readonly before: NamedSecret; readonly after: NamedSecret } | undefined {
    const before = this.#epochs[0]
    if (before?.secret === undefined) return undefined
    const name = before.name.replace(/\d+$/, number => String(Number(number) + 1))
    const after = { name, secret: nextTrafficSecret(hash, before.secret), sequenceNumber: 0 }
    this.#epochs = [after]
    return { before: { name: before.name, secret: before.secret }, after }
  }
}

function tried(record: RawRecord, epoch: Epoch, suites: readonly CipherSuite[]): Opened | undefined {
  const { secret, sequenceNumber } = epoch
  if (secret === undefined) return undefined
  const { bytes, at, fragmentLength } = record
  for (const { hash, aead, ...suite } of epoch.cipher === undefined ? suites : suites.slice(0, 1)) {
    if (hash.length !== secret.length || fragmentLength < aead.tagLength + 1) continue
    const cipher = epoch.cipher ?? new KeyedRecords({ hash, aead, ...suite }, secret)
    const opened = cipher.open(sequenceNumber, bytes, at, fragmentLength, ownMemory)
    if (opened === undefined) continue
    epoch.cipher = cipher
    return opened
  }
  return undefined
}
