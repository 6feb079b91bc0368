import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import type { MoveCounts } from '../../bench/counts/moves.ts'
import { callsOf } from '../../bench/counts/system-calls.ts'
import { referenced } from '../../bench/counts/touched.ts'
import { probeEvp } from '../../src/tls13/crypto/evp.ts'
import { probe } from '../../src/transfer/native/libc.ts'
import { sample } from '../support/long.ts'

const SMAPS = `55d0-55e0 r-xp 00000000 08:01 1 /usr/bin/node
Size:   100 kB
Referenced:          40 kB
7f00-7f10 rw-p 00000000 00:00 0
Referenced:           8 kB
7f20-7f30 rwxp 00000000 00:00 0 [anon:v8]
Referenced:           4 kB
`

it('pages that were touched: code is what may be executed, also if it may be written', () => {
  expect(referenced(SMAPS)).toEqual({ code: 44, memory: 8 })
})

it.each([
  ['with errors', '100.00   10.573539         321     32899      1607 total'],
  ['without', '100.00    1.573539         321     32899           total'],
  ['of an older strace', '100.00    1.573539                 32899        12 total'],
])('system calls are added up by strace, %s', (_, total) => {
  const head = '% time     seconds  usecs/call     calls    errors syscall'
  expect(
    callsOf(`${head}\n------\n 50.00    5.000000          12     12000           read\n${total}\n`),
  ).toBe(32899)
  expect(() => callsOf('')).toThrow('counted nothing')
})

const MOVES = fileURLToPath(new URL('../../dist/bench/counts/moves.js', import.meta.url))
const there = probe().available && probeEvp().available
const note = there ? '' : ' (SKIPPED: foreign calls do not work here)'

/**
 * For one move, source, target and client together; for one that comes back to a seat; and for one of many
 * idle connections that a host hands over when it drains. A change that needs more says why;
 * `npm run bench:counts` names what is made and called.
 */
const CEILINGS = [
  { what: 'a move', moves: 200, words: [], most: { foreignCalls: 53.3, typedArrays: 12.6, timers: 0 } },
  {
    what: 'a warm return',
    moves: 200,
    words: ['warm'],
    most: { foreignCalls: 36.3, typedArrays: 8.6, timers: 0 },
  },
  {
    what: 'a hand-over',
    moves: 500,
    words: ['drains'],
    most: { foreignCalls: 14, typedArrays: 8.1, timers: 0 },
  },
] as const

const countsOf = (moves: number, words: readonly string[]): MoveCounts =>
  JSON.parse(
    execFileSync(process.execPath, [MOVES, String(moves), ...words], { encoding: 'utf8' }),
  ) as MoveCounts

it.skipIf(!there).each(sample(CEILINGS, 2))(
  `$what makes and calls no more than it did${note}`,
  ({ moves, words, most }) => {
    const counts = countsOf(moves, words)
    expect(counts.moves).toBe(moves)
    for (const [name, limit] of Object.entries(most)) {
      const count = counts[name as keyof typeof most]
      if (limit > 0) expect(count, name).toBeGreaterThan(0)
      // A tenth of one for what happens now and then.
      expect(count, name).toBeLessThanOrEqual(limit + 0.1)
    }
  },
)

it.skipIf(!there)(`the floor makes nothing for a move, and calls what has to be called${note}`, () => {
  const { foreignCalls, typedArrays, timers, byName } = countsOf(200, ['floor'])
  expect({ typedArrays, timers }).toEqual({ typedArrays: 0, timers: 0 })
  // Three seals and three openings of five calls, four HMACs of three, two messages sent and received, two
  // records sent: the client's included.
  expect(foreignCalls).toBe(48)
  expect(byName).toMatchObject({ HMAC_Final: 4, EVP_CipherFinal_ex: 6, sendmsg: 2, recvmsg: 2 })
})
