import type { Log } from '../../platform/log.ts'
import type { ForkSettings } from '../../platform/program-settings.ts'
import { type Bundle, fits, readBundle } from '../../sealed/bundle.ts'
import { type Credential, readCredential } from '../../sealed/credential.ts'
import { type SealedCrypto, suiteOf } from '../../sealed/crypto.ts'
import type { Clock } from '../../time/clock.ts'
import type { Context, Environment } from '../contract.ts'
import { type FunctionModule, functionModule } from '../module.ts'
import { WarmPool } from '../warm-pool.ts'
import {
  bundleDamaged,
  Denied,
  keyForgotten,
  keyInClear,
  keyMissing,
  keyWrong,
  tooBusy,
  tooManyKeys,
} from './answers.ts'
import type { Launched } from './launch.ts'
import { type Place, Places } from './places.ts'
import { takeKey } from './request-key.ts'
import { type Keeper, SealedWorker, WorkerRefusal } from './sealed-worker.ts'
import { WrongKeys } from './wrong-keys.ts'

/** What stands for a key that its connection has left behind. */
const STAR = 0x2a

export interface SealedOptions {
  readonly functionName: string
  /** The template that it is written for; undefined: the platform's own contract. */
  readonly lang?: string | undefined
  /** What holds for one process a request, of one in Python. */
  readonly fork?: ForkSettings | undefined
  /** Where it comes from, for messages. */
  readonly file: string
  readonly bundle: Uint8Array
  /** That a worker waits for the next request with its key; 0: it does not. */
  readonly cacheMilliseconds: number
  /** Empty workers that are started ahead. Each is for one key, as all are. */
  readonly warm: number
  /** That the function has to begin its response; 0: for ever. */
  readonly timeout: number
  readonly crypto: SealedCrypto
  readonly clock: Clock
  readonly log: Log
  readonly keeper: Keeper
  readonly launch: () => Launched
}

/** A function whose workers can be ended. */
export type SealedModule = FunctionModule & {
  /** Ends all workers, and with them all keys. */
  stop(): void
}

/**
 * A function that is a bundle: each request brings the key, and a process of its own opens the bundle with
 * it, answers, and ends. This process, which the request comes through, never has the clear content.
 * @throws SealedError there is no bundle that could be opened
 */
export function sealedFunction(options: SealedOptions): SealedModule {
  const sealed = new SealedFunction(options)
  const module = functionModule({
    kind: 'fetch',
    file: options.file,
    sealed: true,
    fetch: (request, env, context) => sealed.fetch(request, env, context),
  })
  return Object.assign(module, { stop: () => sealed.stop() })
}

class SealedFunction {
  readonly #options: SealedOptions
  readonly #bundle: Bundle
  readonly #wrong: WrongKeys
  readonly #places: Places<SealedWorker>
  readonly #pool: WarmPool<Launched>

  constructor(options: SealedOptions) {
    this.#options = options
    this.#bundle = readBundle(options.bundle)
    suiteOf(options.crypto, this.#bundle.header.cipherSuite)
    this.#wrong = new WrongKeys(options.clock)
    this.#places = new Places(options.clock, options.cacheMilliseconds)
    this.#pool = new WarmPool(options.warm, options.launch, options.clock, options.log)
  }

  async fetch(request: Request, env: Environment, context: Context): Promise<Response> {
    const value = takeKey(context)
    const credential = value === undefined ? undefined : readCredential(value)
    try {
      const place = this.#admit(value, credential, env, context)
      // Nothing of it is needed any more: the rest may take a while.
      value?.fill(0)
      credential?.key.fill(0)
      await place.opened.catch(error => {
        this.#places.end(place)
        throw this.#judge(error, context)
      })
      const release = (): void => this.#places.release(place)
      return await place.worker.call(request, context, this.#options.timeout, release)
    } catch (error) {
      const denied = isWrong(error) ? this.#wrongKey(context, credential !== undefined) : error
      if (denied instanceof Denied) return denied.response
      throw denied
    } finally {
      value?.fill(0)
      credential?.key.fill(0)
    }
  }

  /** Ends all workers, and with them all keys. */
  stop(): void {
    this.#places.endAll()
    for (const process of this.#pool.close()) process.kill()
  }

  /** A worker for the request, perhaps one that is not open yet. @throws Denied @throws WorkerRefusal */
  #admit(
    value: Uint8Array | undefined,
    credential: Credential | undefined,
    env: Environment,
    context: Context,
  ): Place<SealedWorker> {
    const { functionName } = this.#options
    const { tls, remoteAddress } = context.connection
    if (!tls) throw keyInClear(functionName, value !== undefined)
    if (value === undefined || value.length === 0) throw keyMissing(functionName)
    if (value.every(byte => byte === STAR)) throw keyForgotten(functionName)
    const wait = this.#wrong.wait(remoteAddress)
    if (wait > 0) throw tooManyKeys(wait)
    if (credential === undefined || !this.#mayFit(credential))
      throw new WorkerRefusal({ reason: 'wrong-key', detail: 'it does not fit' })
    return this.#places.join(credential) ?? this.#start(credential, env, context)
  }

  /** Tells apart here what can be, because a worker costs a process. */
  #mayFit({ kind, key }: Credential): boolean {
    if (kind === 'data-key') return fits(this.#bundle, key, this.#options.crypto)
    return this.#bundle.wrappedKey.length > 0
  }

  #start(credential: Credential, env: Environment, context: Context): Place<SealedWorker> {
    const { functionName, lang, fork, bundle, clock, log, keeper, launch } = this.#options
    if (!this.#places.makeRoom()) throw tooBusy(functionName)
    const worker = new SealedWorker(this.#pool.take() ?? launch(), { clock, log, keeper })
    const opened = worker.open(credential.key, {
      functionName,
      lang,
      fork: fork === undefined ? undefined : JSON.stringify(fork),
      functions: context.functions ?? [],
      environment: Object.entries(env).map(([name, value]) => ({ name, value })),
      secretsDirectory: context.secrets.directory,
      credential: credential.kind === 'age-identity' ? 'age_identity' : 'data_key',
      bundle,
    })
    // The requests that wait for it hear of it, if there still are any.
    opened.catch(() => {})
    return this.#places.add(worker, opened, credential)
  }

  #wrongKey({ connection }: Context, spelled: boolean): Denied {
    this.#wrong.count(connection.remoteAddress)
    return keyWrong(this.#options.functionName, spelled)
  }

  #judge(error: unknown, { connection }: Context): unknown {
    if (!(error instanceof WorkerRefusal) || error.reason === 'wrong-key') return error
    const { functionName, log, file } = this.#options
    log.error({ functionName, file, reason: error.reason }, `the bundle cannot be used: ${error.message}`)
    if (error.reason === 'unloadable') return error
    // Where no identity can be told from another, each one costs a process.
    if (error.reason === 'wrapping-damaged') this.#wrong.count(connection.remoteAddress)
    return bundleDamaged(functionName)
  }
}

function isWrong(error: unknown): boolean {
  return error instanceof WorkerRefusal && error.reason === 'wrong-key'
}
