import { describe, expect, it } from 'vitest'
import { noble } from '../../src/tls13/crypto/noble.ts'
import { KEY_SCHEDULE, type SecretName } from '../../src/tls13/key-schedule.ts'
import type { TracedKeys, TracedMessage, TracedSecret, TraceEvent } from '../../src/trace/event.ts'
import { traceLines } from '../../src/trace/text.ts'
import { Tracer } from '../../src/trace/tracer.ts'
import { concat, hex } from '../../src/wire/index.ts'
import { field, printedSecret, records, type Step, steps, type Trace, traces } from '../support/traces.ts'

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

describe.each(traces)('RFC 8448 §$section: $title', one => {
  const names: SecretName[] = one.name === 'resumed-0rtt' ? [...EARLY, ...OTHERS] : [EARLY[0], ...OTHERS]

  it.each(['first', 'last', 'after the hellos'] as const)('is read whole where secrets are told %s', when => {
    const events = read(one, names, when)
    expect(events.filter(({ kind }) => kind === 'gap')).toEqual([])
    for (const side of ['client', 'server'] as const) {
      const printed = records(one, side)
      const seen = events.filter(event => event.kind === 'record' && event.side === side)
      expect(seen.map(event => hex((event as { bytes: Uint8Array }).bytes))).toEqual(
        printed.map(({ record }) => hex(record)),
      )
      const contents = events.filter(
        event => 'side' in event && event.side === side && ['message', 'data', 'alert'].includes(event.kind),
      )
      expect(hex(concat(...contents.map(event => (event as { bytes: Uint8Array }).bytes)))).toBe(
        hex(concat(...printed.filter(({ record }) => record[0] !== 20).map(({ payload }) => payload))),
      )
    }
  })

  it('covers every byte of every message by the fields it names', () => {
    const messages = read(one, names, 'first').filter(
      (event): event is TracedMessage => event.kind === 'message',
    )
    expect(messages.length).toBeGreaterThan(5)
    for (const { fields, bytes, type } of messages) {
      expect([type, fields.error]).toEqual([type, undefined])
      let end = 0
      for (const { offset, length, depth } of fields.fields) {
        if (depth > 0) continue
        expect([type, offset]).toEqual([type, end])
        end = offset + length
      }
      expect([type, end]).toEqual([type, bytes.length])
    }
  })

  it('derives every secret as the text prints it: from what, by which HkdfLabel, over which hash', () => {
    const secrets = read(one, names, 'first').filter(
      (event): event is TracedSecret => event.kind === 'secret',
    )
    const told = secrets.map(({ name }) => name).filter(name => names.includes(name as SecretName))
    expect([...told].sort()).toEqual([...names].sort())
    expect(secrets.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['server finished_key', 'client finished_key']),
    )
    for (const { name, secret, step, follows } of secrets) {
      // The PSK and the shared secret are not told to listeners.
      const extracted = step.operation === 'HKDF-Extract'
      if (!extracted || name === 'master_secret') expect([name, follows]).toEqual([name, true])
      if (!names.includes(name as SecretName)) continue
      expect([name, hex(secret)]).toEqual([name, printedSecret(one, name)])
      if (extracted) continue
      const { label } = KEY_SCHEDULE[name as keyof typeof KEY_SCHEDULE]
      const [printed] = steps(one, undefined, `derive secret "tls13 ${label}"`)
      expect([name, hex(step.info)]).toEqual([name, hex(field(printed!, 'info'))])
      expect([name, hex(step.context.bytes)]).toEqual([name, hex(field(printed!, 'hash'))])
    }
  })

  it('shows the keys that the text prints', () => {
    const keys = read(one, names, 'first').filter((event): event is TracedKeys => event.kind === 'keys')
    const printed = (of: Step) => [hex(field(of, 'key expanded')), hex(field(of, 'iv expanded'))]
    const all = steps(one, undefined, 'derive write traffic keys')
    const found = keys.map(({ key, iv }) => [hex(key), hex(iv)])
    expect(found).toEqual(expect.arrayContaining(all.map(printed)))
  })

  it('prints what goes into HKDF-Extract, where it is known: salt and zeros', () => {
    const lines = read(one, names, 'last').flatMap(traceLines)
    const at = lines.findIndex(line => line.startsWith('* master_secret = HKDF-Extract(salt, zeros)'))
    const input = lines.indexOf('    input: zeros', at)
    const end = lines.findIndex((line, index) => index > input && line.startsWith('    = '))
    expect(input).toBeGreaterThan(at)
    const zeros = lines
      .slice(input + 1, end)
      .join(' ')
      .replaceAll(/\b[0-9a-f]{4,}:|\s/g, '')
    expect(zeros).toBe('0'.repeat(64))
  })

  it('is at most 110 columns wide', () => {
    const lines = read(one, names, 'last').flatMap(traceLines)
    expect(lines.filter(line => line.length > 110)).toEqual([])
    expect(lines.length).toBeGreaterThan(200)
  })
})

function read(
  one: Trace,
  names: readonly SecretName[],
  when: 'first' | 'last' | 'after the hellos',
): TraceEvent[] {
  const tracer = new Tracer(noble)
  const tell = () => {
    for (const name of names) tracer.secret(secretOf(one, name))
  }
  if (when === 'first') tell()
  let hellos = 0
  for (const step of steps(one, undefined, 'send ')) {
    // One byte after the other: a record comes in parts.
    for (const byte of field(step, 'complete record')) tracer.bytes(step.actor, Uint8Array.of(byte))
    if (step.actor === 'server' && ++hellos === 1 && when === 'after the hellos') tell()
  }
  if (when === 'last') tell()
  tracer.end()
  return [...tracer.take()]
}

function secretOf(one: Trace, name: SecretName) {
  const secret = Uint8Array.from(Buffer.from(printedSecret(one, name), 'hex'))
  return { name, secret, keyLog: undefined }
}
