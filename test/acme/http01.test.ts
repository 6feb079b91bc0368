import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { Http01Server } from '../../src/acme/http01.ts'
import { TlsAlpnServer } from '../../src/acme/tls-alpn.ts'
import { SYSTEM_CLOCK } from '../../src/time/system-clock.ts'
import { node } from '../../src/tls13/crypto/node.ts'
import { freePorts } from '../support/pebble.ts'

const TOKEN = 'evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA'
const PATH = `/.well-known/acme-challenge/${TOKEN}`
const PROOF = { type: 'http-01', name: 'a.test', token: TOKEN, keyAuthorization: `${TOKEN}.x` } as const

let port: number
let server: Http01Server

beforeEach(async () => {
  port = (await freePorts(1))[0]!
  server = await Http01Server.listen('127.0.0.1', port)
  await server.show(PROOF)
})
afterEach(() => server.close())

async function answered(line: string): Promise<string> {
  const socket = connect(port, '127.0.0.1').setEncoding('latin1')
  let text = ''
  socket.on('data', (more: string) => {
    text += more
  })
  socket.on('error', () => {})
  socket.write(`${line}\r\nhost: a.test\r\n\r\n`)
  await once(socket, 'close')
  return text
}

it.each([
  ['GET', PATH, /^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\nevaG\S+\.x$/],
  ['GET', `http://a.test${PATH}`, /^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\nevaG\S+\.x$/],
  ['HEAD', PATH, /^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\n$/],
  ['POST', PATH, /^HTTP\/1\.1 404 /],
  ['GET', `${PATH}x`, /^HTTP\/1\.1 404 /],
  ['GET', '/.well-known/acme-challenge/', /^HTTP\/1\.1 404 /],
  ['GET', `/.well-known/acme-challenge/../acme-challenge/${TOKEN}`, /^HTTP\/1\.1 404 /],
  ['GET', '/.well-known/acme-challenge/%00', /^HTTP\/1\.1 404 /],
])('where no platform runs, %s %s', async (method, target, expected) => {
  expect(await answered(`${method} ${target} HTTP/1.1`)).toMatch(expected)
})

it('a port that is taken is named, with what to do', async () => {
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  const { port: number } = taken.address() as { port: number }
  const said = `port ${number} cannot be listened on (EADDRINUSE): let the platform answer (hotpotato up), `
  const place = { port: number, host: '127.0.0.1' }
  for (const listening of [
    Http01Server.listen('127.0.0.1', number),
    TlsAlpnServer.listen(node, SYSTEM_CLOCK, place),
  ])
    await expect(listening).rejects.toThrow(said)
  taken.close()
})
