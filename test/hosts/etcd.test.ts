import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { Etcd, EtcdAway, EtcdError, type KeyValue } from '../../src/hosts/etcd.ts'
import { Lease } from '../../src/hosts/lease.ts'
import { SYSTEM_CLOCK } from '../../src/time/system-clock.ts'
import { HandClock } from '../support/hand-clock.ts'
import { noteOf, versionOf } from '../support/interop/program.ts'
import { EtcdServer } from '../support/peers/etcd.ts'
import { freePort } from '../support/peers/ports.ts'
import { eventually } from '../support/platform.ts'

/* What we ask of etcd, and what becomes of that where etcd is slow, away, or another program. */

const version = versionOf('etcd')
describe.skipIf(version === undefined)(`etcd (${noteOf(version, 'etcd', 'etcd-server')})`, () => {
  let server: EtcdServer
  let etcd: Etcd
  let key: string
  let keys = 0
  beforeAll(async () => {
    server = await EtcdServer.start()
    etcd = new Etcd({ endpoints: [server.endpoint], requestMs: 10_000, clock: SYSTEM_CLOCK })
  })
  beforeEach(() => {
    key = `/test/${keys++}`
  })
  afterAll(async () => {
    await etcd?.close()
    await server?.close()
  })

  it('makes all changes of a transaction whose guards hold, or says what it has found', async () => {
    const made = await etcd.transact([{ key, revision: 0n }], [{ put: key, value: 'ä "1"' }])
    expect(made).toMatchObject({ succeeded: true, found: new Map() })
    expect(await etcd.get(key)).toEqual({ key, value: 'ä "1"', revision: made.revision })
    const again = await etcd.transact([{ key, revision: 0n }], [{ put: key, value: '2' }])
    expect(again.succeeded).toBe(false)
    expect(again.found.get(key)).toEqual({ key, value: 'ä "1"', revision: made.revision })
    const { revision } = made
    const changes = [{ remove: key }, { put: `${key}/b`, value: '' }]
    expect((await etcd.transact([{ key, revision }], changes)).succeeded).toBe(true)
    expect(await etcd.get(key)).toBeUndefined()
    expect([...(await etcd.read([key, `${key}/b`])).keys()]).toEqual([`${key}/b`])
  })

  it('of two transactions with one guard makes one', async () => {
    const tries = Array.from({ length: 20 }, (_, value) =>
      etcd.transact([{ key, revision: 0n }], [{ put: key, value: String(value) }]),
    )
    const outcomes = await Promise.all(tries)
    const winners = outcomes.flatMap(({ succeeded }, index) => (succeeded ? [String(index)] : []))
    expect(winners).toHaveLength(1)
    expect((await etcd.get(key))?.value).toBe(winners[0])
    const losers = outcomes.filter(({ succeeded }) => !succeeded)
    for (const { found } of losers) expect(found.get(key)?.value).toBe(winners[0])
  })

  it('refuses what is put under a lease that has ended', async () => {
    const { id, seconds } = await etcd.grant(60)
    expect(seconds).toBeGreaterThanOrEqual(60)
    await etcd.transact([], [{ put: key, value: 'x', lease: id }])
    expect(await etcd.keepAlive(id)).toBe(seconds)
    await etcd.revoke(id)
    await etcd.revoke(id)
    expect(await etcd.get(key)).toBeUndefined()
    expect(await etcd.keepAlive(id)).toBe(0)
    const late = etcd.transact([], [{ put: key, value: 'x', lease: id }])
    await expect(late).rejects.toThrow(EtcdError)
    await expect(late).rejects.toMatchObject({ code: 5 })
  })

  it('tells a watcher what a key is, and each change, over a death of its server', async () => {
    const heard: (string | undefined)[] = []
    const hears = (...values: (string | undefined)[]) =>
      eventually(() => heard.length >= values.length || undefined, `${heard} and no more`).then(() =>
        expect(heard).toEqual(values),
      )
    const put = (value: string) => etcd.transact([], [{ put: key, value }])
    await put('1')
    const stop = etcd.watch(key, (found: KeyValue | undefined) => heard.push(found?.value))
    await hears('1')
    await put('2')
    await hears('1', '2')
    await etcd.transact([], [{ remove: key }])
    await hears('1', '2', undefined)
    await server.kill()
    await server.begin()
    await eventually(() => put('3').catch(() => undefined), 'it does not come back')
    await hears('1', '2', undefined, '3')
    stop()
    await put('4')
    expect((await etcd.get(key))?.value).toBe('4')
    expect(heard).toHaveLength(4)
  })

  it('that stands still is away, after a time', async () => {
    const hurried = new Etcd({ endpoints: [server.endpoint], requestMs: 300, clock: SYSTEM_CLOCK })
    server.signal('SIGSTOP')
    try {
      await expect(hurried.get(key)).rejects.toThrow(EtcdAway)
      await expect(hurried.transact([], [{ put: key, value: 'x' }])).rejects.toThrow(EtcdAway)
    } finally {
      server.signal('SIGCONT')
      await hurried.close()
    }
  })

  it('is found at another endpoint, where the first does not answer', async () => {
    const two = new Etcd({
      endpoints: [`http://127.0.0.1:${await freePort()}`, server.endpoint],
      clock: SYSTEM_CLOCK,
    })
    // A transaction is tried once: it could have been done.
    await expect(two.transact([], [{ put: key, value: 'x' }])).rejects.toThrow(EtcdAway)
    expect((await two.transact([], [{ put: key, value: 'x' }])).succeeded).toBe(true)
    expect((await two.get(key))?.value).toBe('x')
    await two.close()
  })

  describe('a lease', () => {
    const lost: string[] = []
    let lease: Lease | undefined
    beforeEach(() => {
      lost.length = 0
    })
    afterEach(() => lease?.end())
    const onLost = (reason: string): void => {
      lost.push(reason)
    }

    it('is held for longer than its time, and ends with what was put under it', async () => {
      lease = await Lease.grant(etcd, { seconds: 2, clock: SYSTEM_CLOCK, onLost })
      await etcd.transact([], [{ put: key, value: 'x', lease: lease.id }])
      await new Promise(resolve => setTimeout(resolve, 5000))
      expect([lease.held, lost, (await etcd.get(key))?.value]).toEqual([true, [], 'x'])
      await lease.end()
      expect([lease.held, lost, await etcd.get(key)]).toEqual([false, [], undefined])
    })

    it('that etcd has ended is lost', async () => {
      lease = await Lease.grant(etcd, { seconds: 2, clock: SYSTEM_CLOCK, onLost })
      await etcd.revoke(lease.id)
      await eventually(() => lost[0], 'it is not lost')
      expect([lost, lease.held]).toEqual([['etcd has ended it'], false])
    })

    it('is over for its holder before it is for etcd, where etcd does not answer', async () => {
      const clock = new HandClock()
      const away = new Etcd({ endpoints: [server.endpoint], requestMs: 200, clock: SYSTEM_CLOCK })
      lease = await Lease.grant(away, { seconds: 10, margin: 1500, clock, onLost })
      await away.close()
      clock.pass(8499)
      expect([lease.held, lost]).toEqual([true, []])
      clock.pass(1)
      expect([lease.held, lost]).toEqual([false, ['etcd has not renewed it in time']])
      clock.pass(100_000)
      expect(lost).toHaveLength(1)
    })
  })
})

describe('what is no etcd', () => {
  let server: Server
  let answer: readonly [status: number, body: string]
  let endpoint: string
  let asks = 0
  beforeAll(async () => {
    server = createServer((_, response) => {
      asks++
      response.writeHead(answer[0]).end(answer[1])
    })
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  afterAll(() => void server.close())

  it.each([
    [200, 'hello', 'status 200 and no JSON: is this an endpoint of etcd for clients?'],
    [404, '404 page not found\n', 'status 404 and no JSON'],
    [503, '{"error":"no leader","message":"etcdserver: no leader","code":14}', 'etcdserver: no leader'],
  ])('answers %i: that is told', async (status, body, message) => {
    answer = [status, body]
    const etcd = new Etcd({ endpoints: [endpoint], clock: SYSTEM_CLOCK })
    await expect(etcd.get('x')).rejects.toThrow(message)
    await expect(etcd.get('x')).rejects.toThrow(EtcdAway)
    await etcd.close()
  })

  it.each([
    ['a time that is no number', '{"ID":"7","TTL":"soon"}'],
    ['no time', '{"ID":"7"}'],
    ['no id', '{"TTL":"10"}'],
    ['a number', '5'],
    ['nothing', 'null'],
  ])('gives no lease with %s', async (_, body) => {
    answer = [200, body]
    const etcd = new Etcd({ endpoints: [endpoint], clock: SYSTEM_CLOCK })
    await expect(etcd.grant(10)).rejects.toThrow(EtcdAway)
    await etcd.close()
  })

  it('does not make a lease last by a time that is no number', async () => {
    const clock = new HandClock()
    answer = [200, '{"ID":"7","TTL":"9"}']
    const etcd = new Etcd({ endpoints: [endpoint], clock: SYSTEM_CLOCK })
    const lease = await Lease.grant(etcd, { seconds: 9, clock, onLost: () => {} })
    answer = [200, '{"result":{"ID":"7","TTL":"soon"}}']
    // It is renewed each third of its time.
    for (let asked = 0; asked < 2; asked++) {
      const before = asks
      clock.pass(3000)
      await eventually(() => asks > before || undefined, 'it is not renewed')
      await new Promise(resolve => setTimeout(resolve, 50))
    }
    clock.pass(2100)
    expect(lease.held).toBe(false)
    await etcd.close()
  })

  it.each(['{"kvs":5}', '{"kvs":[null]}', '{"kvs":[{"key":"eA==","mod_revision":"x"}]}'])(
    'says of a key %s: that is as if it were away',
    async body => {
      answer = [200, body]
      const etcd = new Etcd({ endpoints: [endpoint], clock: SYSTEM_CLOCK })
      await expect(etcd.list('x')).rejects.toThrow(EtcdAway)
      await etcd.close()
    },
  )

  it('answers without an end: it is not kept', async () => {
    answer = [200, '"'.padEnd(2 ** 24 + 2, 'x')]
    const etcd = new Etcd({ endpoints: [endpoint], requestMs: 60_000, clock: SYSTEM_CLOCK })
    await expect(etcd.get('x')).rejects.toThrow(/more than 16777216 bytes/)
    await etcd.close()
  })

  it.each(['', 'localhost:2379', '127.0.0.1', 'ftp://x', 'http://x/v3', 'http://x?y'])(
    'has no address like %j',
    one => {
      expect(() => new Etcd({ endpoints: [one], clock: SYSTEM_CLOCK })).toThrow(
        /is no endpoint of etcd: one is like http/,
      )
    },
  )

  it('has no address at all', () => {
    expect(() => new Etcd({ endpoints: [], clock: SYSTEM_CLOCK })).toThrow('etcd needs at least one endpoint')
  })
})
