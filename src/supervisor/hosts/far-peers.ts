import { type ControlMessage, isFar, type Peer } from '../../transfer/control.ts'
import type { Descriptor } from '../../transfer/stream.ts'
import type { Member, Switchboard } from '../member.ts'
import type { Process } from '../replica.ts'

/** What far peers need of the supervisor's processes. */
export interface FarPeersOptions {
  /** Those that run. */
  readonly all: () => Iterable<Process>
  readonly pair: Switchboard['pair']
  readonly tell: (to: number, message: ControlMessage, descriptors?: readonly Descriptor[]) => void
  /** An id that no process has had. */
  readonly nextId: () => number
}

/** A process of another host. */
interface FarPeer {
  /** With an id of ours. */
  readonly peer: Peer
  readonly salt: Uint8Array
  retiring: boolean
}

type Told = Extract<ControlMessage, { kind: 'reaches' | 'parted' | 'retires' }>

/**
 * The processes of other hosts that the link can reach. To those of this host each is a peer like any other,
 * with a pair of its own; the other end of that is the link's, which passes on what comes.
 */
export class FarPeers {
  readonly #options: FarPeersOptions
  /** By the link's number. */
  readonly #known = new Map<number, FarPeer>()
  #nextPair = 1

  constructor(options: FarPeersOptions) {
    this.#options = options
  }

  /** Containers that can be offered connections, as HOST/NAME. */
  get containers(): readonly Peer[] {
    return [...this.#known.values()].filter(one => !one.retiring).map(({ peer }) => peer)
  }

  /** What the link tells. */
  heard(link: Member, message: Told): void {
    if (message.kind === 'reaches') this.#reaches(link, message)
    else if (message.kind === 'parted') this.#parted(message.far)
    else this.#retires(message.far)
  }

  #reaches(link: Member, { peer, salt }: Extract<Told, { kind: 'reaches' }>): void {
    if (this.#known.has(peer.id) || !isFar(peer)) return
    const id = this.#options.nextId()
    const far: FarPeer = {
      peer: { ...peer, id, publicKey: peer.publicKey.slice() },
      salt: salt.slice(),
      retiring: false,
    }
    this.#known.set(peer.id, far)
    for (const { member } of this.#options.all()) this.#bridge(link, member, peer.id, far)
  }

  #parted(number: number): void {
    const far = this.#known.get(number)
    if (far === undefined) return
    this.#known.delete(number)
    this.#tellAll(far, { kind: 'gone', id: far.peer.id })
  }

  #retires(number: number): void {
    const far = this.#known.get(number)
    if (far === undefined || far.retiring) return
    far.retiring = true
    this.#tellAll(far, { kind: 'draining', id: far.peer.id })
  }

  /** A process of this host can work: it and the far ones become known to each other. */
  ready({ member }: Process): void {
    if (member.role === 'link') {
      for (const { member: other } of this.#options.all()) this.#present(member, other)
      return
    }
    const link = this.#link
    if (link === undefined) return
    this.#present(link, member)
    for (const [number, far] of this.#known) this.#bridge(link, member, number, far)
  }

  /** A process of this host is to go. */
  leaves({ id, peer }: Member): void {
    const link = this.#link
    if (link !== undefined && peer !== undefined) this.#options.tell(link.id, { kind: 'draining', id })
  }

  /** A process of this host has ended. */
  gone({ id, role, peer }: Member): void {
    const link = this.#link
    if (role === 'link') for (const number of [...this.#known.keys()]) this.#parted(number)
    else if (link !== undefined && peer !== undefined) this.#options.tell(link.id, { kind: 'gone', id })
  }

  get #link(): Member | undefined {
    for (const { member } of this.#options.all())
      if (member.role === 'link' && member.peer !== undefined) return member
    return undefined
  }

  /** Tells the link of a process of this host, which it tells the other hosts. */
  #present(link: Member, { role, peer }: Member): void {
    if (peer !== undefined && (role === 'gateway' || role === 'container'))
      this.#options.tell(link.id, { kind: 'introduce', peer })
  }

  #bridge(link: Member, near: Member, number: number, { peer, salt, retiring }: FarPeer): void {
    if (near.peer === undefined || !isBridged(near, peer)) return
    const { pair, tell } = this.#options
    let ends: ReturnType<Switchboard['pair']>
    try {
      ends = pair()
    } catch {
      // No descriptor is free: these two do without each other.
      return
    }
    const [one, two] = ends
    tell(link.id, { kind: 'bridge', pair: this.#nextPair++, near: near.id, far: number }, one)
    tell(near.id, { kind: 'introduceFar', peer, salt }, two)
    if (retiring) tell(near.id, { kind: 'draining', id: peer.id })
    for (const descriptor of [...one, ...two]) descriptor.close()
  }

  #tellAll({ peer }: FarPeer, message: ControlMessage): void {
    for (const { member } of this.#options.all())
      if (member.peer !== undefined && isBridged(member, peer)) this.#options.tell(member.id, message)
  }
}

/** Containers know containers and gateways of other hosts, gateways know their containers. */
function isBridged({ role }: Member, { role: far }: Peer): boolean {
  return role === 'container' || (role === 'gateway' && far === 'container')
}
