import { readFileSync } from 'node:fs'
import type { GatewaySettings } from '../../platform/gateway-settings.ts'
import { probe } from '../../transfer/native/libc.ts'
import { slotsWithin } from '../duplicates.ts'
import type { MakeHibernation } from '../gateway.ts'
import { Hibernation } from './hibernation.ts'

/**
 * Whether connections can be kept here while their functions sleep. @returns undefined if not: foreign calls
 * are missing, or a channel that carries sockets at the cost of a number
 */
export function prepareHibernation({ channel, gateway }: GatewaySettings): MakeHibernation | undefined {
  const native = probe()
  if (!native.available || channel !== 'native') return undefined
  const most = slotsWithin(readFileSync('/proc/self/limits', 'latin1'))
  const options = {
    libc: native.libc,
    most,
    mostBytes: gateway.memoryBytes,
    limit: gateway.hibernateMilliseconds,
  }
  return (courier, dispatch, owner) => new Hibernation(options, courier, dispatch, owner)
}
