import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { nextOrder } from '../../src/acme/attempts.ts'
import { obtain } from '../../src/acme/obtain.ts'
import { Renewer, type RenewerOptions } from '../../src/acme/renewer.ts'
import type { AcmeStore } from '../../src/acme/store.ts'
import { certificateStatus, failureOf } from '../../src/cli/cert/status.ts'
import { AcmeScene } from '../support/acme-scene.ts'
import { PROBLEM, type SmallAcmeServer } from '../support/acme-server.ts'
import { certify } from '../support/certify.ts'
import type { HandClock } from '../support/hand-clock.ts'

const DAY = 86_400_000
const HOUR = DAY / 24

let scene: AcmeScene
let clock: HandClock
let server: SmallAcmeServer
let store: AcmeStore
let said: string[]
let serial: number

beforeEach(() => {
  scene = new AcmeScene()
  ;({ clock, server, store } = scene)
  said = []
  serial = 0
  server.chain = csr =>
    certify(csr, {
      names: ['a.test', 'b.test'],
      notBefore: clock.wall() - HOUR,
      notAfter: clock.wall() + 90 * DAY,
      serial: Uint8Array.of(++serial),
      keyIdentifier: undefined,
    })
})
afterEach(() => scene.remove())

/** What one stack file has of the certificate `web`. */
function renewer(
  who: string,
  names: readonly string[],
  taken: Readonly<Record<string, string>> = {},
): Renewer {
  const options: RenewerOptions = {
    ...scene.options(),
    certificates: [{ name: 'web', names }],
    taken,
    alone: async work => work().then(() => true),
    news: {
      installed: () => said.push(`${who} has another one`),
      failed: (_, message) => said.push(`${who}: ${message.split(':')[0]}`),
      said: () => {},
    },
  }
  return new Renewer(options)
}

describe('two stack files that want other hosts for files of one name', () => {
  it('do not order in turns without end, and the one that has to wait says so, once', async () => {
    const [one, two] = [renewer('one', ['a.test']), renewer('two', ['b.test'])]
    for (let round = 0; round < 60; round++) {
      await one.work()
      await two.work()
      // Less than renewers wait: else they would work by themselves.
      clock.pass(50_000)
    }
    expect(server.asked('/order').length).toBe(4)
    const failures = said.filter(line => line.includes('asked for again'))
    expect(failures).toEqual([expect.stringMatching(/^one: web is asked for again 20/)])
    expect(failureOf(certificateStatus(store, 'web'))).toMatch(
      /perhaps another stack file uses the same directory of certificates/,
    )
    // By hand there is no waiting.
    one.force(undefined)
    await one.work()
    expect(server.asked('/order').length).toBe(5)
    for (const each of [one, two]) each.stop()
  })

  it('do not hand the one certificate to functions of the other', async () => {
    const [one, two] = [renewer('one', ['a.test']), renewer('two', ['b.test'])]
    await one.work()
    await two.work()
    // The first one finds what the second one has put there, and asks for its own again.
    await one.work()
    expect(said).toEqual(['one has another one', 'two has another one', 'one has another one'])
    for (const each of [one, two]) each.stop()
  })

  it('keep failures of the one from the other', async () => {
    server.routes.set('/order', ({ payload }) => {
      const [{ value }] = (payload as { identifiers: [{ value: string }] }).identifiers
      return { status: 400, json: { type: `${PROBLEM}rejectedIdentifier`, detail: value } }
    })
    const [one, two] = [renewer('one', ['a.test']), renewer('two', ['b.test'])]
    for (let i = 0; i < 4; i++) {
      await one.work()
      await two.work()
    }
    // Each once: the other one's failure neither allows nor forbids a second try.
    expect(server.asked('/order').length).toBe(2)
    expect(store.record('web')!.attempts.map(({ names, failures }) => [names, failures])).toEqual([
      [['a.test'], 1],
      [['b.test'], 1],
    ])
    for (const each of [one, two]) each.stop()
  })
})

it('at most two certificates of a wish come in a day, and four in a week', () => {
  const now = 100 * DAY
  expect(nextOrder([], now)).toBe(now)
  expect(nextOrder([now - HOUR], now)).toBe(now)
  expect(nextOrder([now - 2 * HOUR, now - HOUR], now)).toBe(now + 22 * HOUR)
  expect(nextOrder([now - 30 * HOUR, now - HOUR], now)).toBe(now)
  const four = [6, 5, 4, 3].map(days => now - days * DAY)
  expect(nextOrder(four, now)).toBe(now + DAY)
  // A clock that was ahead.
  expect(nextOrder([now + 900 * DAY, now + 901 * DAY], now)).toBe(now)
})

describe('a certificate that came while no renewer could tell of it', () => {
  it('is told of by the next one, unless functions have it', async () => {
    const first = renewer('first', ['a.test'])
    first.stop()
    await obtain({ name: 'web', names: ['a.test'] }, scene.options())
    // That process ended here, and said nothing.
    const second = renewer('second', ['a.test'], { web: 'what was there before' })
    await second.work()
    expect(said).toEqual(['second has another one'])
    const third = renewer('third', ['a.test'], { web: store.record('web')!.fingerprint! })
    await third.work()
    expect(said.length).toBe(1)
    for (const each of [second, third]) each.stop()
  })
})
