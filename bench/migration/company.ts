import { execFileSync } from 'node:child_process'
import { type Mover, OneProcess } from '../rig/one-process.ts'
import { usableCpus } from '../rig/placement.ts'
import type { Platform } from '../rig/platform.ts'
import { Engines } from './engines.ts'
import { Limit } from './limit.ts'
import { Rivals } from './rivals.ts'
import type { SceneOptions } from './rows.ts'
import type { Place } from './wanderer.ts'

/**
 * What runs beside the platform in a scene. Each is started when it is first asked for, where the servers
 * are, so that a run that has no time for it does not wait for it.
 */
export class Company {
  readonly #options: SceneOptions
  readonly #platform: Platform
  readonly #place: Place
  readonly #cores: Cores | undefined
  #rivals: Promise<Rivals> | undefined
  #engines: Promise<Engines> | undefined
  #limit: Promise<Limit | undefined> | undefined
  #processes: Partial<Record<Mover, OneProcess>> | undefined

  constructor(options: SceneOptions, platform: Platform, place: Place, cores: Cores | undefined) {
    this.#options = options
    this.#platform = platform
    this.#place = place
    this.#cores = cores
  }

  rivals(): Promise<Rivals> {
    this.#rivals ??= this.#whereServersAre(() => Rivals.start(this.#platform, this.#options))
    return this.#rivals
  }

  engines(): Promise<Engines> {
    const { engines, suite } = this.#options
    const { certificateFiles } = this.#platform
    this.#engines ??= this.#whereServersAre(() =>
      Engines.start(engines, this.#place, { certificateFiles, suite }),
    )
    return this.#engines
  }

  limit(): Promise<Limit | undefined> {
    this.#limit ??= this.#whereServersAre(() => Limit.open())
    return this.#limit
  }

  /** Empty where moves in one process are not measured. */
  inOneProcess(): Readonly<Partial<Record<Mover, OneProcess>>> {
    this.#processes ??= this.#options.inOneProcess
      ? { platform: new OneProcess('platform'), floor: new OneProcess('floor') }
      : {}
    return this.#processes
  }

  async stop(): Promise<void> {
    for (const one of Object.values(this.#processes ?? {})) one.close()
    const none = (): undefined => undefined
    const [limit, rivals, engines] = [this.#limit, this.#rivals, this.#engines]
    ;(await limit?.catch(none))?.close()
    ;(await rivals?.catch(none))?.close()
    await (await engines?.catch(none))?.stop()
  }

  /** Children are where their parent is when it starts them. */
  async #whereServersAre<T>(start: () => Promise<T>): Promise<T> {
    if (this.#cores === undefined) return start()
    pinSelf(this.#cores.servers)
    try {
      return await start()
    } finally {
      pinSelf(this.#cores.client)
    }
  }
}

/** Where servers and client run, if that is apart. */
export interface Cores {
  readonly servers: number
  readonly client: number
}

/** To be asked before this process is pinned anywhere else. @throws Error there is only one core */
export function twoCores(): Cores {
  const [servers, client] = usableCpus()
  if (client === undefined) throw new Error('there is only one core')
  return { servers, client }
}

/** Moves this process with all its threads to a core. */
export function pinSelf(cpu: number): void {
  execFileSync('taskset', ['-a', '-cp', String(cpu), String(process.pid)], { stdio: 'ignore' })
}
