import type { Clock } from '../time/clock.ts'
import { type Entry, Known, type Ownership, type SessionDirectory } from '../transfer/directory.ts'
import { type Change, type Etcd, EtcdAway, type KeyValue } from './etcd.ts'
import type { Lease } from './lease.ts'

/** Tries to change one session against others who change it, too. */
const TRIES = 16
/** Seconds that an ended session is remembered at least, and that one lease is used for all that end. */
const REMEMBERED = 3600
const TOGETHER = 600

/** The lease has ended: this host owns nothing, and may claim nothing with it. */
export class LeaseOver extends Error {
  override readonly name = 'LeaseOver'
}

export interface EtcdDirectoryOptions {
  readonly etcd: Etcd
  /** This host's: what it owns is free when that ends. */
  readonly lease: Lease
  /**
   * A long one of this host's, under which the generations of sessions are that live: without it a late claim
   * could be granted, and so nothing is claimed.
   */
  readonly memory: Lease
  readonly clock: Clock
  /** What all keys begin with; default: `/hotpotato`. */
  readonly prefix?: string
}

/** What is known of a session, and how it got there. */
interface Look {
  readonly known: Known
  readonly found: ReadonlyMap<string, KeyValue>
}

/** A change that is wanted. */
interface Wish {
  judge(known: Known): Entry
  /** The owner that there is then; undefined: none. */
  readonly owner: Ownership | undefined
  readonly generation: number
  /** Whether it is as it was to become. */
  isDone(known: Known): boolean
}

/**
 * The owner of each session, of several hosts, in etcd. A session has two keys: `owner/ID`, under the lease
 * of its owner's host, and `generation/ID`, which outlives that, so that no late claim is granted. Every
 * change is one transaction, guarded by the revisions of both; its own revision is the caller's.
 *
 * {@link claim} and {@link transfer} are for the host that is to have the session: it is put under its lease.
 * All methods reject with `EtcdAway` where it is not known what has become of a change, and with {@link
 * LeaseOver}; with `EtcdError` 5 where etcd has ended a lease of this host that it has not heard of yet. Each
 * leaves a session that lives as it is.
 */
export class EtcdDirectory implements SessionDirectory {
  readonly #etcd: Etcd
  readonly #lease: Lease
  readonly #memory: Lease
  readonly #clock: Clock
  readonly #prefix: string
  /** Under which those are remembered that end now, and until when that is so. */
  #grave: { readonly id: Promise<string>; readonly until: number } | undefined

  constructor({ etcd, lease, memory, clock, prefix = '/hotpotato' }: EtcdDirectoryOptions) {
    this.#etcd = etcd
    this.#lease = lease
    this.#memory = memory
    this.#clock = clock
    this.#prefix = prefix
  }

  claim(sessionId: string, owner: Ownership): Promise<Entry> {
    return this.#change(
      sessionId,
      {
        ...{ owner, generation: owner.generation },
        judge: known => known.claim(owner),
        isDone: known => isSame(known.ownership, owner),
      },
      // As a rule it is a session that no other has heard of.
      { known: new Known(undefined), found: new Map() },
    )
  }

  transfer(sessionId: string, from: Ownership, to: Ownership): Promise<Entry> {
    return this.#change(sessionId, {
      ...{ owner: to, generation: to.generation },
      judge: known => known.transfer(from, to),
      isDone: known => isSame(known.ownership, to),
    })
  }

  release(sessionId: string, ownership: Ownership): Promise<Entry> {
    const { generation } = ownership
    return this.#change(sessionId, {
      ...{ owner: undefined, generation },
      judge: known => known.release(ownership),
      isDone: ({ ownership: left, last }) => left === undefined && last === generation,
    })
  }

  async find(sessionId: string): Promise<Ownership | undefined> {
    return ownershipOf(await this.#etcd.get(this.#keys(sessionId)[0]))
  }

  watch(sessionId: string, onChange: (ownership: Ownership | undefined) => void): () => void {
    let told: Ownership | undefined
    return this.#etcd.watch(this.#keys(sessionId)[0], found => {
      const ownership = ownershipOf(found)
      if (ownership === undefined ? told === undefined : isSame(told, ownership)) return
      told = ownership
      onChange(ownership)
    })
  }

  /** Judges and writes until no other has written in between. */
  async #change(sessionId: string, wish: Wish, first?: Look): Promise<Entry> {
    let look = first ?? (await this.#look(sessionId))
    // A try whose answer has not come may have done it.
    let uncertain = 0
    for (let tried = 0; tried < TRIES; tried++) {
      const entry = wish.judge(look.known)
      if (!entry.granted) return uncertain > 0 && wish.isDone(look.known) ? { granted: true } : entry
      try {
        const { succeeded, revision, found } = await this.#write(sessionId, wish, look)
        if (succeeded) return { granted: true, revision }
        look = { known: this.#known(sessionId, found), found }
      } catch (error) {
        if (!(error instanceof EtcdAway) || ++uncertain > this.#etcd.members) throw error
        look = await this.#look(sessionId)
      }
    }
    throw new EtcdAway(`others have changed session ${sessionId} ${TRIES} times meanwhile`)
  }

  async #write(sessionId: string, { owner, generation }: Wish, { found }: Look) {
    const keys = this.#keys(sessionId)
    const [ownerKey, generationKey] = keys
    const lease = owner === undefined ? await this.#graveLease() : this.#memory.id
    const remember: Change = { put: generationKey, value: String(generation), lease }
    const own: Change =
      owner === undefined
        ? { remove: ownerKey }
        : { put: ownerKey, value: JSON.stringify(owner), lease: this.#lease.id }
    if (!this.#lease.held) throw new LeaseOver('the lease of this host has ended')
    if (owner !== undefined && !this.#memory.held)
      throw new LeaseOver('the lease under which generations are remembered has ended')
    const guards = keys.map(key => ({ key, revision: found.get(key)?.revision ?? 0n }))
    return this.#etcd.transact(guards, [own, remember])
  }

  async #look(sessionId: string): Promise<Look> {
    const found = await this.#etcd.read(this.#keys(sessionId))
    return { known: this.#known(sessionId, found), found }
  }

  #known(sessionId: string, found: ReadonlyMap<string, KeyValue>): Known {
    const [owner, generation] = this.#keys(sessionId).map(key => found.get(key))
    return new Known(ownershipOf(owner), generation && generationOf(generation, generation.value))
  }

  #keys(sessionId: string): readonly [owner: string, generation: string] {
    return [`${this.#prefix}/owner/${sessionId}`, `${this.#prefix}/generation/${sessionId}`]
  }

  async #graveLease(): Promise<string> {
    const now = this.#clock.steady()
    if (this.#grave === undefined || this.#grave.until <= now) {
      const id = this.#etcd.grant(REMEMBERED + TOGETHER).then(({ id }) => id)
      this.#grave = { id, until: now + TOGETHER * 1000 }
      id.catch(() => {
        this.#grave = undefined
      })
    }
    return this.#grave.id
  }
}

function isSame(one: Ownership | undefined, other: Ownership): boolean {
  return one?.owner === other.owner && one.generation === other.generation
}

function ownershipOf(found: KeyValue | undefined): Ownership | undefined {
  if (found === undefined) return undefined
  const { owner, generation } = (JSON.parse(found.value) ?? {}) as Partial<Ownership>
  if (typeof owner !== 'string') throw new Error(`what stands at ${found.key} is no owner`)
  return { owner, generation: generationOf(found, generation) }
}

/** @throws Error it is none: what compares it would find everything newer */
function generationOf({ key }: KeyValue, value: unknown): number {
  const generation = Number(value)
  if (!Number.isSafeInteger(generation) || generation < 0) throw new Error(`no generation stands at ${key}`)
  return generation
}
