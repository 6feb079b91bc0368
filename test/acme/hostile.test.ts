import { readdirSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type ObtainOptions, obtain } from '../../src/acme/obtain.ts'
import { makeLeafKey } from '../../src/certificates/leaf-key.ts'
import { certificateRequest } from '../../src/certificates/request.ts'
import { AcmeScene } from '../support/acme-scene.ts'
import { ORIGIN, PROBLEM, type Reply, type SmallAcmeServer } from '../support/acme-server.ts'
import { type Certified, certify } from '../support/certify.ts'
import type { HandClock } from '../support/hand-clock.ts'

const DAY = 86_400_000

let scene: AcmeScene
let directory: string
let server: SmallAcmeServer
let clock: HandClock
let options: ObtainOptions
let order: { readonly certified: Certified }

beforeEach(() => {
  scene = new AcmeScene()
  ;({ directory, clock, server } = scene)
  const [notBefore, notAfter] = [clock.wall() - DAY, clock.wall() + 89 * DAY]
  order = {
    certified: { names: ['a.test'], notBefore, notAfter, serial: Uint8Array.of(1), keyIdentifier: undefined },
  }
  server.chain = csr => certify(csr, order.certified)
  options = scene.options()
})
afterEach(() => scene.remove())

/** Real time that an end may take on a busy machine: keys are made meanwhile, in other threads. */
const LONGEST = 180_000

/** How it ends; the clock goes on meanwhile, a second for each two milliseconds without a request. */
async function ending(wishes: Partial<ObtainOptions['wishes']> = {}): Promise<string> {
  let ended: string | undefined
  void obtain(
    { name: 'web', names: ['a.test'] },
    { ...options, wishes: { ...options.wishes, ...wishes } },
  ).then(
    () => {
      ended = 'issued'
    },
    (error: Error) => {
      ended = error.message
    },
  )
  for (const start = performance.now(); ended === undefined && performance.now() - start < LONGEST; ) {
    await new Promise(resolve => setTimeout(resolve, 2))
    if (ended === undefined && server.pending === 0) clock.pass(1000)
  }
  return ended ?? 'it goes on for ever'
}

function answers(path: string, reply: Reply): void {
  server.routes.set(path, () => reply)
}

async function* endless(): AsyncGenerator<Uint8Array> {
  for (;;) yield new Uint8Array(65_536)
}

/** Nothing, and then nothing more, until the request is given up. */
async function* silent(): AsyncGenerator<Uint8Array> {
  await new Promise(() => {})
}

it('an honest one issues', async () => {
  expect(await ending()).toBe('issued')
  expect(readdirSync(directory).sort()).toEqual(['acme', 'web.crt', 'web.key'])
})

it('a proof that cannot be withdrawn is told of, and the certificate is there all the same', async () => {
  server.proof = 'a.test'
  const said: string[] = []
  const withdraw = () => Promise.reject(new Error('the gateway is gone'))
  Object.assign(options, {
    responder: { ...options.responder, show: () => Promise.resolve(), withdraw },
    report: (what: string) => said.push(what),
  })
  expect(await ending()).toBe('issued')
  expect(said).toContain('a proof for a.test is still shown: the gateway is gone')
})

describe('what an ACME server can do wrong ends in one line, and leaves what was there', () => {
  const CASES: readonly (readonly [string, () => void, RegExp])[] = [
    [
      'no directory',
      () => answers('/dir', { text: 'hello' }),
      /^https:\/\/acme.test\/dir is no ACME directory$/,
    ],
    [
      'a directory as text',
      () => answers('/dir', { text: '{}', headers: { 'content-type': 'text/html' } }),
      /no ACME/,
    ],
    [
      'a directory that leads to another server',
      () => answers('/dir', { json: { newNonce: 'https://elsewhere.test/nonce' } }),
      /leads to https:\/\/elsewhere.test for newNonce; only https:\/\/acme.test is asked/,
    ],
    [
      'a redirect',
      () => answers('/order', { status: 302, headers: { location: `${ORIGIN}/x` } }),
      /no redirect/,
    ],
    ['no nonce', () => answers('/nonce', { headers: { 'replay-nonce': '' } }), /issued|no Replay-Nonce/],
    [
      'a nonce that is never good',
      () => answers('/order', { status: 400, json: { type: `${PROBLEM}badNonce`, detail: 'no' } }),
      /^badNonce: no$/,
    ],
    ['an answer without end', () => answers('/order', { body: endless() }), /more than 1048576 bytes/],
    ['an answer that never comes', () => answers('/order', { body: silent() }), /no whole answer in 30 s/],
    ['an account without a URL', () => answers('/account', { status: 201, json: {} }), /names no account/],
    [
      'an order elsewhere',
      () => answers('/order', { status: 201, headers: { location: 'https://elsewhere.test/1' }, json: {} }),
      /leads to https:\/\/elsewhere.test for an order/,
    ],
    ['an order that is none', () => answers('/order/1', { json: [] }), /no order where one is due/],
    [
      'an authorization for another host',
      () => {
        const [authorizations, finalize] = [[`${ORIGIN}/authz`], `${ORIGIN}/finalize`]
        answers('/order/1', { json: { status: 'pending', authorizations, finalize } })
        answers('/order', {
          status: 201,
          headers: { location: `${ORIGIN}/order/1` },
          json: { status: 'pending', authorizations, finalize },
        })
        answers('/authz', {
          json: {
            status: 'pending',
            identifier: { type: 'dns', value: 'b.test' },
            challenges: [
              { type: 'http-01', status: 'pending', url: `${ORIGIN}/challenge`, token: 'a'.repeat(43) },
            ],
          },
        })
      },
      /^the server gives an authorization for b.test, which was not asked for$/,
    ],
    [
      'an order that is always in work',
      () =>
        answers('/order/1', {
          json: { status: 'processing', authorizations: [`${ORIGIN}/authz`], finalize: `${ORIGIN}/finalize` },
        }),
      /more than ten minutes|issued/,
    ],
    [
      'a certificate of another type',
      () => answers('/certificate', { text: 'x', headers: { 'content-type': 'text/plain' } }),
      /is no application\/pem-certificate-chain/,
    ],
    [
      'a certificate that is none',
      () =>
        answers('/certificate', {
          text: 'x',
          headers: { 'content-type': 'application/pem-certificate-chain' },
        }),
      /no chain of certificates/,
    ],
    [
      'a certificate for another key',
      () => {
        server.chain = async () => {
          const csr = await certificateRequest(['a.test'], await makeLeafKey('ecdsa-p256'))
          return certify(Buffer.from(csr).toString('base64url'), order.certified)
        }
      },
      /for another key/,
    ],
    [
      'a certificate for another name',
      () => {
        order = { certified: { ...order.certified, names: ['b.test'] } }
      },
      /does not cover a.test/,
    ],
    [
      'a certificate that has expired',
      () => {
        order = { certified: { ...order.certified, notAfter: clock.wall() - 1000 } }
      },
      /expired on/,
    ],
    [
      'a limit',
      () =>
        answers('/order', {
          status: 429,
          json: { type: `${PROBLEM}rateLimited`, detail: 'too many\u001b[31m\ncertificates' },
          headers: { 'retry-after': '7200' },
        }),
      /^rateLimited: too many \[31m certificates; it may be asked again in 7200 s$/,
    ],
    [
      'problems of several names',
      () =>
        answers('/order', {
          status: 403,
          json: {
            type: `${PROBLEM}compound`,
            detail: 'some names',
            subproblems: [
              { type: `${PROBLEM}caa`, detail: 'no', identifier: { type: 'dns', value: 'a.test' } },
            ],
          },
        }),
      /^compound: some names \(for a.test, caa: no\)$/,
    ],
  ]

  it.each(CASES)('%s', async (_, prepare, expected) => {
    prepare()
    const text = await ending()
    expect(text).toMatch(expected)
    if (text !== 'issued') {
      expect(readdirSync(directory)).toEqual(['acme'])
      expect(options.store.record('web')).toMatchObject({
        attempts: [{ failures: 1, error: { message: text } }],
      })
    }
  })

  it('is tried again after the time that it asks for', async () => {
    answers('/order', {
      status: 429,
      json: { type: `${PROBLEM}rateLimited` },
      headers: { 'retry-after': '7200' },
    })
    await ending()
    const { tryAt, error } = options.store.record('web')!.attempts[0]!
    expect(tryAt! - error!.at).toBe(7_200_000)
  })
})

it('a profile that is not offered is named with those that are; another one is ordered', async () => {
  server.meta = { profiles: { classic: 'as always', shortlived: 'six days' } }
  expect(await ending({ profile: 'long' })).toBe(
    'the server has no profile long: there are classic, shortlived',
  )
  expect(await ending({ profile: 'shortlived' })).toBe('issued')
  expect(server.asked('/order').at(-1)!.payload).toMatchObject({ profile: 'shortlived' })
})
