import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
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
import { findInMemory } from '../support/memory-search.ts'
import { childrenOf, eventually, makeDirectory, Platform } from '../support/platform.ts'
import { isInstalled, missing } from '../support/programs.ts'

/** Random, and never one text in this file: only the worker makes it one. */
const SECRET = hex(node.random(24))
const CONFIG = `
version: 1
gateway: { defaultFunction: echo }
functions:
  echo: {}
  vault: { sealed: { bundle: vault.potato } }
  pydict: { lang: python3, sealed: { bundle: pydict.potato }, certificate: vault }
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
  write('vault', 'a.mjs', source)
  write('pydict', 'handler.py', python)
  platform = await Platform.start({ directory })
})
afterAll(async () => {
  await platform?.stop()
  rmSync(directory, { recursive: true, force: true })
})

/** What of key and clear text each process has in its memory, by its name. */
async function found(): Promise<string[]> {
  const needles = [utf8(SECRET), dataKey, utf8(writeDataKey(dataKey).slice(9)), utf8(identity.slice(16))]
  const names = ['clear text', 'data key', 'data key as text', 'identity']
  const processes = [
    { name: 'supervisor', pid: platform.child.pid! },
    ...(await platform.status()).map(({ name, pid }) => ({ name, pid: pid! })),
  ]
  return processes.flatMap(({ name, pid }) =>
    findInMemory(pid, ...needles).map(
      ({ needle, mapping, address }) => `${name}: ${names[needle]} ${mapping} ${address.toString(16)}`,
    ),
  )
}

const tls = () => ({ ca: platform.ca, serverName: 'vault.local' })

it('while it works, the worker alone has them, and nothing is left when its client goes', async () => {
  const client = await Client.open({ port: platform.https, tls: tls() })
  void client.request('/hold', { headers: [['x-hotpotato-key', writeDataKey(dataKey)]] }).catch(() => {})
  const { pid } = await platform.member('vault-1')
  const has = (worker: number): boolean => findInMemory(worker, utf8(SECRET), dataKey).length >= 2
  const worker = await eventually(() => childrenOf(pid!).find(has), 'no worker has the clear text')
  expect((await found()).filter(one => one.includes('clear text'))).toEqual([])
  for (const process of [worker, pid!])
    expect(readFileSync(`/proc/${process}/limits`, 'utf8')).toMatch(/^Max core file size +0 +0 /m)
  client.reset()
  await eventually(() => (childrenOf(pid!).includes(worker) ? undefined : true), 'the worker does not end')
  expect(await found()).toEqual([])
})

const PYTHON = isInstalled('python3', ['--version'])
it.skipIf(!PYTHON)(`the same in Python${missing(PYTHON, 'python3', 'python3')}`, async () => {
  const client = await Client.open({ port: platform.https, tls: tls() })
  const asked = { method: 'POST', headers: [['x-hotpotato-key', writeDataKey(dataKey)] as const] }
  const answer = await client.request('/pydict', { ...asked, body: utf8('x') })
  expect([answer.status, textOf(answer)]).toEqual([200, '48\n'])
  expect(await found()).toEqual([])
  void client.request('/pydict', { ...asked, body: utf8('hold') }).catch(() => {})
  const { pid } = await platform.member('pydict-1')
  const has = (process: number): boolean => findInMemory(process, utf8(SECRET)).length > 0
  const interpreter = await eventually(
    () => childrenOf(pid!).flatMap(childrenOf).find(has),
    'no interpreter has the clear text',
  )
  expect((await found()).filter(one => one.includes('clear text'))).toEqual([])
  for (const file of ['cmdline', 'environ'])
    expect(readFileSync(`/proc/${interpreter}/${file}`, 'latin1')).not.toContain(SECRET)
  expect(findInMemory(interpreter, dataKey, utf8(writeDataKey(dataKey).slice(9)))).toEqual([])
  client.reset()
  const gone = (): true | undefined => (existsSync(`/proc/${interpreter}`) ? undefined : true)
  await eventually(gone, 'the interpreter does not end')
  expect(await found()).toEqual([])
})

describe('after a sealed call, no process of the platform has the key or the clear text', () => {
  const headers = (key: string) => [['x-hotpotato-key', key] as const]

  it('with a data key over HTTP/1', async () => {
    const client = await Client.open({ port: platform.https, tls: tls() })
    expect((await client.request('/', { headers: headers(writeDataKey(dataKey)) })).status).toBe(200)
    expect(await found()).toEqual([])
    await client.close()
  })

  it('with an identity over HTTP/1', async () => {
    const client = await Client.open({ port: platform.https, tls: tls() })
    expect((await client.request('/', { headers: headers(`age-identity ${identity}`) })).status).toBe(200)
    expect(await found()).toEqual([])
    await client.close()
  })

  it('with a data key over HTTP/2', async () => {
    const client = await Http2Client.open({ port: platform.https, tls: tls() })
    const request = { headers: headers(writeDataKey(dataKey)), authority: 'vault.local' }
    for (let i = 0; i < 2; i++) expect((await client.request('/', request)).container).toBe('vault-1')
    expect(await found()).toEqual([])
    await client.close()
  })

  it('with a data key whose request came in records of 10 bytes', async () => {
    const client = await Client.open({ port: platform.https, tls: tls() })
    const bytes = client.requestBytes('/', { headers: headers(writeDataKey(dataKey)) })
    const answer = client.answer()
    for (let at = 0; at < bytes.length; at += 10) client.write(bytes.subarray(at, at + 10))
    expect((await answer).status).toBe(200)
    expect(await found()).toEqual([])
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
    expect(await found()).toEqual([])
    await client.close()
  })
})
