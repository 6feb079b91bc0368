import { once } from 'node:events'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:http2'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { newIdentity, wrapKey } from '../../src/sealed/age.ts'
import { writeArchive } from '../../src/sealed/archive.ts'
import { newDataKey, sealBundle } from '../../src/sealed/bundle.ts'
import { writeDataKey } from '../../src/sealed/credential.ts'
import { node } from '../../src/tls13/crypto/node.ts'
import { hex, utf8 } from '../../src/wire/index.ts'
import { Client, textOf } from '../support/client.ts'
import { Http2Client } from '../support/http2-client.ts'
import { LONG, sample } from '../support/long.ts'
import { findInMemory, type MemoryFind } from '../support/memory-search.ts'
import {
  childrenOf,
  descendantsOf,
  eventually,
  isRunning,
  makeDirectory,
  Platform,
} from '../support/platform.ts'
import { isInstalled, missing } from '../support/programs.ts'

/** Random, and never one text in this file: only the worker makes it one. */
const SECRET = hex(node.random(24))
/** Seconds that a key is remembered where one is: all that is looked at meanwhile has to fit. */
const KEPT = 25
const CONFIG = `
version: 1
gateway: { defaultFunction: echo }
connection: { timers: { keepAlive: 300, headers: 300, container: 60 } }
liveness: { failureSeconds: 60, startSeconds: 300 }
functions:
  echo: {}
  vault: { sealed: { bundle: vault.potato } }
  pydict: { lang: python3, sealed: { bundle: pydict.potato }, certificate: vault }
  kept: { sealed: { bundle: kept.potato, cacheSeconds: ${KEPT} }, certificate: vault }
  keptpy: { lang: python3, sealed: { bundle: keptpy.potato, cacheSeconds: ${KEPT} }, certificate: vault }
`
let directory: string
let platform: Platform
let identity: string
let dataKey: Uint8Array

beforeAll(async () => {
  directory = await makeDirectory(CONFIG, [
    { name: 'echo', hosts: ['echo.local'] },
    { name: 'vault', hosts: ['vault.local'] },
  ])
  const made = await newIdentity()
  identity = made.identity
  dataKey = newDataKey(node)
  const source = `
const word = '${SECRET}'
const held = () => new ReadableStream({ start: controller => controller.enqueue(new Uint8Array(1)) })
export default (request, ctx) =>
  new Response(ctx.functionPath === '/hold' ? held() : String(word.length))
`
  const python = `
import time
word = '${SECRET}'
def handle(req):
    if req == 'hold':
        time.sleep(600)
    return len(word)
`
  const wrappedKey = await wrapKey(dataKey, [made.recipient])
  const write = (name: string, path: string, text: string): void => {
    const content = writeArchive({ entry: path, files: [{ path, content: utf8(text) }] })
    const bundle = sealBundle({ name, version: '1', content, dataKey, wrappedKey }, node)
    writeFileSync(join(directory, `${name}.potato`), bundle)
  }
  for (const name of ['vault', 'kept']) write(name, 'a.mjs', source)
  for (const name of ['pydict', 'keptpy']) write(name, 'handler.py', python)
  platform = await Platform.start({ directory })
})
afterAll(async () => {
  await platform?.stop()
  rmSync(directory, { recursive: true, force: true })
})

/** Something secret in the memory of a process. */
interface Find {
  /** Of a member; `child` for what members have started. */
  readonly name: string
  readonly pid: number
  readonly what: string
  readonly where: string
}

/** What of key and clear text all processes of the platform have in their memory, theirs included. */
async function found(): Promise<Find[]> {
  const needles = [utf8(SECRET), dataKey, utf8(writeDataKey(dataKey).slice(9)), utf8(identity.slice(16))]
  const texts = ['clear text', 'data key', 'data key as text', 'identity']
  const supervisor = platform.child.pid!
  const names = new Map((await platform.status()).map(({ name, pid }) => [pid!, name]))
  return [supervisor, ...descendantsOf(supervisor)].flatMap(pid => {
    const name = pid === supervisor ? 'supervisor' : (names.get(pid) ?? 'child')
    const finds = name === 'child' ? inChild(pid, needles) : findInMemory(pid, ...needles)
    return finds.map(({ needle, mapping, address }) => {
      return { name, pid, what: texts[needle]!, where: `${mapping} ${address.toString(16)}` }
    })
  })
}

/** Nothing of one that has ended meanwhile: the kernel has taken its memory back. */
function inChild(pid: number, needles: readonly Uint8Array[]): MemoryFind[] {
  try {
    return findInMemory(pid, ...needles)
  } catch (error) {
    if (isRunning(pid)) throw error
    return []
  }
}

const isChild = ({ name }: Find): boolean => name === 'child'

/** Who lives on has nothing at once; what the call was given to ends, and those that wait have nothing. */
async function nothingIsLeft(): Promise<void> {
  const finds = await found()
  expect(finds.filter(one => !isChild(one))).toEqual([])
  await ended(finds.map(({ pid }) => pid))
  expect(await found()).toEqual([])
}

const ended = (pids: readonly number[]): Promise<true> =>
  eventually(() => (pids.some(isRunning) ? undefined : true), `one of ${pids} does not end`)

const tls = () => ({ ca: platform.ca, serverName: 'vault.local' })

it('while it works, the worker alone has them, and nothing is left when its client goes', async () => {
  const client = await Client.open({ port: platform.https, tls: tls() })
  void client.request('/hold', { headers: [['x-hotpotato-key', writeDataKey(dataKey)]] }).catch(() => {})
  const { pid } = await platform.member('vault-1')
  const has = (worker: number): boolean => findInMemory(worker, utf8(SECRET), dataKey).length >= 2
  const worker = await eventually(() => childrenOf(pid!).find(has), 'no worker has the clear text')
  expect((await found()).filter(one => one.pid !== worker)).toEqual([])
  for (const process of [worker, pid!])
    expect(readFileSync(`/proc/${process}/limits`, 'utf8')).toMatch(/^Max core file size +0 +0 /m)
  client.reset()
  await ended([worker])
  expect(await found()).toEqual([])
})

const PYTHON = isInstalled('python3', ['--version'])
it.skipIf(!PYTHON)(`the same in Python${missing(PYTHON, 'python3', 'python3')}`, async () => {
  const client = await Client.open({ port: platform.https, tls: tls() })
  const asked = { method: 'POST', headers: [['x-hotpotato-key', writeDataKey(dataKey)] as const] }
  const answer = await client.request('/pydict', { ...asked, body: utf8('x') })
  expect([answer.status, textOf(answer)]).toEqual([200, '48\n'])
  await nothingIsLeft()
  void client.request('/pydict', { ...asked, body: utf8('hold') }).catch(() => {})
  const { pid } = await platform.member('pydict-1')
  const has = (process: number): boolean => findInMemory(process, utf8(SECRET)).length > 0
  const interpreter = await eventually(
    () => childrenOf(pid!).flatMap(childrenOf).find(has),
    'no interpreter has the clear text',
  )
  expect((await found()).filter(one => !isChild(one))).toEqual([])
  for (const file of ['cmdline', 'environ'])
    expect(readFileSync(`/proc/${interpreter}/${file}`, 'latin1')).not.toContain(SECRET)
  expect(findInMemory(interpreter, dataKey, utf8(writeDataKey(dataKey).slice(9)))).toEqual([])
  client.reset()
  await ended([interpreter])
  await nothingIsLeft()
})

describe('after a sealed call, no process of the platform has the key or the clear text', () => {
  const headers = (key: string) => [['x-hotpotato-key', key] as const]

  it('with a data key over HTTP/1', async () => {
    const client = await Client.open({ port: platform.https, tls: tls() })
    expect((await client.request('/', { headers: headers(writeDataKey(dataKey)) })).status).toBe(200)
    await nothingIsLeft()
    await client.close()
  })

  it.runIf(LONG)('with an identity over HTTP/1', async () => {
    const client = await Client.open({ port: platform.https, tls: tls() })
    expect((await client.request('/', { headers: headers(`age-identity ${identity}`) })).status).toBe(200)
    await nothingIsLeft()
    await client.close()
  })

  it('with a data key over HTTP/2', async () => {
    const client = await Http2Client.open({ port: platform.https, tls: tls() })
    const request = { headers: headers(writeDataKey(dataKey)), authority: 'vault.local' }
    for (let i = 0; i < 2; i++) expect((await client.request('/', request)).container).toBe('vault-1')
    await nothingIsLeft()
    await client.close()
  })

  it('with a data key whose request came in records of 10 bytes', async () => {
    const client = await Client.open({ port: platform.https, tls: tls() })
    const bytes = client.requestBytes('/', { headers: headers(writeDataKey(dataKey)) })
    const answer = client.answer()
    for (let at = 0; at < bytes.length; at += 10) client.write(bytes.subarray(at, at + 10))
    expect((await answer).status).toBe(200)
    await nothingIsLeft()
    await client.close()
  })

  it('that came over a connection which moved there', async () => {
    const client = await Client.open({
      port: platform.https,
      tls: { ca: platform.ca, serverName: 'echo.local' },
    })
    await client.request('/')
    expect((await client.request('/vault', { headers: headers(writeDataKey(dataKey)) })).hops).toBe(1)
    await client.request('/echo')
    await nothingIsLeft()
    await client.close()
  })

  it('that an HTTP/2 client lets be indexed, once its connection has ended', async () => {
    const client = connect(`https://127.0.0.1:${platform.https}`, {
      ca: platform.ca,
      servername: 'vault.local',
    })
    const [name, value] = headers(writeDataKey(dataKey))[0]!
    for (let i = 0; i < 2; i++) {
      const request = { ':path': '/', ':authority': 'vault.local', [name]: value }
      const stream = client.request(request).resume()
      const closed = once(stream, 'close')
      // A stream may close without an answer, and without an error.
      const answered = Promise.race([once(stream, 'response'), closed.then(() => [{}])])
      const [answer] = (await answered) as [Record<string, unknown>]
      expect(answer[':status']).toBe(200)
      await closed
    }
    // As long as it may refer to it, the table of the connection has it (RFC 7541 §2.3.2).
    expect((await found()).map(one => one.name)).toContain('vault-1')
    client.close()
    await once(client, 'close')
    await platform.idle()
    await nothingIsLeft()
  })

  it.each(sample(['with an identity', 'with a data key'], 1))(
    '%s over an HTTP/2 connection that moved there',
    async what => {
      const ca = platform.ca
      const client = await Http2Client.open({ port: platform.https, tls: { ca, serverName: 'echo.local' } })
      expect((await client.request('/', { authority: 'echo.local' })).container).toBe('echo-1')
      const key = what === 'with an identity' ? `age-identity ${identity}` : writeDataKey(dataKey)
      const answer = await client.request('/vault', { headers: headers(key), authority: 'echo.local' })
      expect([answer.status, answer.container]).toEqual([200, 'vault-1'])
      await nothingIsLeft()
      await client.close()
    },
  )
})

describe('a key that is remembered', () => {
  const headers = (key: string) => [['x-hotpotato-key', key] as const]
  const open = (serverName: string) =>
    Client.open({ port: platform.https, tls: { ca: platform.ca, serverName } })

  /** One call each with a data key, an identity and over HTTP/2, of which one has moved there. */
  async function call(path: string): Promise<void> {
    const [one, other] = [await open('vault.local'), await open('echo.local')]
    await other.request('/')
    const asked = [
      await one.request(path, { method: 'POST', headers: headers(writeDataKey(dataKey)) }),
      await other.request(path, { method: 'POST', headers: headers(`age-identity ${identity}`) }),
    ]
    expect(asked.map(({ status }) => status)).toEqual([200, 200])
    const http2 = await Http2Client.open({ port: platform.https, tls: tls() })
    const request = { method: 'POST', headers: headers(writeDataKey(dataKey)), authority: 'vault.local' }
    expect((await http2.request(path, request)).status).toBe(200)
    for (const client of [one, other, http2]) await client.close()
  }

  const withoutPython = missing(PYTHON, 'python3', 'python3')
  const OF = [
    ['kept', true, ''],
    ['keptpy', PYTHON, withoutPython],
  ] as const
  describe.each(sample(OF, 1))('of %s', (name, isThere, why) => {
    it.skipIf(!isThere)(`is with the workers alone, and T seconds later nowhere${why}`, async () => {
      await call(`/${name}`)
      const finds = await found()
      const workers = [...new Set(finds.map(({ pid }) => pid))]
      expect(finds.filter(one => !isChild(one))).toEqual([])
      // One for each of the two keys.
      const keyed = finds.filter(({ what }) => what === 'data key').map(({ pid }) => pid)
      expect(new Set(keyed).size).toBe(2)
      expect(workers.every(isRunning)).toBe(true)
      await ended(workers)
      expect(await found()).toEqual([])
    })
  })
})
