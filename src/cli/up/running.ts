import { join } from 'node:path'
import { digestOf } from '../../certificates/digest.ts'
import { QUEUE_FUNCTION } from '../../platform/queue-settings.ts'
import { type Config, ConfigError, type FunctionConfig } from '../../stack/config.ts'
import { changedKeys, fixedKeys } from '../../stack/difference.ts'
import { type Plan, type PlanOptions, plan } from '../../stack/plan.ts'
import { show } from '../../stack/readers.ts'
import type { MemberSpec } from '../../stack/spec.ts'
import type { Deed } from '../../supervisor/reload/reloads.ts'
import type { Report, RollOut } from '../../supervisor/roll-out.ts'
import type { Supervisor } from '../../supervisor/supervisor.ts'
import type { FoundConfig } from '../platform/configuration.ts'
import { prepareCertificates } from './preparation.ts'
import { checkValues } from './values.ts'

/** What became of one function, and because of which keys. */
export interface ChangedFunction extends RollOut {
  readonly name: string
  /** `told`: all processes know its hosts and rules; `kept`: none has to know what has changed. */
  readonly did: Deed | 'told' | 'kept'
  /** Keys of its own, or of the whole, or `files that it reads`: certificates, secrets, a bundle. */
  readonly changed: readonly string[]
}

/** What `hotpotato reload --json` prints. */
export interface ReloadOutcome {
  readonly functions: readonly ChangedFunction[]
  /** Keys for which there is another gateway; undefined: it is the one that was. */
  readonly gateway: readonly string[] | undefined
  /** What in the file was not understood, but for what was so before. */
  readonly notes: readonly string[]
}

export interface RunningOptions {
  /** Reads the stack file anew. @throws ConfigError */
  readonly read: () => FoundConfig
  readonly options: Omit<PlanOptions, 'digest'>
  /** What a user types for another command. */
  readonly how: (command: string) => string
  /** Told what runs, each time that it is something else. */
  readonly changed?: (config: Config) => void
}

/** What a stack file asks for. @param how as in {@link RunningOptions} */
export function planOf(config: Config, options: Omit<PlanOptions, 'digest'>): Plan {
  const digest = ({ certificate, clientAuthorities, sealed, secrets, keys }: FunctionConfig): string => {
    // What the signer reads, it reads anew by itself.
    const own = keys === 'signer' ? [] : [`${certificate}.crt`, `${certificate}.key`]
    const files = own.map(name => join(config.certificates, name))
    const kept = secrets.map(name => join(config.secretsDirectory, name))
    return digestOf([...files, ...kept, clientAuthorities, sealed?.bundle].filter(file => file !== undefined))
  }
  return plan(config, { ...options, digest })
}

/** The stack file that runs, and how it is taken anew. */
export class Running {
  readonly #options: RunningOptions
  readonly #supervisor: Supervisor
  #config: Config
  /** The stack file, and what it takes in. */
  #files: readonly string[] | undefined
  /** What was not understood, without its place. */
  #noted: ReadonlySet<string>

  constructor(
    { config, warnings }: Pick<FoundConfig, 'config' | 'warnings'>,
    supervisor: Supervisor,
    options: RunningOptions,
  ) {
    this.#config = config
    this.#noted = new Set(warnings.map(unplaced))
    this.#supervisor = supervisor
    this.#options = options
    this.#files = options.options.files
  }

  /** What runs. */
  get config(): Config {
    return this.#config
  }

  /**
   * Reads the stack file anew and applies what differs, without losing a connection.
   * @throws ConfigError, Error it is refused whole, and nothing has changed
   */
  async reload(report: Report): Promise<ReloadOutcome> {
    const { config, next, warnings, files } = await this.#read()
    const before = this.#supervisor.reloads.plan
    const keys = changedKeys(this.#config, config)
    const { functions, gateway } = await this.#supervisor.reloads.reload(next, report)
    this.#config = config
    this.#files = files
    this.#options.changed?.(config)
    const notes = warnings.filter(one => !this.#noted.has(unplaced(one)))
    this.#noted = new Set(warnings.map(unplaced))
    const names = new Set([...next.specs.keys(), ...before.specs.keys()])
    // It is no function of the stack file, and follows them.
    names.delete(QUEUE_FUNCTION)
    const whole = keys.filter(key => !key.startsWith('functions.') && !key.startsWith('gateway.'))
    const told = [...names].flatMap((name): ChangedFunction[] => {
      const own = ownKeys(name, keys)
      // A function may be called constructor.
      const outcome = Object.hasOwn(functions, name) ? functions[name] : undefined
      if (outcome === undefined) {
        if (own.length === 0) return []
        const did = own.some(key => TOLD.has(key)) ? 'told' : 'kept'
        return [{ name, did, changed: own, ended: [], moved: 0 }]
      }
      if (outcome.did === 'added' || outcome.did === 'removed') return [{ name, ...outcome, changed: [] }]
      const digests = [before, next].map(({ specs }) => specs.get(name)?.digest)
      const files = digests[0] === digests[1] ? [] : ['files that it reads']
      return [{ name, ...outcome, changed: [...own, ...whole, ...files] }]
    })
    const limits = keys.filter(key => key.startsWith('gateway.limits.') || key.startsWith('connection.'))
    return { functions: told, gateway: gateway ? limits : undefined, notes }
  }

  /**
   * Has functions take the certificates that lie there now, each by itself: one that cannot start keeps no
   * other one from its certificate.
   * @throws Error a change is underway, or some cannot start: those go on with what they had
   */
  async renewed(report: Report): Promise<void> {
    const { reloads } = this.#supervisor
    // That nothing is another one has the signer read what lies there now.
    await reloads.reload(reloads.plan, report)
    const failed: Error[] = []
    const differs = (name: string, spec: MemberSpec | undefined): spec is MemberSpec =>
      spec !== undefined && spec.digest !== reloads.plan.specs.get(name)?.digest
    const { specs: all } = this.#planOf(this.#config)
    for (const name of [...all.keys()].filter(one => differs(one, all.get(one)))) {
      // Another change may have come in between.
      const spec = this.#planOf(this.#config).specs.get(name)
      if (!differs(name, spec)) continue
      const { plan: before } = reloads
      const next = { ...before, specs: new Map([...before.specs, [name, spec]]) }
      await reloads.reload(next, report).catch((error: Error) => failed.push(error))
    }
    if (failed.length > 0) throw new Error([...new Set(failed.map(one => one.message))].join('; '))
  }

  /**
   * Starts a function anew, with what the stack file says of it now.
   * @throws ConfigError, Error nothing has changed
   */
  async deploy(name: string, report: Report): Promise<RollOut> {
    const { config, next } = await this.#read()
    const outcome = await this.#supervisor.reloads.deploy(name, next, report)
    const found = config.functions.get(name)
    // Its hosts, and how many containers it has, are for a reload.
    const current = this.#config.functions.get(name)
    if (found === undefined || current === undefined) return outcome
    const { hosts, namesHosts, replicas, retries, carrier, duplicate } = current
    const kept = { hosts, namesHosts, replicas, retries, carrier, duplicate }
    this.#config = {
      ...this.#config,
      functions: new Map([...this.#config.functions, [name, { ...found, ...kept }]]),
    }
    return outcome
  }

  /**
   * Takes a function out of what runs. The stack file is left alone.
   * @throws Error there is no such function, or no other one
   */
  async remove(name: string, report: Report): Promise<RollOut> {
    const { functions: all, gateway, trust } = this.#config
    if (!all.has(name))
      throw new Error(`there is no function ${name}; there are ${[...all.keys()].join(', ')}`)
    if (all.size === 1)
      throw new Error(`${name} is the only function; ${this.#options.how('down')} ends the platform`)
    const { defaultFunction } = gateway
    const next: Config = {
      ...this.#config,
      gateway: { ...gateway, defaultFunction: defaultFunction === name ? undefined : defaultFunction },
      functions: new Map([...all].filter(([one]) => one !== name)),
      trust: trust.filter(({ functions }) => !functions.includes(name)),
    }
    const { functions } = await this.#supervisor.reloads.reload(this.#planOf(next), report)
    this.#config = next
    this.#options.changed?.(next)
    return Object.hasOwn(functions, name) ? functions[name]! : { ended: [], moved: 0 }
  }

  /** What the stack file asks for now, judged as at a start. */
  async #read(): Promise<Pick<FoundConfig, 'config' | 'warnings' | 'files'> & { readonly next: Plan }> {
    const { read, options, how } = this.#options
    const { config, warnings, files, at } = read()
    await checkValues({ config, at }, options.provider)
    const [fixed] = fixedKeys(changedKeys(this.#config, config))
    if (fixed !== undefined) {
      const [was, is] = [this.#config, config].map(one => show(valueAt(one, fixed) ?? null))
      const what = `${at(fixed)}: ${fixed} was ${was} and is ${is}: no running platform can change that`
      throw new ConfigError(`${what}; nothing has changed; ${how('stop')} and ${how('up')} do it`)
    }
    await prepareCertificates(config, how)
    return { config, next: planOf(config, { ...options, files }), warnings, files }
  }

  #planOf(config: Config): Plan {
    const { options } = this.#options
    return planOf(config, this.#files === undefined ? options : { ...options, files: this.#files })
  }
}

/** A remark without the place that it begins with. */
function unplaced(note: string): string {
  return note.replace(/^\S*:\d+:\d+: /, '')
}

/** Keys of a function that all processes are told of. */
const TOLD: ReadonlySet<string> = new Set(['hosts', 'retries', 'carrier', 'duplicate', 'async'])
/** What is made of other keys. */
const DERIVED: ReadonlySet<string> = new Set(['name', 'namesHosts', 'filed'])

/** The keys of one function among these. */
function ownKeys(name: string, keys: readonly string[]): string[] {
  const own = keys.filter(key => key.startsWith(`functions.${name}.`)).map(key => key.split('.')[2]!)
  return [...new Set(own)].filter(key => !DERIVED.has(key))
}

function valueAt(config: Config, path: string): unknown {
  let value: unknown = config
  for (const key of path.split('.')) value = (value as Readonly<Record<string, unknown>> | undefined)?.[key]
  return value
}
