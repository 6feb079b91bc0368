import { readFileSync } from 'node:fs'
import type { CarrierName } from '../platform/carrier.ts'
import type { GatewaySettings } from '../platform/gateway-settings.ts'
import { probe } from '../transfer/native/libc.ts'
import { checkCounts } from '../transfer/socket-counts.ts'
import { tryStream } from '../transfer/stream-trial.ts'
import type { MakeCarrier } from './carrier.ts'
import { Duplicates, type DuplicatesOptions, slotsWithin } from './duplicates.ts'
import { Given } from './given.ts'
import { Relays } from './relays.ts'

/**
 * Sees whether a carrier can work here.
 * @param wanted a function has it
 * @returns undefined if the gateway has none @throws Error with one line that says what is missing
 */
type Prepare = (settings: GatewaySettings, wanted: boolean) => Promise<MakeCarrier | undefined>

/** Every carrier, by its name. */
const PREPARE: Readonly<Record<CarrierName, Prepare>> = {
  fd: async () => (courier, dispatch, owner) => new Given(courier, dispatch, owner),

  async duplicate(settings, wanted) {
    if (!wanted) return undefined
    const needs = await needsOfDuplicates(settings)
    if (typeof needs === 'string') throw new Error(`duplicate: true does not work on this machine: ${needs}`)
    return (courier, dispatch, owner) =>
      new Given(courier, dispatch, owner, new Duplicates(needs, courier, dispatch, owner))
  },

  // Also where no function has it: another gateway may bring connections that it has relayed.
  async relay(_, wanted) {
    const broken = wanted ? await tryStream('raw') : undefined
    if (broken !== undefined)
      throw new Error(`carrier: relay needs raw streams, which do not work on this machine: ${broken}`)
    return (courier, dispatch, owner) => new Relays(courier, dispatch, owner)
  },
}

/** How a gateway's carriers are made. @throws Error a function has one that cannot work here */
export async function prepareCarriers(
  settings: GatewaySettings,
): Promise<ReadonlyMap<CarrierName, MakeCarrier>> {
  const wanted = new Set(Object.values(settings.gateway.carriers))
  const found = new Map<CarrierName, MakeCarrier>()
  for (const [name, prepare] of Object.entries(PREPARE) as [CarrierName, Prepare][]) {
    const make = await prepare(settings, wanted.has(name))
    if (make !== undefined) found.set(name, make)
  }
  return found
}

/** @returns what is missing, or what keeping duplicates needs */
async function needsOfDuplicates({ id, channel }: GatewaySettings): Promise<string | DuplicatesOptions> {
  const native = probe()
  if (!native.available) return native.reason
  if (channel !== 'native') return 'a channel that carries files'
  const reason = await checkCounts(native.libc)
  const slots = slotsWithin(readFileSync('/proc/self/limits', 'latin1'))
  return reason ?? { libc: native.libc, self: id, slots }
}
