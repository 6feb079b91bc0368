import { memoryCounters } from '../platform/counters/memory.ts'
import {
  endWithSupervisor,
  giveUp,
  heedSignals,
  loadProvider,
  openChannel,
  openLog,
  readSettings,
} from '../platform/own-process.ts'
import type { SignerSettings } from '../platform/signer-settings.ts'
import { SYSTEM_CLOCK } from '../time/system-clock.ts'
import { SUPERVISOR } from '../transfer/channel.ts'
import { writeControl } from '../transfer/control.ts'
import { probe } from '../transfer/native/libc.ts'
import { createIdentity, Sealer } from '../transfer/seal.ts'
import { Certificates } from './certificates.ts'
import { Desk } from './desk.ts'
import { Rings } from './rings.ts'

/** Milliseconds between two looks for secrets whose time is over. */
const TURN = 60_000
/** Messages that a container may send; it is given up beyond that. */
const BUDGET = { burst: 4000, perSecond: 2000 }

/**
 * Entry point of the signer's process: it keeps what no container may have, or what has to outlive all of
 * them, and does with it what containers ask for, each for its own function.
 */
async function main(): Promise<void> {
  const settings = readSettings<SignerSettings>()
  const native = probe()
  if (native.available) native.libc.hideMemory()
  const log = openLog(settings)
  const clock = SYSTEM_CLOCK
  const provider = await loadProvider(settings.provider)
  const identity = createIdentity(provider, settings.id)
  const spans = { ...settings.spans, now: () => clock.steady() }
  const rings = new Rings(provider, spans)
  const stop = (): void => {
    log.info('stopped')
    process.exit(0)
  }
  const certificates = new Certificates(provider)
  let failure: Error | undefined
  certificates.load(settings.certificates, error => {
    failure ??= error
  })
  const channel = openChannel(settings, BUDGET)
  const sealer = new Sealer(provider, identity)
  const hashLengths = new Set(provider.cipherSuites.map(({ hash }) => hash.length))
  const desk = new Desk({
    channel,
    sealer,
    rings,
    certificates,
    hashLengths,
    clock,
    log,
    stop,
    memory: memoryCounters,
  })
  channel.onMessage = (from, payload, descriptors) => desk.receive(from, payload, descriptors)
  channel.onLost = (peer, reason) => {
    if (peer === SUPERVISOR) endWithSupervisor(log)
    desk.lost(peer, reason)
  }
  heedSignals(stop)
  if (failure !== undefined) {
    log.fatal({ err: failure }, 'cannot start')
    channel.send(SUPERVISOR, writeControl({ kind: 'failed', reason: failure.message.slice(0, 1024) }))
    giveUp(clock)
    return
  }
  clock.every(Math.min(TURN, settings.spans.rotationSeconds * 1000), () => rings.turn())
  channel.send(SUPERVISOR, writeControl({ kind: 'ready', publicKey: identity.publicKey }))
  log.info({ provider: provider.name, channel: settings.channel }, 'ready')
}

await main()
