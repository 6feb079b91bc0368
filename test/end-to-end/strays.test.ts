import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { header } from '../../src/http/message.ts'
import { Client } from '../support/client.ts'
import { eventually, Platform } from '../support/platform.ts'

/** Throws outside of its calls when it is asked to; the rest of its paths are those of a good function. */
const ODD = `
import { setTimeout as wait } from 'node:timers/promises'
const never = new Promise(() => {})
export default {
  async fetch(request, env, { functionPath }) {
    if (functionPath === '/timer') {
      setTimeout(() => { throw new Error('out of a timer') }, 20)
      await never
    }
    if (functionPath === '/rejection') {
      void (async () => { await wait(20); throw new Error('left alone') })()
      await never
    }
    if (functionPath === '/stream') {
      setTimeout(() => { throw new Error('in the middle') }, 20)
      const half = new TextEncoder().encode('half')
      return new Response(new ReadableStream({ start: body => body.enqueue(half) }))
    }
    if (functionPath === '/answered') setTimeout(() => { throw new Error('too late') }, 20)
    if (functionPath === '/slow') await wait(1500)
    return new Response(functionPath)
  },
}
`
const CONFIG = `
gateway: { defaultFunction: odd }
liveness: { startSeconds: 300, periodSeconds: 0.2 }
connection: { requests: 1000000, timers: { keepAlive: 300, container: 60, handler: 300 } }
functions:
  odd: { handler: ./odd.mjs }
`

describe('a function that throws outside of its calls', () => {
  let platform: Platform
  beforeAll(async () => {
    const certificates = [{ name: 'odd', hosts: ['odd.local'] }]
    platform = await Platform.start({ config: CONFIG, files: { 'odd.mjs': ODD }, certificates })
  })
  afterAll(() => platform?.stop())
  const open = (): Promise<Client> =>
    Client.open({ port: platform.https, tls: { ca: platform.ca, serverName: 'odd.local' } })
  const containers = async (): Promise<string[]> =>
    (await platform.status()).filter(({ functionName }) => functionName === 'odd').map(({ name }) => name)
  /** Waits until another container has taken the place of that one. */
  const replaced = (name: string): Promise<string> =>
    eventually(async () => {
      const [only, ...others] = await containers()
      return others.length === 0 && only !== name ? only : undefined
    }, `${name} is not replaced`)

  it('costs its own client the answer, and no other one anything', async () => {
    const idle = await open()
    expect(await idle.request('/')).toMatchObject({ status: 200, container: 'odd-1' })
    const guilty = await open()
    const answer = await guilty.request('/timer')
    expect(answer.status).toBe(500)
    expect(header(answer.headers, 'x-hotpotato-error')).toBe('function-failed')
    const next = await replaced('odd-1')
    // The same TLS connections, in another container.
    for (const client of [idle, guilty])
      expect(await client.request('/')).toMatchObject({ status: 200, container: next })
    expect(platform.log).toContain('the function threw outside of a request')
    expect(platform.log).toContain('odd-1: its function threw outside of its calls; it is being replaced')
    expect(await platform.total('unclean')).toBe(0)
    await Promise.all([idle, guilty].map(client => client.close()))
  })

  it('breaks off a response that has begun, and has more to come', async () => {
    const [before] = await containers()
    const guilty = await open()
    await expect(guilty.request('/stream')).rejects.toThrow('ended before the response')
    await replaced(before!)
  })

  it('is found among several calls that wait, once it has thrown before', async () => {
    const [before] = await containers()
    const slow = await Promise.all([1, 2, 3].map(open))
    const answers = slow.map(client => client.request('/slow'))
    await setTimeout(100)
    const guilty = await open()
    expect((await guilty.request('/rejection')).status).toBe(500)
    for (const answer of await Promise.all(answers)) expect(answer.status).toBe(200)
    await replaced(before!)
    await Promise.all([...slow, guilty].map(client => client.close()))
  })

  it('keeps its answer, where it has given one', async () => {
    const [before] = await containers()
    const client = await open()
    expect((await client.request('/answered')).status).toBe(200)
    const next = await replaced(before!)
    expect(await client.request('/')).toMatchObject({ status: 200, container: next })
    await client.close()
  })
})
