import { isFunctionName } from '../platform/function-name.ts'
import type { Peer } from '../transfer/control.ts'
import { equal } from '../wire/index.ts'
import type { Meeting } from './meeting.ts'

/** Processes of one other host that are made known here, at most: each costs a pair with each of ours. */
export const MOST_OF_A_HOST = 1024

/** A process of another host: where it is, and its id and key there. */
export interface Far {
  readonly meeting: Meeting
  readonly id: number
  readonly publicKey: Uint8Array
}

/** The processes of other hosts, by numbers of ours. */
export class FarProcesses {
  readonly #byNumber = new Map<number, Far>()
  #next = 1

  get(number: number): Far | undefined {
    return this.#byNumber.get(number)
  }

  /** Those that a host has told of, each with its number. */
  of(meeting: Meeting): (readonly [number: number, far: Far])[] {
    return [...this.#byNumber].filter(([, far]) => far.meeting === meeting)
  }

  numberOf(meeting: Meeting, id: number): number | undefined {
    for (const [number, far] of this.#byNumber) if (far.meeting === meeting && far.id === id) return number
    return undefined
  }

  /**
   * A host tells of a process of its own. Two with one key would be sealed to with the same nonces, and one
   * with a key of ours could be sent back what was sealed to it.
   * @param ours the processes of this host
   * @returns its number; undefined: the host has told of too many
   * @throws RangeError it is none that a host may tell of
   */
  add(meeting: Meeting, peer: Peer, ours: Iterable<Pick<Peer, 'publicKey'>>): number | undefined {
    const { id, role, name, functionName, publicKey } = peer
    if (role !== 'container' && role !== 'gateway') throw new RangeError(`a ${role} is none of ours`)
    if (!/^[a-z0-9-]{1,80}$/.test(name)) throw new RangeError('a process with no name of one')
    if (role === 'container' ? !isFunctionName(functionName) : functionName !== '')
      throw new RangeError('a process with no name of a function')
    const siblings = this.of(meeting)
    for (const [, far] of siblings)
      if (far.id === id || equal(far.publicKey, publicKey)) throw new RangeError(`a process ${id} twice`)
    for (const near of ours) if (equal(near.publicKey, publicKey)) throw new RangeError('a key of ours')
    if (siblings.length >= MOST_OF_A_HOST) return undefined
    const number = this.#next++
    this.#byNumber.set(number, { meeting, id, publicKey: publicKey.slice() })
    return number
  }

  /** @returns whether it was there */
  delete(number: number): boolean {
    return this.#byNumber.delete(number)
  }

  /** How many processes of each host there are. */
  get counts(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>()
    for (const { meeting } of this.#byNumber.values())
      counts.set(meeting.host, (counts.get(meeting.host) ?? 0) + 1)
    return counts
  }
}
