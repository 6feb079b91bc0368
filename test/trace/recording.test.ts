import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { node } from '../../src/tls13/crypto/node.ts'
import { Session } from '../../src/tls13/session.ts'
import { withRecording } from '../../src/trace/embedded.ts'
import type { Side } from '../../src/trace/event.ts'
import { Recorder } from '../../src/trace/recorder.ts'
import {
  captureOf,
  keyLogOf,
  type RecordedConnection,
  type RecordedEvent,
  type Recording,
  readRecording,
} from '../../src/trace/recording.ts'
import { concat, hex, utf8 } from '../../src/wire/index.ts'
import { noteOf, versionOf } from '../support/interop/program.ts'
import { clientConfig, serverConfig } from '../support/pair.ts'
import { recordedTrace } from '../support/recorded-trace.ts'
import { field, records, steps, type Trace, traces } from '../support/traces.ts'

const TSHARK = versionOf('tshark')
const TSHARK_NOTE = noteOf(TSHARK, 'tshark', 'tshark')
const AT = Date.UTC(2030, 0, 1, 12)

/** A connection of which the client's side is recorded. */
function conversation(answer = 'an answer'): Recording {
  const recorder = new Recorder('a test')
  const recorded = recorder.open('a handshake', 'client', node)!
  const client = Session.client(
    clientConfig({
      ...{ provider: node, random: node.random },
      onSecret: (exposed, clientRandom) => recorded.secret(exposed, clientRandom, AT),
    }),
  )
  const server = Session.server(serverConfig({ provider: node, random: node.random }))
  const settle = (): void => {
    for (let moved = true; moved; ) {
      const up = concat(...client.takeOutput())
      recorded.bytes('client', up, AT)
      server.receive(up)
      const down = concat(...server.takeOutput())
      recorded.bytes('server', down, AT)
      client.receive(down)
      moved = up.length + down.length > 0
    }
  }
  settle()
  recorded.state(client.snapshot(), 'after the handshake', AT)
  client.send(utf8('a question'))
  settle()
  client.updateKeys(true)
  settle()
  server.send(utf8(answer))
  settle()
  recorded.state(client.snapshot(), 'after the last answer', AT)
  recorded.state(client.snapshot(), 'after the last answer', AT)
  recorded.end(AT)
  return recorder.recording()
}

const eventsOf = <K extends RecordedEvent['kind']>({ events }: RecordedConnection, kind: K) =>
  events.filter((event): event is Extract<RecordedEvent, { kind: K }> => event.kind === kind)

describe.each(traces)('the recording of RFC 8448 §$section: $title', one => {
  const recording = readRecording(JSON.stringify(recordedTrace(one)))
  const [connection] = recording.connections

  it.each(['client', 'server'] as const)('has the records of the %s, sealed and in clear', side => {
    const seen = eventsOf(connection!, 'record').filter(record => record.side === side)
    expect(seen.map(({ bytes, content }) => ({ bytes, content }))).toEqual(
      records(one, side).map(({ record, payload }) => ({ bytes: hex(record), content: hex(payload) })),
    )
    expect(eventsOf(connection!, 'gap')).toEqual([])
  })

  it('has annotated bytes that are those of the trace, each under one field of the outermost level', () => {
    const messages = eventsOf(connection!, 'message')
    for (const side of ['client', 'server'] as const) {
      const printed = records(one, side).filter(({ record, payload }) => isHandshake(record, payload, one))
      const joined = messages.filter(message => message.side === side).map(({ bytes }) => bytes)
      expect(joined.join('')).toBe(printed.map(({ payload }) => hex(payload)).join(''))
    }
    for (const { fields, bytes } of messages) {
      const outer = fields.filter(({ depth }) => depth === 0)
      const covered = outer.map(({ offset, length }) => bytes.slice(2 * offset, 2 * (offset + length)))
      expect(covered.join('')).toBe(bytes)
    }
  })

  it('has the HkdfLabel of each arrow, annotated', () => {
    const printed = new Set(
      steps(one, undefined, 'derive secret "tls13').map(step => hex(field(step, 'info'))),
    )
    const infos = eventsOf(connection!, 'secret').flatMap(({ step }) =>
      step.operation === 'HKDF-Expand-Label' ? [step.info] : [],
    )
    expect(infos.filter(({ bytes }) => printed.has(bytes)).length).toBeGreaterThan(5)
    for (const { fields } of infos)
      expect(fields.map(({ name }) => name)).toEqual(['length', 'label', 'context'])
  })
})

describe('a recording', () => {
  it('is read again as it was written, with the states of its moments', () => {
    const recording = conversation()
    const again = readRecording(JSON.stringify(recording))
    expect(again).toEqual(recording)
    const [{ states }] = again.connections as [RecordedConnection]
    expect(states.map(({ when }) => when)).toEqual(['after the handshake', 'after the last answer'])
    const sequence = states.map(({ fields }) =>
      fields.filter(({ name }) => name === 'sequence_number').map(({ text }) => text),
    )
    expect(sequence[0]).not.toEqual(sequence[1])
  })

  it('tells of the key update which secret comes from which', () => {
    const [connection] = conversation().connections
    const updated = eventsOf(connection!, 'secret').filter(({ name }) => name.endsWith('_1'))
    expect(updated.map(({ name, step, follows }) => [name, step.from, follows])).toEqual([
      ['client_application_traffic_secret_1', 'client_application_traffic_secret_0', true],
      ['server_application_traffic_secret_1', 'server_application_traffic_secret_0', true],
    ])
  })

  it('is a capture, too: with the bytes of both sides and the key log', () => {
    const recording = conversation()
    const [connection] = recording.connections
    const file = hex(captureOf(recording))
    for (const { bytes } of eventsOf(connection!, 'record')) expect(file).toContain(bytes)
    const log = keyLogOf(recording)
    expect(log).toMatch(/^SERVER_TRAFFIC_SECRET_0 [0-9a-f]{64} [0-9a-f]{64}$/m)
    expect(file).toContain(hex(utf8(log)))
  })

  it.skipIf(TSHARK === undefined)(`as a capture is opened decrypted: ${TSHARK_NOTE}`, () => {
    const directory = mkdtempSync(join(tmpdir(), 'hotpotato-recording-'))
    const file = join(directory, 'recording.pcapng')
    writeFileSync(file, captureOf(conversation('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')))
    const fields = ['-Y', 'tls.handshake', '-T', 'fields', '-e', 'tls.handshake.type']
    const { stdout } = spawnSync('tshark', ['-r', file, ...fields], { encoding: 'utf8' })
    rmSync(directory, { recursive: true })
    // EncryptedExtensions, Certificate, CertificateVerify, Finished and KeyUpdate are sealed.
    const types = stdout.split(/[\s,]+/)
    for (const type of ['8', '11', '15', '20', '24']) expect(types).toContain(type)
  })

  it('keeps 4 MiB, and says how much came beyond', () => {
    const recorder = new Recorder('much')
    const recorded = recorder.open('a handshake', 'client', node)!
    const record = concat(Uint8Array.of(23, 3, 3, 0x40, 0), new Uint8Array(0x4000))
    for (let records = 0; records < 300; records++) recorded.bytes('server', record, AT)
    recorded.end(AT)
    const [connection] = recorder.recording().connections
    expect(connection!.leftOut).toBe((300 - 255) * record.length)
    expect(eventsOf(connection!, 'gap').length).toBe(255)
  })

  it('keeps no more than a text can hold, of tickets explained at a hundred times their size', () => {
    const recorder = new Recorder('a flood', { connections: 1, bytes: 4 * 2 ** 20, text: 1_000_000 })
    const recorded = recorder.open('a handshake', 'client', node)!
    const client = Session.client(
      clientConfig({
        ...{ provider: node, random: node.random },
        onSecret: (exposed, clientRandom) => recorded.secret(exposed, clientRandom, AT),
      }),
    )
    const sealer = { seal: () => Uint8Array.of(1), open: () => undefined }
    const server = Session.server(
      serverConfig({ provider: node, random: node.random, tickets: { sealer, count: 6000 } }),
    )
    for (let rounds = 0; rounds < 4; rounds++) {
      const up = concat(...client.takeOutput())
      recorded.bytes('client', up, AT)
      server.receive(up)
      const down = concat(...server.takeOutput())
      for (let at = 0; at < down.length; at += 1000)
        recorded.bytes('server', down.subarray(at, at + 1000), AT)
      client.receive(down)
    }
    recorded.end(AT)
    const [connection] = recorder.recording().connections
    const tickets = eventsOf(connection!, 'message').filter(({ type }) => type === 'new_session_ticket')
    // The last record that had room is explained to its end.
    expect(tickets.length).toBeGreaterThan(500)
    expect(connection!.leftOut).toBeGreaterThan(50_000)
    expect(JSON.stringify(connection!.events).length).toBeLessThan(3_000_000)
  })

  type Loose = { connections: { events: { [name: string]: unknown }[]; states: unknown }[] }
  const fault = (change: (recording: Loose) => unknown) => {
    const changed = JSON.parse(JSON.stringify(conversation())) as Loose
    change(changed)
    return () => readRecording(JSON.stringify(changed))
  }
  it.each<[string, () => unknown, RegExp]>([
    ['no JSON', () => readRecording('{'), /^this is no recording: it is not JSON$/],
    ['null', () => readRecording('null'), /^this is no recording: "format" is not "hotpotato-recording"$/],
    ['a later version', fault(one => Object.assign(one, { version: 2 })), /version 2; version 1 is known$/],
    [
      'no connections',
      fault(one => Object.assign(one, { connections: 5 })),
      /^the recording: connections is missing$/,
    ],
    [
      'an unknown event',
      fault(one => one.connections[0]!.events.splice(3, 1, { kind: 'x' })),
      /^the recording: connections\[0\]: events\[3\] is not an event of a known kind$/,
    ],
    [
      'bytes that are none',
      fault(one => Object.assign(one.connections[0]!.events[0]!, { bytes: 'xy' })),
      /^the recording: connections\[0\]: events\[0\]: bytes is not hex$/,
    ],
    [
      'no time',
      fault(one => Object.assign(one.connections[0]!.events[0]!, { at: undefined })),
      /^the recording: connections\[0\]: events\[0\]: at is not number$/,
    ],
    ['no states', fault(one => Object.assign(one.connections[0]!, { states: {} })), /states is no list$/],
  ])('that is none is refused with one line that says what and where: %s', (_, read, line) => {
    expect(read).toThrow(RangeError)
    expect(read).toThrow(line)
  })

  it('stands in a page so that nothing in it can end its element', () => {
    const page = 'A<script type="application/json" id="recording"></script>B'
    const text = JSON.stringify({ ...conversation('</script><script>'), title: '</script><b>$& $1' })
    const whole = withRecording(page, text)
    const inside = /^A<script type="application\/json" id="recording">([\s\S]*)<\/script>B$/.exec(whole)![1]!
    expect(inside).not.toContain('<')
    expect(JSON.parse(inside)).toEqual(JSON.parse(text))
    expect(withRecording(whole, '{}')).toBe(withRecording(page, '{}'))
    expect(() => withRecording('no place', '{}')).toThrow(/no place/)
  })
})

/** Whether a record is one of handshake messages: its number, or the trace's words for what it seals. */
function isHandshake(record: Uint8Array, payload: Uint8Array, one: Trace): boolean {
  if (record[0] !== 23) return record[0] === 22
  const sent = (side: Side) => steps(one, side, 'send ')
  const step = [...sent('client'), ...sent('server')].find(
    step => hex(field(step, 'complete record')) === hex(record),
  )
  return /handshake record/.test(step!.action) && payload.length > 0
}
