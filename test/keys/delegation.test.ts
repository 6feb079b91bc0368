import 'reflect-metadata'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Extension, KeyUsageFlags } from '@peculiar/x509'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { Signing } from '../../src/containers/process/signing.ts'
import { SignatureScheme } from '../../src/tls13/codepoints.ts'
import { node } from '../../src/tls13/crypto/node.ts'
import { MAXIMUM_VALIDITY } from '../../src/tls13/delegated.ts'
import type { ClientConfig } from '../../src/tls13/index.ts'
import { verifier } from '../../src/tls13/io/verify.ts'
import { SUPERVISOR } from '../../src/transfer/channel.ts'
import { DAY, makeEntity, privateKeyPem } from '../support/certificates.ts'
import { createPair } from '../support/pair.ts'
import { Office, type Visitor } from './office.ts'

/* Delegated credentials (RFC 9345): a container's own key speaks for a certificate for an hour. */

const SCHEME = SignatureScheme.ecdsa_secp256r1_sha256
const HOUR = 3_600_000
/** id-pe-delegationUsage, whose value is NULL. */
const DELEGATION = new Extension('1.3.6.1.4.1.44363.44', false, Uint8Array.of(5, 0))
let directory: string
let ca: string
let office: Office
let visitor: Visitor
let signing: Signing
let asked: string[]

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'hotpotato-delegation-'))
  const now = new Office().clock.wall()
  const authority = await makeEntity({
    subject: 'authority',
    authority: true,
    keyUsage: KeyUsageFlags.keyCertSign,
    from: now - DAY,
    to: now + 60 * DAY,
  })
  ca = authority.pem
  for (const [name, extensions] of [
    ['echo', [DELEGATION]],
    ['hello', []],
  ] as const) {
    const leaf = await makeEntity({
      subject: name,
      issuer: authority,
      names: [{ type: 'dns', value: `${name}.local` }],
      keyUsage: KeyUsageFlags.digitalSignature,
      extensions,
      from: now - DAY,
      to: now + 30 * DAY,
    })
    writeFileSync(join(directory, `${name}.crt`), leaf.pem)
    writeFileSync(join(directory, `${name}.key`), await privateKeyPem(leaf))
  }
})
afterAll(() => rmSync(directory, { recursive: true }))
beforeEach(() => {
  office = new Office()
  asked = []
})

/** A container of that function, which has no key. */
function open(name: string): void {
  const files = [{ functionName: name, directory, name }]
  office.say(SUPERVISOR, { kind: 'certify', files })
  visitor = office.introduce(2, name)
  signing = new Signing(node, office.clock, 5000, (_to, message) => {
    asked.push(message.kind)
    visitor.say(message)
    return true
  })
  listen()
}

/** What the signer has said since reaches the container. */
function listen(): void {
  for (let said = office.sent.splice(0); said.length > 0; said = office.sent.splice(0))
    for (const { to, message } of said) if (to === visitor.id) signing.take(message, 1)
}

/** Has a client shake hands with the container. @returns whether it saw no error */
function shakeHands(serverName: string, more: Partial<ClientConfig> = {}): boolean {
  const now = () => office.clock.wall()
  const verify = verifier({ ca })
  const client = { serverName, verify, now, ...more }
  const pair = createPair(client, { certificates: signing.certificates, now })
  pair.settle()
  for (const event of pair.serverEvents.splice(0))
    if (event.type === 'question' && event.question.kind === 'signature')
      signing.ask(event.question, answer => pair.server.answer(event.id, answer))
  listen()
  pair.server.next()
  pair.settle()
  return pair.clientEvents.some(({ type }) => type === 'handshake_complete')
}

it('a client that takes them needs no signature of the signer, others do', () => {
  open('echo')
  expect(asked).toEqual(['delegate'])
  expect(shakeHands('echo.local', { delegatedCredentials: [SCHEME] })).toBe(true)
  expect(asked).toEqual(['delegate'])
  expect(shakeHands('echo.local')).toBe(true)
  expect(asked).toEqual(['delegate', 'sign'])
  expect(office.status()).toMatchObject({ delegated: 1, signed: 1, refused: 0 })
})

it('none is made for a certificate that does not allow it', () => {
  open('hello')
  expect(shakeHands('hello.local', { delegatedCredentials: [SCHEME] })).toBe(true)
  expect(asked).toEqual(['sign'])
  const certificate = office.certificates.of('hello')[0]!.id
  visitor.say({ kind: 'delegate', certificate, scheme: SCHEME, publicKey: new Uint8Array(91) })
  expect(office.status()).toMatchObject({ delegated: 0, refused: 1 })
})

it('each is good for an hour, far less than the seven days allowed, and is renewed before', () => {
  open('echo')
  const until = (): number => signing.certificates[0]!.delegated!.notAfter!
  const first = until()
  expect(first - office.clock.wall()).toBeLessThanOrEqual(HOUR)
  expect(HOUR / 1000).toBeLessThan(MAXIMUM_VALIDITY)
  office.clock.pass(HOUR / 2)
  listen()
  expect(until()).toBe(first + HOUR / 2)
  // No word of the signer any more: clients are shown none that has expired.
  office.say(SUPERVISOR, { kind: 'gone', id: 2 })
  office.clock.pass(HOUR + 1000)
  expect(until()).toBeLessThan(office.clock.wall())
})

it('a container gets few of them, and none for another function', () => {
  open('echo')
  const certificate = office.certificates.of('echo')[0]!.id
  const words = { kind: 'delegate', certificate, scheme: SCHEME, publicKey: new Uint8Array(91) } as const
  for (let i = 0; i < 20; i++) visitor.say(words)
  expect(office.status().delegated).toBe(8)
  const other = office.introduce(3, 'hello')
  other.say(words)
  expect(office.status()).toMatchObject({ delegated: 8, refused: 14 })
})
