import { once } from 'node:events'
import { connect as connectHttp2 } from 'node:http2'
import { connect } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Listener, type Opening } from '../../src/gateway/listener.ts'
import { GatewayProofs, PROOF } from '../../src/gateway/proofs.ts'
import { Routing } from '../../src/gateway/routing.ts'
import { DEFAULT_LIMITS } from '../../src/http/h1/limits.ts'
import { MemoryBudget } from '../../src/http/memory-budget.ts'
import type { GatewayOptions } from '../../src/platform/gateway-settings.ts'
import { type BoundPort, bindPort } from '../../src/supervisor/ports.ts'
import { SYSTEM_CLOCK } from '../../src/time/system-clock.ts'
import { NO_PROOFS } from '../../src/transfer/control.ts'
import { eventually } from '../support/platform.ts'

const TOKEN = 'evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA'
const CONTENT = `${TOKEN}.9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI`
const PATH = `/.well-known/acme-challenge/${TOKEN}`

let bound: BoundPort
let listener: Listener<string>
let proofs: GatewayProofs
let port: number
/** What went to functions. */
let routed: Opening<string>[]
let faults: unknown[]

beforeEach(async () => {
  bound = await bindPort('127.0.0.1', 0)
  routed = []
  faults = []
  const onFault = (error: unknown): void => void faults.push(error)
  proofs = new GatewayProofs({ clock: SYSTEM_CLOCK, http1: DEFAULT_LIMITS, onFault })
  proofs.change({ pages: [{ token: TOKEN, content: CONTENT }], responder: '' })
  const options = {
    routes: [{ host: 'a.test', function: 'shop' }],
    functionNames: ['shop'],
    defaultFunction: undefined,
    http1: DEFAULT_LIMITS,
    helloBytes: 16_384,
    http: 80,
  } as unknown as GatewayOptions
  const routing = new Routing(options, SYSTEM_CLOCK, proofs)
  listener = new Listener({
    descriptor: bound.fd,
    clock: SYSTEM_CLOCK,
    judge: () => routing.ofRequest(),
    timeout: 60_000,
    limit: 10,
    memory: new MemoryBudget(),
    crowded: () => new Uint8Array(),
    onOpening: opening => {
      if (opening.to === PROOF) proofs.take(opening, false)
      else {
        routed.push(opening)
        opening.stream.destroy()
      }
    },
    onDropped: () => {},
    onFault,
  })
  port = await listener.listen()
})
afterEach(() => {
  expect(faults).toEqual([])
  listener.close()
  bound.close()
})

/** @returns all that is answered to these bytes, sent in pieces, until the end; empty: a function has it */
async function answered(...pieces: string[]): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true }).setEncoding('latin1')
  let text = ''
  socket.on('data', (more: string) => {
    text += more
  })
  socket.on('error', () => {})
  for (const piece of pieces) {
    socket.write(piece)
    await new Promise(resolve => setImmediate(resolve))
  }
  await once(socket, 'close')
  return text
}

const asked = (line: string, more = ''): string => `${line}\r\nhost: a.test\r\n${more}\r\n`

describe('a page that an authority looks for is shown', () => {
  const OK = new RegExp(
    `^HTTP/1\\.1 200 OK\\r\\n(?=[^]*content-type: application/octet-stream\\r\\n)` +
      `(?=[^]*content-length: ${CONTENT.length}\\r\\n)(?=[^]*connection: close\\r\\n)` +
      `[^]*\\r\\n\\r\\n${CONTENT.replace('.', '\\.')}$`,
    'i',
  )
  it.each([
    ['in origin-form', [asked(`GET ${PATH} HTTP/1.1`)]],
    ['in absolute-form', [asked(`GET http://a.test${PATH} HTTP/1.1`)]],
    ['with a long head', [asked(`GET ${PATH} HTTP/1.1`, `x: ${'x'.repeat(6000)}\r\n`)]],
    ['in pieces', ['GE', `T ${PATH.slice(0, 30)}`, `${PATH.slice(30)} HTTP/1.1\r\nho`, 'st: a.test\r\n\r\n']],
    ['to HTTP/1.0 without a host', [`GET ${PATH} HTTP/1.0\r\n\r\n`]],
    ['whatever the host', [`GET ${PATH} HTTP/1.1\r\nhost: unknown.test:8080\r\n\r\n`]],
    ['with keep-alive', [asked(`GET ${PATH} HTTP/1.1`, 'connection: keep-alive\r\n')]],
    ['once, when others are pipelined behind', [asked(`GET ${PATH} HTTP/1.1`) + asked('GET / HTTP/1.1')]],
    ['with a query', [asked(`GET ${PATH}?x=1 HTTP/1.1`)]],
    ['with a body', [asked(`GET ${PATH} HTTP/1.1`, 'content-length: 3\r\n'), 'abc']],
  ])('%s', async (_, pieces) => {
    expect(await answered(...pieces)).toMatch(OK)
    expect([proofs.shown, routed.length]).toEqual([1, 0])
  })

  it('to HEAD without its content', async () => {
    const text = await answered(asked(`HEAD ${PATH} HTTP/1.1`))
    expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\n$/)
    expect(text.toLowerCase()).toContain(`content-length: ${CONTENT.length}\r\n`)
  })

  it('by HTTP/2 to a client that speaks it, with prior knowledge', async () => {
    const client = connectHttp2(`http://127.0.0.1:${port}`)
    for (const method of ['GET', 'HEAD']) {
      const one = method === 'GET' ? client : connectHttp2(`http://127.0.0.1:${port}`)
      const stream = one.request({ ':method': method, ':path': PATH, ':authority': 'a.test' })
      let body = ''
      stream.setEncoding('utf8').on('data', (text: string) => {
        body += text
      })
      const [[headers]] = await Promise.all([once(stream, 'response'), once(stream, 'close')])
      expect([headers[':status'], body]).toEqual([200, method === 'GET' ? CONTENT : ''])
      one.destroy()
    }
  })
})

describe('what is for functions stays theirs', () => {
  const REST = '/.well-known/acme-challenge/'
  it.each([
    ['another token', `GET ${REST}${TOKEN}x HTTP/1.1`],
    ['no token', `GET ${REST} HTTP/1.1`],
    ['a token behind others', `GET ${REST}../acme-challenge/${TOKEN} HTTP/1.1`],
    ['a way up', `GET ${REST}../../etc/passwd HTTP/1.1`],
    ['a way up, encoded', `GET ${REST}%2e%2e%2f%2e%2e%2fetc%2fpasswd HTTP/1.1`],
    ['an encoded token', `GET ${REST}%65${TOKEN.slice(1)} HTTP/1.1`],
    ['a token of 6000 letters', `GET ${REST}${'a'.repeat(6000)} HTTP/1.1`],
    ['another method', `POST ${PATH} HTTP/1.1`],
    ['deletion', `DELETE ${PATH} HTTP/1.1`],
  ])('%s', async (_, line) => {
    expect(await answered(asked(line))).toBe('')
    await eventually(() => routed.length === 1 || undefined, 'it went to no function')
    expect([routed[0]!.to, proofs.shown]).toEqual(['shop', 0])
  })

  it('every page, when no proof is shown', async () => {
    proofs.change(NO_PROOFS)
    expect(await answered(asked(`GET ${PATH} HTTP/1.1`))).toBe('')
    await eventually(() => routed.length === 1 || undefined, 'it went to no function')
  })

  it('and what makes no sense is refused', async () => {
    expect(await answered(asked(`GET ${PATH.replace('-', ' ')} HTTP/1.1`))).toMatch(/^HTTP\/1\.1 400 /)
    expect(await answered(asked(`GET ${REST}\0${TOKEN} HTTP/1.1`))).toMatch(/^HTTP\/1\.1 400 /)
  })
})
