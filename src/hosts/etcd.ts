import { Client } from '../client/client.ts'
import type { Clock } from '../time/clock.ts'
import type { TlsOptions } from '../transport/kinds/tls.ts'
import { lines } from './lines.ts'

/** Bytes of one line of a watch. */
const MOST_LINE = 2 ** 22
/** Bytes of any other answer. */
const MOST_ANSWER = 2 ** 24
/** Milliseconds before a watch that broke off begins anew; doubled each time, up to the second. */
const PAUSE = 100
const LONGEST_PAUSE = 5000

/** A key with its value, as etcd keeps it. */
export interface KeyValue {
  readonly key: string
  readonly value: string
  /** The revision of the store when it was last written. */
  readonly revision: bigint
}

/** What has to hold for a transaction: that a key was last written at that revision; 0n: it is not there. */
export interface Guard {
  readonly key: string
  readonly revision: bigint
}

/** One thing that a transaction does. */
export type Change =
  | { readonly put: string; readonly value: string; readonly lease?: string | undefined }
  | { readonly remove: string }

/** What became of a transaction. */
export interface Outcome {
  readonly succeeded: boolean
  /** Of the store, after it. */
  readonly revision: bigint
  /** If it did not succeed: what the keys of its guards are, as far as they are there. */
  readonly found: ReadonlyMap<string, KeyValue>
}

/** etcd cannot be asked, or does not answer: whether it did what was asked is not known. */
export class EtcdAway extends Error {
  override readonly name = 'EtcdAway'
}

/** etcd has answered that it does not do that. `code` is one of gRPC: 5 is NOT_FOUND. */
export class EtcdError extends Error {
  override readonly name = 'EtcdError'
  readonly code: number

  constructor(message: string, code: number) {
    super(message)
    this.code = code
  }
}

/** Where etcd is, and how it is spoken to. */
export interface EtcdOptions {
  /** As `https://10.0.0.1:2379`: members of one cluster. The first that answers is kept to. */
  readonly endpoints: readonly string[]
  /** Whom to trust (`ca`), and our own certificate (`cert`, `key`). */
  readonly tls?: TlsOptions
  /** Milliseconds for one request to one member; default: 2000. */
  readonly requestMs?: number
  readonly clock: Clock
}

/** What the gateway of etcd for JSON answers; 64-bit numbers are texts there, and what is 0 is left out. */
interface Json {
  readonly header?: { readonly revision?: string }
  readonly succeeded?: boolean
  readonly responses?: readonly { readonly response_range?: { readonly kvs?: readonly JsonKeyValue[] } }[]
  readonly kvs?: readonly JsonKeyValue[]
  readonly ID?: string
  readonly TTL?: string
  readonly result?: Json
  readonly events?: readonly { readonly type?: string; readonly kv: JsonKeyValue }[]
  readonly canceled?: boolean
  readonly error?: unknown
  readonly message?: string
  readonly code?: number
}
interface JsonKeyValue {
  readonly key: string
  readonly value?: string
  readonly mod_revision?: string
}

/**
 * The little that we need of etcd, version 3.4 and later, by its gateway for JSON
 * (etcd.io/docs/v3.4/dev-guide/api_grpc_gateway): guarded transactions, leases, and watching.
 */
export class Etcd {
  readonly #endpoints: readonly string[]
  readonly #client: Client
  readonly #clock: Clock
  readonly #requestMs: number
  /** Which of the members answered last. */
  #at = 0

  /** @throws TypeError no endpoint, or one that is no address of HTTP */
  constructor({ endpoints, tls, requestMs = 2000, clock }: EtcdOptions) {
    if (endpoints.length === 0) throw new TypeError('etcd needs at least one endpoint')
    this.#endpoints = endpoints.map(addressOf)
    this.#clock = clock
    this.#client = new Client({
      ...(tls === undefined ? {} : { tls }),
      timeouts: { connect: requestMs, tls: requestMs, headers: requestMs, body: 0 },
      redirects: 0,
      clock,
    })
    this.#requestMs = requestMs
  }

  /** Members that may be asked. */
  get members(): number {
    return this.#endpoints.length
  }

  /** The key, if it is there. @throws EtcdAway @throws EtcdError */
  async get(key: string): Promise<KeyValue | undefined> {
    return keyValues(await this.#ask('kv/range', { key: base64(key) }))[0]
  }

  /** All keys that begin so, as they were at one moment. @throws EtcdAway @throws EtcdError */
  async list(prefix: string): Promise<readonly KeyValue[]> {
    const end = Buffer.from(prefix)
    end[end.length - 1]!++
    const range_end = end.toString('base64')
    return keyValues(await this.#ask('kv/range', { key: base64(prefix), range_end }))
  }

  /** Those that are there, as they were at one moment. @throws EtcdAway @throws EtcdError */
  async read(keys: readonly string[]): Promise<ReadonlyMap<string, KeyValue>> {
    const success = keys.map(key => ({ request_range: { key: base64(key) } }))
    return foundIn(await this.#ask('kv/txn', { success }))
  }

  /**
   * Makes all changes if all guards hold, and none otherwise. One member is asked, and the next one if it
   * is called again.
   * @throws EtcdAway it may have been done @throws EtcdError it was not; 5: there is no such lease
   */
  async transact(guards: readonly Guard[], changes: readonly Change[]): Promise<Outcome> {
    const what = {
      compare: guards.map(({ key, revision }) => ({
        ...{ key: base64(key), target: 'MOD', result: 'EQUAL', mod_revision: String(revision) },
      })),
      success: changes.map(change =>
        'remove' in change
          ? { request_delete_range: { key: base64(change.remove) } }
          : {
              request_put: {
                key: base64(change.put),
                value: base64(change.value),
                ...(change.lease !== undefined && { lease: change.lease }),
              },
            },
      ),
      failure: guards.map(({ key }) => ({ request_range: { key: base64(key) } })),
    }
    const answer = await this.#ask('kv/txn', what, undefined, 1)
    const { succeeded = false, header } = answer
    return { succeeded, revision: number(header?.revision), found: foundIn(answer) }
  }

  /** A lease: what is put under it goes when it ends. @returns its id, and the seconds that etcd gives it */
  async grant(seconds: number): Promise<{ readonly id: string; readonly seconds: number }> {
    const { ID: id, TTL } = await this.#ask('lease/grant', { TTL: String(seconds), ID: '0' })
    if (number(id) === 0n || number(TTL) === 0n) throw new EtcdAway('a lease without an id, or without time')
    return { id: String(id), seconds: Number(TTL) }
  }

  /** It begins anew. @returns seconds until it ends; 0: there is no such lease any more */
  async keepAlive(id: string): Promise<number> {
    const { result } = await this.#ask('lease/keepalive', { ID: id })
    return Number(number(result?.TTL))
  }

  /** It ends now, with what was put under it. One that has ended is no error. */
  async revoke(id: string): Promise<void> {
    try {
      await this.#ask('lease/revoke', { ID: id })
    } catch (error) {
      if (!(error instanceof EtcdError) || error.code !== NOT_FOUND) throw error
    }
  }

  /**
   * Tells of a key: first what it is, then every change; undefined: it is not there. Where etcd is away for a
   * while, changes that have taken place by its end are told as one.
   * @returns what ends that
   */
  watch(key: string, onChange: (found: KeyValue | undefined) => void): () => void {
    const over = new AbortController()
    void this.#watch(key, onChange, over.signal)
    return () => over.abort()
  }

  /** Nothing is asked any more. Watches have to be ended by those who began them. */
  close(): Promise<void> {
    return this.#client.close()
  }

  async #watch(key: string, tell: (found: KeyValue | undefined) => void, signal: AbortSignal): Promise<void> {
    let told: bigint | undefined
    const onFound = (found: KeyValue | undefined): void => {
      const revision = found?.revision ?? 0n
      if (!signal.aborted && revision !== told) tell(found)
      told = revision
    }
    for (let pause = PAUSE; !signal.aborted; pause = Math.min(2 * pause, LONGEST_PAUSE)) {
      try {
        const answer = await this.#ask('kv/range', { key: base64(key) }, signal)
        onFound(keyValues(answer)[0])
        pause = PAUSE
        await this.#follow(key, number(answer.header?.revision) + 1n, onFound, signal)
      } catch {
        // It is asked anew: a watch ends with its member, and when what it follows was compacted.
      }
      if (!signal.aborted) await this.#rest(pause, signal)
    }
  }

  /** Until the stream of changes ends. */
  async #follow(
    key: string,
    since: bigint,
    tell: (found: KeyValue | undefined) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const ask = { create_request: { key: base64(key), start_revision: String(since) } }
    const { body } = await this.#post(this.#endpoints[this.#at]!, 'watch', ask, signal)
    for await (const line of lines(body!, MOST_LINE)) {
      const { result } = JSON.parse(line) as Json
      if (result === undefined || result.canceled === true) return
      for (const { type, kv } of result.events ?? []) tell(type === 'DELETE' ? undefined : keyValue(kv))
    }
  }

  #rest(milliseconds: number, signal: AbortSignal): Promise<void> {
    return new Promise(resolve => {
      const timer = this.#clock.after(milliseconds, resolve).unref()
      signal.addEventListener('abort', () => {
        timer.stop()
        resolve()
      })
    })
  }

  /** Asks one member after the other, each once. @param most so many of them */
  async #ask(path: string, what: object, signal?: AbortSignal, most = this.members): Promise<Json> {
    let failure: unknown
    for (let tried = 0; tried < most; tried++) {
      const endpoint = this.#endpoints[this.#at]!
      const over = new AbortController()
      const late = new EtcdAway(`${endpoint} has not answered within ${this.#requestMs} ms`)
      const timer = this.#clock.after(this.#requestMs, () => over.abort(late))
      try {
        const both = signal === undefined ? over.signal : AbortSignal.any([over.signal, signal])
        const response = await this.#post(endpoint, path, what, both)
        return await jsonOf(response)
      } catch (error) {
        if (error instanceof EtcdError && !isOfMember(error)) throw error
        failure = error
        this.#at = (this.#at + 1) % this.#endpoints.length
      } finally {
        timer.stop()
      }
    }
    const { message } = failure as Error
    throw failure instanceof EtcdAway ? failure : new EtcdAway(`etcd does not answer: ${message}`)
  }

  #post(endpoint: string, path: string, what: object, signal: AbortSignal): Promise<Response> {
    const headers = { 'content-type': 'application/json' }
    return this.#client.fetch(`${endpoint}/v3/${path}`, {
      ...{ method: 'POST', headers, body: JSON.stringify(what), signal },
    })
  }
}

/** Codes of gRPC. */
const NOT_FOUND = 5
const OF_A_MEMBER: ReadonlySet<number> = new Set([4, 8, 13, 14, 15])

/** Another member may do better: it is busy, has no leader, or has lost its data. */
function isOfMember({ code }: EtcdError): boolean {
  return OF_A_MEMBER.has(code)
}

/** @throws EtcdError @throws EtcdAway it is no answer of etcd's */
async function jsonOf(response: Response): Promise<Json> {
  const text = await textOf(response)
  let answer: Json
  try {
    answer = JSON.parse(text) as Json
  } catch {
    throw new EtcdAway(`status ${response.status} and no JSON: is this an endpoint of etcd for clients?`)
  }
  if (typeof answer !== 'object' || answer === null) throw new EtcdAway('JSON that is no answer of etcd')
  if (response.status === 200 && answer.error === undefined) return answer
  throw new EtcdError(answer.message ?? `status ${response.status}`, answer.code ?? 14)
}

/** @throws EtcdAway it is too long for an answer */
async function textOf(response: Response): Promise<string> {
  const pieces: Uint8Array[] = []
  let length = 0
  for await (const piece of (response.body ?? []) as unknown as AsyncIterable<Uint8Array>) {
    pieces.push(piece)
    length += piece.length
    if (length > MOST_ANSWER) throw new EtcdAway(`an answer of more than ${MOST_ANSWER} bytes`)
  }
  return Buffer.concat(pieces).toString()
}

/** A 64-bit number of etcd's; what is left out is 0. @throws EtcdAway it is none */
function number(text: unknown): bigint {
  if (text === undefined) return 0n
  if (typeof text !== 'string' || !/^-?\d{1,19}$/.test(text))
    throw new EtcdAway(`${JSON.stringify(text)?.slice(0, 80)} where etcd has a number`)
  return BigInt(text)
}

function addressOf(endpoint: string): string {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.pathname !== '/' || url.search !== '')
    throw new TypeError(
      `${JSON.stringify(endpoint)} is no endpoint of etcd: one is like http://127.0.0.1:2379`,
    )
  return url.origin
}

/** What the ranges of a transaction have found. */
function foundIn({ responses = [] }: Json): ReadonlyMap<string, KeyValue> {
  if (!Array.isArray(responses)) throw new EtcdAway('responses that are no list')
  const found = responses.flatMap(one => keyValues(one?.response_range ?? {}))
  return new Map(found.map(one => [one.key, one]))
}

function keyValues({ kvs = [] }: Pick<Json, 'kvs'>): readonly KeyValue[] {
  if (!Array.isArray(kvs)) throw new EtcdAway('keys that are no list')
  return kvs.map(keyValue)
}

function keyValue(one: JsonKeyValue | undefined): KeyValue {
  const { key, value = '', mod_revision } = one ?? {}
  if (typeof key !== 'string' || typeof value !== 'string')
    throw new EtcdAway('a key or a value that is no text')
  return { key: fromBase64(key), value: fromBase64(value), revision: number(mod_revision) }
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64')
}

function fromBase64(text: string): string {
  return Buffer.from(text, 'base64').toString()
}
