import type { Log } from '../../platform/log.ts'
import type { Clock, Timer } from '../../time/clock.ts'
import type { ControlMessage, SlumberPhase } from '../../transfer/control.ts'
import type { Replica } from '../replica.ts'
import type { Counters } from '../status.ts'
import { Idleness } from './idleness.ts'

/** Milliseconds between two looks whether functions have work. */
const LOOK = 200
/** A function is looked at so often in its time, but not more often than once in a second. */
const LOOKS = 4
const SELDOM = 1000

/** What puts functions to sleep and wakes them. */
export interface SleepOptions {
  readonly clock: Clock
  readonly log: Log
  /** By function: milliseconds without work after which it sleeps. */
  readonly idle: () => ReadonlyMap<string, number>
  /** Whether gateways keep connections; otherwise only a function without any sleeps by itself. */
  readonly keeps: boolean
  /** All replicas of containers. */
  readonly replicas: () => readonly Replica[]
  /** What the process of a replica has counted; undefined if it does not answer. */
  readonly look: (replica: Replica) => Promise<Counters | undefined>
  readonly tellGateways: (message: ControlMessage) => void
  /** Starts a process for a replica that sleeps. */
  readonly start: (replica: Replica) => void
  /** Puts a function to sleep. @throws Error it is being changed */
  readonly putToSleep: (functionName: string) => Promise<unknown>
}

/**
 * Functions that have no process: when they fall asleep, what wakes them, and what gateways are told of them.
 * However many connections ask for one that sleeps, it is woken once.
 */
export class Sleep {
  readonly #options: SleepOptions
  readonly #idleness = new Idleness()
  /** What gateways know of functions without a container. */
  readonly #phases = new Map<string, SlumberPhase>()
  readonly #looking: Timer
  /** When the containers of a function are asked next; Infinity: they are being asked. */
  readonly #due = new Map<string, number>()

  constructor(options: SleepOptions) {
    this.#options = options
    this.#looking = options.clock.every(LOOK, () => this.#lookAtAll()).unref()
  }

  /** The platform stops. */
  stop(): void {
    this.#looking.stop()
  }

  /** There is work for a function. Nothing happens unless it sleeps. */
  wake(functionName: string): readonly Replica[] {
    const asleep = this.#of(functionName).filter(({ life }) => life.state === 'asleep')
    if (asleep.length === 0) return []
    for (const replica of asleep) {
      replica.life.started()
      this.#options.start(replica)
    }
    this.#options.log.info(`${functionName} wakes`)
    this.#tell(functionName, 'waking')
    return asleep
  }

  /** A function has gone to sleep, or is about to. */
  asleep(functionName: string): void {
    this.#idleness.forget(functionName)
    this.#tell(functionName, 'asleep')
  }

  /** A process can work: a container, or a gateway that knows nothing yet. */
  ready({ functionName, spec, life }: Replica): void {
    // One that is put to sleep again already says nothing of its function.
    if (life.stays && this.#phases.has(functionName)) this.#tell(functionName, 'awake')
    if (spec.role !== 'gateway') return
    for (const [name, phase] of this.#phases)
      this.#options.tellGateways({ kind: 'slumber', functionName: name, phase })
  }

  /** None of its first containers could be started. */
  failing(functionName: string): void {
    this.#tell(functionName, 'failing')
  }

  /** The process of a replica has ended, and is or is not followed by another. */
  ended({ functionName, life }: Replica): void {
    if (life.state !== 'crash-looping') return
    if (!this.#of(functionName).some(({ ready }) => ready)) this.#tell(functionName, 'failing')
  }

  #of(functionName: string): readonly Replica[] {
    return this.#options.replicas().filter(one => one.functionName === functionName)
  }

  #tell(functionName: string, phase: SlumberPhase): void {
    if (phase === 'awake') this.#phases.delete(functionName)
    else this.#phases.set(functionName, phase)
    this.#options.tellGateways({ kind: 'slumber', functionName, phase })
  }

  #lookAtAll(): void {
    const { idle, clock } = this.#options
    for (const [functionName, limit] of idle()) {
      if ((this.#due.get(functionName) ?? 0) > clock.steady()) continue
      this.#due.set(functionName, Number.POSITIVE_INFINITY)
      const next = Math.min(SELDOM, limit / LOOKS)
      void this.#lookAt(functionName, limit).finally(() => this.#due.set(functionName, clock.steady() + next))
    }
  }

  async #lookAt(functionName: string, limit: number): Promise<void> {
    const { clock, keeps, log, look, putToSleep } = this.#options
    const replicas = this.#of(functionName)
    // One that starts or stops is work of the platform.
    if (replicas.length === 0 || replicas.some(({ life, ready }) => life.state !== 'ready' || !ready)) {
      this.#idleness.forget(functionName)
      return
    }
    const all = await Promise.all(
      replicas.map(async one => ({ id: one.member?.id, counters: await look(one) })),
    )
    let busy = 0
    const done = all.map(({ id, counters }) => {
      if (counters?.calls === undefined) busy++
      else busy += (counters.busy ?? 0) + (keeps ? 0 : (counters.connections ?? 0))
      const { calls, messages, accepted } = counters ?? {}
      return `${id}:${calls}:${messages}:${accepted}`
    })
    if (!this.#idleness.look(functionName, { done: done.join(), busy }, clock.steady(), limit)) return
    log.info(`${functionName} has had no work for ${limit / 1000} s; it goes to sleep`)
    await putToSleep(functionName).catch((error: Error) =>
      log.warn(`${functionName} does not go to sleep: ${error.message}`),
    )
  }
}
