import { Certificates } from '../../src/keys/certificates.ts'
import { Desk } from '../../src/keys/desk.ts'
import { Rings } from '../../src/keys/rings.ts'
import { node } from '../../src/tls13/crypto/node.ts'
import { SUPERVISOR } from '../../src/transfer/channel.ts'
import {
  type ControlMessage,
  decodeControl,
  encodeControl,
  type PeerRole,
} from '../../src/transfer/control.ts'
import { KEYS, Ring } from '../../src/transfer/keys/ring.ts'
import { createIdentity, Sealer } from '../../src/transfer/seal.ts'
import { HandClock } from '../support/hand-clock.ts'

/** The id of the signer. */
const SIGNER = 1
export const SPANS = { rotationSeconds: 3600, lifetimeSeconds: 7200 }
const log = new Proxy({}, { get: () => () => {} }) as never

/** A signer's desk, with what it stands on, and containers that come to it. */
export class Office {
  readonly clock = new HandClock()
  readonly rings = new Rings(node, { ...SPANS, now: () => this.clock.steady() })
  readonly certificates = new Certificates(node)
  readonly sent: { readonly to: number; readonly message: ControlMessage }[] = []
  readonly cut = new Set<number>()
  readonly #identity = createIdentity(node, SIGNER)
  readonly #sealer = new Sealer(node, this.#identity)
  stopped = 0
  readonly desk = new Desk({
    channel: {
      send: (to, payload) => {
        this.sent.push({ to, message: decodeControl(payload.slice()) })
        return 'sent'
      },
      addPeer: () => {},
      forget: () => {},
      cut: id => void this.cut.add(id),
    },
    sealer: this.#sealer,
    rings: this.rings,
    certificates: this.certificates,
    hashLengths: new Set([32, 48]),
    clock: this.clock,
    log,
    stop: () => this.stopped++,
  })

  /** A message from somewhere, as its bytes. */
  say(from: number, message: ControlMessage): void {
    this.desk.receive(from, encodeControl(message), [])
  }

  /** The supervisor introduces a process. */
  introduce(id: number, functionName: string, role: PeerRole = 'container'): Visitor {
    const visitor = new Visitor(this, id, functionName, this.#identity.publicKey)
    const { publicKey } = visitor
    const peer = { id, role, name: `${functionName || role}-1`, functionName, publicKey }
    this.say(SUPERVISOR, { kind: 'introduce', peer })
    return visitor
  }

  status(): Record<string, number> {
    this.say(SUPERVISOR, { kind: 'statusRequest' })
    const { message } = this.sent.at(-1)!
    if (message.kind !== 'status') throw new Error(`${message.kind} instead of the status`)
    return Object.fromEntries(message.counters.map(({ name, value }) => [name, value]))
  }
}

/** One container, as far as the signer knows it. */
export class Visitor {
  readonly #office: Office
  readonly id: number
  readonly functionName: string
  readonly publicKey: Uint8Array
  readonly sealer: Sealer
  readonly ring: Ring
  readonly own

  constructor(office: Office, id: number, functionName: string, signerKey: Uint8Array) {
    this.#office = office
    this.id = id
    this.functionName = functionName
    const identity = createIdentity(node, id)
    this.publicKey = identity.publicKey
    this.sealer = new Sealer(node, identity)
    this.sealer.addPeer(SIGNER, signerKey)
    this.ring = new Ring(node, { ...SPANS, now: () => office.clock.steady() })
    this.own = this.ring.make()
  }

  say(message: ControlMessage): void {
    this.#office.say(this.id, message)
  }

  /** Tells the signer what it knows of the ring. */
  tell(ring = this.ring.share()): void {
    this.say({ kind: 'keys', sealed: this.sealer.seal(SIGNER, KEYS, ring) })
  }

  /** Takes what the signer has told it since. */
  take(): void {
    for (const { to, message } of this.#office.sent.splice(0))
      if (to === this.id && message.kind === 'keys')
        this.ring.merge(this.sealer.open(SIGNER, KEYS, message.sealed), this.own)
  }

  knows(other: Visitor): boolean {
    return this.ring.find(other.own.origin) !== undefined
  }
}
