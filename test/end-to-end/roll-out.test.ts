import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Client } from '../support/client.ts'
import { hotpotato, makeDirectory, Platform } from '../support/platform.ts'

const HANDLER = (text: string) => `export default { fetch: () => new Response(${JSON.stringify(text)}) }\n`
let platform: Platform
let directory: string

beforeAll(async () => {
  const config = `
version: 1
connection: { requests: 1000000, timers: { keepAlive: 300, headers: 300, requestBody: 300 } }
liveness: { startSeconds: 300, periodSeconds: 0.5, failureSeconds: 15 }
functions:
  echo: { replicas: 2 }
  hello: { handler: ./version.mjs }
`
  directory = await makeDirectory(config)
  writeFileSync(join(directory, 'version.mjs'), HANDLER('one'))
  platform = await Platform.start({ directory, config })
})
afterAll(() => platform?.stop())

const open = (serverName = 'echo.local') =>
  Client.open({ port: platform.https, tls: { ca: platform.ca, serverName } })

/**
 * Asks again and again on one connection until it is told to stop. @returns how often, and by whom it was
 * answered
 */
function talk(client: Client, path: string): () => Promise<{ answered: number; containers: string[] }> {
  let over = false
  const containers = new Set<string>()
  const run = (async () => {
    let answered = 0
    while (!over) {
      const { status, container } = await client.request(path)
      if (status !== 200) throw new Error(`status ${status} from ${container}`)
      containers.add(container ?? '')
      answered++
      // What is rolled out needs the machine, too.
      await setTimeout(10)
    }
    return { answered, containers: [...containers] }
  })()
  run.catch(() => {}) // it is looked at when it is awaited
  return () => {
    over = true
    return run
  }
}

describe('hotpotato drain', () => {
  it('moves idle connections and busy ones to the other container, and ends the one', async () => {
    const idle = await Promise.all(Array.from({ length: 8 }, () => open()))
    const at = await Promise.all(idle.map(client => client.request('/').then(({ container }) => container)))
    expect(new Set(at)).toEqual(new Set(['echo-1', 'echo-2']))
    const plain = await Promise.all(Array.from({ length: 4 }, () => Client.open({ port: platform.http })))
    for (const client of plain) await client.request('/echo')
    const busy = await Promise.all(Array.from({ length: 4 }, () => open()))
    const stops = busy.map(client => talk(client, '/'))
    // A part of a head has come: it goes on there.
    const halfway = await open()
    const bytes = halfway.requestBytes('/', { method: 'POST', body: new Uint8Array(3000).fill(7) })
    halfway.write(bytes.subarray(0, 20))
    await setTimeout(100)

    const drained = await hotpotato(directory, ['drain', 'echo-2'])
    expect(drained.stderr).toBe('')
    expect(drained.stdout).toMatch(/^moved \d+ connections?, ended echo-2\n$/)
    expect(Number(/\d+/.exec(drained.stdout)![0])).toBeGreaterThanOrEqual(4)

    halfway.write(bytes.subarray(20))
    expect((await halfway.answer()).body).toEqual(new Uint8Array(3000).fill(7))
    for (const client of [...idle, ...plain]) {
      const { status, container } = await client.request('/echo')
      expect([status, container]).toEqual([200, 'echo-1'])
    }
    for (const stop of stops) expect((await stop()).answered).toBeGreaterThan(0)
    expect((await platform.status()).map(({ name }) => name)).not.toContain('echo-2')
    const unclean = await platform.total('unclean')
    expect(unclean).toBe(0)
    await Promise.all([...idle, ...plain, ...busy, halfway].map(client => client.close()))
  })

  it('refuses where no container could take the connections, and what does not exist', async () => {
    expect(await hotpotato(directory, ['drain', 'hello-1'])).toMatchObject({
      code: 1,
      stderr: 'hello-1 is the only container of hello: no container could take its connections\n',
    })
    expect((await hotpotato(directory, ['drain', 'nobody-1'])).stderr).toMatch(
      /^there is no container nobody-1; there are /,
    )
    expect((await hotpotato(directory, ['drain'])).stderr).toBe(
      'drain needs the names of one or more containers, or --all alone\n',
    )
  })
})

describe('hotpotato deploy', () => {
  it('moves every connection to new code, and no request fails', async () => {
    const idle = await Promise.all(Array.from({ length: 10 }, () => open('hello.local')))
    for (const client of idle) expect(Buffer.from((await client.request('/')).body).toString()).toBe('one')
    const busy = await Promise.all(Array.from({ length: 4 }, () => open('hello.local')))
    const stops = busy.map(client => talk(client, '/'))
    writeFileSync(join(directory, 'version.mjs'), HANDLER('two'))
    const deployed = await hotpotato(directory, ['deploy', 'hello'])
    expect(deployed.stderr).toBe('')
    expect(deployed.stdout).toMatch(/^started hello-2\nmoved 1[0-4] connections, ended hello-1\n$/)
    for (const client of idle) {
      const { body, container, hops } = await client.request('/')
      expect([Buffer.from(body).toString(), container, hops]).toEqual(['two', 'hello-2', 1])
    }
    for (const stop of stops) expect((await stop()).containers).toContain('hello-2')
    expect(await platform.total('unclean')).toBe(0)
    await Promise.all([...idle, ...busy].map(client => client.close()))
  })

  it('keeps the old containers if the new code does not start', async () => {
    writeFileSync(join(directory, 'version.mjs'), 'this is no JavaScript')
    const client = await open('hello.local')
    await client.request('/')
    const { code, stderr } = await hotpotato(directory, ['deploy', 'hello'])
    expect(code).toBe(1)
    expect(stderr).toMatch(/^the new containers did not start; the old ones stay: /)
    expect((await client.request('/')).container).toBe('hello-2')
    await client.close()
  })
})

describe('hotpotato scale', () => {
  it('adds containers that serve, and takes them away with their connections moved', async () => {
    expect((await hotpotato(directory, ['scale', 'echo', '3'])).stdout).toBe('started echo-2, echo-3\n')
    const clients = await Promise.all(Array.from({ length: 12 }, () => open()))
    const at = await Promise.all(
      clients.map(client => client.request('/').then(({ container }) => container)),
    )
    expect(new Set(at).size).toBe(3)
    expect((await hotpotato(directory, ['scale', 'echo', '1'])).stdout).toEqual(
      expect.stringMatching(/^moved (8|9|10|11|12) connections, ended echo-3, echo-2\n$/),
    )
    for (const client of clients) expect((await client.request('/')).container).toBe('echo-1')
    expect((await hotpotato(directory, ['scale', 'echo', '1'])).stdout).toBe('nothing to do\n')
    expect((await hotpotato(directory, ['scale', 'echo', '65'])).stderr).toMatch(/^scale needs/)
    expect((await hotpotato(directory, ['scale', 'nobody', '2'])).stderr).toMatch(
      /^there is no function nobody; there are .*echo.*\n$/,
    )
    await Promise.all(clients.map(client => client.close()))
  })
})

describe('a container that hangs', () => {
  it('is killed and started again', async () => {
    const { pid } = await platform.member('echo-1')
    process.kill(pid!, 'SIGSTOP')
    await platform.until('echo-1', member => member.ready && member.pid !== pid)
    const client = await open()
    expect((await client.request('/')).container).toBe('echo-1')
    await client.close()
  })
})
