import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Command, sendCommand } from '../../../src/cli/platform/control-socket.ts'
import type { PlatformStatus } from '../../../src/cli/platform/status.ts'
import type { MemberStatus } from '../../../src/supervisor/status.ts'
import { isRunning } from '../../support/platform.ts'
import { below, type Seeded } from '../../support/random.ts'
import { BOUND, pick, type World } from './clients.ts'

/** How many containers a function has when no `scale` changes that, and at most. */
export const REPLICAS = 2
const MOST = 3

type Blow = (trouble: Trouble) => Promise<void>

/** What is done to a platform, at random. */
export class Trouble {
  readonly world: World
  readonly random: Seeded
  /** Processes that were stopped, and may have to be continued. */
  readonly #stopped = new Set<number>()

  constructor(world: World, random: Seeded) {
    this.world = world
    this.random = random
  }

  /** Changes that lose nothing. */
  async gentle(until: () => boolean): Promise<void> {
    await this.#lane(until, 400, [scale, drain, deploy, relieve, move, move, move, move])
  }

  /** Deaths. */
  async violent(until: () => boolean): Promise<void> {
    await this.#lane(until, 1500, [kill, kill, kill, kill, kill, hang, hang, hiccup, hiccup, killGateway])
  }

  async #lane(until: () => boolean, interval: number, blows: readonly Blow[]): Promise<void> {
    while (!until()) {
      await pick(this.random, blows)(this)
      await sleep(interval / 2 + below(this.random, interval))
    }
  }

  /** Lets everything go on that was stopped, and waits until all functions have their usual containers. */
  async end(functions: readonly string[]): Promise<void> {
    for (const pid of this.#stopped) this.signal(pid, 'SIGCONT')
    for (const name of functions) {
      for (const end = Date.now() + BOUND; ; await sleep(200)) {
        await this.command(`scale ${name} ${REPLICAS}`)
        const mine = (await this.members()).filter(one => one.functionName === name)
        const whole = mine.every(({ ready, counters }) => ready && (counters.keyRing ?? 0) >= REPLICAS)
        if (mine.length === REPLICAS && whole) break
        if (Date.now() > end) throw new Error(`${name} has not its containers again: ${JSON.stringify(mine)}`)
      }
    }
  }

  signal(pid: number, signal: NodeJS.Signals): void {
    if (signal === 'SIGSTOP') this.#stopped.add(pid)
    else this.#stopped.delete(pid)
    // It may be gone meanwhile, but its number is not given away so soon.
    if (isRunning(pid)) process.kill(pid, signal)
  }

  async command<T>(command: Command): Promise<T & { error?: string }> {
    const path = join(this.world.platform.directory, 'run', 'control.sock')
    return (await sendCommand(path, command)) as T & { error?: string }
  }

  async members(): Promise<MemberStatus[]> {
    return (await this.command<PlatformStatus>('status')).members.filter(({ role }) => role === 'container')
  }

  /** A container that may die: another one of its function knows its keys. */
  async victim(): Promise<MemberStatus | undefined> {
    const able = (await this.members()).filter(
      ({ ready, state, counters }) => ready && state === 'ready' && (counters.keyRing ?? 0) >= REPLICAS,
    )
    const victims = able.filter(
      one => able.filter(({ functionName }) => functionName === one.functionName).length >= 2,
    )
    return victims.length === 0 ? undefined : pick(this.random, victims)
  }

  /** A function, and the names of its containers. */
  async pool(): Promise<{ functionName: string; names: string[] }> {
    const functionName = pick(this.random, Object.values(this.world.functions).flat())
    const members = await this.members()
    return {
      functionName,
      names: members.filter(one => one.functionName === functionName).map(({ name }) => name),
    }
  }
}

const kill: Blow = async trouble => {
  const victim = await trouble.victim()
  if (victim?.pid === undefined) return
  trouble.world.ledger.blow('killed', [victim.name])
  trouble.signal(victim.pid, 'SIGKILL')
}

/** What it relays ends with it, and what is about to be opened. */
const killGateway: Blow = async trouble => {
  const gateway = (await trouble.command<PlatformStatus>('status')).members.find(
    ({ role, ready, pid }) => role === 'gateway' && ready && pid !== undefined,
  )
  if (gateway?.pid === undefined) return
  trouble.world.ledger.blow('gateway killed', 'gateway')
  trouble.signal(gateway.pid, 'SIGKILL')
}

/** Until the supervisor misses its heartbeat. */
const hang: Blow = async trouble => {
  const victim = await trouble.victim()
  if (victim?.pid === undefined) return
  trouble.world.ledger.blow('stopped', [victim.name])
  trouble.signal(victim.pid, 'SIGSTOP')
}

/** It stands still for a moment, and goes on. */
const hiccup: Blow = async trouble => {
  const victim = await trouble.victim()
  if (victim?.pid === undefined) return
  trouble.world.ledger.blow('stopped for a moment', [victim.name])
  trouble.signal(victim.pid, 'SIGSTOP')
  await sleep(200 + below(trouble.random, 800))
  trouble.signal(victim.pid, 'SIGCONT')
}

const drain: Blow = async trouble => {
  const { names } = await trouble.pool()
  if (names.length < 2) return
  const name = pick(trouble.random, names)
  trouble.world.ledger.blow('drained', [name])
  await trouble.command(`drain ${name}`)
}

const scale: Blow = async trouble => {
  const { functionName, names } = await trouble.pool()
  const count = names.length === 1 ? REPLICAS : 1 + below(trouble.random, MOST)
  if (count < names.length) trouble.world.ledger.blow('scaled down', names.slice(count))
  else trouble.world.ledger.count('scaled up')
  await trouble.command(`scale ${functionName} ${count}`)
}

const deploy: Blow = async trouble => {
  const { functionName, names } = await trouble.pool()
  trouble.world.ledger.blow('deployed', names)
  await trouble.command(`deploy ${functionName}`)
}

/** Another gateway takes the ports and the relayed connections over. */
const relieve: Blow = async trouble => {
  trouble.world.ledger.blow('gateway relieved', 'gateway')
  const { error } = await trouble.command('restart gateway')
  if (error !== undefined) trouble.world.ledger.violation(`the gateway is not relieved: ${error}`)
}

const move: Blow = async trouble => {
  const { connections = [] } = await trouble.command<PlatformStatus>('status connections')
  if (connections.length === 0) return
  const { id, functionName, container } = pick(trouble.random, connections)
  const others = (await trouble.members()).filter(
    one => one.functionName === functionName && one.name !== container,
  )
  if (others.length === 0) return
  const { error } = await trouble.command(`move ${id} ${pick(trouble.random, others).name}`)
  trouble.world.ledger.count(error === undefined ? 'moved' : 'orders to move that were not carried out')
}
