import { expect, it } from 'vitest'
import { node } from '../../src/tls13/crypto/node.ts'
import type { ExposedSecret } from '../../src/tls13/key-schedule.ts'
import { encodeHandshake } from '../../src/tls13/messages.ts'
import { plaintextRecord } from '../../src/tls13/record.ts'
import { KeyedRecords } from '../../src/tls13/record-cipher.ts'
import { Session } from '../../src/tls13/session.ts'
import type { Side } from '../../src/trace/event.ts'
import { Recorder } from '../../src/trace/recorder.ts'
import { readRecording } from '../../src/trace/recording.ts'
import { traceLines } from '../../src/trace/text.ts'
import { Tracer } from '../../src/trace/tracer.ts'
import { concat } from '../../src/wire/index.ts'
import { clientConfig, serverConfig, ticketSealer } from '../support/pair.ts'
import { below, seeded } from '../support/random.ts'

/*
 * What reads along sees bytes before the session has judged them. Whatever they are, it throws nothing: that
 * would end the process.
 */

const FINISHED = encodeHandshake({ type: 'finished', verifyData: new Uint8Array(32) })
const UPDATE = encodeHandshake({ type: 'key_update', requestUpdate: 1 })
const END = encodeHandshake({ type: 'end_of_early_data' })
const SEALED = plaintextRecord(23, new Uint8Array(40))
const [SUITE] = node.cipherSuites

it.each<[string, readonly Uint8Array[]]>([
  ['a Finished too many, in clear', [FINISHED, FINISHED, FINISHED, FINISHED]],
  ['an EndOfEarlyData too many', [END, END, END, END]],
  ['a KeyUpdate before there are keys', [FINISHED, FINISHED, UPDATE]],
  ['Finished and KeyUpdate', [FINISHED, UPDATE, FINISHED, UPDATE]],
])('%s, and a sealed record', (_, messages) => {
  for (const side of ['client', 'server'] as const) {
    const tracer = new Tracer(node)
    tracer.bytes(side, concat(...messages.map(message => plaintextRecord(22, message)), SEALED))
    tracer.end()
    const kinds = tracer.take().map(({ kind }) => kind)
    expect(kinds.filter(kind => kind === 'message').length).toBe(messages.length)
    expect(kinds).toContain('gap')
  }
})

/** The handshake messages of a connection, and its secrets. */
function conversation(): { messages: readonly Uint8Array[]; secrets: readonly ExposedSecret[] } {
  const secrets: ExposedSecret[] = []
  const tracer = new Tracer(node)
  const client = Session.client(
    clientConfig({
      onSecret: exposed => {
        secrets.push({ ...exposed, secret: exposed.secret.slice() })
        tracer.secret(exposed)
      },
    }),
  )
  const server = Session.server(serverConfig({ tickets: { sealer: ticketSealer() } }))
  for (let rounds = 0; rounds < 4; rounds++) {
    for (const bytes of client.takeOutput()) {
      tracer.bytes('client', bytes)
      server.receive(bytes)
    }
    for (const bytes of server.takeOutput()) {
      tracer.bytes('server', bytes)
      client.receive(bytes)
    }
  }
  const messages = tracer.take().flatMap(event => (event.kind === 'message' ? [event.bytes] : []))
  return { messages: [...messages, UPDATE, END, FINISHED], secrets }
}

it('messages in any order, changed, sealed under any key, or cut', () => {
  const { messages, secrets } = conversation()
  expect(messages.length).toBeGreaterThan(8)
  for (let seed = 0; seed < 400; seed++) {
    const random = seeded(seed)
    const any = <T>(list: readonly T[]): T => list[below(random, list.length)]!
    const changed = (bytes: Uint8Array): Uint8Array => {
      const copy = bytes.slice()
      for (let times = below(random, 3); times > 0; times--) copy[below(random, copy.length)] = random(1)[0]!
      return copy
    }
    const numbers = new Map<ExposedSecret, number>()
    const sealed = (type: number, content: Uint8Array): Uint8Array => {
      const secret = any(secrets)
      const number = numbers.get(secret) ?? 0
      numbers.set(secret, number + 1)
      const record = new Uint8Array(5 + content.length + 1 + SUITE!.aead.tagLength)
      new KeyedRecords(SUITE!, secret.secret).seal(number, type, content, 0, record, 0)
      return record
    }
    const tracer = new Tracer(node)
    const recorder = new Recorder(`seed ${seed}`)
    const recorded = recorder.open('any', 'client', node)!
    for (let steps = 0; steps < 25; steps++) {
      if (below(random, 3) === 0) {
        const secret = any(secrets)
        tracer.secret(secret)
        recorded.secret(secret, new Uint8Array(32), 0)
        continue
      }
      const type = any([22, 22, 22, 22, 20, 21, 23, 24])
      const content = type === 22 ? changed(any(messages)) : random(below(random, 5))
      const record = below(random, 2) === 0 ? sealed(type, content) : plaintextRecord(type, content)
      const bytes = below(random, 20) === 0 ? record.subarray(0, below(random, record.length)) : record
      const side: Side = any(['client', 'server'])
      tracer.bytes(side, bytes)
      recorded.bytes(side, bytes, 0)
    }
    tracer.end()
    recorded.end(0)
    for (const event of tracer.take()) traceLines(event)
    const recording = recorder.recording()
    expect(readRecording(JSON.stringify(recording))).toEqual(recording)
  }
})
