import { Socket } from 'node:net'
import { pathToFileURL } from 'node:url'
import { pino } from 'pino'
import { throwAwayKey } from '../../certificates/throw-away-key.ts'
import { loadedAtOnce } from '../../functions/load.ts'
import { moduleFile } from '../../functions/module-file.ts'
import { limitsFor } from '../../http/h2/index.ts'
import { DEFAULT_TIMERS } from '../../http/timers.ts'
import { compileEarly } from '../../platform/engine.ts'
import {
  DESCRIPTORS,
  loadProvider,
  type MemberSettings,
  nameLog,
  ownSettings,
  waitForSettings,
} from '../../platform/own-process.ts'
import type { WorkerSettings } from '../../platform/worker-settings.ts'
import { SYSTEM_CLOCK } from '../../time/system-clock.ts'
import type { ProviderName } from '../../tls13/crypto/provider-names.ts'
import { select } from '../../tls13/crypto/selection.ts'
import { certificateWithKey } from '../../tls13/index.ts'
import { probe } from '../../transfer/native/libc.ts'
import { probeBindings } from '../../transfer/streams/handle.ts'
import { installGlobals, prepare } from '../../web/globals.ts'
import { demandOf } from './client-rules.ts'
import { KeyRing } from './key-ring.ts'
import { Rehearsal } from './rehearsal.ts'
import { restrain } from './restraint.ts'
import { connectionLimits, containerTls } from './shapes.ts'
import { warmUp } from './warm-up.ts'
import { warmWakes } from './warm-wakes.ts'
import { warmWords } from './warm-words.ts'

/** Moves that are rehearsed, and milliseconds between a few of them. */
const MOVES = 500
const PAUSE = 5

/** Limits of a connection that is never real. */
const HTTP = { headBytes: 16_384, headerFields: 100, bodyBytes: 1_048_576, requests: 100 }

/**
 * Entry point of a process of the warm pool: it does all that a container does before it knows its function,
 * and waits for its settings. Then it is that container's process.
 */
async function main(): Promise<void> {
  // What a function's module finds. What the engine is told then would make it compile this anew.
  installGlobals()
  prepare()
  compileEarly()
  const [, , provider = 'node', certificates = ''] = process.argv
  waitForSettings()
  const worker = await import('./worker.ts')
  let late = false
  const known = told()
  const settings = told()
  void settings.then(() => {
    late = true
  })
  await warm(provider as ProviderName, certificates, () => late)
  const begin = await worker.enter(ownSettings<MemberSettings>(await known))
  const own = JSON.parse(await settings) as WorkerSettings
  restrain(own.restraint)
  await begin(own)
}

/**
 * As the first connection would, with a key that no client knows.
 * @param directory of certificates: that of the authority is read, as the one of a function will be
 * @param late whether a function waits for us already
 */
async function warm(name: ProviderName, directory: string, late: () => boolean): Promise<void> {
  probe()
  probeBindings()
  restrain()
  const provider = select(await loadProvider(name), {})
  await demandOf(provider, 'warm', undefined)
  const log = pino({}, { write() {} })
  nameLog(log, { name: 'warm', logLevel: 'info' })
  log.info('warm')
  const ring = new KeyRing(provider, { rotationSeconds: 3600, lifetimeSeconds: 7200, now: () => 0 })
  ring.merge(ring.share())
  const key = throwAwayKey(directory)
  const certificates = [certificateWithKey(provider, [Uint8Array.of(0)], key)]
  const limits = connectionLimits({
    ...{ timers: DEFAULT_TIMERS, quietMilliseconds: 50, http: HTTP },
    http2: limitsFor(HTTP.headBytes, 100),
  })
  const tls = containerTls({ provider, certificates, alpn: ['http/1.1'], sharesMemory: true })
  warmUp(tls, limits.http, SYSTEM_CLOCK)
  warmWords()
  // The way in which a function's module is found.
  const module = moduleFile('hello', '/')
  await import(`${pathToFileURL(module).href}?warm`)
  loadedAtOnce(module)
  // Connections come at once where a function wakes.
  const options = { tls, limits, clock: SYSTEM_CLOCK, kind: 'fetch', varied: true, warm: false } as const
  await warmWakes(options, late)
  const rehearsal = new Rehearsal(options)
  await rehearsal.run(PAUSE, () => late() || rehearsal.moves >= MOVES).catch(() => undefined)
}

/** Lines that the supervisor has written into the pipe of settings, and those who wait for them. */
const lines: string[] = []
const waiting: ((line: string) => void)[] = []
let rest = ''

/** @returns the next line */
function told(): Promise<string> {
  const line = lines.shift()
  return line === undefined ? new Promise(resolve => waiting.push(resolve)) : Promise.resolve(line)
}

new Socket({ fd: DESCRIPTORS.settings, readable: true, writable: false })
  .setEncoding('utf8')
  .on('data', (text: string) => {
    const pieces = (rest + text).split('\n')
    rest = pieces.pop()!
    for (const line of pieces) {
      const next = waiting.shift()
      if (next === undefined) lines.push(line)
      else next(line)
    }
  })
  // The supervisor has ended.
  .on('end', () => waiting.length > 0 && process.exit(0))
  .on('error', () => process.exit(1))

await main()
