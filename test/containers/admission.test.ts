import { expect, test } from 'vitest'
import { objection } from '../../src/containers/admission.ts'
import { type ServerConfig, TlsError } from '../../src/tls13/index.ts'
import type { SessionState } from '../../src/tls13/state.ts'
import { serverConfig } from '../lib/pair.ts'

const FRIEND = Uint8Array.of(1)
const STRANGER = Uint8Array.of(2)

/** Lets nobody in but a friend. */
const demanding: ServerConfig = {
  ...serverConfig(),
  clientCertificates: {
    required: true,
    verify: ([leaf]) => {
      if (leaf?.[0] !== FRIEND[0]) throw new TlsError('unknown_ca', 'peer', 'nobody knows it')
      return { publicKey: FRIEND }
    },
  },
}

const session = (state: string, peerCertificate?: Uint8Array) =>
  ({ tls: { handshake: { state }, peerCertificate, serverName: 'a' } as unknown as SessionState }) as const

test('who demands nothing takes whatever comes', () => {
  for (const one of [
    { tls: undefined },
    session('CONNECTED'),
    session('CONNECTED', STRANGER),
    session('START'),
  ])
    expect(objection(one, serverConfig(), 0)).toBeUndefined()
  const asks: ServerConfig = {
    ...demanding,
    clientCertificates: { ...demanding.clientCertificates!, required: false },
  }
  expect(objection(session('CONNECTED'), asks, 0)).toBeUndefined()
})

test('who demands a certificate judges the one that the session was opened with, by its own rules', () => {
  expect(objection(session('CONNECTED', FRIEND), demanding, 0)).toBeUndefined()
  expect(objection(session('CONNECTED', STRANGER), demanding, 0)).toContain('nobody knows it')
  expect(objection(session('CONNECTED'), demanding, 0)).toBe('the client has shown no certificate')
  expect(objection({ tls: undefined }, demanding, 0)).toBe('the client has shown no certificate')
  // It will be asked yet.
  expect(objection(session('START'), demanding, 0)).toBeUndefined()
})

test('early data that is still coming is not taken where none is', () => {
  expect(objection(session('WAIT_EOED'), serverConfig(), 0)).toBe('early data is not taken here')
})
