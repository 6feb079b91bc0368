import type { Clock } from '../time/clock.ts'
import { errorOf, reasonOf } from '../wire/thrown.ts'
import { type Directory, readDirectory } from './directory.ts'
import { AcmeError, oneLine, problemText, problemType } from './error.ts'
import { type Fields, isFields } from './json.ts'
import type { Jws, JwsKey } from './jws.ts'

/** What is asked of the network: as the global `fetch`, which is one, and never follows a redirect. */
export type Fetch = (
  url: string,
  init: {
    readonly method: string
    readonly headers: Readonly<Record<string, string>>
    readonly body?: string
    readonly redirect: 'manual'
    readonly signal: AbortSignal
  },
) => Promise<FetchResponse>

/** As much of a `Response` as is looked at here. */
export interface FetchResponse {
  readonly status: number
  readonly headers: { get(name: string): string | null }
  readonly body: AsyncIterable<Uint8Array> | null
}

/** Who signs: an account, by its URL, or a key that has none (yet). */
export interface Signing {
  readonly key: JwsKey
  readonly account?: string
}

/** What came, as far as ACME looks at it. */
export interface Answer {
  readonly status: number
  /** The URL of what was made, or undefined. */
  readonly location: string | undefined
  /** Milliseconds that the server asks us to wait. */
  readonly retryAfter: number | undefined
  /** What came as JSON; undefined: something else. */
  readonly json: unknown
  /** What came as a chain of certificates; empty: something else. */
  readonly text: string
}

export interface ServerOptions {
  readonly fetch: Fetch
  readonly clock: Clock
  /** The URL of the directory. */
  readonly directory: string
}

/** Bytes of a response, and milliseconds from a request to its end. */
const MOST_BYTES = 1_048_576
const PATIENCE = 30_000
/** Causes below an error that are looked at. */
const DEPTH = 8
/** Times that a request is sent because its nonce was refused (RFC 8555 §6.5), or the server was too busy. */
const TRIES = 8
/** Nonces that are kept for later. */
const MOST_NONCES = 16
/** Milliseconds: what a server asks us to wait is done here up to this; beyond, that is the caller's. */
const SHORT_WAIT = 10_000
/** Milliseconds of the longest wait that is believed: limits of authorities are for a week, or a month. */
const LONGEST_WAIT = 31 * 86_400_000

/** RFC 8555 §6.1 demands one that says who it is. */
const USER_AGENT = 'hotpotato/0.1 (RFC 8555)'

/** One ACME server: its directory, its nonces, and requests that are signed. */
export class AcmeServer {
  readonly url: string
  readonly #options: ServerOptions
  readonly #nonces: string[] = []
  #directory: Directory | undefined

  constructor(options: ServerOptions) {
    this.#options = options
    this.url = options.directory
  }

  /** What the server has, asked for once. @throws AcmeError */
  async directory(): Promise<Directory> {
    this.#directory ??= readDirectory((await this.get(this.url)).json, this.url)
    return this.#directory
  }

  /** Asks for something that is not secret, unsigned. @throws AcmeError */
  async get(url: string): Promise<Answer> {
    return checked(await this.#ask('GET', url), 'GET', url)
  }

  /**
   * Sends a signed request (RFC 8555 §6.2), again and again if its nonce is refused.
   * @param payload undefined: asks for what is there (POST-as-GET, §6.3)
   * @throws AcmeError the server refuses, or what it says makes no sense
   */
  async post(url: string, payload: unknown, { key, account }: Signing): Promise<Answer> {
    const whose: Fields = account === undefined ? { jwk: key.jwk } : { kid: account }
    for (let tries = 1; ; tries++) {
      const nonce = await this.#nonce()
      const jws = await key.sign({ ...whose, nonce, url }, payload)
      const answer = await this.#ask('POST', url, jws)
      const { status, json, retryAfter } = answer
      const type = status >= 400 && isFields(json) ? problemType(json) : undefined
      const again = tries < TRIES && (type === 'badNonce' || status === 503)
      if (!again) return checked(answer, 'POST', url)
      if (type === 'badNonce') continue
      if (retryAfter !== undefined && retryAfter > SHORT_WAIT) return checked(answer, 'POST', url)
      await this.pause(retryAfter ?? 1000 * tries)
    }
  }

  /** Waits. @param milliseconds at least one */
  pause(milliseconds: number): Promise<void> {
    return new Promise(resolve => this.#options.clock.after(Math.max(1, milliseconds), resolve))
  }

  async #nonce(): Promise<string> {
    const kept = this.#nonces.pop()
    if (kept !== undefined) return kept
    const { newNonce } = await this.directory()
    checked(await this.#ask('HEAD', newNonce), 'HEAD', newNonce)
    const nonce = this.#nonces.pop()
    if (nonce === undefined) throw new AcmeError(`${newNonce} gives no Replay-Nonce (RFC 8555 §7.2)`)
    return nonce
  }

  async #ask(method: string, url: string, body?: Jws): Promise<Answer> {
    const { fetch, clock } = this.#options
    const abort = new AbortController()
    const timer = clock.after(PATIENCE, () =>
      abort.abort(new Error(`no whole answer in ${PATIENCE / 1000} s`)),
    )
    const given = new Promise<never>((_, reject) => {
      abort.signal.addEventListener('abort', () => reject(abort.signal.reason as Error))
    })
    try {
      const asked = fetch(url, {
        method,
        headers: {
          'user-agent': USER_AGENT,
          ...(body === undefined ? {} : { 'content-type': 'application/jose+json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        redirect: 'manual',
        signal: abort.signal,
      })
      const read = asked.then(response => this.#read(response, method, abort.signal))
      return await Promise.race([read, given])
    } catch (error) {
      if (error instanceof AcmeError) throw error
      const why = abort.signal.aborted ? abort.signal.reason : error
      throw new AcmeError(`${method} ${url}: ${oneLine(bottomOf(why))}`)
    } finally {
      timer.stop()
    }
  }

  async #read(
    { status, headers, body }: FetchResponse,
    method: string,
    signal: AbortSignal,
  ): Promise<Answer> {
    const nonce = headers.get('replay-nonce')
    if (nonce !== null && /^[\w-]{1,1024}$/.test(nonce) && this.#nonces.length < MOST_NONCES)
      this.#nonces.push(nonce)
    const text = method === 'HEAD' || body === null ? '' : await whole(body, signal)
    const type = (headers.get('content-type') ?? '').split(';')[0]!.trim().toLowerCase()
    return {
      status,
      location: headers.get('location') ?? undefined,
      retryAfter: waitOf(headers.get('retry-after'), this.#options.clock.wall()),
      json: /^application\/(problem\+)?json$/.test(type) ? parsed(text) : undefined,
      text: type === 'application/pem-certificate-chain' ? text : '',
    }
  }
}

/** @throws AcmeError the server refuses, or leads elsewhere */
function checked(answer: Answer, method: string, url: string): Answer {
  const { status, json, retryAfter } = answer
  if (status >= 200 && status < 300) return answer
  const what = `${method} ${url}`
  if (status < 400) throw new AcmeError(`${what}: status ${status}, and no redirect is followed`, { status })
  const type = isFields(json) ? problemType(json) : undefined
  const later = retryAfter === undefined ? '' : `; it may be asked again in ${Math.ceil(retryAfter / 1000)} s`
  const why = isFields(json) ? problemText(json) : `status ${status}, without a problem document`
  const told = type === undefined ? `${what}: ${why}` : why
  throw new AcmeError(`${told}${later}`, { status, retryAfter, ...(type === undefined ? {} : { type }) })
}

/** @throws AcmeError there is more than anything of ACME needs */
async function whole(body: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<string> {
  const parts: Uint8Array[] = []
  let length = 0
  for await (const part of body) {
    length += part.length
    if (length > MOST_BYTES) throw new AcmeError(`an answer of more than ${MOST_BYTES} bytes`)
    if (signal.aborted) throw signal.reason
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Retry-After (RFC 9110 §10.2.3), in milliseconds from now. */
export function waitOf(value: string | null, now: number): number | undefined {
  if (value === null || value.length > 64) return undefined
  const at = /^\d{1,9}$/.test(value) ? now + Number(value) * 1000 : Date.parse(value)
  return Number.isNaN(at) ? undefined : Math.min(LONGEST_WAIT, Math.max(0, at - now))
}

/** What is at the bottom of an error: `fetch failed` says nothing. */
function bottomOf(thrown: unknown): string {
  let error: Error & { readonly code?: string } = errorOf(thrown)
  // The causes of a `fetch` that is not ours may lead back to themselves.
  for (let depth = 0; error.cause instanceof Error && depth < DEPTH; depth++) error = error.cause
  return reasonOf(error) || error.code || 'it failed without a reason'
}
