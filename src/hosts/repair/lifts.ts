import type { Log } from '../../platform/log.ts'
import type { Clock } from '../../time/clock.ts'
import type { Descriptor } from '../../transfer/stream.ts'
import { type Flow, flowOf } from '../../transfer/tcp/flow.ts'
import { reasonOf } from '../../wire/thrown.ts'
import type { Meeting } from '../meeting.ts'
import type { Registry } from '../registry.ts'
import type { Bridge } from '../ways.ts'
import { Arriving, type ArrivingOwner } from './arriving.ts'
import type { Helper } from './helper.ts'
import { Leaving, type LeavingOwner } from './leaving.ts'
import { Steerer } from './steerer.ts'

/** What is done by link and directory for connections that go themselves. */
export interface LiftsOptions {
  readonly hostName: string
  readonly helper: Helper
  readonly encounters: { readonly met: readonly Meeting[] }
  readonly registry: () => Registry | undefined
  readonly clock: Clock
  readonly log: Log
  readonly ended: ArrivingOwner['ended']
}

/** The processes that speak of a connection, as the link numbers them. */
interface Ends {
  readonly near: number
}

/** The connections that go to other hosts, or come from them, as TCP itself: `hosts.carrier: repair`. */
export class Lifts {
  readonly #options: LiftsOptions
  readonly #steerer: Steerer
  /** Connections that have gone to other hosts themselves. */
  #lifted = 0
  readonly #leaving = new Map<Leaving, Ends>()
  readonly #arriving = new Map<Arriving, Ends & { settled(begun: boolean): void }>()

  constructor(options: LiftsOptions) {
    this.#options = options
    const { helper, encounters, registry } = options
    const hosts = (): Registry['hosts'] | undefined => {
      const found = registry()
      return found === undefined || found.away ? undefined : found.hosts
    }
    this.#steerer = new Steerer({ ...options, hosts, meetings: () => encounters.met })
    helper.onChange = flows => {
      if (flows !== undefined) this.#steerer.found(flows)
      for (const meeting of encounters.met) this.#tell(meeting)
    }
    helper.begin()
    this.#steerer.begin()
  }

  get carries(): boolean {
    return this.#options.helper.client !== undefined
  }

  get counts(): Readonly<Record<string, number>> {
    return { netdAway: this.carries ? 0 : 1, lifted: this.#lifted, ...this.#steerer.counts }
  }

  get #parts() {
    const { helper, clock, log } = this.#options
    return { helper, clock, log, steerer: this.#steerer }
  }

  met(meeting: Meeting): void {
    this.#tell(meeting)
    this.#steerer.met(meeting)
  }

  #tell(meeting: Meeting): void {
    meeting.send({ kind: 'carries', repair: this.carries })
  }

  /** @returns undefined: it cannot go itself, and goes by a span */
  flowFor(meeting: Meeting, descriptor: Descriptor): Flow | undefined {
    if (!this.carries || !meeting.carries) return undefined
    const flow = flowOf(descriptor.fd)
    return flow !== undefined && this.#steerer.reaches(flow, meeting.host) ? flow : undefined
  }

  leave(
    meeting: Meeting,
    descriptor: Descriptor,
    flow: Flow,
    ends: Ends,
    hooks: Pick<LeavingOwner, 'admits' | 'relayed' | 'kept' | 'ended'>,
  ): Leaving {
    const ended = (leaving: Leaving): void => {
      this.#leaving.delete(leaving)
      if (leaving.gone) this.#lifted++
      hooks.ended(leaving)
    }
    const relayed: LeavingOwner['relayed'] = (leaving, taken) => {
      this.#leaving.delete(leaving)
      hooks.relayed(leaving, taken)
    }
    const leaving = new Leaving(meeting, descriptor, flow, { ...this.#parts, ...hooks, ended, relayed })
    meeting.lift(leaving)
    this.#leaving.set(leaving, ends)
    return leaving
  }

  /**
   * @param settled tells the other host's process what a container that is dead has not said
   * @returns undefined: there is a span of that number; then that host is left
   */
  arrive(
    meeting: Meeting,
    number: number,
    ends: Ends,
    settled: (begun: boolean) => void,
  ): Arriving | undefined {
    try {
      meeting.admits(number)
    } catch (error) {
      meeting.end(`it speaks nonsense: ${reasonOf(error)}`)
      return undefined
    }
    const { ended } = this.#options
    const arriving = new Arriving(number, meeting, {
      ...this.#parts,
      ended: one => {
        this.#arriving.delete(one)
        ended(one)
      },
    })
    this.#arriving.set(arriving, { ...ends, settled })
    return arriving
  }

  /** A process of this host is dead. */
  gone(near: number): void {
    for (const [leaving, ends] of this.#leaving)
      if (ends.near === near) leaving.abandon('the container that has offered it is gone')
    for (const [arriving, ends] of [...this.#arriving])
      if (ends.near === near && arriving.isWaiting) ends.settled(arriving.orphaned())
  }

  /**
   * A process of this host does not speak through a pair any more. Whether it has begun with what it was
   * given is told first: by its death, or by the socket.
   * @param cut tells the other end of that pair
   */
  silent(near: number, cut: () => void): void {
    const unjudged = [...this.#arriving].filter(([, ends]) => ends.near === near).map(([one]) => one)
    for (const one of unjudged) one.look()
    if (unjudged.length === 0) cut()
    else void Promise.all(unjudged.map(one => one.judged.promise)).then(cut)
  }

  /** Does it when what comes back to those processes is theirs again, and they know it. */
  behind(ways: readonly (Bridge | undefined)[], act: () => void): void {
    const near = new Set(ways.map(way => way?.near))
    const back = [...this.#leaving].filter(([, ends]) => near.has(ends.near)).map(([one]) => one.done)
    void Promise.all(back)
      .then(() => Promise.all(ways.map(way => way?.tail)))
      .then(act)
  }

  steering(meeting: Meeting, frame: Parameters<Steerer['heard']>[1]): void {
    this.#steerer.heard(meeting, frame)
  }

  end(): void {
    this.#steerer.end()
  }
}

/** Where connections go by spans alone, nothing is waited for. */
export const WITHOUT_LIFTS: Pick<Lifts, 'silent' | 'behind'> = {
  silent: (_near, cut) => cut(),
  behind: (_ways, act) => act(),
}
