import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Account, type AccountWishes } from '../../src/acme/account.ts'
import type { AcmeError } from '../../src/acme/error.ts'
import { AccountKey } from '../../src/acme/jws.ts'
import { AcmeServer } from '../../src/acme/server.ts'
import type { AcmeStore } from '../../src/acme/store.ts'
import { AcmeScene, WISHES } from '../support/acme-scene.ts'
import {
  type AcmeRequest,
  DIRECTORY,
  ORIGIN,
  PROBLEM,
  type Reply,
  type SmallAcmeServer,
} from '../support/acme-server.ts'
import type { HandClock } from '../support/hand-clock.ts'

const URL_OF_ACCOUNT = `${ORIGIN}/account/1`

let scene: AcmeScene
let server: SmallAcmeServer
let store: AcmeStore
let clock: HandClock
/** The public number of the key that the server knows the account by. */
let known: string

const open = (wishes: AccountWishes = WISHES): Promise<Account> =>
  Account.open(
    new AcmeServer({ fetch: server.fetch, clock, directory: DIRECTORY }),
    store.account(DIRECTORY),
    wishes,
  )
const kept = () => store.account(DIRECTORY).load()!
const problem = (status: number, type: string): Reply => ({ status, json: { type: `${PROBLEM}${type}` } })

beforeEach(() => {
  scene = new AcmeScene()
  ;({ server, store, clock } = scene)
  server.routes.set('/account', ({ header }) => {
    known = (header!.jwk as { x: string }).x
    return { status: 201, headers: { location: URL_OF_ACCOUNT }, json: {} }
  })
  server.routes.set('/account/1', () => ({ json: { status: 'valid' } }))
})
afterEach(() => scene.remove())

/** The server has another key from now on. */
function rolled({ payload }: AcmeRequest): Reply {
  const head = (payload as { protected: string }).protected
  known = (JSON.parse(Buffer.from(head, 'base64url').toString()).jwk as { x: string }).x
  return { json: {} }
}

/** A server that knows which key has signed: it has to be the one that the account has. */
function checking(): void {
  server.routes.set('/keys', request =>
    request.signer === known ? rolled(request) : problem(403, 'unauthorized'),
  )
  server.routes.set('/account/1', ({ signer }) =>
    signer === known ? { json: { status: 'valid' } } : problem(403, 'unauthorized'),
  )
}

/** Lets time pass until it ends. */
async function passing<T>(work: Promise<T>): Promise<T> {
  let ended = false
  void work.then(
    () => (ended = true),
    () => (ended = true),
  )
  while (!ended) {
    await new Promise(resolve => setTimeout(resolve, 1))
    if (server.pending === 0) clock.pass(1000)
  }
  return work
}

describe('the key of an account', () => {
  it.each([
    ['a limit', 429, 'rateLimited', false],
    ['a limit, though it was changed', 429, 'rateLimited', true],
    ['a nonce that is never good', 400, 'badNonce', false],
    ['a fault, though it was changed', 500, 'serverInternal', true],
  ])('is found out at the next start when its change ends with %s', async (_, status, type, done) => {
    checking()
    server.signers = () => [kept().key, kept().next]
    const account = await open()
    const [before, change] = [kept().key.x, server.routes.get('/keys')!]
    server.routes.set('/keys', request => {
      if (done) void change(request)
      return problem(status, type)
    })
    await expect(passing(account.rollOver())).rejects.toThrow(type)
    const next = kept().next!
    expect([kept().key.x, next.x]).not.toContain(undefined)

    // As long as the server says nothing of either, both are kept.
    const check = server.routes.get('/account/1')!
    for (const one of [problem(429, 'rateLimited'), problem(400, 'badNonce'), problem(503, 'x')]) {
      server.routes.set('/account/1', () => one)
      await expect(passing(open())).rejects.toThrow()
      expect(kept()).toMatchObject({ key: { x: before }, next: { x: next.x } })
    }
    server.routes.set('/account/1', check)
    await open()
    expect([kept().key.x, kept().next]).toEqual([done ? next.x : before, undefined])
  })

  it('is found out before another change of it', async () => {
    checking()
    server.signers = () => [kept().key, kept().next]
    const account = await open()
    const change = server.routes.get('/keys')!
    server.routes.set('/keys', async request => {
      await change(request)
      return problem(500, 'serverInternal')
    })
    await expect(passing(account.rollOver())).rejects.toThrow('serverInternal')
    server.routes.set('/keys', change)
    await account.rollOver()
    expect([kept().key.x, kept().next]).toEqual([known, undefined])
  })
})

describe('an account', () => {
  it('keeps its address when a command says none, and takes another one', async () => {
    const contacts: unknown[] = []
    server.routes.set('/account/1', ({ payload }) => {
      contacts.push((payload as { contact?: unknown } | undefined)?.contact)
      return { json: { status: 'valid' } }
    })
    for (const email of ['a@b.test', undefined, 'c@d.test']) await open({ ...WISHES, email })
    expect([kept().email, contacts]).toEqual(['c@d.test', [['mailto:c@d.test']]])
  })

  it('on another server is none', async () => {
    server.routes.set('/account', () => ({
      status: 201,
      headers: { location: 'https://elsewhere.test/1' },
      json: {},
    }))
    await expect(open()).rejects.toThrow(/leads to https:\/\/elsewhere.test for an account/)
    expect(kept().url).toBeUndefined()
  })

  it('that the server has forgotten is made anew, with the same key', async () => {
    const account = await open()
    const { key } = kept()
    const gone = problem(400, 'accountDoesNotExist')
    server.routes.set('/account/1', () => gone)
    server.routes.set('/account', () => ({
      status: 201,
      headers: { location: `${ORIGIN}/account/2` },
      json: {},
    }))
    const error = await account.status().catch((one: AcmeError) => one)
    expect(error).toMatchObject({ type: 'accountDoesNotExist' })
    account.forget()
    expect((await open()).url).toBe(`${ORIGIN}/account/2`)
    expect(kept().key).toEqual(key)
    // In the middle of a change of its key, too.
    store.account(DIRECTORY).save({ ...kept(), url: URL_OF_ACCOUNT, next: await AccountKey.make() })
    expect((await open()).url).toBe(`${ORIGIN}/account/2`)
    expect(kept()).toMatchObject({ key })
    expect(kept().next).toBeUndefined()
  })
})

const round = new Error('round')
round.cause = round
it.each([
  ['nothing', null, /null$/],
  ['an error that is its own cause', round, /round$/],
])('says what went wrong where a fetch of its owner is rejected with %s', async (_, thrown, said) => {
  const fetch = () => Promise.reject(thrown)
  const asked = Account.open(
    new AcmeServer({ fetch, clock, directory: DIRECTORY }),
    store.account(DIRECTORY),
    WISHES,
  )
  await expect(asked).rejects.toThrow(said)
})
