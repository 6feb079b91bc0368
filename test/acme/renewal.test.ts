import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { look, type ObtainOptions, obtain } from '../../src/acme/obtain.ts'
import { certificateId, momentIn, nextTry, readWindow, renewalOf } from '../../src/acme/renewal.ts'
import { dueNow, Renewer } from '../../src/acme/renewer.ts'
import { makeLeafKey } from '../../src/certificates/leaf-key.ts'
import { certificateRequest } from '../../src/certificates/request.ts'
import { AcmeScene } from '../support/acme-scene.ts'
import { DIRECTORY, ORIGIN, PROBLEM, type SmallAcmeServer } from '../support/acme-server.ts'
import { certify } from '../support/certify.ts'
import type { HandClock } from '../support/hand-clock.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR
/** Those of the example of RFC 9773 §4.1. */
const KEY_IDENTIFIER = Uint8Array.from(
  Buffer.from('69885B6B8746404 1E1B37B847BA0AE2CDE01C8D4'.replace(' ', ''), 'hex'),
)
const SERIAL = Uint8Array.from(Buffer.from('87654321', 'hex'))
const ID = 'aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE'

let scene: AcmeScene
let clock: HandClock
let directory: string
let server: SmallAcmeServer
let options: ObtainOptions

const WANTED = { name: 'web', names: ['a.test'] } as const

beforeEach(() => {
  scene = new AcmeScene()
  ;({ directory, clock, server } = scene)
  server.more = { renewalInfo: `${ORIGIN}/renewal` }
  server.chain = csr =>
    certify(csr, {
      names: ['a.test'],
      notBefore: clock.wall() - HOUR,
      notAfter: clock.wall() + 90 * DAY - HOUR,
      serial: SERIAL,
      keyIdentifier: KEY_IDENTIFIER,
    })
  options = scene.options(0.25)
})
afterEach(() => scene.remove())

function suggest(start: number, end: number, more: object = {}): void {
  const window = { start: new Date(start).toISOString(), end: new Date(end).toISOString() }
  server.routes.set('/renewal/*', () => ({
    json: { suggestedWindow: window, ...more },
    headers: { 'retry-after': '3600' },
  }))
}

describe('the time of a renewal', () => {
  it('is asked for by the name that RFC 9773 gives its certificate', async () => {
    const csr = Buffer.from(await certificateRequest(['a.test'], await makeLeafKey('ecdsa-p256')))
    const pem = await server.chain(csr.toString('base64url'))
    expect(certificateId(pem)).toBe(ID)
  })

  it('is a moment of the window that the server suggests, and stays as long as that does', async () => {
    const [start, end] = [clock.wall() + 30 * DAY, clock.wall() + 34 * DAY]
    suggest(start, end)
    await obtain(WANTED, options)
    expect(server.asked(`/renewal/${ID}`).length).toBe(1)
    const record = options.store.record('web')!
    expect([record.renewAt, record.lookAt]).toEqual([start + DAY, clock.wall() + HOUR])
    expect((await look('web', { ...options, chance: () => 0.9 }))!.renewAt).toBe(start + DAY)
    suggest(clock.wall() - DAY, clock.wall() + DAY)
    const moved = await look('web', options)
    expect(moved!.renewAt).toBe(clock.wall() - DAY / 2)
    expect(dueNow(WANTED, moved, true, DIRECTORY, clock.wall())).toBe('obtain')
  })

  it('is before the end of the certificate, whatever the server suggests', async () => {
    suggest(clock.wall() + 900 * DAY, clock.wall() + 901 * DAY)
    await obtain(WANTED, options)
    const { renewAt, notAfter } = options.store.record('web')!
    expect((notAfter! - renewAt!) / DAY).toBeCloseTo(9, 1)
  })

  it('is not at once again where the server suggests the past for what has just come', async () => {
    suggest(clock.wall() - 2 * DAY, clock.wall() - DAY)
    await obtain(WANTED, options)
    expect(options.store.record('web')!.renewAt).toBe(clock.wall() + 6 * HOUR)
  })

  it('stays when the server does not answer, and nothing has failed by that', async () => {
    const [start, end] = [clock.wall() + 30 * DAY, clock.wall() + 34 * DAY]
    suggest(start, end)
    await obtain(WANTED, options)
    server.routes.set('/renewal/*', () => ({ status: 500, json: {} }))
    const record = (await look('web', options))!
    expect([record.renewAt, record.window?.start, record.attempts[0]!.failures]).toEqual([
      start + DAY,
      start,
      0,
    ])
  })

  it('has not come for other names whose first order failed: that one is tried again', async () => {
    await obtain(WANTED, options)
    const more = { name: 'web', names: ['a.test', 'b.test'] }
    server.routes.set('/order', () => ({ status: 400, json: { type: `${PROBLEM}malformed` } }))
    await expect(obtain(more, options)).rejects.toThrow()
    const due = (now: number) => dueNow(more, options.store.record('web'), true, DIRECTORY, now)
    expect([due(clock.wall()), due(clock.wall() + HOUR)]).toEqual([undefined, 'obtain'])
  })

  it('is not put off by a clock that was years ahead', async () => {
    await obtain(WANTED, options)
    const record = options.store.record('web')!
    const at = clock.wall() + 900 * DAY
    const failed = { directory: DIRECTORY, names: WANTED.names, granted: [], failures: 1 }
    const attempts = [{ ...failed, error: { at, message: 'x' }, tryAt: at + HOUR }]
    const ahead = { ...record, attempts }
    expect(dueNow(WANTED, ahead, true, DIRECTORY, clock.wall())).toBe('obtain')
    const looked = { ...record, lookAt: clock.wall() + 900 * DAY }
    expect(dueNow(WANTED, looked, true, DIRECTORY, clock.wall())).toBe('look')
  })

  it('is by the dates where the server suggests nothing that makes sense', async () => {
    for (const json of [{}, [], { suggestedWindow: { start: 'x', end: 'y' } }])
      expect(readWindow(json)).toBeUndefined()
    const later = { start: '2030-02-02T00:00:00Z', end: '2030-02-01T00:00:00Z' }
    expect(readWindow({ suggestedWindow: later })).toBeUndefined()
    await obtain(WANTED, options)
    const { renewAt, notAfter, window } = options.store.record('web')!
    expect([window, (notAfter! - renewAt!) / (90 * DAY)]).toEqual([
      undefined,
      expect.closeTo(1 / 3 + 1 / 80, 3),
    ])
  })

  it('is when a third is left, or half of one that is good for ten days at most', () => {
    expect(renewalOf({ notBefore: 0, notAfter: 90 * DAY }, 0)).toBe(60 * DAY)
    expect(renewalOf({ notBefore: 0, notAfter: 6 * DAY }, 0)).toBe(3 * DAY)
    expect(renewalOf({ notBefore: 0, notAfter: 90 * DAY }, 1)).toBeLessThan(60 * DAY)
    expect(momentIn({ start: 100, end: 200, explanation: undefined }, 0.5)).toBe(150)
  })

  it('comes again after a failure: later each time, within a day, and not before the server allows', () => {
    const waits = [1, 2, 3, 12, 1000].map(failures => nextTry(0, failures, 0.5, undefined))
    expect(waits).toEqual([60_000, 120_000, 240_000, DAY, DAY])
    expect(nextTry(0, 1, 0, 7200_000)).toBe(7200_000)
  })

  it('comes again sooner as the end of the certificate comes near, and not before the server allows', () => {
    const wait = (left: number): number => nextTry(0, 1000, 0.5, undefined, left)
    expect([wait(30 * DAY), wait(4 * DAY), wait(8 * HOUR), wait(1000), wait(-DAY)]).toEqual([
      DAY,
      DAY / 2,
      HOUR,
      HOUR / 4,
      HOUR / 4,
    ])
    expect(nextTry(0, 1, 0.5, undefined, HOUR)).toBe(60_000)
    expect(nextTry(0, 9, 0.5, 7 * DAY, HOUR)).toBe(7 * DAY)
  })

  it('is after a week if the server asks for that, and a certificate that is good goes on', async () => {
    await obtain(WANTED, options)
    const limit = {
      status: 429,
      json: { type: `${PROBLEM}rateLimited` },
      headers: { 'retry-after': '604800' },
    }
    server.routes.set('/order', () => limit)
    await expect(obtain(WANTED, options)).rejects.toThrow('rateLimited')
    const record = options.store.record('web')!
    expect(record.attempts[0]!.tryAt).toBe(clock.wall() + 7 * DAY)
    const due = (at: number) => dueNow(WANTED, record, true, DIRECTORY, at)
    expect([due(clock.wall() + 6 * DAY), due(clock.wall() + 7 * DAY)]).toEqual([undefined, 'obtain'])
  })
})

describe('a renewal', () => {
  it('says which certificate it replaces, and is a new order if that was replaced already', async () => {
    suggest(clock.wall() + DAY, clock.wall() + 2 * DAY)
    await obtain(WANTED, options)
    await obtain(WANTED, options)
    expect(server.asked('/order').map(one => (one.payload as { replaces?: string }).replaces)).toEqual([
      undefined,
      ID,
    ])
    const plain = server.routes.get('/order')!
    server.routes.set('/order', request =>
      'replaces' in (request.payload as object)
        ? { status: 409, json: { type: `${PROBLEM}alreadyReplaced` } }
        : plain(request),
    )
    await obtain(WANTED, { ...options, byHand: true })
    expect(server.asked('/order').length).toBe(4)
  })

  it('is an order of the account that is made anew if the server has forgotten it', async () => {
    await obtain(WANTED, options)
    const plain = server.routes.get('/order')!
    server.routes.set('/account', () => ({
      status: 201,
      headers: { location: `${ORIGIN}/account/2` },
      json: {},
    }))
    server.routes.set('/order', request =>
      request.header!.kid === `${ORIGIN}/account/2`
        ? plain(request)
        : { status: 400, json: { type: `${PROBLEM}accountDoesNotExist` } },
    )
    await obtain(WANTED, options)
    expect(options.store.account(DIRECTORY).load()!.url).toBe(`${ORIGIN}/account/2`)
    const [first, second] = server.asked('/account').map(one => one.header?.jwk)
    expect(second).toEqual(first)
  })

  it('is made once, by one of two renewers that find it due', async () => {
    let busy = false
    const seen: string[] = []
    const renewer = (who: string): Renewer =>
      new Renewer({
        ...options,
        certificates: [WANTED],
        taken: {},
        alone: async work => {
          if (busy) return false
          busy = true
          await work()
          busy = false
          return true
        },
        news: { installed: () => seen.push(who), failed: (_, text) => seen.push(text), said: () => {} },
      })
    const [one, two] = [renewer('one'), renewer('two')]
    await Promise.all([one.work(), two.work()])
    expect(seen).toEqual(['one'])
    // The other one finds it done, and its platform hears of it.
    await two.work()
    expect([seen, server.asked('/order').length]).toEqual([['one', 'two'], 1])
    one.stop()
    two.stop()
  })

  it('goes on from what an earlier process has left, wherever it was ended', async () => {
    const { store } = options
    /** Each place where something is kept, in turn, is the last thing that the process does. */
    for (let left = 0, ended = true; ended; left++) {
      let writes = 0
      const dying = new Proxy(store, {
        get(target, name, receiver) {
          if (name !== 'order' && name !== 'account') {
            const value = Reflect.get(target, name, receiver) as unknown
            return typeof value === 'function' ? value.bind(target) : value
          }
          return (key: string) => {
            const shelf = target[name](key)
            const save = (one: never): void => {
              shelf.save(one)
              if (writes++ === left) throw new Error('SIGKILL')
            }
            return { ...shelf, save }
          }
        },
      })
      rmSync(join(directory, 'web.crt'), { force: true })
      rmSync(join(directory, 'web.key'), { force: true })
      store.order('web').remove()
      ended = await obtain(WANTED, { ...options, store: dying, byHand: true }).then(
        () => false,
        () => true,
      )
      await obtain(WANTED, { ...options, byHand: true })
      expect([left, store.isOurs('web'), store.order('web').load()]).toEqual([left, true, undefined])
    }
    expect(new Set(server.asked('/account').map(one => JSON.stringify(one.header?.jwk))).size).toBe(1)
  })
})
