import { noble } from '../../src/tls13/crypto/noble.ts'
import type { SecretName } from '../../src/tls13/key-schedule.ts'
import { Recorder } from '../../src/trace/recorder.ts'
import type { Recording } from '../../src/trace/recording.ts'
import { fromHex } from '../../src/wire/index.ts'
import { field, printedSecret, steps, type Trace } from './traces.ts'

const EARLY = ['early_secret', 'client_early_traffic_secret', 'early_exporter_master_secret'] as const
const OTHERS = [
  'handshake_secret',
  'client_handshake_traffic_secret',
  'server_handshake_traffic_secret',
  'master_secret',
  'client_application_traffic_secret_0',
  'server_application_traffic_secret_0',
  'exporter_master_secret',
  'resumption_master_secret',
] as const

/** The secrets that a trace prints, by name. */
export function secretNames({ name }: Trace): SecretName[] {
  return name === 'resumed-0rtt' ? [...EARLY, ...OTHERS] : [EARLY[0], ...OTHERS]
}

/** A trace of RFC 8448 as a recording. */
export function recordedTrace(one: Trace): Recording {
  const recorder = new Recorder(`RFC 8448 §${one.section}: ${one.title}`)
  const recorded = recorder.open(one.title, 'client', noble)!
  for (const name of secretNames(one)) {
    const secret = fromHex(printedSecret(one, name))
    recorded.secret({ name, secret, keyLog: undefined }, new Uint8Array(32), 0)
  }
  for (const step of steps(one, undefined, 'send '))
    recorded.bytes(step.actor, field(step, 'complete record'), 0)
  recorded.end(0)
  return recorder.recording()
}
