import { readdirSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { Rehearsal } from '../../../src/containers/process/rehearsal.ts'
import { DEFAULT_LIMITS } from '../../../src/http/h1/limits.ts'
import { DEFAULT_H2_LIMITS } from '../../../src/http/h2/index.ts'
import { DEFAULT_TIMERS } from '../../../src/http/timers.ts'
import { SYSTEM_CLOCK } from '../../../src/time/system-clock.ts'
import { probe } from '../../../src/transfer/native/libc.ts'
import { serverConfig } from '../../support/pair.ts'

const native = probe()
const note = native.available ? '' : ` (SKIPPED: ${native.reason})`
const descriptors = (): number => readdirSync('/proc/self/fd').length

describe.skipIf(!native.available)(`a rehearsal${note}`, () => {
  it.each(['raw', 'fetch'] as const)(
    'moves a connection of a %s function, and leaves nothing open',
    async kind => {
      const once = async (moves: number): Promise<number> => {
        const secrets: unknown[] = []
        const tls = { ...serverConfig(), onSecret: (secret: unknown) => secrets.push(secret) }
        const limits = {
          timers: DEFAULT_TIMERS,
          quietMilliseconds: 50,
          http: { ...DEFAULT_LIMITS, requests: 3 },
          http2: DEFAULT_H2_LIMITS,
        }
        const rehearsal = new Rehearsal({ tls, limits, kind, clock: SYSTEM_CLOCK, varied: true })
        await rehearsal.run(0, () => rehearsal.moves >= moves)
        // Nothing of it is for a key log.
        expect(secrets).toEqual([])
        return rehearsal.moves
      }
      await once(1)
      const before = descriptors()
      expect(await once(30)).toBeGreaterThanOrEqual(30)
      await new Promise(resolve => setTimeout(resolve, 50))
      expect(descriptors()).toBe(before)
    },
  )

  it('pauses between a few moves', async () => {
    const limits = {
      timers: DEFAULT_TIMERS,
      quietMilliseconds: 50,
      http: DEFAULT_LIMITS,
      http2: DEFAULT_H2_LIMITS,
    }
    const rehearsal = new Rehearsal({ tls: serverConfig(), limits, kind: 'raw', clock: SYSTEM_CLOCK })
    let turns = 0
    const timer = setInterval(() => turns++, 1)
    await rehearsal.run(20, () => rehearsal.moves >= 60)
    clearInterval(timer)
    expect(turns).toBeGreaterThan(5)
  })
})
