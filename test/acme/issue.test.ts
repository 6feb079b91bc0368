import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Account } from '../../src/acme/account.ts'
import { httpsFetch } from '../../src/acme/fetch.ts'
import { Http01Server } from '../../src/acme/http01.ts'
import { type ObtainOptions, obtain } from '../../src/acme/obtain.ts'
import { AcmeServer } from '../../src/acme/server.ts'
import { AcmeStore } from '../../src/acme/store.ts'
import { loadCertificate } from '../../src/certificates/load.ts'
import { SYSTEM_CLOCK } from '../../src/time/system-clock.ts'
import { PEBBLE, PEBBLE_NOTE, Pebble } from '../support/pebble.ts'

const WISHES = {
  email: 'admin@example.com',
  agreeToTerms: true,
  keyType: 'ecdsa-p256',
  challenge: 'http-01',
  profile: undefined,
} as const

describe.skipIf(!PEBBLE)(`a certificate of ${PEBBLE_NOTE}`, () => {
  let pebble: Pebble
  let responder: Http01Server
  let directory: string
  let options: ObtainOptions
  const file = (name: string): string => join(directory, name)

  beforeAll(async () => {
    pebble = await Pebble.start()
    responder = await Http01Server.listen('127.0.0.1', pebble.http)
    directory = mkdtempSync(join(tmpdir(), 'hotpotato-acme-'))
    options = {
      server: new AcmeServer({
        fetch: httpsFetch(readFileSync(pebble.caFile, 'utf8')),
        clock: SYSTEM_CLOCK,
        directory: pebble.url,
      }),
      store: new AcmeStore(directory).open(),
      wishes: { ...WISHES, directory: pebble.url },
      responder,
      clock: SYSTEM_CLOCK,
      chance: () => 0.5,
    }
  })
  afterAll(async () => {
    responder?.close()
    await pebble?.stop()
    if (directory) rmSync(directory, { recursive: true, force: true })
  })

  it('is issued for several hosts, and lies where the platform looks for it', async () => {
    expect(await obtain({ name: 'web', names: ['a.test', 'b.test'] }, options)).toEqual([])
    const { chain } = loadCertificate(directory, 'web')
    const leaf = new X509Certificate(chain[0]!)
    expect(chain.length).toBe(2)
    expect(leaf.subjectAltName?.split(', ').sort()).toEqual(['DNS:a.test', 'DNS:b.test'])
    for (const one of ['web.key', 'acme/web.certificate.json'])
      expect([one, statSync(file(one)).mode & 0o777]).toEqual([one, 0o600])
    expect(statSync(file('acme')).mode & 0o777).toBe(0o700)
    expect(options.store.record('web')).toMatchObject({ failures: 0, names: ['a.test', 'b.test'] })
  })

  it.each(['ecdsa-p384', 'rsa-2048'] as const)('has a key of the kind %s', async keyType => {
    await obtain({ name: keyType, names: ['a.test'] }, { ...options, wishes: { ...options.wishes, keyType } })
    const { publicKey } = new X509Certificate(loadCertificate(directory, keyType).chain[0]!)
    const { modulusLength, namedCurve } = publicKey.asymmetricKeyDetails!
    expect(
      `${keyType.split('-')[0]}-${modulusLength ?? (namedCurve === 'prime256v1' ? 'p256' : 'p384')}`,
    ).toBe(keyType)
  })

  it('is of one account, whose key can be another one', async () => {
    const open = (): Promise<Account> =>
      Account.open(options.server, options.store.account(pebble.url), options.wishes)
    const [one, two] = [await open(), await open()]
    expect(two.url).toBe(one.url)
    const before = two.thumbprint
    await two.rollOver()
    const three = await open()
    expect([three.url, await three.status()]).toEqual([one.url, 'valid'])
    expect(three.thumbprint).not.toBe(before)
    await obtain({ name: 'web', names: ['c.test'] }, options)
    await expect(one.status()).rejects.toThrow(/verif|signature|JWS/i)
  })
})
