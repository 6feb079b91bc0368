import type { Duplex } from 'node:stream'
import type { CommonConfig } from '../config.ts'
import { keyLogLine } from '../key-log.ts'

/**
 * Makes a duplex that emits a `keylog` event for each line of a key log, if `keyLog` is true.
 *
 * The secrets of the first flight come before there is a duplex; events about them come after its
 * constructor.
 */
export function withKeyLog<C extends CommonConfig, D extends Duplex>(
  config: C,
  keyLog: boolean | undefined,
  make: (config: C) => D,
): D {
  if (keyLog !== true) return make(config)
  const onSecret: NonNullable<C['onSecret']> = (exposed, clientRandom) => {
    config.onSecret?.(exposed, clientRandom)
    const line = keyLogLine(exposed, clientRandom)
    if (line !== undefined) duplex.emit('keylog', line)
  }
  const duplex = make({ ...config, onSecret })
  return duplex
}
