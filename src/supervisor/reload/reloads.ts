import { tableMessage } from '../../platform/routing/route-table.ts'
import type { SignerSettings } from '../../platform/signer-settings.ts'
import { difference } from '../../stack/difference.ts'
import type { Plan } from '../../stack/plan.ts'
import { type MemberSpec, named } from '../../stack/spec.ts'
import type { ControlMessage } from '../../transfer/control.ts'
import type { Replica } from '../replica.ts'
import { BusyError, type FunctionChange, type Report, type RollOut, type RollOuts } from '../roll-out.ts'

/** What became of a function. `told`: its hosts, or the rules for its requests, are others. */
export type Deed = 'added' | 'removed' | 'deployed' | 'scaled' | 'told'

/** What a change of the whole has done. */
export interface Reload {
  /** By function; those to which nothing has happened are not there. */
  readonly functions: Readonly<Record<string, RollOut & { readonly did: Deed }>>
  /** There is another gateway. */
  readonly gateway: boolean
}

/** What carries a change out. */
export interface ReloadCrew {
  /** All replicas, those of the gateway among them. */
  readonly replicas: Iterable<Replica>
  readonly rollOuts: RollOuts
  /** Starts a gateway and waits until it is ready. @throws Error it does not start; then there is none */
  startGateway(spec: MemberSpec): Promise<Replica>
  startSigner(spec: MemberSpec): void
  tellSigners(message: ControlMessage): void
  /** Lets its connections move away, and ends it. */
  retire(replica: Replica): Promise<unknown>
  tellAll(message: ControlMessage): void
  /** Resolves when all processes have heard what they were told, or say nothing. */
  heard(): Promise<unknown>
}

/** Makes what runs what a plan asks for, without losing a connection. */
export class Reloads {
  readonly #crew: ReloadCrew
  #plan: Plan
  #underway = false
  #relieving = false
  /** What processes were started with is not the last word any more. */
  #told = false

  constructor(crew: ReloadCrew, plan: Plan) {
    this.#crew = crew
    this.#plan = plan
  }

  /** A new gateway is taking over from the old one. */
  get relieving(): boolean {
    return this.#relieving
  }

  /** What runs. */
  get plan(): Plan {
    return this.#plan
  }

  /** What a process has to hear when it is ready: it may have been started with an older table. */
  get news(): ControlMessage | undefined {
    return this.#told ? { kind: 'routes', ...tableMessage(this.#plan.table) } : undefined
  }

  /**
   * Takes over another plan. What is new is started first; only when all of it is ready, the rest is told of
   * it, and what is old ends.
   * @throws Error a change is underway, or something new does not start: then nothing has changed
   */
  async reload(next: Plan, report: Report): Promise<Reload> {
    if (this.#underway)
      throw new BusyError('the stack file is already being read anew; try again when that is over')
    this.#underway = true
    try {
      return await this.#reload(next, report)
    } finally {
      this.#underway = false
    }
  }

  async #reload(next: Plan, report: Report): Promise<Reload> {
    const running = this.#plan
    const { added, removed, renewed, scaled, table, gateway } = difference(running, next)
    // First: containers that need one wait for what it keeps. One that is not needed any more stays.
    const { signer } = next
    if (signer !== undefined && ![...this.#crew.replicas].some(one => one.spec.role === 'signer'))
      this.#crew.startSigner(signer)
    // What is about to end needs its keys until then.
    if (signer !== undefined) this.#crew.tellSigners(certify(next, running))
    const changes = [
      ...added.map(name => this.#begin(name, next)),
      ...removed.map(functionName => ({ functionName, start: [], keep: 0 })),
      ...[...new Set([...renewed, ...scaled])].map(name =>
        this.#renew(name, next, renewed.has(name), scaled.has(name)),
      ),
    ]
    const old = this.#gateways
    const outcomes = await this.#crew.rollOuts.change(
      changes,
      async () => {
        if (gateway) await this.#startGateway(next)
        this.#settle(next, table)
        if (table) await this.#crew.heard()
      },
      report,
    )
    if (gateway) await Promise.all(old.map(one => this.#crew.retire(one)))
    if (signer !== undefined) this.#crew.tellSigners(certify(next))
    const did = (name: string): Deed => {
      if (added.includes(name)) return 'added'
      if (removed.includes(name)) return 'removed'
      return renewed.has(name) ? 'deployed' : 'scaled'
    }
    const functions = Object.fromEntries(
      [...outcomes].map(([name, outcome]) => [name, { did: did(name), ...outcome }]),
    )
    return { functions, gateway }
  }

  /**
   * Starts a new gateway on the same ports. When it accepts, the old one stops accepting, and ends when
   * everything that was opening there has been handed over.
   * @throws Error the new one does not start: then the old one goes on
   */
  async relieveGateway(): Promise<RollOut> {
    const old = this.#gateways
    const { name } = await this.#startGateway(this.#plan)
    await Promise.all(old.map(one => this.#crew.retire(one)))
    return { started: [name], ended: old.map(one => one.name), moved: 0 }
  }

  get #gateways(): Replica[] {
    return [...this.#crew.replicas].filter(one => one.spec.role === 'gateway' && one.life.stays)
  }

  async #startGateway({ gateway }: Plan): Promise<Replica> {
    if (this.#relieving) throw new Error('a new gateway is already being started')
    this.#relieving = true
    try {
      return await this.#crew.startGateway(gateway)
    } catch (error) {
      throw new Error(`the new gateway did not start; the old one stays: ${(error as Error).message}`)
    } finally {
      this.#relieving = false
    }
  }

  /** A function that is new. */
  #begin(functionName: string, next: Plan): FunctionChange {
    const { start } = next.bounds.get(functionName)!
    return { functionName, start: Array(start).fill(next.specs.get(functionName)), keep: 0 }
  }

  /**
   * As many containers as there are, unless there are to be more or fewer to begin with. A function that
   * sleeps goes on sleeping, and is something else when it wakes: {@link #settle}.
   */
  #renew(functionName: string, next: Plan, renewed: boolean, scaled: boolean): FunctionChange {
    const there = [...this.#crew.replicas].filter(one => one.functionName === functionName && one.life.stays)
    const sleeps = there.every(({ life }) => life.state === 'asleep')
    if (sleeps && !scaled) return { functionName, start: [], keep: there.length }
    const { min, max, start } = next.bounds.get(functionName)!
    const moved = start !== this.#plan.bounds.get(functionName)!.start
    const count = scaled ? Math.min(max, Math.max(min, moved ? start : there.length)) : there.length
    const more = renewed ? count : Math.max(0, count - there.length)
    return {
      functionName,
      start: Array(more).fill(next.specs.get(functionName)),
      keep: renewed ? 0 : count,
    }
  }

  /** From here on the new plan is what runs. */
  #settle(next: Plan, table: boolean): void {
    this.#plan = next
    this.#crew.rollOuts.bound(next.bounds)
    for (const replica of this.#crew.replicas) {
      const spec = specOf(replica, next)
      // Those that are about to go are not started again.
      if (spec !== undefined) replica.spec = { ...replica.spec, ...named(spec, replica.name) }
    }
    if (!table) return
    this.#told = true
    this.#crew.tellAll(this.news!)
  }

  /**
   * Deploys one function with its settings out of another plan; what concerns all processes stays as it is.
   * @throws Error as {@link RollOuts.deploy}, or it is not there yet
   */
  async deploy(functionName: string, next: Plan, report: Report): Promise<RollOut> {
    const running = this.#plan.specs.get(functionName)
    const found = next.specs.get(functionName)
    if (running !== undefined && found === undefined)
      throw new Error(`${functionName} is not in the stack file any more; hotpotato reload takes it away`)
    if (running === undefined && found !== undefined)
      throw new Error(`${functionName} is new in the stack file; hotpotato reload starts it`)
    if (running === undefined || found === undefined) return this.#crew.rollOuts.deploy(functionName, report)
    const { functionNames, retries, routes } = running.settings as unknown as Record<string, unknown>
    const spec = { ...found, settings: { ...found.settings, functionNames, retries, routes } }
    const outcome = await this.#crew.rollOuts.deploy(functionName, report, spec)
    this.#plan = { ...this.#plan, specs: new Map([...this.#plan.specs, [functionName, spec]]) }
    return outcome
  }
}

/** What a replica is to be from now on; undefined if its function is no more. */
function specOf({ spec: { role }, functionName }: Replica, next: Plan): MemberSpec | undefined {
  if (role === 'container') return next.specs.get(functionName)
  if (role === 'link') return next.link
  return role === 'gateway' ? next.gateway : next.signer
}

/** Which files of keys a signer has to read. @param running what runs besides, for a while */
function certify(next: Plan, running?: Plan): ControlMessage {
  const files = new Map([running, next].flatMap(keyFilesOf).map(one => [one.functionName, one] as const))
  return { kind: 'certify', files: [...files.values()] }
}

function keyFilesOf(plan: Plan | undefined): SignerSettings['certificates'] {
  return (plan?.signer?.settings as SignerSettings | undefined)?.certificates ?? []
}
