import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Client } from '../../src/client/index.ts'
import { LARGE, PEERS, type Peer, pattern, sha } from '../support/peers/servers.ts'
import { Certificates } from '../support/tls-programs.ts'

/** Servers of others: each case against each of them. */
const files = await Certificates.make()
const pem = (name: string): string => readFileSync(files.file(name), 'utf8')
const identity = { cert: pem('localhost.crt'), key: pem('localhost.key') }
const ca = pem('ca.crt')
afterAll(() => files.remove())

for (const [name, { note, missing, echoes, start }] of Object.entries(PEERS)) {
  describe.skipIf(missing)(`a client of ${name} (${note})`, () => {
    let peer: Peer
    const client = new Client({ tls: { ca } })
    beforeAll(async () => {
      peer = await start(identity)
    })
    afterAll(async () => {
      await client.close()
      await peer.close()
    })

    it('gets what is small, again and again', async () => {
      for (let i = 0; i < 3; i++) {
        const response = await client.fetch(`${peer.url}/small`)
        expect([response.status, response.url]).toEqual([200, `${peer.url}/small`])
        expect(await response.text()).toBe('hello')
      }
    })

    it('gets what is large, as it comes', async () => {
      const response = await client.fetch(`${peer.url}/large`)
      const pieces: Uint8Array[] = []
      for await (const piece of response.body!) pieces.push(piece)
      expect(pieces.length).toBeGreaterThan(3)
      expect(sha(Buffer.concat(pieces))).toBe(sha(pattern(LARGE)))
    })

    it('gets many at once', async () => {
      const all = Array.from({ length: 20 }, async () => (await client.fetch(`${peer.url}/small`)).text())
      expect(new Set(await Promise.all(all))).toEqual(new Set(['hello']))
    })

    it('gives up in the middle, and goes on with others', async () => {
      const control = new AbortController()
      const response = await client.fetch(`${peer.url}/large`, { signal: control.signal })
      const reader = response.body!.getReader()
      await reader.read()
      control.abort()
      await expect(reader.read().then(() => reader.read())).rejects.toThrow(/abort/i)
      expect(await (await client.fetch(`${peer.url}/small`)).text()).toBe('hello')
    })

    it.runIf(echoes)('sends content, whole and as it comes', async () => {
      const content = pattern(1_000_000)
      const whole = await client.fetch(`${peer.url}/echo`, { method: 'POST', body: content })
      expect([whole.headers.get('x-method'), await whole.text()]).toEqual(['POST', sha(content)])
      let at = 0
      const body = new ReadableStream<Uint8Array>({
        pull(controller) {
          controller.enqueue(content.slice(at, at + 10_000))
          at += 10_000
          if (at >= content.length) controller.close()
        },
      })
      const streamed = await client.fetch(`${peer.url}/echo`, { method: 'PUT', body })
      expect([streamed.headers.get('x-method'), await streamed.text()]).toEqual(['PUT', sha(content)])
    })
  })
}
