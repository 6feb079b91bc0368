import type { Log } from '../../platform/log.ts'
import type { ForkSettings } from '../../platform/program-settings.ts'
import { type Bundle, fits, readBundle } from '../../sealed/bundle.ts'
import { type Credential, readCredential } from '../../sealed/credential.ts'
import { type SealedCrypto, suiteOf } from '../../sealed/crypto.ts'
import type { Clock, Timer } from '../../time/clock.ts'
import { equal } from '../../wire/index.ts'
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
import { copyOf, KeyCache } from './key-cache.ts'
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
  /** The template that it is written for; undefined: the platform's own contract. */
  readonly lang?: string | undefined
  /** What holds for one process a request, of one in Python. */
  readonly fork?: ForkSettings | undefined
  /** Where it comes from, for messages. */
  readonly file: string
  readonly bundle: Uint8Array
  /** That a key is remembered, and a worker waits for the next request with it. */
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

/** A worker, and the requests that use it. */
interface Place {
  readonly worker: SealedWorker
  readonly opened: Promise<unknown>
  readonly since: number
  /** A copy of what it was opened with, by which the next request is known. Wiped with the worker. */
  readonly credential: Credential
  readonly timer: Timer
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
  readonly #places = new Set<Place>()
  readonly #pool: WarmPool<Launched>

  constructor(options: SealedOptions) {
    this.#options = options
    this.#bundle = readBundle(options.bundle)
    suiteOf(options.crypto, this.#bundle.header.cipherSuite)
    this.#wrong = new WrongKeys(options.clock)
    this.#cache = new KeyCache(options.clock, options.cacheMilliseconds)
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
        this.#end(place)
        throw this.#judge(error)
      })
      return await place.worker.call(request, context, this.#options.timeout, this.#releaseOf(place))
    } catch (error) {
      const denied = isWrong(error) ? this.#wrongKey(context, credential !== undefined) : error
      if (denied instanceof Denied) return denied.response
      throw denied
    } finally {
      value?.fill(0)
      credential?.key.fill(0)
    }
  }

  /** Ends all workers, and forgets all keys. */
  stop(): void {
    for (const place of this.#places) this.#end(place)
    for (const process of this.#pool.close()) process.kill()
    this.#cache.wipe()
  }

  /** A worker for the request, perhaps one that is not open yet. @throws Denied @throws WorkerRefusal */
  #admit(
    value: Uint8Array | undefined,
    credential: Credential | undefined,
    env: Environment,
    context: Context,
  ): Place {
    const { functionName, crypto, clock } = this.#options
    const { tls, remoteAddress } = context.connection
    if (!tls) throw keyInClear(functionName, value !== undefined)
    if (value === undefined || value.length === 0) throw keyMissing(functionName)
    if (value.every(byte => byte === STAR)) throw keyForgotten(functionName)
    const wait = this.#wrong.wait(remoteAddress)
    if (wait > 0) throw tooManyKeys(wait)
    // A wrong data key is told apart here, because a process costs more.
    const wrong = credential?.kind === 'data-key' && !fits(this.#bundle, credential.key, crypto)
    if (credential === undefined || wrong)
      throw new WorkerRefusal({ reason: 'wrong-key', detail: 'it does not fit' })
    const place = this.#placeFor(credential, clock.steady()) ?? this.#start(credential, env, context)
    place.timer.stop()
    place.uses++
    return place
  }

  #placeFor({ kind, key }: Credential, now: number): Place | undefined {
    for (const place of this.#places) {
      const { credential, worker, since } = place
      if (credential.kind !== kind || worker.ended || now - since > JOINED) continue
      if (equal(credential.key, key)) return place
    }
    return undefined
  }

  #start(credential: Credential, env: Environment, context: Context): Place {
    const { functionName, lang, fork, bundle, clock, log, keeper, launch } = this.#options
    for (const place of this.#places) if (place.worker.ended) this.#end(place)
    if (this.#places.size >= WORKERS) throw tooBusy(functionName)
    const worker = new SealedWorker(this.#pool.take() ?? launch(), { clock, log, keeper })
    const known = credential.kind === 'age-identity' ? this.#cache.get(credential.key) : undefined
    const wrapped = credential.kind === 'age-identity' && known === undefined
    const own = { ...credential, key: copyOf(credential.key) }
    const opened = worker
      .open(known ?? credential.key, {
        functionName,
        lang,
        fork: fork === undefined ? undefined : JSON.stringify(fork),
        functions: context.functions ?? [],
        environment: Object.entries(env).map(([name, value]) => ({ name, value })),
        secretsDirectory: context.secrets.directory,
        credential: wrapped ? 'age_identity' : 'data_key',
        tellsKey: wrapped && this.#cache.keeps,
        bundle,
      })
      .then(told => {
        if (told === undefined) return
        this.#cache.keep(own.key, told)
        told.fill(0)
      })
    known?.fill(0)
    // The requests that wait for it hear of it, if there still are any.
    opened.catch(() => {})
    const timer = clock.timer(() => this.#end(place)).unref()
    const place: Place = { worker, opened, since: clock.steady(), credential: own, timer, uses: 0 }
    this.#places.add(place)
    return place
  }

  /** What one request calls when it is over: the last one ends the worker. */
  #releaseOf(place: Place): () => void {
    const { cacheMilliseconds } = this.#options
    return () => {
      place.uses--
      if (place.uses > 0) return
      if (cacheMilliseconds === 0 || place.worker.ended) this.#end(place)
      else place.timer.after(cacheMilliseconds)
    }
  }

  #end(place: Place): void {
    place.timer.stop()
    place.credential.key.fill(0)
    this.#places.delete(place)
    place.worker.end()
  }

  #wrongKey({ connection }: Context, spelled: boolean): Denied {
    this.#wrong.count(connection.remoteAddress)
    return keyWrong(this.#options.functionName, spelled)
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
