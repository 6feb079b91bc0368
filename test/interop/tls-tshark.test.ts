import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import type { ClientConfig, SessionEvent } from '../../src/tls13/config.ts'
import { node } from '../../src/tls13/crypto/node.ts'
import { keyLogLine } from '../../src/tls13/key-log.ts'
import type { ExposedSecret } from '../../src/tls13/key-schedule.ts'
import { createReplayStore } from '../../src/tls13/replay.ts'
import { Session } from '../../src/tls13/session.ts'
import { utf8 } from '../../src/wire/index.ts'
import { SUITES } from '../support/interop/matrix.ts'
import { type Packet, pcapOf } from '../support/interop/pcap.ts'
import { noteOf, versionOf } from '../support/interop/program.ts'
import { LONG, sample } from '../support/long.ts'
import { clientConfig, serverConfig, ticketSealer } from '../support/pair.ts'

/*
 * Wireshark's dissector reads conversations of ours, both sides, with nothing but our key log. The capture
 * file is written from the bytes that went to and fro, not captured from a network, which needs privileges.
 */

const TSHARK = versionOf('tshark')
const NOTE = noteOf(TSHARK, 'tshark', 'tshark')

const directory = mkdtempSync(join(tmpdir(), 'hotpotato-tshark-'))
afterAll(() => rmSync(directory, { recursive: true }))

/** A client and a server that write down what they say to each other, and their secrets. */
function conversation(suite: string, logs: 'client' | 'server', options: Partial<ClientConfig> = {}) {
  const packets: Packet[] = []
  const log: string[] = []
  const onSecret = (exposed: ExposedSecret, clientRandom: Uint8Array): void => {
    const line = keyLogLine(exposed, clientRandom)
    if (line !== undefined) log.push(line)
  }
  const provider = { ...node, cipherSuites: node.cipherSuites.filter(({ name }) => name === suite) }
  const common = { provider, random: node.random }
  const client = Session.client(
    clientConfig({ ...common, ...(logs === 'client' ? { onSecret } : {}), ...options }),
  )
  const server = Session.server(
    serverConfig({
      ...common,
      ...(logs === 'server' ? { onSecret } : {}),
      tickets: { sealer: ticketSealer() },
      earlyData: { maximum: 1000, replay: createReplayStore() },
    }),
  )
  const events: SessionEvent[] = []
  const carry = (): void => {
    for (let moved = true; moved; ) {
      moved = false
      for (const [from, one, other] of [
        ['client', client, server],
        ['server', server, client],
      ] as const) {
        for (const bytes of one.takeOutput()) {
          packets.push({ from, bytes: bytes.slice() })
          const heard = other.receive(bytes)
          if (other === client) events.push(...heard)
          moved = true
        }
      }
    }
  }
  const ask = (path: string): void => {
    client.send(utf8(`GET ${path} HTTP/1.1\r\nHost: echo.local\r\n\r\n`))
    carry()
    server.send(utf8('HTTP/1.1 204 No Content\r\n\r\n'))
    carry()
  }
  return { packets, log, client, server, events, carry, ask }
}

/** The paths of the requests that tshark sees. */
function requestsSeen(connections: readonly (readonly Packet[])[], log: readonly string[]): string[] {
  const pcap = join(directory, 'session.pcap')
  const keys = join(directory, 'keys.log')
  writeFileSync(pcap, pcapOf(connections))
  writeFileSync(keys, `${log.join('\n')}\n`)
  const options = [
    '-o',
    `tls.keylog_file:${keys}`,
    '-Y',
    'http.request',
    '-T',
    'fields',
    '-e',
    'http.request.uri',
  ]
  const { stdout, stderr, status } = spawnSync('tshark', ['-r', pcap, ...options], { encoding: 'utf8' })
  if (status !== 0) throw new Error(stderr)
  return stdout.split(/[\n,]/).filter(path => path !== '')
}

describe.skipIf(TSHARK === undefined)(`${NOTE} reads what we say`, () => {
  const CASES = SUITES.flatMap((suite, turn) =>
    // In a short run, by turns.
    (['client', 'server'] as const).filter((_, at) => LONG || at === turn % 2).map(logs => ({ suite, logs })),
  )
  it.each(CASES)('$suite, key log of the $logs: full handshake and KeyUpdates', ({ suite, logs }) => {
    const one = conversation(suite, logs)
    one.carry()
    one.ask('/before')
    one.client.updateKeys(true)
    one.ask('/after')
    one.server.updateKeys(false)
    one.ask('/again')
    expect(requestsSeen([one.packets], one.log)).toEqual(['/before', '/after', '/again'])
  })

  it.each(sample(SUITES, 1))('%s: a resumed session, with early data', suite => {
    const first = conversation(suite, 'server')
    first.carry()
    first.ask('/first')
    const event = first.events.find(({ type }) => type === 'new_session_ticket')
    if (event?.type !== 'new_session_ticket') throw new Error('no ticket')
    const second = conversation(suite, 'client', { resume: event.ticket, earlyData: true })
    second.client.sendEarly(utf8('GET /early HTTP/1.1\r\nHost: echo.local\r\n\r\n'))
    second.carry()
    expect(second.server.inspect().resumed).toBe(true)
    second.server.send(utf8('HTTP/1.1 204 No Content\r\n\r\n'))
    second.carry()
    second.client.updateKeys(true)
    second.ask('/late')
    const paths = requestsSeen([first.packets, second.packets], [...first.log, ...second.log])
    expect(paths).toEqual(['/first', '/early', '/late'])
  })

  it('without the key log, nothing', () => {
    const one = conversation(SUITES[0], 'server')
    one.carry()
    one.ask('/secret')
    expect(requestsSeen([one.packets], [])).toEqual([])
  })
})
