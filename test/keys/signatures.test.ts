import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeCertificates } from '../../src/certificates/authority.ts'
import { readChain } from '../../src/certificates/load.ts'
import { certificateVerifyContent } from '../../src/tls13/authentication.ts'
import { SignatureScheme } from '../../src/tls13/codepoints.ts'
import { node } from '../../src/tls13/crypto/node.ts'
import { SUPERVISOR } from '../../src/transfer/channel.ts'
import type { ControlMessage } from '../../src/transfer/control.ts'
import { Office, type Visitor } from './office.ts'

/* What the signer signs, and what it does not. */

const SCHEME = SignatureScheme.ecdsa_secp256r1_sha256
const HASH = new Uint8Array(32).fill(7)
let directory: string
let office: Office
const files = (...names: string[]) => names.map(name => ({ functionName: name, directory, name }))
const make = (renew = false) =>
  makeCertificates({
    directory,
    certificates: ['echo', 'hello'].map(name => ({ name })),
    now: Date.now(),
    renew,
    keepAuthority: true,
  })

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'hotpotato-keys-'))
  await make()
})
afterAll(() => rmSync(directory, { recursive: true }))

type Said<K extends ControlMessage['kind']> = Extract<ControlMessage, { kind: K }>

/** What the signer has told a container last. */
function last<K extends ControlMessage['kind']>(visitor: Visitor, kind: K): Said<K> | undefined {
  const found = office.sent.findLast(({ to, message }) => to === visitor.id && message.kind === kind)
  return found?.message as Said<K> | undefined
}

function open(...names: string[]): void {
  office = new Office()
  office.certificates.load(files(...names), error => {
    throw error
  })
}

function ask(visitor: Visitor, more: Partial<Said<'sign'>> = {}): Said<'signed'> {
  const certificate = last(visitor, 'certificates')?.certificates[0]?.id ?? new Uint8Array(16)
  const wanted = { ticket: 1, certificate, scheme: SCHEME, transcriptHash: HASH }
  visitor.say({ kind: 'sign', ...wanted, ...more })
  return last(visitor, 'signed')!
}

describe('a container', () => {
  it('is told the certificate of its function, and gets signatures of a handshake by it', () => {
    open('echo')
    const echo = office.introduce(2, 'echo')
    const { certificates } = last(echo, 'certificates')!
    const leaf = readChain(join(directory, 'echo.crt'))[0]!
    expect(certificates.map(({ chain }) => chain[0])).toEqual([new Uint8Array(leaf.raw)])
    expect(certificates[0]!.schemes).toEqual([SCHEME])
    const { ticket, signature, reason } = ask(echo, { ticket: 77 })
    expect([ticket, reason]).toEqual([77, ''])
    const publicKey = new Uint8Array(leaf.publicKey.export({ format: 'der', type: 'spki' }))
    const algorithm = node.signatureAlgorithms.find(({ scheme }) => scheme === SCHEME)!
    expect(algorithm.verify(publicKey, certificateVerifyContent('server', HASH), signature)).toBe(true)
    // Not what it has sent, nor what a client's handshake would be.
    expect(algorithm.verify(publicKey, HASH, signature)).toBe(false)
    expect(algorithm.verify(publicKey, certificateVerifyContent('client', HASH), signature)).toBe(false)
  })

  it('whose function keeps its key itself is told of none, and gets no signature', () => {
    open('echo')
    const hello = office.introduce(2, 'hello')
    expect(last(hello, 'certificates')).toBeUndefined()
    expect(ask(hello).signature).toHaveLength(0)
  })

  it('gets none by the certificate of another function', () => {
    open('echo', 'hello')
    const [echo, hello] = [office.introduce(2, 'echo'), office.introduce(3, 'hello')]
    const certificate = last(echo, 'certificates')!.certificates[0]!.id
    expect(ask(hello, { certificate })).toMatchObject({ signature: new Uint8Array(0) })
    expect(ask(hello).signature.length).toBeGreaterThan(0)
    expect(office.status()).toMatchObject({ signed: 1, refused: 1, certificates: 2 })
  })

  it.each([
    ['a hash of another length', { transcriptHash: new Uint8Array(33) }],
    ['what is longer than any hash', { transcriptHash: new Uint8Array(64) }],
    ['a scheme that is none of its key’s', { scheme: SignatureScheme.ed25519 }],
    ['a certificate that there is not', { certificate: new Uint8Array(16) }],
  ])('gets none for %s', (_what, wanted) => {
    open('echo')
    expect(ask(office.introduce(2, 'echo'), wanted).signature).toHaveLength(0)
  })

  it('gets so many a second, and others get theirs meanwhile', () => {
    open('echo')
    const [one, other] = [office.introduce(2, 'echo'), office.introduce(3, 'echo')]
    for (let i = 0; i < 2500; i++) ask(one)
    expect(last(one, 'signed')).toMatchObject({ reason: 'it asks for more signatures than it may' })
    expect(ask(other).signature.length).toBeGreaterThan(0)
    expect(office.status()).toMatchObject({ signed: 2001, refused: 500 })
    office.clock.pass(2000)
    expect(ask(one).signature.length).toBeGreaterThan(0)
    expect(office.cut.size).toBe(0)
  })

  it('that goes on to ask for what is not its own is cut off', () => {
    open('echo', 'hello')
    const hello = office.introduce(3, 'hello')
    for (let i = 0; i < 100; i++) ask(hello, { certificate: new Uint8Array(16) })
    expect([...office.cut]).toEqual([3])
  })
})

describe('files that are read anew', () => {
  it('are shown to the containers that they are for, and the ones before are signed for, too', async () => {
    open('echo', 'hello')
    const [echo, hello] = [office.introduce(2, 'echo'), office.introduce(3, 'hello')]
    const before = last(echo, 'certificates')!.certificates[0]!.id
    await make(true)
    office.sent.length = 0
    office.say(SUPERVISOR, { kind: 'certify', files: files('echo') })
    const { certificates } = last(echo, 'certificates')!
    expect(certificates.map(({ id }) => id)).toEqual([expect.not.objectContaining(before), before])
    expect(last(hello, 'certificates')).toBeUndefined()
    for (const { id } of certificates)
      expect(ask(echo, { certificate: id }).signature.length).toBeGreaterThan(0)
    expect(ask(hello).signature).toHaveLength(0)
  })

  it('are left alone if they have not changed, or make no sense', () => {
    open('echo')
    const echo = office.introduce(2, 'echo')
    office.sent.length = 0
    office.say(SUPERVISOR, { kind: 'certify', files: files('echo') })
    writeFileSync(join(directory, 'broken.crt'), 'no certificate')
    const broken = [{ functionName: 'echo', directory, name: 'broken' }]
    office.say(SUPERVISOR, { kind: 'certify', files: broken })
    expect(office.sent).toEqual([])
    const certificate = office.certificates.of('echo')[0]!.id
    expect(ask(echo, { certificate }).signature.length).toBeGreaterThan(0)
  })
})
