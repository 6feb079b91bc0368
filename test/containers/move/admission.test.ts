import { describe, expect, it } from 'vitest'
import { forgetClient, objection } from '../../../src/containers/move/admission.ts'
import { type ServerConfig, TlsError } from '../../../src/tls13/index.ts'
import type { SessionState } from '../../../src/tls13/state.ts'
import { serverConfig } from '../../support/pair.ts'

const FRIEND = Uint8Array.of(1)
const STRANGER = Uint8Array.of(2)
const ABOVE = Uint8Array.of(3)
const EARLY = { earlyData: { maximum: 1, replay: 'ask' } } as const
/** What the verifier was shown. */
const judged: (readonly Uint8Array[])[] = []

/** Lets no client in but a friend. */
const demanding: ServerConfig = {
  ...serverConfig(),
  clientCertificates: {
    required: true,
    verify: chain => {
      judged.push(chain)
      const [leaf] = chain
      if (leaf?.[0] !== FRIEND[0])
        throw new TlsError('unknown_ca', 'peer', 'refused_by_application', 'it is not known')
      return { publicKey: FRIEND }
    },
  },
}

const session = (state: string, peerCertificate?: Uint8Array, more: object = {}) => {
  const tls = { handshake: { state, ...more }, peerCertificate, peerIntermediates: [ABOVE], serverName: 'a' }
  return { tls: tls as unknown as SessionState } as const
}
const NONE = 'the client has shown no certificate'

describe('who demands nothing', () => {
  const asks: ServerConfig = {
    ...demanding,
    clientCertificates: { ...demanding.clientCertificates!, required: false },
  }

  it.each(['kin', 'stranger'] as const)('takes whatever comes, from %s', origin => {
    for (const one of [
      { tls: undefined },
      session('CONNECTED'),
      session('CONNECTED', STRANGER),
      session('START'),
    ])
      expect(objection(one, origin, serverConfig(), { wall: () => 0 })).toBeUndefined()
    expect(objection(session('CONNECTED'), origin, asks, { wall: () => 0 })).toBeUndefined()
  })

  it('hears nothing of the client from another function', () => {
    const one = session('CONNECTED', FRIEND)
    forgetClient(one)
    expect([one.tls.peerCertificate, one.tls.peerIntermediates]).toEqual([undefined, []])
    forgetClient({ tls: undefined })
  })
})

describe('who demands a certificate', () => {
  it('judges by its own rules what its replicas have been shown, with all that was above it', () => {
    expect(objection(session('CONNECTED', FRIEND), 'kin', demanding, { wall: () => 0 })).toBeUndefined()
    expect(judged.at(-1)).toEqual([FRIEND, ABOVE])
    expect(objection(session('CONNECTED', STRANGER), 'kin', demanding, { wall: () => 0 })).toContain(
      'it is not known',
    )
    expect(objection(session('CONNECTED'), 'kin', demanding, { wall: () => 0 })).toBe(NONE)
    expect(objection({ tls: undefined }, 'kin', demanding, { wall: () => 0 })).toBe(NONE)
  })

  it('judges what an unfinished handshake has shown, and lets one go on that has yet to ask', () => {
    for (const state of ['START', 'WAIT_CERT', 'WAIT_VERDICT'])
      expect(objection(session(state), 'kin', demanding, { wall: () => 0 })).toBeUndefined()
    const signing = (certificate: Uint8Array) => session('WAIT_CV', undefined, { certificate })
    expect(objection(signing(FRIEND), 'kin', demanding, { wall: () => 0 })).toBeUndefined()
    expect(objection(signing(STRANGER), 'kin', demanding, { wall: () => 0 })).toContain('it is not known')
    expect(objection(session('WAIT_FINISHED', FRIEND), 'kin', demanding, { wall: () => 0 })).toBeUndefined()
    for (const state of ['WAIT_FINISHED', 'WAIT_EOED'])
      expect(objection(session(state), 'kin', { ...demanding, ...EARLY }, { wall: () => 0 })).toBe(NONE)
  })

  it('takes no word for it but that of its replicas: from others only what has not begun', () => {
    for (const state of ['CONNECTED', 'WAIT_FINISHED', 'WAIT_CV', 'WAIT_CERT', 'WAIT_SECOND_CLIENT_HELLO'])
      expect(objection(session(state, FRIEND), 'stranger', demanding, { wall: () => 0 })).toContain(
        'with another function',
      )
    expect(objection(session('START', FRIEND), 'stranger', demanding, { wall: () => 0 })).toBeUndefined()
    expect(objection({ tls: undefined }, 'stranger', demanding, { wall: () => 0 })).toBe(NONE)
  })
})

it('early data that is still coming is not taken where none is', () => {
  expect(objection(session('WAIT_EOED'), 'kin', serverConfig(), { wall: () => 0 })).toBe(
    'early data is not accepted here',
  )
})
