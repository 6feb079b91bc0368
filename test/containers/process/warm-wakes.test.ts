import { expect, it } from 'vitest'
import { throwAwayKey } from '../../../src/certificates/throw-away-key.ts'
import { connectionLimits, containerTls } from '../../../src/containers/process/shapes.ts'
import { warmWakes } from '../../../src/containers/process/warm-wakes.ts'
import { limitsFor } from '../../../src/http/h2/index.ts'
import { DEFAULT_TIMERS } from '../../../src/http/timers.ts'
import { SYSTEM_CLOCK } from '../../../src/time/system-clock.ts'
import { node } from '../../../src/tls13/crypto/node.ts'
import { certificateWithKey } from '../../../src/tls13/index.ts'
import { probe } from '../../../src/transfer/native/libc.ts'

const HTTP = { headBytes: 16_384, headerFields: 100, bodyBytes: 1_048_576, requests: 100 }
const tls = containerTls({
  provider: node,
  certificates: [certificateWithKey(node, [Uint8Array.of(0)], throwAwayKey('/nowhere'))],
  alpn: ['http/1.1'],
  sharesMemory: true,
})
const limits = connectionLimits({
  ...{ timers: DEFAULT_TIMERS, quietMilliseconds: 50, http: HTTP },
  http2: limitsFor(HTTP.headBytes, 100),
})
const options = { tls, limits, clock: SYSTEM_CLOCK, kind: 'fetch' } as const

it.runIf(probe().available)('every wake that is practised is one: its client has an answer', async () => {
  const woken = await warmWakes(options, () => false, 60_000)
  expect(woken).toBe(40)
})

it.runIf(probe().available)('no more are practised once a function waits', async () => {
  let looks = 0
  expect(await warmWakes(options, () => ++looks > 3)).toBe(3)
})
