import type { Peer } from '../transfer/control.ts'
import type { Courier } from '../transfer/courier.ts'
import type { Envelope } from '../transfer/envelope.ts'
import type { Libc } from '../transfer/native/libc.ts'
import { type SlotHeader, slotExtension } from '../transfer/slot.ts'
import { type FoundCheckpoint, SlotFile } from '../transfer/slot-file.ts'
import { countsOf, type SocketCounts } from '../transfer/socket-counts.ts'
import { Descriptor } from '../transfer/stream.ts'
import { equal } from '../wire/index.ts'
import type { Dispatch } from './dispatch.ts'
import type { Unclean } from './unclean.ts'

/** Connections that can have a duplicate at a time, at most; each takes 8 KiB of memory, up to 16 with a large HTTP/2 state. */
const SLOTS = 16_384
/** Milliseconds between two looks for connections that are over. */
const SWEEP = 250
/** Milliseconds after which a connection that only a dead process may have had is ended: more than a verdict can take. */
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
 * How many connections can have a duplicate at a time: half of the descriptors that a process may open are left for connections that come.
 * @param limits as in `/proc/self/limits`
 */
export function slotsWithin(limits: string): number {
  const open = Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? Number.POSITIVE_INFINITY)
  return Math.max(1, Math.min(SLOTS, Math.floor(open / 2)))
}

/** What duplicates tell the gateway. */
export interface DuplicatesOwner {
  readonly counters: { takenOver: number }
  /** A connection ended without an orderly end. */
  unclean(target: string, end: Unclean): void
  refused(target: string, verdict: unknown): void
}

/** A connection whose socket the gateway holds a second time. */
export interface Duplicate {
  /** For its envelope. */
  readonly extension: Envelope['extensions'][number]
  /** It is about to be offered to that container. */
  offer(target: number): void
  /** A container has it. */
  delivered(): void
  /** Nobody has it, or nobody can tell: the duplicate is closed. */
  drop(): void
}

interface Entry {
  readonly slot: number
  readonly sessionId: Uint8Array
  readonly socket: Descriptor
  /** The gateway is offering it: whatever happens meanwhile, the answer comes. */
  offering: boolean
  /** Of the newest offer. */
  generation: number
  /** Takeovers so far from the checkpoint of that sequence number. */
  tried: { readonly sequence: number; count: number }
}

/**
 * Connections that were given away, and of whose sockets the gateway keeps a duplicate, in case that their containers die. It reads and writes
 * none of them. Who has a connection stands in its slot of a file that all containers share, and so do checkpoints.
 *
 * A process is dead for us when the supervisor says so: it has been waited for then. None of its threads runs any more, its descriptors are
 * closed, and its keys are gone with its memory: so it neither reads from the socket nor writes to it again, and the kernel's counts stand still.
 */
export class Duplicates {
  readonly #file: SlotFile
  readonly #libc: Libc
  readonly #self: number
  readonly #courier: Courier
  readonly #dispatch: Dispatch
  readonly #owner: DuplicatesOwner
  readonly #entries = new Map<number, Entry>()
  readonly #alive = new Set<number>()
  #fresh = 0
  #free: number[] = []
  #refused = 0
  readonly #sweep: NodeJS.Timeout

  /** @throws Error there is no memory for the file */
  constructor(
    { libc, self, slots }: DuplicatesOptions,
    courier: Courier,
    dispatch: Dispatch,
    owner: DuplicatesOwner,
  ) {
    this.#libc = libc
    this.#self = self
    this.#courier = courier
    this.#dispatch = dispatch
    this.#owner = owner
    this.#file = SlotFile.create(libc, slots)
    this.#sweep = setInterval(() => this.#closeFinished(), SWEEP).unref()
  }

  /** Counters for `status`: connections with a duplicate, and those for which there was no slot or descriptor, so far. */
  get counters(): { readonly duplicated: number; readonly notDuplicated: number } {
    return { duplicated: this.#entries.size, notDuplicated: this.#refused }
  }

  introduced({ id, role }: Peer): void {
    if (role !== 'container') return
    this.#alive.add(id)
    this.#courier.shareSlots(id, this.#file.descriptor, this.#file.slots)
  }

  /** Looks after the connections that a container had. */
  gone(id: number): void {
    if (!this.#alive.delete(id)) return
    for (const entry of [...this.#entries.values()]) {
      if (entry.offering) continue
      const header = this.#headerOf(entry)
      if (header === undefined || header.owner === id || header.from === id) this.#judge(entry, header)
    }
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
    const { slot } = entry
    const extension = slotExtension({ gateway: this.#self, slot, sequence: 0, received, sent: 0 })
    return {
      extension,
      offer: target => this.#offer(entry, target),
      delivered: () => {
        entry.offering = false
      },
      drop: () => this.#drop(entry, false),
    }
  }

  #enter(fd: number, sessionId: Uint8Array, received: number): Entry | undefined {
    const slot = this.#free.pop() ?? (this.#fresh < this.#file.slots ? this.#fresh++ : undefined)
    if (slot === undefined) return undefined
    try {
      const counts = countsOf(this.#libc, fd)
      if (counts?.read === received && counts.written === 0) {
        const socket = Descriptor.fromFd(this.#libc.duplicate(fd))
        const tried = { sequence: 0, count: 0 }
        const entry = { slot, sessionId, socket, offering: true, generation: 0, tried }
        this.#entries.set(slot, entry)
        return entry
      }
    } catch {
      // Out of descriptors, most likely: the connection is served without.
    }
    this.#free.push(slot)
    return undefined
  }

  /** Those who have it are asked to look after it themselves: nothing is closed that others hold. */
  close(): void {
    clearInterval(this.#sweep)
  }

  #offer({ slot, sessionId }: Entry, target: number): void {
    this.#file.writeHeader(slot, { state: 'live', sessionId, owner: target, from: this.#self })
  }

  /** Closes the duplicate. @param reusable nobody else writes into the slot any more; otherwise it is left alone for a while */
  #drop(entry: Entry, reusable: boolean): void {
    if (!this.#entries.delete(entry.slot)) return
    entry.socket.close()
    if (reusable) this.#free.push(entry.slot)
    else setTimeout(() => this.#free.push(entry.slot), DOUBT).unref()
  }

  /** Ends the connection for everybody. */
  #end(entry: Entry, target: string, end: Unclean): void {
    if (this.#entries.get(entry.slot) !== entry) return
    this.#libc.shutdown(entry.socket.fd)
    this.#drop(entry, false)
    this.#owner.unclean(target, end)
  }

  #closeFinished(): void {
    if (this.#entries.size === 0) return
    for (const slot of this.#file.done(this.#fresh)) {
      const entry = this.#entries.get(slot)
      const header = entry && !entry.offering ? this.#headerOf(entry) : undefined
      if (header?.state === 'done') this.#drop(entry!, header.from === 0)
    }
  }

  /** @returns undefined if somebody is writing it, or has died over it */
  #headerOf({ slot, sessionId }: Entry): SlotHeader | undefined {
    const header = this.#file.header(slot)
    return header !== undefined && equal(header.sessionId, sessionId) ? header : undefined
  }

  /** Somebody has died who had it, or offered it, or was offered it. */
  #judge(entry: Entry, header: SlotHeader | undefined): void {
    if (header?.state === 'done') {
      this.#drop(entry, header.from === 0)
    } else if (header === undefined || this.#alive.has(header.owner) || this.#alive.has(header.from)) {
      // Who is left either has it and says so in a moment, or ends it; or it never arrived.
      this.#doubt(entry, header)
    } else {
      this.#succeed(entry)
    }
  }

  #doubt(entry: Entry, before: SlotHeader | undefined): void {
    setTimeout(() => {
      if (this.#entries.get(entry.slot) !== entry || entry.offering) return
      const header = this.#headerOf(entry)
      if (header?.owner === before?.owner && header?.from === before?.from)
        this.#end(entry, 'a container', {
          kind: 'undecided',
          reason: 'its container died while it was on its way',
        })
    }, DOUBT).unref()
  }

  /** Its owner is dead, and nobody else can have it: it goes on if nothing has happened since a checkpoint. */
  #succeed(entry: Entry): void {
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
    const found = this.#file
      .checkpoints(entry.slot)
      .find(
        ({ checkpoint: { sessionId, received, sent } }) =>
          equal(sessionId, entry.sessionId) && received === read && sent === written,
      )
    if (found === undefined)
      this.#end(entry, 'its container', { kind: 'lost', reason: 'something was underway when it died' })
    else if (!this.#mayTry(entry, found))
      this.#end(entry, 'its container', { kind: 'orphaned', reason: 'its successors die of it' })
    else this.#give(entry, found)
  }

  #mayTry(entry: Entry, { sequence }: FoundCheckpoint): boolean {
    if (entry.tried.sequence !== sequence) entry.tried = { sequence, count: 0 }
    return ++entry.tried.count <= ATTEMPTS
  }

  #give(entry: Entry, { checkpoint }: FoundCheckpoint): void {
    const { functionName, generation, received, sealed } = checkpoint
    const takeOver = { checkpoint: sealed, generation, received, records: 0, retained: new Uint8Array(0) }
    entry.offering = true
    entry.generation = Math.max(entry.generation, generation)
    this.#dispatch.deliver({
      functionName,
      bytes: takeOver.checkpoint.length + takeOver.retained.length,
      send: ({ id }, settle) => {
        this.#offer(entry, id)
        const session = { sessionId: entry.sessionId, generation: ++entry.generation }
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
    })
  }
}
