import 'reflect-metadata'
import { createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as x509 from '@peculiar/x509'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { checkCertificates, makeCertificates } from '../../src/certificates/authority.ts'
import { certs as makeAsTold } from '../../src/cli/certs/certs.ts'
import { command } from '../../src/cli/commands/tools/certs.ts'
import { readArguments } from '../../src/cli/line/command-line.ts'

const DAY = 86_400_000
let root: string
let directory: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'hotpotato-foreign-'))
  directory = join(root, 'certs')
  mkdirSync(directory)
})
afterEach(() => rmSync(root, { recursive: true }))

const path = (file: string): string => join(directory, file)
const read = (file: string): string => readFileSync(path(file), 'utf8')
/** Every file by name; a link that leads nowhere has no text. */
const files = (): Record<string, string> =>
  Object.fromEntries(readdirSync(directory).map(file => [file, existsSync(path(file)) ? read(file) : '']))
const advice = (name = 'web', more: object = {}): string[] =>
  checkCertificates(directory, [{ name, hosts: ['web.example'], ...more }], Date.now()).map(
    ({ message }) => message,
  )
const make = (more: object = {}) =>
  makeCertificates({
    directory,
    certificates: [{ name: 'web', hosts: ['web.example'] }],
    now: Date.now(),
    ...more,
  })
/** `npx --no hotpotato certs` with the functions `web`, which has a host of its own, and `other`. */
const certs = (...args: string[]): Promise<string> => {
  const config = join(root, 'hotpotato.yml')
  writeFileSync(config, 'functions: { web: { hosts: [web.example] }, other: {} }')
  const { options, words } = readArguments(command, ['--config', config, ...args], {})
  return makeAsTold(words, options, {})
}

/** A certificate of an authority that is not ours, with its key. */
async function own(
  name: string,
  { hosts = ['web.example'], subject = 'CN=mine', end = Date.now() + DAY, ca = false } = {},
): Promise<void> {
  const { publicKey, privateKey } = await crypto.subtle.generateKey(
    { name: 'ECDSA', namedCurve: 'P-256' },
    true,
    ['sign', 'verify'],
  )
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: subject,
    notBefore: new Date(end - 10 * DAY),
    notAfter: new Date(end),
    keys: { publicKey, privateKey },
    signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
    extensions: [
      new x509.BasicConstraintsExtension(ca),
      new x509.SubjectAlternativeNameExtension(hosts.map(value => ({ type: 'dns', value }))),
    ],
  })
  const pkcs8 = await crypto.subtle.exportKey('pkcs8', privateKey)
  writeFileSync(path(`${name}.crt`), certificate.toString('pem'))
  writeFileSync(path(`${name}.key`), x509.PemConverter.encode(pkcs8, 'PRIVATE KEY'))
}

const someKey = (): string =>
  generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()

/** What a user may have put there, and the beginning of what is to be done about it. */
const CASES: Record<string, readonly [() => Promise<void>, RegExp]> = {
  'lacks a configured host': [
    () => own('web', { hosts: ['elsewhere.example'] }),
    /web\.crt does not cover the host web\.example; .*get one that does, name in `hosts`/,
  ],
  'has expired': [
    () => own('web', { end: Date.now() - DAY }),
    /expired on .*get one from its authority that is valid/,
  ],
  'is not valid yet': [
    () => own('web', { end: Date.now() + 20 * DAY }),
    /not valid before .*get one from its authority that is valid/,
  ],
  'has lost its key': [
    async () => {
      await own('web')
      rmSync(path('web.key'))
    },
    /web\.key does not exist; .*put one there that belongs to the other file/,
  ],
  'has another key': [
    async () => {
      await own('web')
      writeFileSync(path('web.key'), someKey())
    },
    /web\.key is not the private key .*put the key of .*web\.crt there/,
  ],
  'is a key alone': [
    async () => writeFileSync(path('web.key'), someKey()),
    /web\.crt does not exist; .*put one there that belongs to the other file/,
  ],
  'cannot be read': [
    async () => {
      await own('web')
      writeFileSync(path('web.crt'), 'PKCS#7, or whatever it is')
    },
    /web\.crt: a text that contains no PEM certificate; .*put one there that .* can be read/,
  ],
  'has an encrypted key': [
    async () => {
      await own('web')
      writeFileSync(path('web.key'), '-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n')
    },
    /web\.key is not an unencrypted PEM private key; .*put one there/,
  ],
  'has its key over one of ours': [
    async () => {
      await make()
      writeFileSync(path('web.key'), someKey())
    },
    /web\.key is not the private key .*put the key of .*web\.crt there/,
  ],
  'is a link that leads nowhere': [
    async () => {
      for (const ending of ['crt', 'key']) symlinkSync(path(`absent.${ending}`), path(`web.${ending}`))
    },
    /web\.crt does not exist; .*put one there/,
  ],
}

describe("a user's own certificate", () => {
  it.each(Object.entries(CASES))(
    'that %s is left alone, and the message says what to do',
    async (_, [put, said]) => {
      await put()
      const before = files()
      expect(advice().join('\n')).toMatch(said)
      expect(advice().join('\n')).not.toMatch(/npx --no hotpotato certs|--renew|delete|remove/)
      await expect(make()).rejects.toThrow(said)
      await expect(make({ renew: true, keepAuthority: true })).rejects.toThrow('both stay')
      await expect(certs('--renew', 'web')).rejects.toThrow('both stay')
      expect(files()).toEqual(before)
    },
  )

  it('stays where all others are renewed, and that is said', async () => {
    await own('web')
    const { 'web.crt': certificate, 'web.key': key } = files()
    await certs()
    const said = await certs('--renew')
    expect(said).toContain(`kept ${path('web.crt')}: hotpotato did not make it`)
    expect(said).toContain(`made ${path('other.crt')}`)
    expect([read('web.crt'), read('web.key')]).toEqual([certificate, key])
  })

  it('in order needs no authority of ours, and only the hosts that the configuration names', async () => {
    await own('web', { hosts: ['web.example'] })
    expect(advice()).toEqual([])
    // Nothing is named: it is enough that one of the defaults is covered.
    const defaults = { hosts: [], defaults: ['web.example', 'web.localhost'] }
    expect(advice('web', defaults)).toEqual([])
    expect(advice('web', { hosts: [], defaults: ['web.local', 'web.localhost'] })).toEqual([
      expect.stringMatching(/does not cover the host web\.local or web\.localhost; .*name in `hosts`/),
    ])
  })

  it('can be the authority: it is not replaced either', async () => {
    await own('ca', { subject: 'CN=the authority of a company', ca: true })
    const before = files()
    await expect(certs('--renew')).rejects.toThrow(/ca\.crt or ca\.key beside it was not made by hotpotato/)
    rmSync(path('ca.crt'))
    await expect(certs()).rejects.toThrow(/ca\.crt or ca\.key beside it was not made by hotpotato/)
    expect(read('ca.key')).toBe(before['ca.key'])
  })
})

describe('what is replaced', () => {
  it('is kept beside, each time under a name of its own, and a key as private as before', async () => {
    await make()
    const first = files()
    await certs('--renew')
    const said = await certs('--renew', 'web')
    expect(said).toContain('what was there before is kept in web.key.bak.2, web.crt.bak.2')
    for (const file of ['ca.crt', 'ca.key', 'web.crt', 'web.key'])
      expect(read(`${file}.bak`)).toBe(first[file])
    expect(statSync(path('web.key.bak')).mode & 0o777).toBe(0o600)
    const second = new X509Certificate(read('web.crt.bak.2'))
    expect(second.checkPrivateKey(createPrivateKey(read('web.key.bak.2')))).toBe(true)
  })

  it("is never another one's backup", async () => {
    await make()
    for (const file of ['web.crt.bak', 'web.key.bak']) writeFileSync(path(file), "a user's own")
    await make({ renew: true })
    for (const file of ['web.crt.bak', 'web.key.bak']) expect(read(file)).toBe("a user's own")
  })

  it('is kept too when one of ours is mended without being asked', async () => {
    await make()
    const { 'web.crt': certificate } = files()
    const wanted = [{ name: 'web', hosts: ['web.example', 'new.example'] }]
    const { made, backups } = await make({ certificates: wanted })
    expect({ made, backups }).toEqual({ made: ['web'], backups: ['web.key.bak', 'web.crt.bak'] })
    expect(read('web.crt.bak')).toBe(certificate)
    expect(checkCertificates(directory, wanted, Date.now())).toEqual([])
  })

  it('is made anew when its key is lost', async () => {
    await make()
    rmSync(path('web.key'))
    expect(advice()).toEqual([
      expect.stringMatching(/web\.key does not exist; make it with: npx --no hotpotato certs$/),
    ])
    expect(await make()).toMatchObject({ made: ['web'], backups: ['web.crt.bak'] })
    expect(advice()).toEqual([])
  })
})

it('an authority without its key is named with what makes another one', async () => {
  await make()
  renameSync(path('ca.key'), path('elsewhere.key'))
  await expect(make({ certificates: [{ name: 'next' }] })).rejects.toThrow(
    /ca\.key does not exist; make another authority, .*npx --no hotpotato certs --renew$/,
  )
})

it('a directory that is there keeps its mode', async () => {
  const { mode } = statSync(directory)
  await make()
  expect(statSync(directory).mode).toBe(mode)
})
