import { QUEUE_FUNCTION } from '../platform/queue-settings.ts'
import type { MemberSpec, ScaleBounds } from '../stack/spec.ts'
import type { Replica } from './replica.ts'

/** What became of connections that were to move. */
export interface RollOut {
  /** Names of new containers. */
  readonly started?: readonly string[]
  /** Names of containers that are no more. */
  readonly ended: readonly string[]
  /** Connections that went on in other containers. */
  readonly moved: number
  /** Names of containers that were to leave this host, and whose function no other host has. */
  readonly stayed?: readonly string[]
}

/** What a roll-out is at: for whom it waits, and how far that is. */
export interface Step {
  /** Until containers are ready, have rehearsed, or have given their connections away. */
  readonly stage: 'start' | 'rehearse' | 'move'
  readonly containers: readonly string[]
  /** Moves that the slowest has rehearsed, or connections that all of them still have. */
  readonly count?: number
}

/** Is told of each step, and of how far it is, again and again. */
export type Report = (step: Step) => void

/** How the containers of a function are to be changed. */
export interface FunctionChange {
  readonly functionName: string
  /** What is to be started. */
  readonly start: readonly MemberSpec[]
  /** How many of those that run are to stay: the oldest of those that are ready. */
  readonly keep: number
}

/** Something is being changed, and this can be tried again when that is over. */
export class BusyError extends Error {
  override readonly name = 'BusyError'
}

/** What carries out the decisions of a roll-out. */
export interface Crew {
  /** All replicas of containers, in the order of their start. */
  readonly containers: readonly Replica[]
  /** Whether a container of another host takes connections of that function. */
  isElsewhere(functionName: string): boolean
  /** What a container of that function is; undefined if there is no such function. */
  specOf(functionName: string): MemberSpec | undefined
  /** Starts another container of a function, under a name that is free. */
  start(spec: MemberSpec): Replica
  /** Rejects if it ends before it is ready, or takes too long. */
  untilReady(replica: Replica): Promise<void>
  /**
   * Waits until one that is ready has rehearsed, or its time for that is over; or its process has ended.
   * @param report called with the moves that it has rehearsed
   */
  untilRehearsed(replica: Replica, report: (moves: number) => void): Promise<void>
  /** Makes another replica like this one, without a process. */
  layDown(replica: Replica): Replica
  /** Starts the processes of replicas that sleep. @returns those */
  wake(functionName: string): readonly Replica[]
  /** Tells all processes that nothing is to be offered to it any more. */
  leaveOut(replica: Replica): void
  /**
   * Lets its connections move away, and ends it; one that never was ready is abandoned.
   * @param report called with the connections that it still has
   * @param how where they go: to siblings (`drain`), or also to a gateway (`sleep`) @returns how many moved
   */
  retire(replica: Replica, report: (left: number) => void, how: 'drain' | 'sleep'): Promise<number>
}

/**
 * Changes of the containers of a function under which no connection is lost. Every container that is to go is
 * left out of every choice before one of them drains, so a connection moves once, to a container that stays.
 */
export class RollOuts {
  readonly #crew: Crew
  #bounds: ReadonlyMap<string, ScaleBounds>
  /** Functions that are being changed. */
  readonly #underway = new Set<string>()

  constructor(crew: Crew, bounds: ReadonlyMap<string, ScaleBounds>) {
    this.#crew = crew
    this.#bounds = bounds
  }

  /**
   * Moves all connections of some containers to others of their functions that stay, or of other hosts if
   * none does, then ends them for good.
   * @throws Error there is no such container, no other one of its function that is ready on any host, or its
   * function is being changed; then nothing has happened
   */
  async drain(names: readonly string[], report: Report = unheard): Promise<RollOut> {
    const { containers } = this.#crew
    const leaving = [...new Set(names)].map(name => {
      const found = containers.find(one => one.name === name)
      if (found === undefined) {
        const all = containers.map(one => one.name).join(', ')
        throw new Error(`there is no container ${name}; there are ${all}`)
      }
      if (!found.life.stays) throw new Error(`${name} is already being drained`)
      if (found.life.state === 'asleep') throw new Error(`${name} is asleep: it has no connections`)
      this.#refuseTwo(found.functionName)
      return found
    })
    for (const { name, functionName } of leaving) {
      const others = containers.filter(
        one => one.functionName === functionName && one.life.stays && one.ready,
      )
      if (!others.every(one => leaving.includes(one)) || this.#crew.isElsewhere(functionName)) continue
      const only = `the only container of ${functionName}${leaving.length > 1 ? ' that would stay' : ''}`
      throw new Error(`${name} is ${only}: no container could take its connections`)
    }
    return this.#retire([], leaving, report)
  }

  /**
   * The same for all containers of this host whose functions other hosts have. What sleeps stays, and so does
   * what keeps calls on this host's disk.
   */
  async drainAll(report: Report = unheard): Promise<RollOut> {
    const awake = this.#crew.containers.filter(({ life }) => life.stays && life.state !== 'asleep')
    const all = awake.filter(one => one.functionName !== QUEUE_FUNCTION)
    const leaving = all.filter(one => this.#crew.isElsewhere(one.functionName))
    const stayed = namesOf(all.filter(one => !leaving.includes(one)))
    return { ...(await this.#retire([], leaving, report)), stayed }
  }

  /**
   * Starts as many new containers of a function as it has, waits until they are ready and have rehearsed, and
   * drains the old ones.
   * @param spec what the new ones are; by default, like the old ones
   * @throws Error there is no such function, or the new ones do not start: then the old ones go on
   */
  deploy(functionName: string, report: Report = unheard, spec?: MemberSpec): Promise<RollOut> {
    return this.#alone(functionName, undefined, async old => {
      const started = await this.#start(
        old.map(one => spec ?? one.spec),
        report,
      )
      return this.#retire(started, old, report)
    })
  }

  /**
   * The same for one container alone.
   * @throws Error its function is being changed, or the new one does not start: then it goes on
   */
  relieve(replica: Replica): Promise<RollOut> {
    return this.#alone(replica.functionName, undefined, async () =>
      this.#retire(await this.#start([replica.spec], unheard), [replica], unheard),
    )
  }

  /**
   * Starts containers of a function, or drains some until there are so many: first those that are not ready,
   * then the newest. 0 puts it to sleep, and any other number wakes it, or has it here again.
   * @throws Error there is no such function, the count is out of its bounds, or new containers do not start
   */
  scale(functionName: string, count: number, report: Report = unheard): Promise<RollOut> {
    if (count === 0) return this.sleep(functionName, report)
    const known = this.#crew.specOf(functionName)
    return this.#alone(functionName, known, async there => {
      const { min, max } = this.#bounds.get(functionName) ?? { min: 1, max: Number.POSITIVE_INFINITY }
      if (count < min || count > max)
        throw new Error(`functions.${functionName}.replicas allows ${min} to ${max} containers, not ${count}`)
      const woken = this.#crew.wake(functionName)
      await Promise.all(woken.map(one => this.#crew.untilReady(one)))
      const more = Math.max(0, count - there.length)
      const spec = there[0]?.spec ?? known!
      const started = await this.#start(Array<MemberSpec>(more).fill(spec), report)
      return this.#retire([...woken, ...started], beyond(count, there), report)
    })
  }

  /**
   * Ends all containers of a function. A gateway keeps their idle connections; what wakes them is not our
   * matter.
   * @throws Error there is no such function, or it is being changed
   */
  sleep(functionName: string, report: Report = unheard): Promise<RollOut> {
    return this.#alone(functionName, undefined, there => {
      const awake = there.filter(({ life }) => life.state !== 'asleep')
      for (const one of awake) this.#crew.layDown(one)
      return this.#retire([], awake, report, 'sleep')
    })
  }

  /**
   * Changes several functions at once: starts what is new, then makes it so, then drains what is old.
   * @param settle called when all of the new containers are ready; what it throws takes everything back
   * @returns by function
   * @throws Error one of them is being changed, or new containers do not start: then the old ones go on
   */
  async change(
    changes: readonly FunctionChange[],
    settle: () => Promise<void>,
    report: Report = unheard,
  ): Promise<ReadonlyMap<string, RollOut>> {
    for (const { functionName } of changes) this.#refuseTwo(functionName)
    for (const { functionName } of changes) this.#underway.add(functionName)
    try {
      const old = new Map(changes.map(one => [one.functionName, leavingOf(one, this.#crew.containers)]))
      const starters = changes.flatMap(({ start }) => start.map(spec => () => this.#crew.start(spec)))
      const started = await this.#startAll(starters, report)
      await settle().catch(async (error: unknown) => {
        await this.#retire([], started, report)
        throw error
      })
      for (const leaving of old.values()) for (const one of leaving) this.#crew.leaveOut(one)
      const outcomes = changes.map(async ({ functionName }) => {
        const own = started.filter(one => one.functionName === functionName)
        return [functionName, await this.#retire(own, old.get(functionName)!, report)] as const
      })
      return new Map(await Promise.all(outcomes))
    } finally {
      for (const { functionName } of changes) this.#underway.delete(functionName)
    }
  }

  /** How many containers functions may have. */
  get bounds(): ReadonlyMap<string, ScaleBounds> {
    return this.#bounds
  }

  /** From now on functions may have so many containers. */
  bound(bounds: ReadonlyMap<string, ScaleBounds>): void {
    this.#bounds = bounds
  }

  /**
   * One change of a function at a time: two would count on each other's containers.
   * @param known what it is, if it may have no container here
   */
  async #alone(
    functionName: string,
    known: MemberSpec | undefined,
    change: (there: readonly Replica[]) => Promise<RollOut>,
  ): Promise<RollOut> {
    const staying = this.#crew.containers.filter(one => one.life.stays)
    const there = staying.filter(one => one.functionName === functionName)
    if (there.length === 0 && this.#crew.specOf(functionName) !== undefined && known === undefined)
      throw new Error(`${functionName} has no container here; hotpotato scale ${functionName} 1 starts one`)
    if (there.length === 0 && known === undefined) {
      const named = staying.map(one => one.functionName).filter(name => name !== QUEUE_FUNCTION)
      const all = [...new Set(named)].join(', ')
      throw new Error(`there is no function ${functionName}; there are ${all}`)
    }
    this.#refuseTwo(functionName)
    this.#underway.add(functionName)
    try {
      return await change(there)
    } finally {
      this.#underway.delete(functionName)
    }
  }

  /** That a change counts on containers that another one ends would leave a function without any. */
  #refuseTwo(functionName: string): void {
    if (this.#underway.has(functionName))
      throw new BusyError(`${functionName} is already being changed; try again when that is over`)
  }

  #start(specs: readonly MemberSpec[], report: Report): Promise<readonly Replica[]> {
    const starters = specs.map(spec => () => this.#crew.start(spec))
    return this.#startAll(starters, report)
  }

  /** All or none. Those that are ready have connections while others start. */
  async #startAll(starters: readonly (() => Replica)[], report: Report): Promise<readonly Replica[]> {
    const started: Replica[] = []
    try {
      for (const start of starters) started.push(start())
      if (started.length > 0) report({ stage: 'start', containers: namesOf(started) })
      await Promise.all(started.map(one => this.#crew.untilReady(one)))
      const tell = counted(report, 'rehearse', started, counts => Math.min(...counts))
      await Promise.all(started.map(one => this.#crew.untilRehearsed(one, moves => tell(one, moves))))
      const ended = started.find(one => !one.ready)
      if (ended !== undefined) throw new Error(`${ended.name} ended while it rehearsed; its log says why`)
    } catch (error) {
      await this.#retire([], started, report)
      throw new Error(`the new containers did not start; the old ones stay: ${(error as Error).message}`)
    }
    return started
  }

  async #retire(
    started: readonly Replica[],
    old: readonly Replica[],
    report: Report,
    how: 'drain' | 'sleep' = 'drain',
  ): Promise<RollOut> {
    for (const one of old) this.#crew.leaveOut(one)
    const tell = counted(fromFirst(report), 'move', old, counts => counts.reduce((sum, one) => sum + one, 0))
    const moved = await Promise.all(old.map(one => this.#crew.retire(one, left => tell(one, left), how)))
    return {
      started: namesOf(started),
      ended: namesOf(old),
      moved: moved.reduce((sum, one) => sum + one, 0),
    }
  }
}

function unheard(): void {}

/** The containers that a change ends: all of them, or the newest. */
function leavingOf({ functionName, keep }: FunctionChange, containers: readonly Replica[]): Replica[] {
  const staying = containers.filter(one => one.functionName === functionName && one.life.stays)
  return beyond(keep, staying)
}

/** Those beyond so many, the last first: ready ones stay before others, and older ones before newer. */
function beyond(count: number, replicas: readonly Replica[]): Replica[] {
  const ready = replicas.filter(one => one.ready)
  return [...ready, ...replicas.filter(one => !one.ready)].slice(count).reverse()
}

function namesOf(replicas: readonly Replica[]): string[] {
  return replicas.map(({ name }) => name)
}

/** Tells of nothing before there is something: containers without connections do not move any. */
function fromFirst(report: Report): Report {
  let begun = false
  return step => {
    begun ||= step.count !== 0
    if (begun) report(step)
  }
}

/** What tells of a step that several replicas take, each with a count of its own. */
function counted(
  report: Report,
  stage: Step['stage'],
  replicas: readonly Replica[],
  sum: (counts: readonly number[]) => number,
): (replica: Replica, count: number) => void {
  const counts = new Map(replicas.map(one => [one, 0]))
  const containers = namesOf(replicas)
  return (replica, count) => {
    counts.set(replica, count)
    report({ stage, containers, count: sum([...counts.values()]) })
  }
}
