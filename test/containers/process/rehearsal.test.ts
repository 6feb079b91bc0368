import { readdirSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { Rehearsal } from '../../../src/containers/process/rehearsal.ts'
import { DEFAULT_LIMITS } from '../../../src/http/h1/limits.ts'
import { DEFAULT_H2_LIMITS } from '../../../src/http/h2/index.ts'
import { DEFAULT_TIMERS } from '../../../src/http/timers.ts'
import { SYSTEM_CLOCK } from '../../../src/time/system-clock.ts'
import { node } from '../../../src/tls13/crypto/node.ts'
import { probe } from '../../../src/transfer/native/libc.ts'
import { NonceLedger } from '../../support/nonce-ledger.ts'
import { serverConfig } from '../../support/pair.ts'

const native = probe()
const note = native.available ? '' : ` (SKIPPED: ${native.reason})`
const descriptors = (): number => readdirSync('/proc/self/fd').length

describe.skipIf(!native.available)(`a rehearsal${note}`, () => {
  it.each([
    ['raw', 'cold'],
    ['fetch', 'cold'],
    ['raw', 'warm'],
    ['fetch', 'warm'],
  ] as const)(
    'moves a connection of a %s function, which comes back %s, and leaves nothing open',
    async (kind, how) => {
      const once = async (moves: number): Promise<number> => {
        const secrets: unknown[] = []
        const tls = { ...serverConfig(), onSecret: (secret: unknown) => secrets.push(secret) }
        const limits = {
          timers: DEFAULT_TIMERS,
          quietMilliseconds: 50,
          http: { ...DEFAULT_LIMITS, requests: 3 },
          http2: DEFAULT_H2_LIMITS,
        }
        const kinds = { kind, varied: true, warm: how === 'warm' }
        const rehearsal = new Rehearsal({ tls, limits, clock: SYSTEM_CLOCK, ...kinds })
        await rehearsal.run(0, () => rehearsal.moves >= moves)
        // Nothing of it is for a key log.
        expect(secrets).toEqual([])
        return rehearsal.moves
      }
      await once(1)
      const before = descriptors()
      expect(await once(400)).toBeGreaterThanOrEqual(400)
      await new Promise(resolve => setTimeout(resolve, 50))
      expect(descriptors()).toBe(before)
    },
  )

  it('seals nothing twice under one key and nonce, also where connections come back warm', async () => {
    const ledger = new NonceLedger(node)
    const tls = serverConfig({ provider: ledger.provider })
    const limits = {
      timers: DEFAULT_TIMERS,
      quietMilliseconds: 50,
      http: DEFAULT_LIMITS,
      http2: DEFAULT_H2_LIMITS,
    }
    const kinds = { kind: 'raw', varied: true, warm: true } as const
    const rehearsal = new Rehearsal({ tls, limits, clock: SYSTEM_CLOCK, ...kinds })
    await rehearsal.run(0, () => rehearsal.moves >= 400)
    const nonces = new Set(ledger.entries.map(({ key, nonce }) => `${key} ${nonce}`))
    expect(ledger.entries.length).toBeGreaterThan(400)
    expect(nonces.size).toBe(ledger.entries.length)
  })

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
