import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { node } from '../../src/tls13/crypto/node.ts'
import { Session } from '../../src/tls13/session.ts'
import { Capture } from '../../src/trace/capture.ts'
import type { Side } from '../../src/trace/event.ts'
import { concat, hex, utf8 } from '../../src/wire/index.ts'
import { noteOf, versionOf } from '../support/interop/program.ts'
import { clientConfig, serverConfig } from '../support/pair.ts'

const TSHARK = versionOf('tshark')
const AT = Date.UTC(2030, 0, 1, 12)

/** A connection that says something both ways, captured; each of its pieces, too. */
function captured(capture = new Capture(), path = '/potato') {
  const connection = capture.open()
  const said: { readonly side: Side; readonly bytes: Uint8Array }[] = []
  const client = Session.client(
    clientConfig({
      ...{ provider: node, random: node.random },
      onSecret: (exposed, clientRandom) => capture.secret(exposed, clientRandom),
    }),
  )
  const server = Session.server(serverConfig({ provider: node, random: node.random }))
  let at = AT
  const carry = (): void => {
    for (let moved = true; moved; ) {
      moved = false
      for (const [side, from, to] of [
        ['client', client, server],
        ['server', server, client],
      ] as const)
        for (const bytes of from.takeOutput()) {
          said.push({ side, bytes: bytes.slice() })
          capture.bytes(connection, side, bytes, at++)
          to.receive(bytes)
          moved = true
        }
    }
  }
  carry()
  client.send(utf8(`GET ${path} HTTP/1.1\r\nHost: echo.local\r\n\r\n`))
  carry()
  client.updateKeys(true)
  client.send(utf8(`GET ${path}/again HTTP/1.1\r\nHost: echo.local\r\n\r\n`))
  carry()
  // More than fits into one packet.
  server.send(utf8(`HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\n${'x'.repeat(50_000)}`))
  carry()
  return { capture, said }
}

interface Block {
  readonly type: number
  readonly body: Uint8Array
}

/** The blocks of a file, as the format has them. */
function blocksOf(file: Uint8Array): Block[] {
  const view = new DataView(file.buffer, file.byteOffset, file.length)
  const blocks: Block[] = []
  for (let at = 0; at < file.length; ) {
    const length = view.getUint32(at + 4)
    expect([length % 4, view.getUint32(at + length - 4)]).toEqual([0, length])
    blocks.push({ type: view.getUint32(at), body: file.subarray(at + 8, at + length - 4) })
    at += length
  }
  return blocks
}

describe('a capture as a file', () => {
  it('has its secrets before its packets, whose bytes are those that were said', () => {
    const { capture, said } = captured()
    const blocks = blocksOf(capture.file())
    expect(blocks.slice(0, 3).map(({ type }) => type)).toEqual([0x0a0d0d0a, 1, 10])
    expect(hex(blocks[0]!.body)).toBe('1a2b3c4d00010000ffffffffffffffff')
    const secrets = Buffer.from(blocks[2]!.body)
    expect(secrets.toString('latin1', 0, 4)).toBe('TLSK')
    const log = secrets.toString('latin1', 8, 8 + secrets.readUInt32BE(4))
    expect(log).toMatch(/^(CLIENT|SERVER)_HANDSHAKE_TRAFFIC_SECRET [0-9a-f]{64} [0-9a-f]{64}\n/)
    const packets = blocks.slice(3).map(({ type, body }) => {
      expect(type).toBe(6)
      const packet = Buffer.from(body)
      const length = packet.readUInt32BE(12)
      const at = (packet.readUInt32BE(4) * 2 ** 32 + packet.readUInt32BE(8)) / 1000
      return {
        at,
        side: packet[20 + 15] === 1 ? 'client' : 'server',
        bytes: packet.subarray(60, 20 + length),
      }
    })
    expect(packets[0]!.at).toBe(AT)
    for (const side of ['client', 'server'])
      expect(concat(...packets.filter(one => one.side === side).map(({ bytes }) => bytes))).toEqual(
        concat(...said.filter(one => one.side === side).map(({ bytes }) => bytes)),
      )
  })

  it('of nothing is a file that holds nothing', () => {
    expect(blocksOf(new Capture().file()).map(({ type }) => type)).toEqual([0x0a0d0d0a, 1])
  })

  it('keeps 64 MiB, and says how much came beyond', () => {
    const capture = new Capture()
    const number = capture.open()
    for (let piece = 0; piece < 65; piece++) capture.bytes(number, 'client', new Uint8Array(2 ** 20), AT)
    expect(capture.leftOut).toBe(2 ** 20)
  })
})

describe.skipIf(TSHARK === undefined)(`${noteOf(TSHARK, 'tshark', 'tshark')} opens it decrypted`, () => {
  const directory = mkdtempSync(join(tmpdir(), 'hotpotato-capture-'))
  afterAll(() => rmSync(directory, { recursive: true }))

  it('without any other file: two connections, and what was said behind a KeyUpdate', () => {
    const { capture } = captured()
    captured(capture, '/other')
    const file = join(directory, 'connections.pcapng')
    writeFileSync(file, capture.file())
    const fields = ['-Y', 'http', '-T', 'fields', '-e', 'http.request.uri', '-e', 'http.response.code']
    const { stdout, stderr, status } = spawnSync('tshark', ['-r', file, ...fields], { encoding: 'utf8' })
    expect(status, stderr).toBe(0)
    const seen = stdout.split(/\s+/).filter(text => text !== '')
    expect(seen).toEqual(['/potato', '/potato/again', '200', '/other', '/other/again', '200'])
  })
})
