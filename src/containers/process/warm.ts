import { generateKeyPairSync } from 'node:crypto'
import { read } from 'node:fs'
import { promisify } from 'node:util'
import { limitsFor } from '../../http/h2/index.ts'
import { DEFAULT_TIMERS } from '../../http/timers.ts'
import { compileEarly } from '../../platform/engine.ts'
import { DESCRIPTORS, loadProvider, settingsAre } from '../../platform/own-process.ts'
import { SYSTEM_CLOCK } from '../../time/system-clock.ts'
import type { ProviderName } from '../../tls13/crypto/provider-names.ts'
import { select } from '../../tls13/crypto/selection.ts'
import { certificateWithKey } from '../../tls13/index.ts'
import { probe } from '../../transfer/native/libc.ts'
import { probeBindings } from '../../transfer/streams/handle.ts'
import './handlers.ts'
import './host.ts'
import './client-rules.ts'
import './rehearsal.ts'
import '../../certificates/load.ts'
import '../../functions/load.ts'
import { connectionLimits, containerTls } from './shapes.ts'
import { warmUp } from './warm-up.ts'
import { warmWords } from './warm-words.ts'

/** Limits of a connection that is never real. */
const HTTP = { headBytes: 16_384, headerFields: 100, bodyBytes: 1_048_576, requests: 100 }

/**
 * Entry point of a process of the warm pool: it does all that a container does before it knows its function,
 * and waits for its settings. Then it is that container's process.
 */
async function main(): Promise<void> {
  compileEarly()
  await warm((process.argv[2] ?? 'node') as ProviderName)
  const settings = await settingsOfOurs()
  // The supervisor has ended.
  if (settings === '') process.exit(0)
  settingsAre(settings)
  await import('./worker.ts')
}

/** As the first connection would, with a key that no client knows. */
async function warm(name: ProviderName): Promise<void> {
  probe()
  probeBindings()
  const provider = select(await loadProvider(name), {})
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const key = new Uint8Array(privateKey.export({ format: 'der', type: 'pkcs8' }))
  const certificates = [certificateWithKey(provider, [Uint8Array.of(0)], key)]
  const limits = connectionLimits({
    ...{ timers: DEFAULT_TIMERS, quietMilliseconds: 50, http: HTTP },
    http2: limitsFor(HTTP.headBytes, 100),
  })
  const tls = containerTls({ provider, certificates, alpn: ['http/1.1'], sharesMemory: true })
  warmUp(tls, limits.http, SYSTEM_CLOCK)
  warmWords()
}

/** What the supervisor writes into the pipe, to its end. */
async function settingsOfOurs(): Promise<string> {
  const pieces: Uint8Array[] = []
  const next = promisify(read)
  for (;;) {
    const { bytesRead, buffer } = await next(DESCRIPTORS.settings, Buffer.alloc(65_536), 0, 65_536, null)
    if (bytesRead === 0) return Buffer.concat(pieces).toString('utf8')
    pieces.push(buffer.subarray(0, bytesRead))
  }
}

await main()
