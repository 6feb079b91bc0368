import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import type { MoveCounts } from '../../bench/counts/moves.ts'
import { probeEvp } from '../../src/tls13/crypto/evp.ts'
import { probe } from '../../src/transfer/native/libc.ts'

const MOVES = fileURLToPath(new URL('../../dist/bench/counts/moves.js', import.meta.url))
const there = probe().available && probeEvp().available
const note = there ? '' : ' (SKIPPED: foreign calls do not work here)'

/**
 * For one move, source, target and client together. A change that needs more says why; `npm run bench:counts`
 * names what is made and called.
 */
const CEILINGS = { foreignCalls: 58, typedArrays: 72, timers: 0 }

it.skipIf(!there)(`a move makes and calls no more than it did${note}`, () => {
  const out = execFileSync(process.execPath, [MOVES, '200'], { encoding: 'utf8' })
  const counts = JSON.parse(out) as MoveCounts
  expect(counts.moves).toBe(200)
  for (const [name, most] of Object.entries(CEILINGS)) {
    const count = counts[name as keyof typeof CEILINGS]
    if (most > 0) expect(count, name).toBeGreaterThan(0)
    // A tenth of one for what happens now and then.
    expect(count, name).toBeLessThanOrEqual(most + 0.1)
  }
})
