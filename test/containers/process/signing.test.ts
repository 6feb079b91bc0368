import { beforeEach, describe, expect, it } from 'vitest'
import { Signing } from '../../../src/containers/process/signing.ts'
import { certificateId, certificateVerifyContent } from '../../../src/tls13/authentication.ts'
import { SignatureScheme } from '../../../src/tls13/codepoints.ts'
import { node } from '../../../src/tls13/crypto/node.ts'
import type { Answer } from '../../../src/tls13/index.ts'
import type { ControlMessage } from '../../../src/transfer/control.ts'
import { HandClock } from '../../support/hand-clock.ts'

const SCHEME = SignatureScheme.ecdsa_secp256r1_sha256
const ID = new Uint8Array(16).fill(1)
const CHAIN = [new Uint8Array(100).fill(2)]
const HASH = new Uint8Array(32).fill(3)
const [{ hash }] = node.cipherSuites as [(typeof node.cipherSuites)[number]]
const QUESTION = {
  kind: 'signature',
  certificate: certificateId(hash, { chain: CHAIN, signers: [] }),
  delegated: false,
  scheme: SCHEME,
  content: certificateVerifyContent('server', HASH),
} as const
const CERTIFICATES: ControlMessage = {
  kind: 'certificates',
  certificates: [{ id: ID, chain: CHAIN, schemes: [SCHEME], delegates: false }],
}

let clock: HandClock
let sent: [number, Extract<ControlMessage, { kind: 'sign' }>][]
let answers: Answer[]
let signing: Signing
beforeEach(() => {
  clock = new HandClock()
  sent = []
  answers = []
  signing = new Signing(node, clock, 5000, (to, message) => {
    sent.push([to, message as (typeof sent)[number][1]])
    return true
  })
})
const ask = () => signing.ask(QUESTION, answer => answers.push(answer))
const signed = (ticket: number, bytes: number, reason = '') =>
  signing.take({ kind: 'signed', ticket, signature: new Uint8Array(bytes).fill(9), reason }, 1)

describe('a handshake without a key', () => {
  it('asks the signer for a signature of its transcript, and goes on with it', () => {
    signing.take(CERTIFICATES, 1)
    expect(signing.certificates).toEqual([{ chain: CHAIN, signers: [{ scheme: SCHEME }] }])
    ask()
    const [to, { ticket, ...message }] = sent[0]!
    expect([to, message]).toEqual([
      1,
      { kind: 'sign', certificate: ID, scheme: SCHEME, transcriptHash: HASH },
    ])
    signed(ticket, 70)
    signed(ticket, 71)
    expect(answers).toEqual([{ kind: 'signature', signature: new Uint8Array(70).fill(9) }])
    expect(clock.waiting).toBe(0)
  })

  it('is broken off if the signer says no', () => {
    signing.take(CERTIFICATES, 1)
    ask()
    signed(sent[0]![1].ticket, 0, 'too many')
    expect(answers).toEqual([{ kind: 'refused', alert: 'internal_error', reason: 'the signer: too many' }])
    expect(signing.counters).toEqual({ signaturesAsked: 1, signaturesMissed: 1 })
  })

  it('is asked for again when the signer is another one', () => {
    signing.take(CERTIFICATES, 1)
    ask()
    signing.gone(1)
    ask()
    expect(sent).toHaveLength(1)
    signing.take(CERTIFICATES, 5)
    expect(sent.map(([to]) => to)).toEqual([1, 5, 5])
    for (const [, { ticket }] of sent.slice(1)) signed(ticket, 70)
    expect(answers.map(({ kind }) => kind)).toEqual(['signature', 'signature'])
  })

  it('is broken off when no answer comes in time', () => {
    signing.take(CERTIFICATES, 1)
    ask()
    clock.pass(4999)
    expect(answers).toEqual([])
    clock.pass(1)
    expect(answers).toMatchObject([{ kind: 'refused', reason: 'the signer: no signature came in time' }])
  })

  it('of a certificate that is not known is broken off, not at once', () => {
    ask()
    expect([answers, sent]).toEqual([[], []])
    clock.pass(1)
    expect(answers).toMatchObject([{ reason: 'the signer: the certificate is not known' }])
  })
})

it('takes no other messages', () => {
  expect(signing.take({ kind: 'drain' }, 0)).toBe(false)
})
