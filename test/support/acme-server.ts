import { createPublicKey, randomBytes, verify } from 'node:crypto'
import type { Jws, PublicJwk } from '../../src/acme/jws.ts'
import type { Fetch, FetchResponse } from '../../src/acme/server.ts'

/** What is answered at one path. */
export type Route = (request: AcmeRequest) => Reply | Promise<Reply>

export interface AcmeRequest {
  readonly method: string
  readonly url: string
  /** What is signed, decoded; undefined without a body. */
  readonly header: Readonly<Record<string, unknown>> | undefined
  readonly payload: unknown
  /** The public number of the key that has signed, if it is among {@link SmallAcmeServer.signers}. */
  readonly signer?: string | undefined
}

export interface Reply {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly json?: unknown
  readonly text?: string
  readonly body?: AsyncIterable<Uint8Array>
}

export const ORIGIN = 'https://acme.test'
export const DIRECTORY = `${ORIGIN}/dir`
export const PROBLEM = 'urn:ietf:params:acme:error:'

const at = (path: string): string => `${ORIGIN}${path}`

/**
 * An ACME server in this process: each order is ready at once, and valid as soon as it is finalized; a proof
 * is asked for where a test wants that. A test can have each path answer otherwise. Signatures are pebble's
 * affair.
 */
export class SmallAcmeServer {
  readonly requests: AcmeRequest[] = []
  /** Requests that are not answered yet. */
  pending = 0
  readonly routes = new Map<string, Route>()
  /** What stands in its directory besides what has to. */
  more: Readonly<Record<string, unknown>> = {}
  meta: Readonly<Record<string, unknown>> = {}
  /** Keys that may have signed; without some, signatures are not looked at. */
  signers: () => readonly (PublicJwk | undefined)[] = () => []
  /** Makes the certificate of a request (base64url), in PEM. */
  chain: (csr: string) => Promise<string> | string = () => ''
  /** The host that a proof is asked for, which is taken as soon as it is told to be shown. */
  proof: string | undefined
  #proven = false
  #finalized = false
  #certificate = ''

  constructor() {
    const urls = { newNonce: '/nonce', newAccount: '/account', newOrder: '/order' }
    const all = { ...urls, revokeCert: '/revoke', keyChange: '/keys' }
    const open = (): boolean => this.proof !== undefined && !this.#proven
    const order = (): object => ({
      status: this.#finalized ? 'valid' : open() ? 'pending' : 'ready',
      authorizations: [at('/authz')],
      finalize: at('/finalize'),
      ...(this.#finalized ? { certificate: at('/certificate') } : {}),
    })
    const routes: Readonly<Record<string, Route>> = {
      '/dir': () => {
        const own = Object.entries(all).map(([name, path]) => [name, at(path)])
        return { json: { ...Object.fromEntries(own), ...this.more, meta: this.meta } }
      },
      '/nonce': () => ({}),
      '/account': () => ({ status: 201, headers: { location: at('/account/1') }, json: {} }),
      '/account/1': () => ({ json: { status: 'valid' } }),
      '/order': () => {
        this.#finalized = false
        return { status: 201, headers: { location: at('/order/1') }, json: order() }
      },
      '/order/1': () => ({ json: order() }),
      '/authz': () => ({
        json: {
          status: open() ? 'pending' : 'valid',
          identifier: { type: 'dns', value: this.proof },
          challenges: [
            {
              type: 'http-01',
              status: open() ? 'pending' : 'valid',
              url: at('/challenge'),
              token: 'a'.repeat(43),
            },
          ],
        },
      }),
      '/challenge': () => {
        this.#proven = true
        return { json: {} }
      },
      '/finalize': async ({ payload }) => {
        this.#finalized = true
        this.#certificate = await this.chain((payload as { csr: string }).csr)
        return { json: order() }
      },
      '/certificate': () => ({
        headers: { 'content-type': 'application/pem-certificate-chain' },
        text: this.#certificate,
      }),
      '/revoke': () => ({}),
    }
    for (const [path, route] of Object.entries(routes)) this.routes.set(path, route)
  }

  get fetch(): Fetch {
    return async (url, { method, body }) => {
      const decoded = (part: string): unknown =>
        part === '' ? undefined : JSON.parse(Buffer.from(part, 'base64url').toString())
      const jws = body === undefined ? undefined : (JSON.parse(body) as Jws)
      const header = jws && (decoded(jws.protected) as AcmeRequest['header'])
      const signer = jws && this.signers().find(one => one !== undefined && isSignedBy(jws, one))?.x
      const request: AcmeRequest = { method, url, header, payload: jws && decoded(jws.payload), signer }
      this.requests.push(request)
      this.pending++
      return this.#answer(request).finally(() => this.pending--)
    }
  }

  /** Requests for that path. */
  asked(path: string): AcmeRequest[] {
    return this.requests.filter(({ url }) => url === at(path))
  }

  async #answer(request: AcmeRequest): Promise<FetchResponse> {
    const { pathname } = new URL(request.url)
    const route = this.routes.get(pathname) ?? this.routes.get(pathname.replace(/[^/]*$/, '*'))
    const { status = 200, headers = {}, json, text = '', body } = (await route?.(request)) ?? { status: 404 }
    const kind = status < 400 ? 'application/json' : 'application/problem+json'
    const all: Readonly<Record<string, string>> = {
      'replay-nonce': randomBytes(16).toString('base64url'),
      ...(json === undefined ? {} : { 'content-type': kind }),
      ...headers,
    }
    const content = Buffer.from(json === undefined ? text : JSON.stringify(json))
    return { status, headers: { get: name => all[name] ?? null }, body: body ?? once(content) }
  }
}

function isSignedBy(jws: Jws, { kty, crv, x, y }: PublicJwk): boolean {
  const key = createPublicKey({ key: { kty, crv, x, y }, format: 'jwk' })
  const text = Buffer.from(`${jws.protected}.${jws.payload}`)
  const signature = Buffer.from(jws.signature, 'base64url')
  return verify('sha256', text, { key, dsaEncoding: 'ieee-p1363' }, signature)
}

async function* once(content: Uint8Array): AsyncGenerator<Uint8Array> {
  yield content
}
