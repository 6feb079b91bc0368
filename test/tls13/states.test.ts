import { describe, expect, it } from 'vitest'
import { ContentType } from '../../src/tls13/codepoints.ts'
import { encodeHandshake, type HandshakeMessage, type MessageType } from '../../src/tls13/messages.ts'
import { concat, EMPTY, fromHex } from '../../src/wire/index.ts'
import { clientConfig, createPair, outputOf, recordsOf } from '../support/pair.ts'
import { clientIn, type Scene, type StateName, serverIn } from '../support/scene.ts'

/** RFC 8446 Appendix A: what each state may receive. Everything else is unexpected_message. */
const SERVER: Readonly<Record<string, readonly MessageType[]>> = {
  START: ['client_hello'],
  WAIT_SECOND_CLIENT_HELLO: ['client_hello'],
  WAIT_COOKIE: ['client_hello'],
  WAIT_EOED: ['end_of_early_data'],
  WAIT_CERT: ['certificate'],
  WAIT_CV: ['certificate_verify'],
  WAIT_FINISHED: ['finished'],
  CONNECTED: ['key_update'],
}
const CLIENT: Readonly<Record<string, readonly MessageType[]>> = {
  WAIT_SH: ['server_hello', 'hello_retry_request'],
  WAIT_EE: ['encrypted_extensions'],
  WAIT_CERT_CR: ['certificate_request', 'certificate'],
  WAIT_CERT: ['certificate'],
  WAIT_CV: ['certificate_verify'],
  WAIT_FINISHED: ['finished'],
  CONNECTED: ['new_session_ticket', 'key_update'],
}
const ROLES = [
  { role: 'server', table: SERVER, bring: (state: string) => serverIn(state as StateName) },
  { role: 'client', table: CLIENT, bring: (state: string) => clientIn(state as StateName) },
] as const

/** One well-formed message of each type, so that nothing but its place can be wrong. */
const samples = sampleMessages()

describe.each(ROLES)('a $role', ({ table, bring }) => {
  describe.each(Object.keys(table))('in %s', state => {
    const allowed = table[state]!
    const others = samples.filter(({ name }) => !allowed.includes(name as MessageType))

    it.each(others)('answers $name with unexpected_message', ({ bytes }) => {
      const scene = bring(state)
      expectAlert(scene, scene.handshake(bytes), 'unexpected_message')
    })

    it('takes what the peer rightly sends', () => {
      const scene = bring(state)
      if (scene.genuine.length === 0) scene.genuine = scene.handshake(keyUpdate)
      const { events } = scene.provoke(scene.genuine)
      expect(events.filter(event => event.type === 'alert')).toEqual([])
    })

    it('answers application data with unexpected_message, unless connected or early', () => {
      const scene = bring(state)
      const record = scene.writer()(ContentType.application_data, fromHex('686f74'))
      if (state === 'CONNECTED' || state === 'WAIT_EOED')
        expect(scene.provoke(record).events).toMatchObject([{ type: 'application_data' }])
      else expectAlert(scene, record, 'unexpected_message')
    })

    it('ends on an alert of the peer, without an answer', () => {
      const scene = bring(state)
      const { events, output } = scene.provoke(scene.writer()(ContentType.alert, Uint8Array.of(2, 80)))
      expect(events).toMatchObject([{ type: 'alert', from: 'peer', alert: 'internal_error' }])
      expect(output).toEqual(EMPTY)
      expect(scene.subject.closed).toBe(true)
    })

    it('reports close_notify', () => {
      const scene = bring(state)
      const { events } = scene.provoke(scene.writer()(ContentType.alert, Uint8Array.of(1, 0)))
      expect(events).toEqual([{ type: 'close_notify' }])
      // only an established connection goes on in the other direction
      expect(scene.subject.closed).toBe(state !== 'CONNECTED')
    })

    it('hears nothing more once it has failed', () => {
      const scene = bring(state)
      scene.provoke(scene.writer()(ContentType.handshake, fromHex('ff000000')))
      expect(scene.subject.receive(scene.genuine)).toEqual([])
      expect(scene.subject.receive(fromHex('ff'))).toEqual([])
      expect(outputOf(scene.subject)).toEqual(EMPTY)
      expect(scene.subject.buffered).toBe(0)
    })
  })
})

const keyUpdate = encodeHandshake({ type: 'key_update', requestUpdate: 0 })

function expectAlert(scene: Scene, bytes: Uint8Array, alert: string): void {
  const result = scene.provoke(bytes)
  expect(result.alert).toBe(alert)
  expect(result.events).toMatchObject([{ type: 'alert', from: 'local', alert }])
}

function sampleMessages(): { name: string; bytes: Uint8Array }[] {
  const messages: { name: string; bytes: Uint8Array }[] = []
  const keep = (message: HandshakeMessage): HandshakeMessage => {
    messages.push({ name: message.type, bytes: encodeHandshake(message) })
    return message
  }
  // a connection after a HelloRetryRequest has nearly all of them
  createPair({ shape: keep, keyShares: [] }, { shape: keep }).settle()
  const [hello, retry, , ...others] = messages
  const more: HandshakeMessage[] = [
    {
      type: 'certificate_request',
      certificateRequestContext: EMPTY,
      extensions: [{ extensionType: 13, extensionData: fromHex('00020807') }],
    },
    {
      type: 'new_session_ticket',
      ticketLifetime: 60,
      ticketAgeAdd: 1,
      ticketNonce: EMPTY,
      ticket: fromHex('01'),
      extensions: [],
    },
    { type: 'key_update', requestUpdate: 0 },
  ]
  const unknown = [
    { name: 'end_of_early_data', bytes: fromHex('05000000') },
    { name: 'message_hash', bytes: concat(fromHex('fe000020'), new Uint8Array(32)) },
    { name: 'hello_request (TLS 1.2)', bytes: fromHex('00000000') },
    { name: 'server_hello_done (TLS 1.2)', bytes: fromHex('0e000000') },
    { name: 'compressed_certificate, which was not offered', bytes: fromHex('190000090002000003000001aa') },
    { name: 'a type that is not assigned', bytes: fromHex('63000000') },
    { name: 'extended_key_update, which was not agreed on', bytes: fromHex('fa00000102') },
  ]
  const seen = new Map([hello!, retry!, ...others].map(one => [one.name, one]))
  for (const message of more) seen.set(message.type, { name: message.type, bytes: encodeHandshake(message) })
  return [...seen.values(), ...unknown]
}

it('there is a sample of every message', () => {
  expect(
    samples
      .map(({ name }) => name)
      .slice(0, 10)
      .sort(),
  ).toEqual([
    'certificate',
    'certificate_request',
    'certificate_verify',
    'client_hello',
    'encrypted_extensions',
    'finished',
    'hello_retry_request',
    'key_update',
    'new_session_ticket',
    'server_hello',
  ])
  // and the one of the hello is the one that a client sends
  expect(recordsOf(outputOf(createPair({ keyShares: [] }).client))[0]!.subarray(5)).toEqual(
    samples.find(({ name }) => name === 'client_hello')!.bytes,
  )
  expect(clientConfig().provider.name).toBe('node')
})
