import type { Timer } from '../time/clock.ts'
import { isFar, type Peer } from '../transfer/control.ts'
import type { Courier } from '../transfer/courier.ts'
import { LAST_GENERATION } from '../transfer/envelope.ts'
import type { ExtensionValues } from '../transfer/extensions.ts'
import type { Libc } from '../transfer/native/libc.ts'
import type { SlotHeader } from '../transfer/slot.ts'
import { type FoundCheckpoint, SlotFile } from '../transfer/slot-file.ts'
import { countsOf, type SocketCounts } from '../transfer/socket-counts.ts'
import { Descriptor } from '../transfer/stream.ts'
import { Guard } from '../transport/guard.ts'
import { equal } from '../wire/index.ts'
import { reasonOf } from '../wire/thrown.ts'
import type { CarrierCounters, CarrierOwner } from './carrier.ts'
import type { Dispatch } from './dispatch.ts'
import { follow, type Owner, type Whereabouts } from './trail.ts'
import type { Unclean } from './unclean.ts'

/**
 * Connections that can have a duplicate at a time, at most; each takes 8 KiB of memory, up to 16 with a large
 * HTTP/2 state.
 */
const SLOTS = 16_384
/** Milliseconds between two looks for connections that are over. */
const SWEEP = 250
/**
 * Milliseconds after which a connection that only a dead process may have had is ended: more than a verdict
 * can take.
 */
const DOUBT = 6000
/** How often a connection is taken over from one checkpoint: containers may die of it. */
const ATTEMPTS = 3

/** What keeping duplicates needs. */
export interface DuplicatesOptions {
  readonly libc: Libc
  /** The gateway's id. */
  readonly self: number
  /** Connections that can have one at a time. */
  readonly slots: number
}

/**
 * How many connections can have a duplicate at a time: half of the descriptors that a process may open are
 * left for connections that come.
 * @param limits as in `/proc/self/limits`
 */
export function slotsWithin(limits: string): number {
  const open = Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? Number.POSITIVE_INFINITY)
  return Math.max(1, Math.min(SLOTS, Math.floor(open / 2)))
}

/** What duplicates tell the gateway. */
export interface DuplicatesOwner extends Pick<CarrierOwner, 'clock' | 'unclean' | 'refused'> {
  readonly counters: Pick<CarrierOwner['counters'], 'takenOver'>
}

/** A connection whose socket the gateway holds a second time. */
export interface Duplicate {
  /** For its envelope. */
  readonly extensions: ExtensionValues
  /** It is about to be offered to that container. */
  offer(target: number): void
  /** A container has it. */
  delivered(): void
  /** No container has it, or that is unknown: the duplicate is closed. */
  drop(): void
}

/** What a container is given and writes into, and for whom. */
interface ContainerFile {
  readonly file: SlotFile
  readonly functionName: string
}

/** A checkpoint, and the function whose container has left it: no other function may go on from it. */
interface Left extends FoundCheckpoint {
  readonly functionName: string
}

interface Entry {
  readonly slot: number
  readonly sessionId: Uint8Array
  readonly socket: Descriptor
  readonly cookie: Uint8Array
  /** The gateway is offering it: whatever happens meanwhile, the answer comes. */
  offering: boolean
  /** The last one who has it for certain, or had it and says who is next. */
  holder: Owner
  /** Of the newest offer. */
  generation: number
  /** What its last successor was to go on from. */
  from: Left | undefined
  /** Takeovers so far from the checkpoint of that sequence number. */
  tried: { readonly sequence: number; count: number }
}

/**
 * Connections that were given away, and of whose sockets the gateway keeps a duplicate, in case that their
 * containers die. It reads and writes none of them. Each container has a file of its own, in which it leaves
 * checkpoints of what it has, and says to whom it gave what it had; see {@link follow}.
 *
 * A process is dead for us when the supervisor says so: it has been waited for then. None of its threads runs
 * any more, its descriptors are closed, and its keys are gone with its memory: so it neither reads from the
 * socket nor writes to it again, and the kernel's counts stand still.
 */
export class Duplicates {
  readonly #libc: Libc
  readonly #self: number
  readonly #slots: number
  readonly #courier: Courier
  readonly #dispatch: Dispatch
  readonly #owner: DuplicatesOwner
  readonly #entries = new Map<number, Entry>()
  readonly #alive = new Set<number>()
  /** Of those that live, and for a while of those that are dead. */
  readonly #files = new Map<number, ContainerFile>()
  #fresh = 0
  #free: number[] = []
  #refused = 0
  readonly #sweep: Timer

  constructor(
    { libc, self, slots }: DuplicatesOptions,
    courier: Courier,
    dispatch: Dispatch,
    owner: DuplicatesOwner,
  ) {
    this.#libc = libc
    this.#self = self
    this.#slots = slots
    this.#courier = courier
    this.#dispatch = dispatch
    this.#owner = owner
    this.#sweep = owner.clock.every(SWEEP, () => this.#closeFinished()).unref()
  }

  get counters(): Pick<CarrierCounters, 'duplicated' | 'notDuplicated'> {
    return { duplicated: this.#entries.size, notDuplicated: this.#refused }
  }

  introduced(peer: Peer): void {
    const { id, role, functionName } = peer
    // Memory is shared with processes of this machine alone.
    if (role !== 'container' || isFar(peer)) return
    this.#alive.add(id)
    try {
      const file = SlotFile.create(this.#libc, this.#slots)
      this.#files.set(id, { file, functionName })
      this.#courier.shareSlots(id, file.descriptor, this.#slots)
    } catch {
      // No memory, or no descriptor: what it has does not outlive it.
    }
  }

  /** Looks after the connections that a container had. */
  gone(id: number): void {
    if (!this.#alive.delete(id)) return
    for (const entry of [...this.#entries.values()]) {
      // Whatever the gateway offers has been taken from the dead already, and the answer comes.
      if (!entry.offering) this.#guardOf(entry).run(() => this.#judge(entry, this.#find(entry), id))
    }
    // What it has said of connections that are in doubt is read once more.
    this.#owner.clock.after(2 * DOUBT, () => this.#forget(id)).unref()
  }

  #forget(id: number): void {
    this.#files.get(id)?.file.close()
    this.#files.delete(id)
  }

  /**
   * Duplicates the socket of a fresh connection.
   * @param received bytes that were read from it
   * @returns undefined if there is no room, or the kernel does not count as it should
   */
  open(fd: number, sessionId: Uint8Array, received: number): Duplicate | undefined {
    const entry = this.#enter(fd, sessionId, received)
    if (entry === undefined) {
      this.#refused++
      return undefined
    }
    const { slot, cookie } = entry
    return {
      extensions: { slot: { gateway: this.#self, cookie, slot, sequence: 0, received, sent: 0 } },
      offer: target => {
        entry.holder = { id: target, generation: 0 }
      },
      delivered: () => {
        entry.offering = false
      },
      drop: () => this.#drop(entry, false),
    }
  }

  #enter(fd: number, sessionId: Uint8Array, received: number): Entry | undefined {
    const slot = this.#free.pop() ?? (this.#fresh < this.#slots ? this.#fresh++ : undefined)
    if (slot === undefined) return undefined
    try {
      const counts = countsOf(this.#libc, fd)
      if (counts?.read === received && counts.written === 0) {
        const cookie = this.#libc.socketCookie(fd)
        const socket = Descriptor.fromFd(this.#libc.duplicate(fd))
        const holder = { id: this.#self, generation: 0 }
        const tried = { sequence: 0, count: 0 }
        const known = { slot, sessionId, socket, cookie, holder, tried }
        const entry = { ...known, offering: true, generation: 0, from: undefined }
        this.#entries.set(slot, entry)
        return entry
      }
    } catch {
      // Out of descriptors, most likely: the connection is served without.
    }
    this.#free.push(slot)
    return undefined
  }

  /**
   * A connection has been given to us, because its function sleeps, or by us to a container.
   * @param to undefined: it is ours
   */
  moved(slot: number, sessionId: Uint8Array, to: number | undefined, generation: number): void {
    const entry = this.#entries.get(slot)
    if (entry === undefined || !equal(entry.sessionId, sessionId)) return
    entry.offering = to === undefined
    entry.generation = generation
    entry.holder = { id: to ?? this.#self, generation }
  }

  /** Containers are asked to look after their connections themselves: nothing is closed that they hold. */
  close(): void {
    this.#sweep?.stop()
  }

  /** Where a connection is. What is certain of that is remembered. */
  #find(entry: Entry): Whereabouts {
    const found = follow(entry.holder, id => this.#said(id, entry))
    entry.holder = found.by
    return found
  }

  #said(id: number, { slot, sessionId }: Entry): SlotHeader | undefined {
    const header = this.#files.get(id)?.file.header(slot)
    return header !== undefined && equal(header.sessionId, sessionId) ? header : undefined
  }

  /**
   * Closes the duplicate. @param reusable no process writes into the slot any more; otherwise it is left
   * alone for a while
   */
  #drop(entry: Entry, reusable: boolean): void {
    if (!this.#entries.delete(entry.slot)) return
    entry.socket.close()
    if (reusable) this.#free.push(entry.slot)
    else this.#owner.clock.after(DOUBT, () => this.#free.push(entry.slot)).unref()
  }

  /** What is thrown over one of them ends that one. */
  #guardOf(entry: Entry): Guard {
    return new Guard(error => {
      entry.offering = false
      this.#end(entry, 'the gateway', { kind: 'failed', reason: reasonOf(error) })
    })
  }

  /** Ends the connection for every process that holds it. */
  #end(entry: Entry, target: string, end: Unclean): void {
    if (this.#entries.get(entry.slot) !== entry) return
    this.#libc.shutdown(entry.socket.fd)
    this.#drop(entry, false)
    this.#owner.unclean(target, end)
  }

  #closeFinished(): void {
    if (this.#entries.size === 0) return
    for (const id of this.#alive) {
      const over = this.#files.get(id)?.file.done(this.#fresh, slot => this.#entries.get(slot)?.sessionId)
      for (const slot of over ?? []) {
        const entry = this.#entries.get(slot)
        if (entry !== undefined && !entry.offering) this.#guardOf(entry).run(() => this.#closeIfOver(entry))
      }
    }
  }

  /** A container has died: goes on with a connection that it had, and no other container can have. */
  #judge(entry: Entry, found: Whereabouts, dead: number): void {
    const { by, kind } = found
    if (kind === 'done') this.#drop(entry, found.settled)
    else if (kind === 'held') {
      if (by.id === dead) this.#succeed(entry, this.#left(entry))
    } else if (by.id === dead || found.to === dead) {
      // The one that lives either has it and says so in a moment, or ends it; or it never arrived.
      if (this.#alive.has(by.id) || this.#alive.has(found.to)) this.#doubt(entry)
      else this.#end(entry, 'a container', IN_DOUBT)
    }
  }

  /** It is over if it is for that container to say so. */
  #closeIfOver(entry: Entry): void {
    const found = this.#find(entry)
    if (found.kind === 'done') this.#drop(entry, found.settled)
  }

  #doubt(entry: Entry): void {
    const decide = this.#guardOf(entry).entrance(() => {
      if (this.#entries.get(entry.slot) !== entry || entry.offering) return
      if (this.#find(entry).kind === 'offered') this.#end(entry, 'a container', IN_DOUBT)
    })
    this.#owner.clock.after(DOUBT, decide).unref()
  }

  /**
   * What can be gone on from, the newest first: what its holder has left, or nothing more than that has gone
   * on from.
   */
  #left({ slot, holder, from }: Entry): Left[] {
    const { file, functionName } = this.#files.get(holder.id) ?? {}
    const left = (file?.checkpoints(slot) ?? []).map(one => ({ ...one, functionName: functionName! }))
    return from === undefined ? left : [...left, from]
  }

  /**
   * Its owner is dead, and no other container can have it: it goes on if nothing has happened since a
   * checkpoint.
   */
  #succeed(entry: Entry, left: readonly Left[]): void {
    let counts: SocketCounts | undefined
    try {
      counts = countsOf(this.#libc, entry.socket.fd)
    } catch (error) {
      this.#end(entry, 'its container', { kind: 'broken', reason: (error as Error).message })
      return
    }
    if (counts === undefined) {
      // It was over already, or the client has gone as well.
      this.#drop(entry, true)
      return
    }
    const { read, written } = counts
    const found = left.find(
      ({ checkpoint: { sessionId, received, sent } }) =>
        equal(sessionId, entry.sessionId) && received === read && sent === written,
    )
    if (found === undefined)
      this.#end(entry, 'its container', { kind: 'lost', reason: 'it was not idle when its container died' })
    else if (!this.#mayTry(entry, found))
      this.#end(entry, 'its container', { kind: 'orphaned', reason: 'its successors died as well' })
    else this.#give(entry, found)
  }

  #mayTry(entry: Entry, { sequence }: FoundCheckpoint): boolean {
    if (entry.tried.sequence !== sequence) entry.tried = { sequence, count: 0 }
    return ++entry.tried.count <= ATTEMPTS
  }

  #give(entry: Entry, found: Left): void {
    const { functionName } = found
    const { generation, received, sealed } = found.checkpoint
    const takeOver = { checkpoint: sealed, generation, received, records: 0, retained: new Uint8Array(0) }
    entry.generation = Math.max(entry.generation, entry.holder.generation, generation)
    if (entry.generation >= LAST_GENERATION) {
      this.#end(entry, functionName, {
        kind: 'broken',
        reason: 'its container reports moves that did not happen',
      })
      return
    }
    entry.offering = true
    entry.from = found
    this.#dispatch.deliver({
      functionName,
      orphaned: true,
      near: true,
      bytes: takeOver.checkpoint.length + takeOver.retained.length,
      send: ({ id }, settle) => {
        entry.generation++
        entry.holder = { id, generation: entry.generation }
        const session = { sessionId: entry.sessionId, generation: entry.generation }
        this.#courier.sendTakeOver(id, session, takeOver, entry.socket, settle)
      },
      accepted: () => {
        entry.offering = false
        this.#owner.counters.takenOver++
      },
      // If it has died, we are told next; otherwise it may have it, and its slot says so.
      lost: () => {
        entry.offering = false
      },
      refused: (target, { verdict }) => this.#owner.refused(target.name, verdict),
      unwanted: reason => {
        entry.offering = false
        this.#end(entry, functionName, { kind: 'orphaned', reason })
      },
      failed: error => this.#guardOf(entry).fail(error),
    })
  }
}

const IN_DOUBT: Unclean = { kind: 'undecided', reason: 'its container died while it was moving' }
