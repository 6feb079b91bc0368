import type { Steered } from '../../platform/netd/messages.ts'
import type { Clock, Timer } from '../../time/clock.ts'
import { addressBytes, addressText, type Flow, flowKey } from '../../transfer/tcp/flow.ts'
import { equal } from '../../wire/index.ts'
import { reasonOf } from '../../wire/thrown.ts'
import type { Frame } from '../frames.ts'
import type { Meeting } from '../meeting.ts'
import type { Helper } from './helper.ts'
import { connectionsOfKernel, isConnected } from './socket-table.ts'

/** Milliseconds for another host to say that it steers as it was asked. */
const PATIENCE = 5000
/** Milliseconds between two looks at which connections have ended. */
const SWEEP = 5000
/** Milliseconds in which a connection may be given back to the host that had it. */
const RETURN = 90_000
/** How often another host is asked to steer back, and how many milliseconds lie between. */
const INSISTENCE = { times: 5, every: 500 } as const

/** A connection that has come here as TCP itself. */
export interface Resident {
  readonly flow: Flow
  /** The host that its client's packets come to first. */
  readonly origin: string
  /** It has ended, or gone on. */
  over(): void
}

export interface SteererOptions {
  readonly hostName: string
  readonly clock: Clock
  readonly helper: Helper
  /** The other hosts, as the directory has them; undefined: it does not answer. */
  hosts(): ReadonlyMap<string, { readonly address: string }> | undefined
  meetings(): readonly Meeting[]
}

/**
 * Where the packets of clients go. They come to the host that has accepted the connection, its origin, and
 * that has them go on to the host that has it now. Only those two know of it.
 */
export class Steerer {
  readonly #options: SteererOptions
  /** Connections of ours that other hosts have. */
  readonly #away = new Map<string, { readonly flow: Flow; readonly host: string }>()
  readonly #residents = new Map<string, Resident>()
  /** Who had a connection before the one that has it: what is refused there goes back. */
  readonly #before = new Map<string, { readonly host: string; readonly until: number }>()
  /** What netd had when it was met, and no host is known for yet. */
  #found: readonly Steered[] = []
  /** What other hosts say that they steer here, and that was not looked at. */
  readonly #named: { readonly meeting: Meeting; readonly flow: Flow }[] = []
  #looking = false
  /** What the kernel had when this began: a former link may have got it from other hosts, which say so. */
  readonly #old = connectionsOfKernel()
  /** The same, when it has been read. */
  #known: ReadonlySet<string> | undefined
  readonly #asked = new Map<number, { readonly meeting: Meeting; readonly answer: (done: boolean) => void }>()
  #tickets = 0
  #sweep: Timer | undefined

  constructor(options: SteererOptions) {
    this.#options = options
  }

  get meetings(): readonly Meeting[] {
    return this.#options.meetings()
  }

  get counts(): { readonly steered: number; readonly residents: number } {
    return { steered: this.#away.size, residents: this.#residents.size }
  }

  /** Looks from now on which connections have ended. */
  begin(): void {
    this.#old.then(
      old => {
        this.#known = old
      },
      () => undefined,
    )
    this.#sweep = this.#options.clock.every(SWEEP, () => void this.sweep().catch(() => undefined)).unref()
  }

  end(): void {
    this.#sweep?.stop()
  }

  originOf(flow: Flow): string {
    return this.#residents.get(flowKey(flow))?.origin ?? this.#options.hostName
  }

  /**
   * Whether packets of that connection can go on to that host. Of one that is older than this process, and
   * that no host has named, the origin is not known.
   */
  reaches(flow: Flow, host: string): boolean {
    const key = flowKey(flow)
    if (!this.#residents.has(key) && this.#known?.has(key) !== false) return false
    return host === this.originOf(flow) || this.#addressOf(flow, host) !== undefined
  }

  arrived(resident: Resident): void {
    const key = flowKey(resident.flow)
    this.#residents.get(key)?.over()
    this.#residents.set(key, resident)
  }

  /** Another host has it. */
  left(flow: Flow): void {
    const resident = this.#residents.get(flowKey(flow))
    this.#residents.delete(flowKey(flow))
    resident?.over()
  }

  /** From now on the packets of its client go to that host. @throws Error they go where they went */
  async turn(flow: Flow, host: string): Promise<void> {
    const origin = this.originOf(flow)
    if (origin === this.#options.hostName) return this.#steer(flow, host)
    const meeting = this.#meetingOf(origin)
    if (meeting === undefined) throw new Error(`host ${origin}, which steers it, is not reached`)
    const ticket = ++this.#tickets >>> 0
    const done = await new Promise<boolean>(resolve => {
      const timer = this.#options.clock.after(PATIENCE, () => resolve(false))
      const answer = (done: boolean): void => {
        timer.stop()
        resolve(done)
      }
      this.#asked.set(ticket, { meeting, answer })
      meeting.send({ kind: 'steer', ticket, flow, host })
    }).finally(() => this.#asked.delete(ticket))
    if (!done) throw new Error(`host ${origin} does not steer it`)
  }

  /** The packets of its client come here again. @returns undefined, or why they do not */
  async back(flow: Flow): Promise<string | undefined> {
    const { helper, hostName, clock } = this.#options
    if (this.originOf(flow) === hostName) {
      const against = await helper.insist(client => client.steer(flow, undefined))
      if (against === undefined) this.#away.delete(flowKey(flow))
      return against
    }
    for (let time = 1; ; time++) {
      try {
        await this.turn(flow, hostName)
        return undefined
      } catch (error) {
        if (time === INSISTENCE.times) return reasonOf(error)
        await new Promise<void>(resolve => clock.after(INSISTENCE.every, resolve))
      }
    }
  }

  /** What netd has of a former link, or of itself. */
  found(flows: readonly Steered[]): void {
    this.#found = flows.filter(({ flow }) => !this.#away.has(flowKey(flow)))
    for (const meeting of this.meetings) this.met(meeting)
  }

  /** A host is told of what it has of ours: its link may be a new one. */
  met(meeting: Meeting): void {
    this.#recognize()
    for (const { flow, host } of this.#away.values())
      if (host === meeting.host) meeting.send({ kind: 'steers', flow })
  }

  /** What another host asks, or answers. */
  heard(meeting: Meeting, frame: Extract<Frame, { kind: 'steer' | 'turned' | 'steers' }>): void {
    if (frame.kind === 'turned') {
      const asked = this.#asked.get(frame.ticket)
      if (asked?.meeting === meeting) asked.answer(frame.done)
    } else if (frame.kind === 'steers') {
      this.#named.push({ meeting, flow: frame.flow })
      if (!this.#looking) void this.#lookAll()
    } else this.#askedToSteer(meeting, frame)
  }

  async #lookAll(): Promise<void> {
    this.#looking = true
    try {
      const old = await this.#old
      while (this.#named.length > 0) await this.#look(old)
    } catch {
      // The kernel does not tell: what was named goes by relay, and stays steered.
      this.#named.length = 0
    }
    this.#looking = false
  }

  /** What has come about since this began is known here: no other host has a say in it. */
  async #look(old: ReadonlySet<string>): Promise<void> {
    const unknown: { readonly meeting: Meeting; readonly flow: Flow }[] = []
    for (const one of this.#named.splice(0)) {
      const key = flowKey(one.flow)
      if (this.#residents.has(key)) continue
      if (!old.has(key)) unknown.push(one)
      else this.#residents.set(key, { flow: one.flow, origin: one.meeting.host, over: () => undefined })
    }
    if (unknown.length === 0) return
    // What is steered here was made here before. So the kernel is asked behind the last of these words.
    const kernel = await connectionsOfKernel()
    for (const { meeting, flow } of unknown) if (!isConnected(kernel, flow)) this.#returns(meeting, flow)
  }

  /** It has ended, and no link was there to say so. The answer makes no difference. */
  #returns(meeting: Meeting, flow: Flow): void {
    meeting.send({ kind: 'steer', ticket: ++this.#tickets >>> 0, flow, host: meeting.host })
  }

  #askedToSteer(meeting: Meeting, { ticket, flow, host }: Extract<Frame, { kind: 'steer' }>): void {
    const answer = (done: boolean): void => meeting.send({ kind: 'turned', ticket, done })
    const key = flowKey(flow)
    const has = this.#away.get(key)?.host === meeting.host
    // The host that has it says where it goes; the one that has just had it may have it back, and no more.
    if (!has && (this.#before.get(key)?.host !== meeting.host || host !== meeting.host)) {
      answer(false)
      return
    }
    if (has) this.#before.set(key, { host: meeting.host, until: this.#options.clock.steady() + RETURN })
    this.#steer(flow, host).then(
      () => answer(true),
      () => answer(false),
    )
  }

  /** Lets go of what has ended. */
  async sweep(): Promise<void> {
    const before = [...this.#residents]
    if (before.length > 0) {
      const kernel = await connectionsOfKernel()
      for (const [key, resident] of before) {
        const { flow, origin } = resident
        if (isConnected(kernel, flow) || this.#residents.get(key) !== resident) continue
        // Its origin hears of it, now or when it is met again.
        const isOurs = origin === this.#options.hostName
        if (
          !isOurs &&
          (await this.turn(flow, origin).then(
            () => false,
            () => this.#meetingOf(origin) === undefined,
          ))
        )
          continue
        this.#residents.delete(key)
        resident.over()
      }
    }
    const now = this.#options.clock.steady()
    for (const [key, { until }] of this.#before) if (until < now) this.#before.delete(key)
    await this.#bringBack()
  }

  /** What goes to hosts that are no more comes here again, and its client hears that it has ended. */
  async #bringBack(): Promise<void> {
    const hosts = this.#options.hosts()
    if (hosts === undefined || this.#options.helper.client === undefined) return
    this.#recognize()
    const lost = [...this.#away.values()].filter(({ host }) => !hosts.has(host))
    for (const { flow } of [...lost, ...this.#found])
      await this.#steer(flow, this.#options.hostName).catch(() => undefined)
    this.#found = []
  }

  /** Finds the hosts of what netd had. */
  #recognize(): void {
    const hosts = [...(this.#options.hosts() ?? [])]
    this.#found = this.#found.filter(({ flow, to }) => {
      const [host] = hosts.find(([, { address }]) => sameAddress(address, to)) ?? []
      if (host !== undefined) this.#away.set(flowKey(flow), { flow, host })
      return host === undefined
    })
  }

  async #steer(flow: Flow, host: string): Promise<void> {
    const { helper, hostName } = this.#options
    if (helper.client === undefined) throw new Error('netd is not there')
    const to = host === hostName ? undefined : this.#addressOf(flow, host)
    if (host !== hostName && to === undefined) throw new Error(`host ${host} has no address of that family`)
    await helper.client.steer(flow, to)
    if (host === hostName) this.#away.delete(flowKey(flow))
    else this.#away.set(flowKey(flow), { flow, host })
  }

  /** @returns undefined: none, or none of the connection's family, or one that leads to this host */
  #addressOf({ ends }: Flow, host: string): Uint8Array | undefined {
    const address = addressBytes(this.#options.hosts()?.get(host)?.address ?? '')
    if (address?.length !== ends.remote.length || /^(127\.|0:0:0:0:0:0:0:1$)/.test(addressText(address)))
      return undefined
    return address
  }

  #meetingOf(host: string): Meeting | undefined {
    return this.meetings.find(one => one.host === host)
  }
}

function sameAddress(text: string, address: Uint8Array): boolean {
  const bytes = addressBytes(text)
  return bytes !== undefined && equal(bytes, address)
}
