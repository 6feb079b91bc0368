import { readFileSync } from 'node:fs'
import { afterAll, describe, expect, it } from 'vitest'
import { readCommandLine } from '../../../src/cli/line/command-line.ts'
import { stressed } from '../../../src/cli/stress/stress.ts'
import { TABLE } from '../../../src/cli/table.ts'
import { Client } from '../../../src/client/index.ts'
import { sample } from '../../support/long.ts'
import { startHaproxy } from '../../support/peers/haproxy.ts'
import { PEERS, type Peer } from '../../support/peers/servers.ts'
import { Certificates, has, run } from '../../support/tls-programs.ts'

/** Servers of others, which count what they are asked. */
const files = await Certificates.make()
const pem = (name: string): string => readFileSync(files.file(name), 'utf8')
const identity = { cert: pem('localhost.crt'), key: pem('localhost.key') }
const closers: (() => unknown)[] = [() => files.remove()]
afterAll(async () => {
  for (const close of closers.reverse()) await close()
})

interface Result {
  readonly answers: number
  readonly failures: number
  readonly bytes: { readonly content: number }
  readonly statuses: Readonly<Record<string, number>>
}

async function load(...words: string[]): Promise<Result> {
  const given = ['stress', ...words, '--ca', files.file('ca.crt'), '--json']
  const line = await readCommandLine(given, {}, TABLE)
  if (line.kind !== 'command') throw new Error('no command')
  const never = new AbortController().signal
  return JSON.parse((await stressed(line.words, line.options as never, never)).report) as Result
}

async function started(name: string): Promise<Peer> {
  const peer = await PEERS[name]!.start(identity)
  closers.push(() => peer.close())
  return peer
}

for (const name of sample(['nginx, HTTP/2', 'nginx, HTTP/1.1', 'node:http2', 'node:https'], 2))
  describe.skipIf(PEERS[name]!.missing)(`stress of ${name} (${PEERS[name]!.note})`, () => {
    const http2 = PEERS[name]!.protocol === 'h2' ? ['--http2', '-m', '10'] : []

    it('has every answer once, as a client of our own and the server count', async () => {
      const { url } = await started(name)
      const client = new Client({ tls: { ca: pem('ca.crt') } })
      closers.push(() => client.close())
      const seen = async (): Promise<number> => {
        const text = await (await client.fetch(`${url}/status`)).text()
        return Number(/handled requests\n +\d+ +\d+ +(\d+)/.exec(text)?.[1])
      }
      const before = await seen()
      const small = await load(`${url}/small`, '-c', '1', '-n', '1300', ...http2)
      expect(small).toMatchObject({ answers: 1300, failures: 0, bytes: { content: 1300 * 5 } })
      // A connection of HTTP/2 ends after so many requests (keepalive_requests): those are asked again.
      if (name.startsWith('nginx')) expect((await seen()) - before).toBe(1301)
      // Node refuses more streams where 10 MB of answers wait for one client.
      const few = http2.length === 0 ? [] : ['--http2', '-m', '3']
      const large = await load(`${url}/large`, '-c', '2', '-n', '6', ...few)
      expect(large).toMatchObject({ answers: 6, failures: 0, bytes: { content: 6 * 3_000_000 } })
    })

    it.skipIf(!has('h2load'))('counts what h2load counts (Debian package nghttp2-client)', async () => {
      const { url } = await started(name)
      const words = ['-c', '2', '-n', '40']
      const how = http2.length === 0 ? ['--h1'] : ['-m', '10']
      const { stdout } = await run('h2load', [...words, ...how, `${url}/small`])
      const [, succeeded] = /(\d+) succeeded/.exec(stdout)!
      const [, content] = /\((\d+)\) data/.exec(stdout)!
      const { answers, bytes } = await load(`${url}/small`, ...words, ...http2)
      expect([answers, bytes.content]).toEqual([Number(succeeded), Number(content)])
    })
  })

describe.skipIf(!has('haproxy'))('stress of haproxy (Debian package haproxy)', () => {
  it.each(['h2', 'http/1.1'])('in front of a server: %s', async alpn => {
    const behind = await PEERS['node:http']!.start(identity)
    closers.push(() => behind.close())
    const front = await startHaproxy(files.directory, identity, alpn, new URL(behind.url).port)
    closers.push(() => front.close())
    const how = alpn === 'h2' ? ['--http2', '-m', '5'] : []
    expect(await load(`${front.url}/small`, '-c', '2', '-n', '100', ...how)).toMatchObject({
      answers: 100,
      statuses: { 200: 100 },
      bytes: { content: 500 },
    })
  })
})
