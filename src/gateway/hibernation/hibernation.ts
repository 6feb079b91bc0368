import { restCounter } from '../../platform/counters/rests.ts'
import type { Timer } from '../../time/clock.ts'
import type { Arrival } from '../../transfer/consignments/consignments.ts'
import type { Courier } from '../../transfer/courier.ts'
import type { Release } from '../../transfer/custody.ts'
import { LAST_GENERATION } from '../../transfer/envelope.ts'
import type { Hibernated } from '../../transfer/hibernated.ts'
import type { QueuedEvent } from '../../transfer/native/epoll.ts'
import type { Libc } from '../../transfer/native/libc.ts'
import type { SealAssociated } from '../../transfer/seal.ts'
import { type Descriptor, openStream } from '../../transfer/stream.ts'
import { Watcher } from '../../transfer/streams/watcher.ts'
import { Guard } from '../../transport/guard.ts'
import type { CarrierOwner } from '../carrier.ts'
import type { Dispatch, Onward, Refused } from '../dispatch.ts'
import type { Unclean } from '../unclean.ts'
import { nextRest, type RestEvent, type RestState } from './rest.ts'
import { hasSpoken, isReset, isUntouched, type Stillness, stillnessOf } from './still.ts'
import { Wakes } from './wakes.ts'

/** Bytes of what is kept of one connection, at most. */
const MOST_BYTES = 65_536
/** Functions that a status tells of one by one: a message has its limits. */
const TOLD = 256
/** How often a connection is offered again after a container died before it had touched it. */
const ATTEMPTS = 3
/** How often a container is asked again that does not know the key yet. */
const REFUSALS = 50
/** Milliseconds between two looks whose time is over, at most. */
const SWEEP = 30_000
/** Connections that are on their way to another gateway at a time. */
const GIVING = 256

/** What keeping connections needs. */
export interface HibernationOptions {
  readonly libc: Libc
  /** Connections that can be kept at a time, and bytes of all of them; 0: no limit. */
  readonly most: number
  readonly mostBytes: number
  /** Milliseconds after which one is closed; 0: never. */
  readonly limit: number
}

/** What hibernation tells the gateway. */
export interface HibernationOwner extends Pick<CarrierOwner, 'clock' | 'unclean' | 'refused' | 'fault'> {
  /** No container came for one without TLS: it is told so, and ends. */
  giveUp: CarrierOwner['giveUp']
  /** The duplicate of a connection's socket, if there is one: who has the connection now. */
  moved(slot: number, sessionId: Uint8Array, to: number | undefined, generation: number): void
}

/** One connection whose function sleeps. */
class Rest {
  readonly number: number
  readonly sessionId: Uint8Array
  generation: number
  readonly kept: Hibernated
  readonly socket: Descriptor
  /** Milliseconds of the clock when it is closed; 0: never. */
  readonly until: number
  state: RestState = 'resting'
  attempts = 0

  constructor(
    number: number,
    { sessionId, generation }: SealAssociated,
    kept: Hibernated,
    socket: Descriptor,
    until: number,
  ) {
    this.number = number
    this.sessionId = sessionId
    this.generation = generation
    this.kept = kept
    this.socket = socket
    this.until = until
  }
}

/**
 * Connections whose functions sleep: their sockets, which the kernel watches, and what a container has sealed
 * of them for the next one. The gateway reads nothing of it. The next byte of a client, or its end, wakes the
 * function, and a container goes on with the connection.
 */
export class Hibernation {
  readonly #options: HibernationOptions
  readonly #courier: Courier
  readonly #dispatch: Dispatch
  readonly #owner: HibernationOwner
  readonly #watcher: Watcher
  readonly #rests = new Map<number, Rest>()
  readonly #wakes = new Wakes<Rest>()
  readonly #names = new Map<string, string>()
  readonly #sweep: Timer | undefined
  #next = 0
  #bytes = 0
  #woken = 0
  #expired = 0
  /** Another gateway accepts now, and gets what is here. */
  #successor: (() => number | undefined) | undefined
  #giving = 0

  /** @throws Error the system has no queue to watch them with */
  constructor(options: HibernationOptions, courier: Courier, dispatch: Dispatch, owner: HibernationOwner) {
    this.#options = options
    this.#courier = courier
    this.#dispatch = dispatch
    this.#owner = owner
    this.#watcher = new Watcher(events => this.#told(events))
    const { limit } = options
    if (limit > 0) this.#sweep = owner.clock.every(Math.min(SWEEP, limit / 10), () => this.#expire()).unref()
  }

  /** Connections that are kept. */
  get size(): number {
    return this.#rests.size
  }

  /** What `status` shows. */
  get counters(): Readonly<Record<string, number>> {
    return {
      hibernating: this.#rests.size,
      hibernatingKiB: Math.ceil(this.#bytes / 1024),
      wakesWaiting: this.#wakes.waiting,
      woken: this.#woken,
      hibernationExpired: this.#expired,
      ...this.#byFunction(),
    }
  }

  #byFunction(): Record<string, number> {
    const counts = new Map<string, number>()
    for (const { kept } of this.#rests.values())
      counts.set(kept.functionName, (counts.get(kept.functionName) ?? 0) + 1)
    const told = [...counts].slice(0, TOLD)
    return Object.fromEntries(told.map(([name, count]) => [restCounter(name), count]))
  }

  /** Takes a connection whose function goes to sleep, or says why not. Its sender is frozen until then. */
  take(state: Hibernated, session: SealAssociated, descriptor: Descriptor): Arrival {
    const { checkpoint, functionName, left } = state
    const { most, mostBytes, limit } = this.#options
    const { length } = checkpoint
    if (length > MOST_BYTES) return full(`${length} bytes of one connection`)
    if (this.#rests.size >= most) return full(`${most} connections hibernate already`)
    if (mostBytes > 0 && this.#bytes + length > mostBytes)
      return full('gateway.limits.memoryBytes is used up')
    if (session.generation >= LAST_GENERATION) return { reason: 'malformed', detail: 'an absurd generation' }
    const now = this.#owner.clock.steady()
    const time = left > 0 ? left : limit
    // What has come is borrowed, and as long as its message.
    const kept = { ...state, functionName: this.#named(functionName), checkpoint: checkpoint.slice() }
    const own = { sessionId: session.sessionId.slice(), generation: session.generation }
    const rest = new Rest(this.#number(), own, kept, descriptor, time === 0 ? 0 : now + time)
    try {
      this.#watcher.watch(descriptor.fd, rest.number)
    } catch (error) {
      return { reason: 'descriptor', detail: (error as Error).message.slice(0, 255) }
    }
    this.#rests.set(rest.number, rest)
    this.#bytes += length
    this.#tellMoved(rest, undefined)
    this.#giveMore()
    // When its sender has let go of it.
    if (state.waits) this.#owner.clock.after(1, () => this.#guardOf(rest).run(() => this.#wake(rest)))
    return undefined
  }

  /** Another gateway accepts now: gives it what rests here. @param successor its id, if there is one */
  handOver(successor: () => number | undefined): void {
    this.#successor = successor
    this.#giveMore()
  }

  /** The gateway stops: what rests here ends with it. */
  close(): void {
    this.#sweep?.stop()
    for (const rest of [...this.#rests.values()]) if (rest.state === 'resting') this.#end(rest)
  }

  #told(events: readonly QueuedEvent[]): void {
    for (const { number, over } of events) {
      const rest = this.#rests.get(number)
      if (rest !== undefined) this.#guardOf(rest).run(() => this.#spoken(rest, over))
    }
  }

  #spoken(rest: Rest, over: boolean): void {
    const { kept, socket } = rest
    // Its client has gone without a word, and there is nothing that a function could say or be told.
    if (over || (!kept.told && !hasSpoken(this.#options.libc, socket.fd))) {
      if (rest.state === 'resting') this.#end(rest)
      return
    }
    this.#wake(rest)
  }

  #wake(rest: Rest): void {
    const { kept } = rest
    if (!this.#on(rest, 'spoken')) return
    if (this.#wakes.begin(kept.functionName, rest)) this.#offer(rest)
    else this.#dispatch.wish(kept.functionName, true)
  }

  /** Offers it to a container, which is woken if there is none. */
  #offer(rest: Rest): void {
    const { kept, sessionId, socket } = rest
    const { functionName } = kept
    const still = stillnessOf(this.#options.libc, socket.fd)
    let refusals = 0
    this.#dispatch.deliver({
      functionName,
      kept: true,
      // Its socket is watched here, and only a process of this machine can be given what is left of it.
      near: true,
      bytes: 0,
      send: ({ id }, settle) => {
        rest.generation++
        const session = { sessionId, generation: rest.generation }
        this.#tellMoved(rest, id)
        this.#courier.sendHibernated('thaw', id, session, kept, socket, settle)
      },
      accepted: () => {
        this.#woken++
        this.#on(rest, 'taken')
        this.#remove(rest)
        socket.close()
        this.#done(functionName)
      },
      lost: (target, reason) => this.#lost(rest, target.name, reason, still),
      refused: (target, release) => {
        refusals++
        if (onwardOf(release, refusals) !== 'again') this.#owner.refused(target.name, release.verdict)
      },
      onward: release => onwardOf(release, refusals),
      unwanted: reason => this.#unwanted(rest, reason),
      failed: error => this.#guardOf(rest).fail(error),
    })
  }

  /** A container died with it, or says nothing: if nothing has gone through the socket, it rests on. */
  #lost(rest: Rest, target: string, reason: string, still: Stillness | undefined): void {
    const { kept, socket, number } = rest
    const dead = reason === 'lost'
    const untouched = dead && isUntouched(this.#options.libc, socket.fd, still)
    if (untouched && ++rest.attempts < ATTEMPTS && this.#on(rest, 'returned')) {
      this.#tellMoved(rest, undefined)
      this.#watcher.again(socket.fd, number)
    } else this.#cut(rest, target, { kind: 'undecided', reason })
    this.#done(kept.functionName)
  }

  #unwanted(rest: Rest, reason: string): void {
    const { kept, socket } = rest
    if (kept.answerable) {
      this.#on(rest, 'ended')
      this.#remove(rest)
      this.#tellMoved(rest, undefined)
      const stream = openStream(socket, { tuned: true })
      this.#owner.giveUp(stream, false, kept.functionName, reason, new Uint8Array(0))
    } else this.#cut(rest, kept.functionName, { kind: 'orphaned', reason })
    this.#done(kept.functionName)
  }

  /** The next one of that function has its turn. */
  #done(functionName: string): void {
    const next = this.#wakes.done(functionName)
    if (next !== undefined) this.#guardOf(next).run(() => this.#offer(next))
  }

  #expire(): void {
    const now = this.#owner.clock.steady()
    for (const rest of [...this.#rests.values()]) {
      if (rest.state !== 'resting' || rest.until === 0 || rest.until > now) continue
      this.#expired++
      this.#end(rest)
    }
  }

  #giveMore(): void {
    if (this.#successor === undefined) return
    for (const rest of this.#rests.values()) {
      if (this.#giving >= GIVING) return
      if (rest.state === 'resting' && rest.attempts === 0) this.#give(rest)
    }
  }

  #give(rest: Rest): void {
    const target = this.#successor?.()
    if (target === undefined) return
    const { kept, sessionId, socket, until } = rest
    this.#on(rest, 'offered')
    this.#watcher.forget(socket.fd)
    this.#giving++
    rest.generation++
    const left = until === 0 ? 0 : Math.max(1, Math.ceil(until - this.#owner.clock.steady()))
    const settle = (release: Release): void => {
      this.#giving--
      if (release.state === 'gone') {
        this.#on(rest, 'taken')
        this.#remove(rest)
        socket.close()
      } else if (release.state === 'ended')
        this.#cut(rest, 'a gateway', { kind: 'undecided', reason: release.reason })
      else {
        // It goes on here as long as this gateway does, and is not offered again.
        rest.attempts++
        this.#on(rest, 'returned')
        this.#watcher.watch(socket.fd, rest.number)
      }
      this.#giveMore()
    }
    const guarded = this.#guardOf(rest).entrance(settle)
    const session = { sessionId, generation: rest.generation }
    this.#courier.sendHibernated('hibernate', target, session, { ...kept, left }, socket, guarded)
  }

  /** It is over: its client is gone, or has been silent for too long. Nothing is left to be said. */
  #end(rest: Rest): void {
    this.#on(rest, 'ended')
    this.#remove(rest)
    // Others may have the same socket open.
    this.#options.libc.shutdown(rest.socket.fd)
    rest.socket.close()
  }

  /** It ends although something was underway, unless its client has ended it meanwhile. */
  #cut(rest: Rest, target: string, end: Unclean): void {
    if (rest.state === 'over' || rest.state === 'gone') return
    const reset = isReset(this.#options.libc, rest.socket.fd)
    this.#end(rest)
    if (!reset) this.#owner.unclean(target, end)
  }

  #remove(rest: Rest): void {
    const { number, kept, socket } = rest
    if (!this.#rests.delete(number)) return
    this.#wakes.drop(kept.functionName, rest)
    this.#bytes -= kept.checkpoint.length
    this.#watcher.forget(socket.fd)
  }

  #tellMoved({ kept, sessionId, generation }: Rest, to: number | undefined): void {
    if (kept.slot !== undefined) this.#owner.moved(kept.slot, sessionId, to, generation)
  }

  /** @returns whether that changed something */
  #on(rest: Rest, event: RestEvent): boolean {
    const next = nextRest(rest.state, event)
    if (next !== undefined) rest.state = next
    return next !== undefined
  }

  /** What is thrown over one of them ends that one. */
  #guardOf(rest: Rest): Guard {
    return new Guard(error => {
      this.#owner.fault(error)
      if (rest.state !== 'over' && rest.state !== 'gone') this.#end(rest)
    })
  }

  #number(): number {
    do this.#next = (this.#next + 1) >>> 0
    while (this.#rests.has(this.#next))
    return this.#next
  }

  /** One text for all connections of a function. */
  #named(functionName: string): string {
    const known = this.#names.get(functionName)
    if (known === undefined) this.#names.set(functionName, functionName)
    return known ?? functionName
  }
}

function full(detail: string): Arrival {
  return { reason: 'draining', detail }
}

/** What follows a refusal: the key may be on its way, or no other container can take it either. */
function onwardOf(release: Refused, refusals: number): Onward {
  const reason = release.verdict?.reason
  if (reason === 'seal' && refusals < REFUSALS) return 'again'
  return reason === undefined || reason === 'draining' ? 'next' : 'never'
}
