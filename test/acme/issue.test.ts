import { X509Certificate } from 'node:crypto'
import { readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Account } from '../../src/acme/account.ts'
import { AcmeError } from '../../src/acme/error.ts'
import { httpsFetch } from '../../src/acme/fetch.ts'
import { Http01Server } from '../../src/acme/http01.ts'
import { type ObtainOptions, obtain } from '../../src/acme/obtain.ts'
import { byOwnKey, revoke } from '../../src/acme/revoke.ts'
import { AcmeServer } from '../../src/acme/server.ts'
import { AcmeStore } from '../../src/acme/store.ts'
import { loadCertificate } from '../../src/certificates/load.ts'
import { LEAF_KEYS } from '../../src/platform/acme-settings.ts'
import { SYSTEM_CLOCK } from '../../src/time/system-clock.ts'
import { acmeDirectory, WISHES } from '../support/acme-scene.ts'
import { PEBBLE, PEBBLE_NOTE, Pebble } from '../support/pebble.ts'
import { run } from '../support/programs.ts'

const OURS = { ...WISHES, email: 'admin@example.com' }

const LONG = process.env.HOTPOTATO_LONG === '1'
const GET = { method: 'GET', headers: {}, redirect: 'manual', signal: new AbortController().signal } as const

describe.skipIf(!PEBBLE)(`a certificate of ${PEBBLE_NOTE}`, () => {
  let pebble: Pebble
  let responder: Http01Server
  let directory: string
  let options: ObtainOptions
  const file = (name: string): string => join(directory, name)

  beforeAll(async () => {
    pebble = await Pebble.start()
    responder = await Http01Server.listen('127.0.0.1', pebble.http)
    directory = acmeDirectory()
    options = {
      server: new AcmeServer({
        fetch: httpsFetch(readFileSync(pebble.caFile, 'utf8')),
        clock: SYSTEM_CLOCK,
        directory: pebble.url,
      }),
      store: new AcmeStore(directory).open(),
      wishes: { ...OURS, directory: pebble.url },
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
    expect(options.store.record('web')).toMatchObject({
      names: ['a.test', 'b.test'],
      attempts: [{ failures: 0 }],
    })
  })

  // Larger ones take seconds to make, and differ in nothing but a number.
  it.each(LEAF_KEYS.filter(kind => LONG || !/^rsa-[34]/.test(kind)))(
    'has a key of the kind %s',
    async keyType => {
      await obtain(
        { name: keyType, names: ['a.test'] },
        { ...options, wishes: { ...options.wishes, keyType } },
      )
      const { publicKey } = new X509Certificate(loadCertificate(directory, keyType).chain[0]!)
      const { modulusLength, namedCurve } = publicKey.asymmetricKeyDetails!
      const curve = namedCurve === 'prime256v1' ? 'p256' : 'p384'
      expect(`${keyType.split('-')[0]}-${modulusLength ?? curve}`).toBe(keyType)
    },
  )

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

  it('is revoked for its account, or by its own key, and never by that of another', async () => {
    const { signing } = await Account.open(options.server, options.store.account(pebble.url), options.wishes)
    const pem = (name: string): string => readFileSync(file(`${name}.crt`), 'utf8')
    const key = await byOwnKey(readFileSync(file('ecdsa-p256.key'), 'utf8'))
    await expect(revoke(options.server, pem('web'), 'superseded', key)).rejects.toThrow(AcmeError)
    await revoke(options.server, pem('ecdsa-p256'), 'key-compromise', key)
    await revoke(options.server, pem('web'), 'superseded', signing)
    // That it is revoked already is what was asked for.
    await revoke(options.server, pem('web'), 'superseded', signing)
    for (const kind of ['ecdsa-p384', 'rsa-2048']) {
      const own = await byOwnKey(readFileSync(file(`${kind}.key`), 'utf8'))
      await revoke(options.server, pem(kind), 'superseded', own)
    }
  })

  it('is not asked for where the server is another one than its authorities certify', async () => {
    const { caFile, url } = pebble
    const asked = async (ca: string | undefined): Promise<unknown> => {
      const fetch = httpsFetch(ca)
      const server = new AcmeServer({ fetch, clock: SYSTEM_CLOCK, directory: url })
      return obtain({ name: 'wrong', names: ['a.test'] }, { ...options, server })
    }
    const { stdout } = await run('openssl', [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
      ...['-subj', '/CN=another', '-keyout', file('another.key')],
    ])
    for (const ca of [undefined, stdout.toString()])
      await expect(asked(ca)).rejects.toThrow(/^GET https:\/\/localhost:\d+\/dir: [^\n]*certificate/)
    await expect(httpsFetch(readFileSync(caFile, 'utf8'))(url, GET)).resolves.toMatchObject({ status: 200 })
  })
})

describe.skipIf(!PEBBLE)(`an authority that wants an external account binding, by ${PEBBLE_NOTE}`, () => {
  const KEY = 'zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W'
  let pebble: Pebble
  let responder: Http01Server
  let directory: string

  beforeAll(async () => {
    pebble = await Pebble.start({ external: { 'kid-1': KEY } })
    responder = await Http01Server.listen('127.0.0.1', pebble.http)
    directory = acmeDirectory()
  })
  afterAll(async () => {
    responder?.close()
    await pebble?.stop()
    if (directory) rmSync(directory, { recursive: true, force: true })
  })

  it('gives certificates to one that has its key, and says to others what is wrong', async () => {
    const asked = async (keyId: string | undefined, secret: string): Promise<unknown> => {
      const store = new AcmeStore(directory).open()
      const fetch = httpsFetch(readFileSync(pebble.caFile, 'utf8'))
      const externalAccount = keyId === undefined ? undefined : { keyId, secret }
      return obtain(
        { name: 'web', names: ['a.test'] },
        {
          server: new AcmeServer({ fetch, clock: SYSTEM_CLOCK, directory: pebble.url }),
          store,
          wishes: { ...OURS, directory: pebble.url, externalAccount },
          responder,
          clock: SYSTEM_CLOCK,
          chance: () => 0.5,
        },
      )
    }
    await expect(asked(undefined, '')).rejects.toThrow(/wants an external account binding/)
    await expect(asked('kid-2', KEY)).rejects.toThrow(AcmeError)
    await expect(asked('kid-1', KEY.replace('z', 'y'))).rejects.toThrow(AcmeError)
    await asked('kid-1', KEY)
    expect(loadCertificate(directory, 'web').chain.length).toBe(2)
  })
})
