import type { ControlMessage, Peer } from '../transfer/control.ts'
import type { Descriptor } from '../transfer/stream.ts'
import { equal } from '../wire/index.ts'
import { FarPeers } from './hosts/far-peers.ts'
import { acquaintance, areKnown, type Member, type Switchboard } from './member.ts'
import type { Process } from './replica.ts'

/** What introductions need of the supervisor's processes. */
export interface IntroductionsOptions {
  /** Those that run. */
  readonly all: () => Iterable<Process>
  readonly pair: Switchboard['pair']
  readonly tell: (to: number, message: ControlMessage, descriptors?: readonly Descriptor[]) => void
  /** One that could not be introduced has to end. */
  readonly end: (process: Process, error: unknown) => void
  readonly offends: (process: Process, what: string) => void
  /** An id that no process has had. */
  readonly nextId: () => number
}

/** What makes processes known to each other, and tells the others of what becomes of one. */
export class Introductions {
  /** Processes of other hosts. */
  readonly far: FarPeers
  readonly #options: IntroductionsOptions

  constructor(options: IntroductionsOptions) {
    this.#options = options
    this.far = new FarPeers(options)
  }

  /**
   * A process has a key, and cannot work yet: introduces it to the signers, and to the gateways if it has
   * been warm, once.
   */
  present(process: Process, publicKey: Uint8Array): void {
    const { member } = process
    if (member.present !== undefined) {
      this.#options.offends(process, 'it told its key more than once')
      return
    }
    const peer = peerOf(process, publicKey)
    member.present = peer
    this.#introduce(peer, process, ({ role }) => role === 'signer')
    if (member.early !== undefined) this.#introduceEarly(peer, process, member.early)
  }

  #introduceEarly(peer: Peer, process: Process, early: Set<number>): void {
    for (const { member: other } of this.#options.all()) {
      if (other.role !== 'gateway' || other.peer === undefined) continue
      this.#pair(process, other, { kind: 'introduce', peer: other.peer }, { kind: 'expect', peer })
      early.add(other.id)
    }
    if (!process.replica.life.stays) this.leaveOut(process.member)
  }

  /** Introduces a process that can work to all others, and them to it. @returns false if that was done */
  introduce(process: Process, publicKey: Uint8Array): boolean {
    const { member, replica } = process
    const { present } = member
    const known = present !== undefined
    if (member.peer !== undefined || (known && !equal(present.publicKey, publicKey))) {
      const what = 'it reported that it is ready more than once, or with another key than before'
      this.#options.offends(process, what)
      return false
    }
    const peer = peerOf(process, publicKey)
    member.present = peer
    member.peer = peer
    const { early } = member
    const isNew = ({ id, role }: Member): boolean => !(known && role === 'signer') && early?.has(id) !== true
    this.#introduce(peer, process, isNew)
    // It is to go again already.
    if (!replica.life.stays) this.leaveOut(member)
    for (const id of early ?? []) this.#options.tell(id, { kind: 'begins', id: member.id })
    this.far.ready(process)
    return true
  }

  /** A process is to go: tells those that know it that nothing is to be offered to it any more. */
  leaveOut(member: Member): void {
    const { id, peer, early } = member
    this.far.leaves(member)
    for (const { member: other } of this.#options.all()) {
      const known = peer === undefined ? early?.has(other.id) : other.peer !== undefined && other.id !== id
      if (known) this.#options.tell(other.id, { kind: 'draining', id })
    }
  }

  /** A process has ended: tells those that know it. */
  gone(member: Member): void {
    this.far.gone(member)
    for (const { member: other } of this.#options.all())
      if (areKnown(member, other)) this.#options.tell(other.id, { kind: 'gone', id: member.id })
  }

  #introduce(peer: Peer, process: Process, whom: (other: Member) => boolean): void {
    const { member } = process
    for (const { replica, member: other } of this.#options.all()) {
      const known = acquaintance(member, other)
      if (other === member || known === undefined || !whom(other)) continue
      if (!this.#pair(process, other, { kind: 'introduce', peer: known }, { kind: 'introduce', peer })) return
      if (!replica.life.stays) this.#options.tell(member.id, { kind: 'draining', id: other.id })
    }
  }

  /** Makes two known to each other. @returns false if that is not possible: the newcomer is ended */
  #pair(process: Process, other: Member, toIt: ControlMessage, toOther: ControlMessage): boolean {
    const { tell, end, pair } = this.#options
    let ends: ReturnType<Switchboard['pair']>
    try {
      ends = pair()
    } catch (error) {
      // No descriptor is free: it is started again, and introduced then.
      end(process, error)
      return false
    }
    const [one, two] = ends
    // The newcomer first: when the others hear of it, it knows them already.
    tell(process.member.id, toIt, one)
    tell(other.id, toOther, two)
    // From here on only the two have them.
    for (const descriptor of [...one, ...two]) descriptor.close()
    return true
  }
}

/** Who a process is, by our own record. */
function peerOf({ replica, member: { id, role } }: Process, publicKey: Uint8Array): Peer {
  const { name, functionName } = replica
  return { id, role, name, functionName, publicKey }
}
