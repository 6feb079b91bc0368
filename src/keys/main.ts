import { memoryCounters } from '../platform/counters/memory.ts'
import {
  endWithSupervisor,
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
import { createIdentity, Sealer } from '../transfer/seal.ts'
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
  const channel = openChannel(settings, BUDGET)
  const sealer = new Sealer(provider, identity)
  const desk = new Desk({ channel, sealer, rings, clock, log, stop, memory: memoryCounters })
  channel.onMessage = (from, payload, descriptors) => desk.receive(from, payload, descriptors)
  channel.onLost = (peer, reason) => {
    if (peer === SUPERVISOR) endWithSupervisor(log)
    desk.lost(peer, reason)
  }
  heedSignals(stop)
  clock.every(Math.min(TURN, settings.spans.rotationSeconds * 1000), () => rings.turn())
  channel.send(SUPERVISOR, writeControl({ kind: 'ready', publicKey: identity.publicKey }))
  log.info({ provider: provider.name, channel: settings.channel }, 'ready')
}

await main()
