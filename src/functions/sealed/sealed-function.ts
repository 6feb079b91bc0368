import type { Log } from '../../platform/log.ts'
import { type Bundle, fits, readBundle } from '../../sealed/bundle.ts'
import { type Credential, readCredential } from '../../sealed/credential.ts'
import { type SealedCrypto, suiteOf } from '../../sealed/crypto.ts'
import type { Clock } from '../../time/clock.ts'
import { hex } from '../../wire/index.ts'
import type { Context, Environment } from '../contract.ts'
import { type FunctionModule, functionModule } from '../module.ts'
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
import { KeyCache } from './key-cache.ts'
import type { Launched } from './launch.ts'
import { takeKey } from './request-key.ts'
import { type Keeper, SealedWorker, WorkerRefusal } from './sealed-worker.ts'
import { WrongKeys } from './wrong-keys.ts'

/** What stands for a key that its connection has left behind. */
const STAR = 0x2a
/** Workers that one container has at a time, each with the function open. */
const WORKERS = 16
/** Milliseconds for which requests join a worker that is there; a later one gets a worker of its own. */
const JOINED = 60_000

export interface SealedOptions {
  readonly functionName: string
  /** Where it comes from, for messages. */
  readonly file: string
  readonly bundle: Uint8Array
  /** That a key is remembered, and a worker waits for the next request with it. */
  readonly cacheMilliseconds: number
  /** That the function has to begin its response; 0: for ever. */
  readonly timeout: number
  readonly crypto: SealedCrypto
  readonly clock: Clock
  readonly log: Log
  readonly keeper: Keeper
  readonly launch: () => Launched
}

/** A worker, and who uses it. */
interface Place {
  readonly worker: SealedWorker
  readonly opened: Promise<unknown>
  readonly since: number
  uses: number
}

/** A function whose workers can be ended. */
export type SealedModule = FunctionModule & {
  /** Ends all workers, and forgets all keys. */
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
  readonly #cache: KeyCache
  /** Workers that another request with the same key may join. */
  readonly #places = new Map<string, Place>()
  readonly #workers = new Set<SealedWorker>()

  constructor(options: SealedOptions) {
    this.#options = options
    this.#bundle = readBundle(options.bundle)
    suiteOf(options.crypto, this.#bundle.header.cipherSuite)
    this.#wrong = new WrongKeys(options.clock)
    this.#cache = new KeyCache(options.clock, options.cacheMilliseconds)
  }

  async fetch(request: Request, env: Environment, context: Context): Promise<Response> {
    const value = takeKey(context)
    try {
      const { place, release } = await this.#admit(value, env, context)
      return await place.worker.call(request, context, this.#options.timeout, release)
    } catch (error) {
      if (error instanceof Denied) return error.response
      throw error
    } finally {
      value?.fill(0)
    }
  }

  /** Ends all workers, and forgets all keys. */
  stop(): void {
    for (const worker of this.#workers) worker.end()
    this.#cache.wipe()
  }

  async #admit(value: Uint8Array | undefined, env: Environment, context: Context) {
    const { functionName } = this.#options
    const { tls, remoteAddress } = context.connection
    if (!tls) throw keyInClear(functionName, value !== undefined)
    if (value === undefined) throw keyMissing(functionName)
    if (value.every(byte => byte === STAR)) throw keyForgotten(functionName)
    const wait = this.#wrong.wait(remoteAddress)
    if (wait > 0) throw tooManyKeys(wait)
    const credential = readCredential(value)
    try {
      return await this.#open(credential, env, context)
    } catch (error) {
      if (!isWrong(error)) throw error
      this.#wrong.count(remoteAddress)
      throw keyWrong(functionName, credential !== undefined)
    } finally {
      credential?.key.fill(0)
    }
  }

  /** A worker for that key. @throws WorkerRefusal @throws Denied */
  async #open(credential: Credential | undefined, env: Environment, context: Context) {
    const { crypto, clock } = this.#options
    if (credential === undefined) throw new WorkerRefusal({ reason: 'wrong-key', detail: 'no key at all' })
    const name = this.#nameOf(credential)
    // A wrong one is told apart here, because a process costs more.
    if (credential.kind === 'data-key' && !fits(this.#bundle, credential.key, crypto))
      throw new WorkerRefusal({ reason: 'wrong-key', detail: 'it does not fit' })
    let place = this.#places.get(name)
    if (place === undefined || place.worker.ended || clock.steady() - place.since > JOINED)
      place = this.#start(name, credential, env, context)
    place.uses++
    const release = this.#releaseOf(name, place)
    try {
      await place.opened
      return { place, release }
    } catch (error) {
      place.worker.end()
      release()
      throw this.#judge(error)
    }
  }

  #start(name: string, credential: Credential, env: Environment, context: Context): Place {
    const { functionName, bundle, clock, log, keeper, launch } = this.#options
    for (const worker of this.#workers) if (worker.ended) this.#workers.delete(worker)
    if (this.#workers.size >= WORKERS) throw tooBusy(functionName)
    const worker = new SealedWorker(launch(), { clock, log, keeper })
    this.#workers.add(worker)
    const dataKey = credential.kind === 'data-key' ? credential.key : this.#cache.get(name)
    const opened = worker
      .open({
        functionName,
        functions: context.functions ?? [],
        environment: Object.entries(env).map(([name, value]) => ({ name, value })),
        secretsDirectory: context.secrets.directory,
        credential: dataKey === undefined ? 'age_identity' : 'data_key',
        key: dataKey ?? credential.key,
        tellsKey: dataKey === undefined && this.#cache.keeps,
        bundle,
      })
      .then(told => {
        if (told === undefined) return
        this.#cache.keep(name, told)
        told.fill(0)
      })
    // The requests that wait for it hear of it, if there still are any.
    opened.catch(() => {})
    const place = { worker, opened, since: clock.steady(), uses: 0 }
    this.#places.set(name, place)
    return place
  }

  /** What one request calls when it is over: the last one ends the worker. */
  #releaseOf(name: string, place: Place): () => void {
    const { clock, cacheMilliseconds } = this.#options
    let released = false
    return () => {
      if (released) return
      released = true
      place.uses--
      const idle = (): void => {
        if (place.uses > 0) return
        if (this.#places.get(name) === place) this.#places.delete(name)
        place.worker.end()
        this.#workers.delete(place.worker)
      }
      if (cacheMilliseconds === 0 || place.worker.ended) idle()
      else if (place.uses === 0) clock.after(cacheMilliseconds, idle)
    }
  }

  /** The same for the same key; a hash, where the key itself would be kept otherwise. */
  #nameOf(credential: Credential): string {
    if (credential.kind === 'data-key') return credential.kind
    const { hash } = suiteOf(this.#options.crypto, this.#bundle.header.cipherSuite)
    return hex(hash.digest(credential.key))
  }

  #judge(error: unknown): unknown {
    if (!(error instanceof WorkerRefusal) || error.reason === 'wrong-key') return error
    const { functionName, log, file } = this.#options
    log.error({ functionName, file, reason: error.reason }, `the bundle cannot be used: ${error.message}`)
    return error.reason === 'damaged' ? bundleDamaged(functionName) : error
  }
}

function isWrong(error: unknown): boolean {
  return error instanceof WorkerRefusal && error.reason === 'wrong-key'
}
