import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ClientOptions, WebSocket } from 'ws'
import { Client, field, textOf } from '../support/client.ts'
import { Http2Client } from '../support/http2-client.ts'
import { OPENSSL, OPENSSL_NOTE, OpenSsl } from '../support/interop/openssl.ts'
import { CARRIER, eventually, Platform } from '../support/platform.ts'

/** Writes down each call, and says which process answers. */
const COUNTING = `
import { appendFileSync } from 'node:fs'
const calls = new URL('./calls.log', import.meta.url)
const note = id => appendFileSync(calls, id + '\\n')
export default request => {
  note(new URL(request.url).searchParams.get('id') ?? 'none')
  return new Response(String(process.pid))
}
export function webSocket(socket, context, state = { count: 0 }) {
  return {
    message: data => {
      note(data)
      socket.send(++state.count + ' ' + process.pid)
    },
    closed: code => note('closed ' + code),
    freeze: () => state,
  }
}
`
/** What its WebSockets know cannot be carried to another process. */
const HOLDING = `
export const webSocket = socket => ({ message: data => void socket.send(data) })
export default () => new Response('held')
`
/** Starts once, and never again. */
const FAILING = `
import { appendFileSync, existsSync } from 'node:fs'
const once = new URL('./once', import.meta.url)
if (existsSync(once)) process.exit(1)
appendFileSync(once, '')
export default () => new Response('alive')
`
const CONFIG = `
version: 1
warmPool: 1
gateway: { defaultFunction: echo, limits: { helloSeconds: 60, holdSeconds: 1s, wakeSeconds: 60s } }
restart: { firstSeconds: 10ms, mostSeconds: 60s, crashLoop: 2 }
connection:
  requests: 1000000
  timers: { keepAlive: 300, headers: 300, requestBody: 300, container: 60 }
liveness: { failureSeconds: 60, startSeconds: 300 }
functions:
  echo: { handler: ./counting.mjs, idle: 1h }
  hello: { handler: ./counting.mjs, idle: 500ms }
  held: { handler: ./holding.mjs, idle: 300ms }
  resize: { handler: ./counting.mjs, idle: 1h, ${CARRIER === 'fd' ? 'duplicate: true' : 'carrier: relay'} }
  echo-raw: { handler: ./failing.mjs, idle: 1h }
`
/** How many wake it at once; `HOTPOTATO_LONG=1`: more of them. */
const STORM = process.env.HOTPOTATO_LONG === '1' ? 200 : 60

let platform: Platform
let tls: { ca: string; serverName: string }

beforeAll(async () => {
  const files = { 'counting.mjs': COUNTING, 'failing.mjs': FAILING, 'holding.mjs': HOLDING }
  const names = ['echo', 'hello', 'held', 'resize', 'echo-raw']
  platform = await Platform.start({ config: CONFIG, files, certificates: names.map(name => ({ name })) })
  tls = { ca: platform.ca, serverName: 'echo.local' }
})
afterAll(() => platform?.stop())

const calls = (): string[] => readFileSync(join(platform.directory, 'calls.log'), 'utf8').trim().split('\n')
const hibernating = async (): Promise<number> => platform.total('hibernating')
async function asleep(name: string): Promise<boolean> {
  const members = (await platform.status()).filter(one => one.functionName === name)
  return members.length > 0 && members.every(({ state, pid }) => state === 'asleep' && pid === undefined)
}
/** Puts a function to sleep by hand: again, if the end of an earlier connection has just woken it. */
async function sleep(name: string): Promise<void> {
  await eventually(async () => {
    expect(await platform.order(`scale ${name} 0`)).not.toHaveProperty('error')
    return (await asleep(name)) || undefined
  }, `${name} does not fall asleep`)
}

const commandOf = (pid: string): string => readFileSync(`/proc/${pid}/cmdline`, 'latin1')
/** How many processes wait for a function. */
function waiting(): number {
  const { pid } = platform.child
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim().split(' ')
  return children.filter(child => commandOf(child).includes('warm.js')).length
}

async function openSocket(): Promise<{ socket: WebSocket; ask: (data: string) => Promise<string> }> {
  const socket = new WebSocket(`wss://127.0.0.1:${platform.https}/echo`, {
    ca: platform.ca,
    servername: 'echo.local',
    headers: { host: 'echo.local' },
  } as ClientOptions)
  await once(socket, 'open')
  const ask = async (data: string): Promise<string> => {
    const answer = once(socket, 'message')
    socket.send(data)
    return String((await answer)[0])
  }
  return { socket, ask }
}

describe('a function without work', () => {
  it('has no process after its time, and the next request starts one', async () => {
    await eventually(async () => ((await asleep('hello')) ? true : undefined), 'hello does not sleep')
    const client = await Client.open({ port: platform.http })
    expect((await client.request('/hello?id=first')).status).toBe(200)
    expect(calls().filter(id => id === 'first')).toHaveLength(1)
    await client.close()
    await eventually(async () => ((await asleep('hello')) ? true : undefined), 'hello does not sleep again')
  })

  it('is woken by a request on a connection that another function has', async () => {
    await sleep('resize')
    const client = await Client.open({ port: platform.https, tls })
    const here = textOf(await client.request('/echo'))
    const there = await client.request('/resize?id=elsewhere')
    expect([there.status, textOf(there) === here]).toEqual([200, false])
    expect(client.handshakes).toBe(1)
    await client.close()
  })

  it('can be deployed and scaled while it sleeps', async () => {
    await sleep('resize')
    expect(await platform.order('deploy resize')).toMatchObject({ started: [expect.any(String)] })
    await sleep('resize')
    expect(await platform.order('scale resize 1')).toMatchObject({ started: [expect.any(String)] })
    const client = await Client.open({ port: platform.http })
    expect((await client.request('/resize')).status).toBe(200)
    await client.close()
  })

  it('is kept awake by WebSockets that cannot leave its process, over HTTP/2, too, and says so', async () => {
    const one = new WebSocket(`ws://127.0.0.1:${platform.http}/held`)
    await once(one, 'open')
    const client = await Http2Client.open({ port: platform.https, tls: { ...tls, serverName: 'held.local' } })
    expect(await client.tunnel('/held', 'held.local').status).toBe(200)
    const rooted = async (): Promise<number> =>
      (await platform.status()).reduce(
        (sum, { functionName, counters }) => sum + (functionName === 'held' ? (counters.rooted ?? 0) : 0),
        0,
      )
    expect(await rooted()).toBe(2)
    // Several times as long as it takes to fall asleep.
    await new Promise(resolve => setTimeout(resolve, 1500))
    expect([await rooted(), await asleep('held')]).toEqual([2, false])
    one.close()
    await client.close()
    await eventually(async () => ((await asleep('held')) ? true : undefined), 'held does not sleep')
  })

  it('is refused, not waited for, when it does not start any more', async () => {
    await sleep('echo-raw')
    // The first one waits for what then fails, the second one for nothing.
    for (const _ of [1, 2]) {
      const client = await Client.open({ port: platform.http })
      const answer = await client.request('/echo-raw')
      expect([answer.status, field(answer, 'retry-after')]).toEqual([503, '1'])
      await client.close()
    }
    expect((await platform.status()).map(({ state }) => state)).toContain('crash-looping')
  })
})

describe('a connection whose function sleeps', () => {
  it('goes on in a process of the warm pool, if there is one', async () => {
    const client = await Client.open({ port: platform.https, tls })
    // Other functions take from it, too.
    await eventually(async () => {
      await client.request('/echo')
      await sleep('echo')
      const there = waiting() > 0
      const pid = textOf(await client.request('/echo'))
      return there && commandOf(pid).includes('warm.js') ? true : undefined
    }, 'no process comes from the pool')
    expect(client.handshakes).toBe(1)
    await client.close()
  })

  it('goes on in its session over TLS', async () => {
    const client = await Client.open({ port: platform.https, tls })
    const before = textOf(await client.request('/echo?id=tls-1'))
    await sleep('echo')
    expect(await hibernating()).toBe(1)
    const after = await client.request('/echo?id=tls-2')
    expect([after.status, textOf(after) === before, client.handshakes]).toEqual([200, false, 1])
    expect(calls().filter(id => id.startsWith('tls-'))).toEqual(['tls-1', 'tls-2'])
    // The answer may be there before the gateway knows that the container has it.
    await eventually(async () => ((await hibernating()) === 0 ? true : undefined), 'it hibernates on')
    await sleep('echo')
    expect((await client.request('/echo')).status).toBe(200)
    expect(await client.close()).toMatchObject({ closeNotify: true, alert: undefined })
  })

  it('goes on without TLS', async () => {
    const client = await Client.open({ port: platform.http })
    const before = textOf(await client.request('/echo?id=clear-1'))
    await sleep('echo')
    expect(textOf(await client.request('/echo?id=clear-2'))).not.toBe(before)
    expect(calls().filter(id => id.startsWith('clear-'))).toEqual(['clear-1', 'clear-2'])
    await client.close()
  })

  it('goes on where a request had come in part', async () => {
    const client = await Client.open({ port: platform.https, tls })
    await client.request('/echo')
    const bytes = client.requestBytes('/echo?id=part')
    client.write(bytes.subarray(0, 20))
    await sleep('echo')
    const answer = client.answer()
    client.write(bytes.subarray(20))
    expect((await answer).status).toBe(200)
    expect(calls().filter(id => id === 'part')).toHaveLength(1)
    await client.close()
  })

  it('goes on over HTTP/2', async () => {
    const client = await Http2Client.open({ port: platform.https, tls })
    const before = textOf(await client.request('/echo'))
    await sleep('echo')
    const both = await Promise.all([client.request('/echo?id=h2-1'), client.request('/echo?id=h2-2')])
    expect(both.map(({ status }) => status)).toEqual([200, 200])
    expect(textOf(both[0]!)).not.toBe(before)
    expect(
      calls()
        .filter(id => id.startsWith('h2-'))
        .sort(),
    ).toEqual(['h2-1', 'h2-2'])
    expect(client.handshakes).toBe(1)
    await client.close()
  })

  it('goes on as a WebSocket, with what its function has frozen', async () => {
    const { socket, ask } = await openSocket()
    const [, before] = (await ask('ws-1')).split(' ')
    await sleep('echo')
    expect(await hibernating()).toBe(1)
    const [count, after] = (await ask('ws-2')).split(' ')
    expect([count, after === before]).toEqual(['2', false])
    await sleep('echo')
    const closed = once(socket, 'close')
    socket.close(1000)
    expect((await closed)[0]).toBe(1000)
    expect(calls().filter(id => /^(ws-|closed)/.test(id))).toEqual(['ws-1', 'ws-2', 'closed 1000'])
  })

  it.skipIf(OPENSSL === undefined)(`goes on with openssl s_client: ${OPENSSL_NOTE}`, async () => {
    const client = new OpenSsl([
      ...['s_client', '-connect', `127.0.0.1:${platform.https}`, '-servername', 'echo.local'],
      ...['-CAfile', platform.caFile, '-verify_return_error', '-quiet', '-no_ign_eof', '-tls1_3'],
    ])
    const ask = async (id: string): Promise<string> => {
      client.type(`GET /echo?id=${id} HTTP/1.1\r\nHost: echo.local\r\n\r\n`)
      await client.says(/x-hotpotato-hops: \d+\r\n/)
      return (await client.says(/\r\n\r\n(\d+)/))[1]!
    }
    const before = await ask('s_client-1')
    await sleep('echo')
    expect(await ask('s_client-2')).not.toBe(before)
    expect(calls().filter(id => id.startsWith('s_client'))).toEqual(['s_client-1', 's_client-2'])
    expect(await client.endInput().exitInTime()).toBe(0)
  })

  it(`wakes it once with ${STORM - 1} others, and each is answered once`, async () => {
    const clients = await Promise.all(
      Array.from({ length: STORM }, (_, index) =>
        Client.open(index % 2 === 0 ? { port: platform.https, tls } : { port: platform.http }),
      ),
    )
    await Promise.all(clients.map(client => client.request('/echo')))
    await sleep('echo')
    expect(await hibernating()).toBe(STORM)
    const answers = await Promise.all(
      clients.map((client, index) => client.request(`/echo?id=storm-${index}`)),
    )
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
    expect(new Set(answers.map(textOf)).size).toBe(1)
    const stormed = calls().filter(id => id.startsWith('storm-'))
    expect([stormed.length, new Set(stormed).size]).toEqual([STORM, STORM])
    expect(await platform.total('unclean')).toBe(0)
    await Promise.all(clients.map(client => client.close()))
  })

  it('outlives its container after its wake, where the gateway sees to that', async () => {
    const client = await Client.open({ port: platform.https, tls: { ...tls, serverName: 'resize.local' } })
    const headers = [['host', 'resize.local']] as const
    await client.request('/', { headers })
    await sleep('resize')
    const thawed = await platform.total('thawed')
    const { container } = await client.request('/', { headers })
    // On a busy machine the client may hear of it before the gateway does.
    await eventually(
      async () => ((await platform.total('thawed')) > thawed ? true : undefined),
      'the gateway does not hear that it goes on',
    )
    await platform.kill(container!)
    const after = await client.request('/', { headers })
    expect([after.status, client.handshakes]).toEqual([200, 1])
    await client.close()
  })

  it('goes to the gateway that takes the place of the first', async () => {
    const clients = [
      await Client.open({ port: platform.https, tls }),
      await Client.open({ port: platform.http }),
    ]
    for (const client of clients) await client.request('/echo')
    await sleep('echo')
    expect(await platform.order('restart gateway')).toMatchObject({ ended: ['gateway'] })
    expect(await hibernating()).toBe(2)
    for (const client of clients) expect((await client.request('/echo')).status).toBe(200)
    for (const client of clients) await client.close()
  })

  it('ends when its gateway dies, and the function can be woken all the same', async () => {
    const client = await Client.open({ port: platform.https, tls })
    await client.request('/echo')
    await sleep('echo')
    await platform.kill('gateway')
    expect((await client.ended).closeNotify).toBe(false)
    await platform.until('gateway', ({ ready }) => ready)
    const next = await Client.open({ port: platform.http })
    expect((await next.request('/echo')).status).toBe(200)
    await next.close()
  })
})
