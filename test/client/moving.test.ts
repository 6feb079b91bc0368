import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Client, ClientConnectionState, type ClientOptions } from '../../src/client/index.ts'
import type { Connector } from '../../src/transport/connector.ts'
import { decode } from '../../src/wire/index.ts'
import { LARGE, PEERS, type Peer, pattern, sha } from '../support/peers/servers.ts'
import { Certificates } from '../support/tls-programs.ts'

/** A client's live connections go to another client, against servers of others. */
const files = await Certificates.make()
const pem = (name: string): string => readFileSync(files.file(name), 'utf8')
const identity = { cert: pem('localhost.crt'), key: pem('localhost.key') }
afterAll(() => files.remove())

const begin = (): Client => new Client({ tls: { ca: pem('ca.crt') }, decode: false })
/** For clients that have nothing but what they were given. */
const connector: Connector = { connect: () => Promise.reject(new Error('there is no way out')) }
const HEIR: ClientOptions = { connector, decode: false }

async function read(reader: ReadableStreamDefaultReader<Uint8Array>, pieces: Uint8Array[]): Promise<boolean> {
  const { done, value } = await reader.read()
  if (value !== undefined) pieces.push(value)
  return !done
}

describe.each(Object.entries(PEERS))(
  'connections to %s',
  (name, { note, missing, protocol, echoes, start }) => {
    describe.skipIf(missing)(`(${note})`, () => {
      let peer: Peer
      beforeAll(async () => {
        peer = await start(identity)
      })
      afterAll(() => peer.close())

      it.skipIf(name.startsWith('openssl'))('go on where they were idle', async () => {
        const first = begin()
        expect(await (await first.fetch(`${peer.url}/small`)).text()).toBe('hello')
        const released = await first.release()
        expect(released.length).toBe(1)
        const { version, origin, application } = decode(ClientConnectionState, released[0]!.state)
        expect([version, origin, application.protocol]).toEqual([1, peer.url, protocol])
        await expect(first.fetch(`${peer.url}/small`)).rejects.toMatchObject({ kind: 'aborted' })
        const { client, responses } = Client.restore(released, HEIR)
        expect(responses).toEqual([])
        for (let i = 0; i < 2; i++)
          expect(await (await client.fetch(`${peer.url}/small`)).text()).toBe('hello')
        await client.close()
      })

      it('go on in the middle of a response, again and again', async () => {
        let client = begin()
        const asked = client.fetch(`${peer.url}/large`, { label: 'mine' })
        let reader = (await asked).body!.getReader()
        const pieces: Uint8Array[] = []
        let hops = 0
        while (await read(reader, pieces)) {
          if (hops === 8) continue
          const released = await client.release()
          if (released.length === 0) continue
          hops++
          await expect(reader.read()).rejects.toMatchObject({ kind: 'aborted' })
          const heir = Client.restore(released, HEIR)
          expect(heir.responses.map(({ label, method, url }) => [label, method, url])).toEqual([
            ['mine', 'GET', `${peer.url}/large`],
          ])
          client = heir.client
          const response = await heir.responses[0]!.response
          expect(response.status).toBe(200)
          reader = response.body!.getReader()
        }
        expect(hops).toBe(8)
        expect(sha(Buffer.concat(pieces))).toBe(sha(pattern(LARGE)))
        await client.close()
      })

      it.runIf(protocol === 'h2')('go on with several streams open', async () => {
        const first = begin()
        const streams = await Promise.all(
          ['a', 'b', 'c'].map(async label => {
            const response = await first.fetch(`${peer.url}/large`, { label })
            const pieces: Uint8Array[] = []
            await read(response.body!.getReader(), pieces)
            return [label, pieces] as const
          }),
        )
        const { client, responses } = Client.restore(await first.release(), HEIR)
        const all = new Map(streams)
        for (const { label, response } of responses) {
          for await (const piece of (await response).body!) all.get(label)!.push(piece)
        }
        for (const pieces of all.values()) expect(sha(Buffer.concat(pieces))).toBe(sha(pattern(LARGE)))
        expect(await (await client.fetch(`${peer.url}/small`)).text()).toBe('hello')
        await client.close()
      })

      it.runIf(echoes)('go on before the response has begun', async () => {
        const first = begin()
        let onInformational: (() => void) | undefined
        const asked = new Promise<void>(resolve => {
          onInformational = resolve
        })
        const failed = first.fetch(`${peer.url}/slow`, { label: 'later', onInformational })
        const heard = expect(failed).rejects.toMatchObject({ kind: 'aborted' })
        await asked
        const released = await first.release()
        await heard
        const { client, responses } = Client.restore(released, HEIR)
        expect(responses.map(({ label }) => label)).toEqual(['later'])
        expect(await (await responses[0]!.response).text()).toBe('slowly')
        await client.close()
      })
    })
  },
)
