import { createPrivateKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeCertificates } from '../../src/certificates/authority.ts'
import { readChain } from '../../src/certificates/load.ts'
import { certificateId } from '../../src/tls13/authentication.ts'
import { node } from '../../src/tls13/crypto/node.ts'
import { probe } from '../../src/transfer/native/libc.ts'
import { hex, utf8 } from '../../src/wire/index.ts'
import { Client, textOf } from '../support/client.ts'
import { findInMemory } from '../support/memory-search.ts'
import { descendantsOf, eventually, hotpotato, makeDirectory, Platform } from '../support/platform.ts'
import { isInstalled, missing, run } from '../support/programs.ts'

/*
 * Keys apart: the containers of echo and turned have no key of their certificates. Those of hello have
 * theirs, as ever.
 */
const CONFIG = `
version: 1
gateway: { defaultFunction: echo, limits: { helloSeconds: 60, holdSeconds: 60, orphanSeconds: 60 } }
connection: { requests: 1000000, timers: { keepAlive: 300, headers: 300, requestBody: 300 } }
restart: { firstSeconds: 0.05, mostSeconds: 0.2, crashLoop: 1000 }
tls: { signatureSeconds: 60, tickets: { count: 0 } }
liveness: { failureSeconds: 60, startSeconds: 300 }
functions:
  echo: { keys: signer }
  hello: {}
  turned: { keys: signer, handler: ./turned.mjs }
  lent: { keys: signer, handler: echo }
`
/** Says to the signer what its query asks for. */
const TURNED = `
import { pathToFileURL } from 'node:url'
const worker = pathToFileURL(process.argv[1])
const { Courier } = await import(new URL('../../transfer/courier.js', worker).href)
let courier
const { tell } = Courier.prototype
Courier.prototype.tell = function (...words) {
  courier = this
  return tell.apply(this, words)
}
export default {
  fetch(request) {
    const query = new URL(request.url).searchParams
    const signer = Number(query.get('signer'))
    const certificate = Buffer.from(query.get('certificate') ?? '', 'hex')
    const transcriptHash = new Uint8Array(Number(query.get('bytes') ?? 32))
    for (let i = 0; i < Number(query.get('times') ?? 0); i++)
      courier.tell(signer, { kind: 'sign', ticket: 2 ** 31 + i, certificate, scheme: 0x0403, transcriptHash })
    return new Response('said by ' + process.pid)
  },
}
`
let platform: Platform

beforeAll(async () => {
  const certificates = ['echo', 'hello', 'turned'].map(name => ({ name }))
  const directory = await makeDirectory(CONFIG, certificates)
  // Its key may sign delegated credentials.
  const lent = { certificates: [{ name: 'lent' }], delegation: true }
  await makeCertificates({ directory: join(directory, 'certs'), ...lent, now: Date.now() })
  platform = await Platform.start({ directory, files: { 'turned.mjs': TURNED } })
})
afterAll(() => platform?.stop())

const open = (name: string): Promise<Client> =>
  Client.open({ port: platform.https, tls: { ca: platform.ca, serverName: `${name}.local` } })

async function ask(name: string, path = `/${name}`): Promise<string> {
  const client = await open(name)
  const answer = await client.request(path)
  expect(answer.status).toBe(200)
  await client.close()
  return textOf(answer)
}

const counter = async (name: string): Promise<number> => (await platform.member('signer')).counters[name] ?? 0

/** As containers name it, in hexadecimal. */
function idOf(name: string): string {
  const chain = readChain(join(platform.directory, 'certs', `${name}.crt`)).map(({ raw }) => raw)
  return hex(certificateId(node.cipherSuites[0]!.hash, { chain, signers: [] }))
}

/** A private key as it may lie in memory: as big-endian number, as limbs of OpenSSL, as text. */
function formsOf(name: string): Uint8Array[] {
  const pem = readFileSync(join(platform.directory, 'certs', `${name}.key`), 'utf8')
  const { d } = createPrivateKey(pem).export({ format: 'jwk' })
  const scalar = new Uint8Array(Buffer.from(d!, 'base64url'))
  return [scalar, scalar.toReversed(), utf8(pem.split('\n')[2]!.slice(0, 48))]
}

async function finds(member: string, name: string): Promise<number> {
  const { pid } = await platform.until(member, ({ ready }) => ready)
  return findInMemory(pid!, ...formsOf(name)).length
}

describe('a function whose key the signer has', () => {
  it('serves clients under its own certificate', async () => {
    const before = await counter('signed')
    await ask('echo')
    await ask('echo')
    expect(await counter('signed')).toBe(before + 2)
    await ask('hello')
    expect(await counter('signed')).toBe(before + 2)
    expect(await platform.member('echo-1')).toMatchObject({ counters: { signaturesMissed: 0 } })
  })

  it('has no trace of it in the memory of its containers', async () => {
    await ask('echo')
    await ask('hello')
    // What is looked for can be found: where it belongs.
    expect(await finds('signer', 'echo')).toBeGreaterThan(0)
    expect(await finds('hello-1', 'hello')).toBeGreaterThan(0)
    expect(await finds('echo-1', 'echo')).toBe(0)
    for (const other of ['turned-1', 'hello-1', 'gateway']) expect(await finds(other, 'echo')).toBe(0)
    // Nor has the signer what is none of its own.
    expect(await finds('signer', 'hello')).toBe(0)
  })

  it('is described with the keys that speak for it', async () => {
    const described = async (name: string) => {
      const { stdout } = await hotpotato(platform.directory, ['describe', name])
      return /^certificate +(.*)$/m.exec(stdout)![1]
    }
    expect(await Promise.all(['hello', 'echo', 'lent'].map(described))).toEqual([
      'hello, its key in each container',
      'echo, its key with the signer alone; it allows no delegated credentials',
      'lent, its key with the signer; containers have delegated credentials',
    ])
    const { stdout } = await hotpotato(platform.directory, ['describe', 'lent', '--json'])
    expect(JSON.parse(stdout)).toMatchObject({ certificate: 'lent', keys: 'signer', delegation: true })
  })

  it('is told no path of it', async () => {
    const { pid } = await platform.member('echo-1')
    const certs = join(platform.directory, 'certs')
    expect(findInMemory(pid!, utf8(`${certs}`))).toEqual([])
    const hello = await platform.member('hello-1')
    expect(findInMemory(hello.pid!, utf8(`${certs}`)).length).toBeGreaterThan(0)
  })
})

describe('the signer ends', () => {
  it('and sessions live on, and a handshake waits for the next one', async () => {
    const client = await open('echo')
    expect((await client.request('/echo')).status).toBe(200)
    const { id } = await platform.until('signer', ({ ready }) => ready)
    await platform.kill('signer')
    const late = ask('echo')
    expect((await client.request('/echo')).status).toBe(200)
    await late
    expect((await platform.until('signer', ({ ready }) => ready)).id).not.toBe(id)
    expect(client.handshakes).toBe(1)
    await client.close()
  })
})

describe('a certificate that is replaced', () => {
  it('is shown from a reload on, without another container', async () => {
    const shown = async (): Promise<string> => {
      const client = await open('echo')
      const { session } = client
      await client.close()
      return hex(session!.peerCertificate ?? new Uint8Array(0))
    }
    const { id } = await platform.member('echo-1')
    const before = await shown()
    const directory = join(platform.directory, 'certs')
    const all = { directory, certificates: [{ name: 'echo' }], now: Date.now() }
    await makeCertificates({ ...all, renew: true, keepAuthority: true })
    expect(await shown()).toBe(before)
    const { code, stderr } = await hotpotato(platform.directory, ['reload'])
    expect([code, stderr]).toEqual([0, ''])
    // The signer tells it to the container, which goes on meanwhile.
    await eventually(async () => ((await shown()) === before ? undefined : true), 'the old one is shown')
    expect((await platform.member('echo-1')).id).toBe(id)
  })
})

describe('a function that turns against the signer', () => {
  const turn = async (query: string): Promise<string> => {
    const { id } = await platform.until('signer', ({ ready }) => ready)
    return ask('turned', `/turned?signer=${id}&${query}`)
  }

  it('gets signatures for its own certificate alone', async () => {
    const signed = await counter('signed')
    await turn(`times=3&certificate=${idOf('turned')}`)
    const refused = await counter('refused')
    await turn(`times=3&certificate=${idOf('echo')}`)
    await turn(`times=3&certificate=${idOf('hello')}`)
    await turn(`times=3&bytes=33&certificate=${idOf('turned')}`)
    // On a busy machine its counts may be those of a moment ago.
    const nine = async () => ((await counter('refused')) >= refused + 9 ? true : undefined)
    await eventually(nine, 'it refuses less')
    expect(await counter('refused')).toBe(refused + 9)
    // Those three, and the handshakes of these four requests.
    expect(await counter('signed')).toBe(signed + 3 + 4)
  })

  it('is ended if it goes on, and no other function notices', async () => {
    const { id } = await platform.member('turned-1')
    await turn(`times=200&certificate=${idOf('echo')}`).catch(() => {})
    await platform.until('turned-1', one => one.ready && one.id !== id)
    expect(platform.log).toContain('turned-1 is killed')
    await ask('echo')
  })

  it('is refused more than it may have, and others have their turn', async () => {
    const flood = turn(`times=3500&certificate=${idOf('turned')}`).catch(() => {})
    await ask('echo')
    await flood
    await ask('echo')
    expect(platform.log).not.toMatch(/signer (is killed|does not respond)/)
  })
})

/** NSS's client. */
const NSS = isInstalled('tstclnt', [])
const NO_NSS = missing(NSS, 'tstclnt', 'libnss3-tools')

it.skipIf(!NSS)(`a client of NSS that takes a delegated credential needs no signature${NO_NSS}`, async () => {
  const asked = async (): Promise<number> => (await platform.member('lent-1')).counters.signaturesAsked!
  const before = await asked()
  const place = ['-h', '127.0.0.1', '-p', `${platform.https}`, '-a', 'lent.local', '-V', 'tls1.3:tls1.3']
  const request = 'GET /lent HTTP/1.1\r\nHost: lent.local\r\nConnection: close\r\n\r\n'
  // It knows no authority (-o, -D).
  const shake = async (...more: string[]): Promise<string> => {
    const { stdout, stderr } = await run('tstclnt', [...place, '-o', '-D', '-b', ...more], request)
    expect(stdout.toString()).toMatch(/^HTTP\/1.1 200 /m)
    return stdout + stderr
  }
  expect(await shake('-B')).toContain('Received a Delegated Credential')
  expect(await asked()).toBe(before)
  expect(await shake()).not.toContain('Delegated')
  expect(await asked()).toBe(before + 1)
})

const native = probe()
const lacks = native.available ? '' : `: ${native.reason}`
it.skipIf(lacks !== '')(`none of its processes leaves a core file${lacks}`, () => {
  const { pid } = platform.child
  const all = [pid!, ...descendantsOf(pid!)]
  // The supervisor, the gateway, the signer, and four containers at least.
  expect(all.length).toBeGreaterThanOrEqual(7)
  for (const one of all)
    expect(readFileSync(`/proc/${one}/limits`, 'latin1')).toMatch(/^Max core file size +0 +0 /m)
})
