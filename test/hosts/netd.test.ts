import { describe, expect, it } from 'vitest'
import { network, otherUsers, scenario } from '../support/network.ts'

/* A real `hotpotato netd` in a network namespace, and processes that ask it. */

const child = (...words: readonly string[]) => scenario('netd.mjs', words)
const NET_ADMIN_ALONE = [`CapEff ${2 ** 12}`, `CapPrm ${2 ** 12}`, 'NoNewPrivs 1']

describe.skipIf(!network.available)(`netd (${network.note})`, () => {
  it.each([
    ['127.0.0.1', 'any'],
    ['::1', 'any'],
    // Started where it may not load a program for the kernel.
    ['127.0.0.1', 'classic'],
  ])(
    'takes, makes and wakes a connection of %s, deaf in %s way, with one right, and ends in order',
    async (host, way) => {
      const { result, resets } = await child('serves', host, '60', way)
      expect(result).toEqual({ rights: NET_ADMIN_ALONE, asMeant: true, code: 0, left: ['up'] })
      expect(resets).toBe(0)
    },
  )

  it('refuses what is none of its business, bounds who asks, and serves on', async () => {
    const refused = (reason: string): string => `untouched: netd refuses it: ${reason}`
    const { result } = await child('refuses', '127.0.0.1')
    expect(result).toEqual({
      'a Unix socket': refused('it is not a TCP connection'),
      'a file': refused('it is not a TCP connection'),
      'another port': expect.stringMatching(/port \d+ is none of its ports$/),
      "a client's end": expect.stringMatching(/port \d+ is none of its ports$/),
      'one that was never taken': refused('it was not taken, so there is nothing to go back to'),
      'one that is here': refused('the kernel does not take it (connect: EADDRNOTAVAIL)'),
      'a port to make': refused('port 22 is none of its ports'),
      'an address of another host': refused('the kernel does not take it (bind: EADDRNOTAVAIL)'),
      'a segment of nothing': refused('a segment of 1 bytes'),
      rude: Array(3).fill('its end is closed'),
      crowd: 85,
      hoarder: 'lost',
      alive: 'alive',
    })
  })

  it.skipIf(!otherUsers)(
    'belongs to the user whose run directory it is, and serves no other one (skipped without root)',
    async () => {
      expect((await child('user', '65534')).result).toEqual({
        rights: NET_ADMIN_ALONE,
        uids: '65534\t65534\t65534\t65534',
      })
      expect((await child('stranger', '65534')).result).toEqual({
        answer: 'untouched: netd does not serve this process: it closed the connection, or gave no pair',
        heard: true,
      })
    },
  )
})
