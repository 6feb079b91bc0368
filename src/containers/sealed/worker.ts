import type { Duplex } from 'node:stream'
import type { Environment } from '../../functions/contract.ts'
import { functionOf } from '../../functions/load.ts'
import { type FunctionModule, functionModule } from '../../functions/module.ts'
import type { CallHead, Frame, LogLine, Refused } from '../../functions/sealed/frames.ts'
import { jsonOf, Link } from '../../functions/sealed/link.ts'
import { SealedModules } from '../../functions/sealed/modules.ts'
import { type Opening, readOpening } from '../../functions/sealed/opening.ts'
import { type Store, sealedStore } from '../../functions/sealed/store.ts'
import { secretsIn } from '../../functions/secrets.ts'
import type { Log, LogMethod } from '../../platform/log.ts'
import { thrown } from '../../platform/thrown.ts'
import { AgeError, unwrapKey } from '../../sealed/age.ts'
import { type Archive, readArchive } from '../../sealed/archive.ts'
import { mustBeOf, openBundle, readBundle } from '../../sealed/bundle.ts'
import type { SealedCrypto } from '../../sealed/crypto.ts'
import { SealedError } from '../../sealed/error.ts'
import type { Clock } from '../../time/clock.ts'
import { installGlobals } from '../../web/globals.ts'
import { EMPTY } from '../../wire/index.ts'
import { reasonOf } from '../../wire/thrown.ts'
import { giveVariables } from '../process/variables.ts'
import type { Callee } from '../protocol/call-context.ts'
import type { Python } from './python.ts'
import { RemoteShelf } from './shelf.ts'
import { WorkerCall } from './worker-call.ts'

/** Most bytes of a frame: a bundle is one. */
const MOST = 2 ** 32 - 1

/** What a worker works with. */
export interface WorkerTools {
  readonly crypto: SealedCrypto
  readonly clock: Clock
  /** What runs the function, if that is no JavaScript. */
  readonly python: Python | undefined
}

/**
 * The worker of a sealed function: it is given a key and a bundle once, and then calls, until its container
 * ends it. What it leaves in memory goes with its process.
 */
export class Worker {
  readonly #link: Link
  readonly #crypto: SealedCrypto
  readonly #shelf: RemoteShelf
  readonly #clock: Clock
  readonly #python: Python | undefined
  readonly log: Log
  readonly #calls = new Map<number, WorkerCall>()
  #callee: Callee | undefined
  #key: Uint8Array = EMPTY

  /** @param onEnd the container is gone */
  constructor(stream: Duplex, tools: WorkerTools, onEnd: () => void) {
    this.#crypto = tools.crypto
    this.#clock = tools.clock
    this.#python = tools.python
    this.#link = new Link(stream, MOST)
    this.log = logTo(this.#link)
    this.#shelf = new RemoteShelf(this.#link)
    this.#link.onFrame = frame => this.#take(frame)
    this.#link.onEnd = onEnd
  }

  #take(frame: Frame): void {
    if (frame.type === 'loaded' || frame.type === 'saved') {
      this.#shelf.take(frame)
      return
    }
    if (frame.type === 'key') {
      this.#key = frame.payload
      return
    }
    if (frame.type === 'open') {
      void this.#open(readOpening(frame.payload), this.#key)
      return
    }
    if (frame.type === 'request') {
      this.#begin(frame.call, jsonOf<CallHead>(frame))
      return
    }
    this.#calls.get(frame.call)?.take(frame)
  }

  async #open(opening: Opening, key: Uint8Array): Promise<void> {
    try {
      const dataKey = await this.#dataKeyOf(opening, key)
      this.#callee = await this.#load(opening, dataKey)
      this.#link.send('opened', 0)
    } catch (error) {
      this.#link.say('refused', 0, refusalOf(error))
    }
  }

  /** @throws SealedError @throws AgeError */
  async #dataKeyOf({ credential, bundle: bytes }: Opening, key: Uint8Array): Promise<Uint8Array> {
    if (credential === 'data_key') return key
    const bundle = readBundle(bytes)
    const dataKey = await unwrapKey(bundle.wrappedKey, [Buffer.from(key).toString('latin1')])
    if (dataKey === undefined) throw new SealedError('wrong_key', 'the bundle is for other identities')
    mustBeOf(bundle, dataKey, this.#crypto)
    return dataKey
  }

  async #load(opening: Opening, dataKey: Uint8Array): Promise<Callee> {
    const { header, content } = openBundle(opening.bundle, dataKey, this.#crypto)
    const { functionName } = opening
    const { cipherSuite } = header
    const environment: Environment = Object.fromEntries(
      opening.environment.map(({ name, value }) => [name, value]),
    )
    const archive = readArchive(content)
    const store = sealedStore(this.#shelf, { functionName, cipherSuite, dataKey }, this.#crypto)
    const module = await this.#moduleOf(archive, opening, environment, store)
    if (module.webSocket !== undefined) this.log.warn('a sealed function has no WebSockets')
    return {
      clock: this.#clock,
      functionName,
      functionNames: new Set(opening.functions),
      module,
      environment,
      secrets: secretsIn(opening.secretsDirectory),
      store,
      log: this.log,
      waitUntil: () => {},
    }
  }

  async #moduleOf(
    archive: Archive,
    opening: Opening,
    environment: Environment,
    store: Store,
  ): Promise<FunctionModule> {
    const { entry } = archive
    installGlobals()
    if (this.#python !== undefined) {
      const handler = this.#python.open(archive, opening, { clock: this.#clock, log: this.log, store })
      return functionModule({ kind: 'raw', file: entry, handle: handler.handle.bind(handler) })
    }
    if (entry.endsWith('.py')) throw new RangeError(`${entry} is in Python: that needs lang: python3`)
    giveVariables(environment, process.env)
    return functionOf(await new SealedModules(archive).load(), entry, opening.lang)
  }

  #begin(id: number, head: CallHead): void {
    const call = new WorkerCall(id, head, this.#link, this.#callee!, () => this.#calls.delete(id))
    this.#calls.set(id, call)
  }
}

const REASONS: Readonly<Record<SealedError['reason'], Refused['reason']>> = {
  malformed: 'damaged',
  damaged: 'damaged',
  wrapping_damaged: 'wrapping-damaged',
  wrong_key: 'wrong-key',
}

function refusalOf(error: unknown): Refused {
  if (error instanceof AgeError) return { reason: 'wrong-key', detail: error.message }
  const detail = reasonOf(error)
  if (!(error instanceof SealedError)) return { reason: 'unloadable', detail }
  return { reason: REASONS[error.reason], detail }
}

/** What the function and this process have to say, for the log of their container. */
function logTo(link: Link): Log {
  const method =
    (level: LogLine['level']): LogMethod =>
    (first: object | string, message = '') => {
      const fields = typeof first === 'string' ? {} : { ...first, ...errorIn(first) }
      link.say('log', 0, { level, fields, message: typeof first === 'string' ? first : message })
    }
  return { debug: method('debug'), info: method('info'), warn: method('warn'), error: method('error') }
}

/** An error is no JSON by itself. */
function errorIn(fields: object): object {
  const { err } = fields as { readonly err?: unknown }
  return err === undefined ? {} : { err: thrown(err) }
}
