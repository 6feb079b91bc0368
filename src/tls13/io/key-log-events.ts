import type { Duplex } from 'node:stream'
import { errorOf } from '../../wire/thrown.ts'
import type { CommonConfig } from '../config.ts'
import { keyLogLine } from '../key-log.ts'

/**
 * Makes a duplex that emits a `keylog` event for each line of a key log, if `keyLog` is true. The secret of
 * early data comes while the session is made: its event comes when there is a duplex, and listeners.
 */
export function withKeyLog<C extends CommonConfig, D extends Duplex & { abort(error?: Error): void }>(
  config: C,
  keyLog: boolean | undefined,
  make: (config: C) => D,
): D {
  if (keyLog !== true) return make(config)
  const before: string[] = []
  let emit = (line: string): void => void before.push(line)
  const onSecret: NonNullable<C['onSecret']> = (exposed, clientRandom) => {
    config.onSecret?.(exposed, clientRandom)
    const line = keyLogLine(exposed, clientRandom)
    if (line !== undefined) emit(line)
  }
  const duplex = make({ ...config, onSecret })
  emit = line => void duplex.emit('keylog', line)
  if (before.length > 0) process.nextTick(() => emitAll(duplex, before))
  return duplex
}

/** What a listener throws ends the connection, and not the process. */
function emitAll(duplex: Duplex & { abort(error?: Error): void }, lines: readonly string[]): void {
  try {
    for (const line of lines) duplex.emit('keylog', line)
  } catch (error) {
    duplex.abort(errorOf(error))
  }
}
