import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadFunction } from '../../src/functions/load.ts'
import { LIMIT_ERRORS, noneExceeded } from '../../src/http/h2/index.ts'
import { Opcode, readFrame, writeFrame } from '../../src/http/websocket/index.ts'
import { utf8 } from '../../src/wire/index.ts'
import { FakeHost, freshConnection, get, movedConnection, responses } from '../support/connection-scene.ts'
import { eventually } from '../support/platform.ts'
import { UPGRADE } from '../support/upgrade.ts'

const path = (url: string): string => fileURLToPath(new URL(`../../${url}`, import.meta.url))
const PAGE = readFileSync(path('docs/functions.md'), 'utf8')
/** The modules on the page, by the names in their first lines. */
const MODULES = new Map(
  [...PAGE.matchAll(/^```js\n\/\/ (\S+)\n([\s\S]*?)^```$/gm)].map(([, name, text]) => [name!, text!]),
)

let directory: string

/** As a user's project: the modules, and beside them what they import. */
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'hotpotato-functions-'))
  mkdirSync(join(directory, 'node_modules'))
  for (const name of ['express', 'hono'])
    symlinkSync(path(`node_modules/${name}`), join(directory, 'node_modules', name))
  mkdirSync(join(directory, 'node_modules', '@hotpotato-tls'))
  symlinkSync(dirname(path('package.json')), join(directory, 'node_modules', '@hotpotato-tls', 'hotpotato'))
  for (const [name, text] of MODULES) {
    const file = join(directory, name)
    writeFileSync(join(mkdirp(dirname(file)), 'package.json'), packageOf(name))
    writeFileSync(file, text)
  }
})
afterAll(() => rmSync(directory, { recursive: true }))

function mkdirp(folder: string): string {
  mkdirSync(folder, { recursive: true })
  return folder
}

/** Whatever lies in the directories above is another project. One of OpenFaaS has a package of its own. */
const packageOf = (name: string): string =>
  name.includes('/') ? '{ "main": "handler.js" }' : '{ "private": true, "type": "module" }'

/** A container of that module. */
async function hostOf(name: string): Promise<FakeHost> {
  const host = new FakeHost()
  host.module = await loadFunction(`./${name}`, directory, name.includes('/') ? 'node22' : undefined)
  Object.assign(host, { environment: { DEFAULT_NAME: 'world' } })
  return host
}

/** The end of content in chunks, with trailers or without. */
const LAST_CHUNK = /\r\n0\r\n(\S+: .*\r\n)*\r\n$/

/** What it answers to a request. */
async function answer(name: string, request: string) {
  const { stream } = freshConnection(await hostOf(name), request)
  let all = ''
  return eventually(() => {
    all += String.fromCharCode(...stream.take())
    const bytes = Uint8Array.from(all, character => character.charCodeAt(0))
    const [head] = bytes.length > 0 ? responses(bytes, 1) : []
    const whole = head?.headers['transfer-encoding'] === 'chunked' ? LAST_CHUNK.test(all) : true
    const { 'content-length': length } = head?.headers ?? {}
    return head !== undefined && whole && (length === undefined || head.body.length === Number(length))
      ? head
      : undefined
  }, `${name} does not answer`)
}

describe('the modules of docs/functions.md', () => {
  const tried = new Set<string>()
  const named = (name: string): string => {
    tried.add(name)
    return name
  }

  it.each<[name: string, request: string, expected: { status?: number; body: string }]>([
    ['greet.mjs', get('/echo/x?name=you'), { status: 200, body: '{"hello":"you","path":"/x"}' }],
    ['greet.mjs', get('/echo'), { body: '{"hello":"world","path":"/"}' }],
    ['greet-raw.mjs', get('/echo'), { status: 405, body: 'POST only\n' }],
    [
      'greet-raw.mjs',
      'POST /echo/up HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc',
      { status: 200, body: '/up: 3 bytes\n' },
    ],
    ['clock.mjs', get('/echo'), { body: 'id: 0\ndata: tick\n\nid: 1\ndata: tick\n\nid: 2\ndata: tick\n\n' }],
    ['checksum.mjs', get('/echo'), { body: 'a page' }],
    ['chat.mjs', get('/echo'), { body: 'There is a WebSocket here.\n' }],
    ['app-express.mjs', get('/echo/users/7'), { body: '{"id":"7","secure":false}' }],
    ['greeter/handler.js', get('/echo?name=you'), { body: 'hello you\n' }],
    ['app-hono.mjs', get('/echo/users/7'), { body: '{"id":"7"}' }],
  ])('%s does what it says: %j', async (name, request, expected) => {
    expect(await answer(named(name), request)).toMatchObject({ status: 200, ...expected })
  })

  it('chat.mjs counts its messages, and counts on where it has moved', async () => {
    const host = await hostOf('chat.mjs')
    host.available.add('echo')
    const ask = get('/echo', `${UPGRADE}Sec-WebSocket-Protocol: chat\r\n`)
    const { connection, stream } = freshConnection(host, ask)
    expect(String.fromCharCode(...stream.take())).toMatch(
      /^HTTP\/1.1 101 [\s\S]*sec-websocket-protocol: chat/i,
    )
    const say = (text: string) => writeFrame(Opcode.TEXT, utf8(text), { mask: new Uint8Array(4) })
    const heard = async (from: typeof stream) => {
      const frame = await eventually(() => readFrame(from.take(), false, 1000), 'nothing is said')
      return frame.opcode === Opcode.TEXT ? new TextDecoder().decode(frame.payload) : frame.opcode
    }
    stream.receive(say('hello'))
    expect(await heard(stream)).toBe('1: hello')
    connection.drain(true)
    const [offer] = await eventually(
      () => (host.offers.length > 0 ? host.offers : undefined),
      'it does not move',
    )
    const moved = movedConnection(await hostOf('chat.mjs'), await offer!.frozen)
    moved.stream.receive(say('bye'))
    expect(await heard(moved.stream)).toBe('2: bye')
    expect(await heard(moved.stream)).toBe(Opcode.CLOSE)
  })

  it('are all tried here', () => {
    expect([...MODULES.keys()].toSorted()).toEqual([...tried].toSorted())
  })
})

it('docs/http.md tells every limit, with its counter and its error', () => {
  const rows = [
    ...readFileSync(path('docs/http.md'), 'utf8').matchAll(/^\| `http2(\w)(\w+)` \|.*\| (\w*) ?\|$/gm),
  ]
  const told = rows.map(([, first, rest, error]) => [first!.toLowerCase() + rest!, error])
  expect(told).toEqual(
    Object.keys(noneExceeded()).map(name => [name, { ...LIMIT_ERRORS, failed: '' }[name as 'failed']]),
  )
})
