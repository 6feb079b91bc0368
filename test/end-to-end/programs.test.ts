import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ClientOptions, WebSocket } from 'ws'
import { descriptionText } from '../../src/cli/platform/description.ts'
import { Opcode, writeFrame } from '../../src/http/websocket/index.ts'
import { Client, field, textOf } from '../support/client.ts'
import { framesOf, Http2Client } from '../support/http2-client.ts'
import { eventually, isRunning, makeDirectory, Platform } from '../support/platform.ts'
import { isInstalled, missing } from '../support/programs.ts'

const EXAMPLES = fileURLToPath(new URL('../../examples', import.meta.url))
const PYTHON = isInstalled('python3', ['--version'])
/** How often a container is killed while it starts processes. */
const ROUNDS = process.env.HOTPOTATO_LONG === '1' ? 30 : 1
const WITHOUT = missing(PYTHON, 'python3', 'python3')

/** Says when it begins and when it ends, in a file that is only added to. */
const STORM = `#!/bin/sh
echo + >> "$COUNTS"
cat > /dev/null
sleep 0.05
echo - >> "$COUNTS"
echo done
`
/** Ends by a signal, says things on standard error, starts others that hold its output. */
const TROUBLE = `#!/bin/sh
case "$Http_Path" in
  /fails) echo half an answer; echo a secret >&2; exit 3 ;;
  /forever) sleep 1000 & echo $! >> "$PIDS"; echo $$ >> "$PIDS"; wait ;;
  /holds) sleep 1000 & echo $! >> "$PIDS"; echo answered ;;
  *) env | grep '^Http_\\|^HOTPOTATO_FUNCTION\\|^GREETING' | sort ;;
esac
`
/** A server that says its process, starts a child of its own, and ends when it is told to. */
const FRAGILE = `
import { spawn } from 'node:child_process'
import { createServer } from 'node:http'
const child = spawn('sleep', ['1000'])
createServer((request, response) => {
  if (request.url === '/die') process.exit(7)
  console.log('asked for', request.url)
  if (request.url === '/hang') return
  response.setHeader('x-program', process.pid + ' ' + child.pid)
  request.pipe(response)
}).listen(process.env.SOCKET)
`

/** Says to each request what that tells it to, as it is, and may end or begin to listen anew. */
const EVIL = `
import { rmSync } from 'node:fs'
import { createServer } from 'node:net'
const sockets = new Set()
const server = createServer(socket => {
  sockets.add(socket)
  socket.on('error', () => {})
  socket.on('close', () => sockets.delete(socket))
  socket.on('data', bytes => {
    const [, say = '', then] = /x-say: (\\S*) ?(\\w*)/i.exec(bytes.toString('latin1')) ?? []
    socket.write(Buffer.from(say, 'base64'), () => {
      if (then === 'close') socket.end()
      if (then === 'die') process.exit(1)
      if (then !== 'relisten') return
      server.close(() => setTimeout(() => server.listen(process.env.SOCKET), 100))
      for (const one of sockets) one.destroy()
    })
  })
})
server.listen(process.env.SOCKET)
`

let platform: Platform
let tls: { ca: string; serverName: string }

const config = (directory: string): string => `
version: 1
gateway: { defaultFunction: echo, limits: { helloSeconds: 60 } }
restart: { firstSeconds: 10ms, mostSeconds: 50ms }
liveness: { failureSeconds: 60, startSeconds: 300 }
connection: { timers: { keepAlive: 300, headers: 300, container: 60 } }
functions:
  echo: {}
  chat: { command: [node, server.mjs], handler: ${EXAMPLES}/socket, mode: socket }
  fragile: { command: [node, fragile.mjs], mode: socket }
  evil: { command: [node, evil.mjs], mode: socket }
  storm:
    command: [sh, storm.sh]
    mode: fork
    environment: { COUNTS: ${directory}/counts, max_inflight: 4 }
  trouble:
    command: [sh, trouble.sh]
    mode: fork
    environment: { PIDS: ${directory}/pids, GREETING: hello, exec_timeout: 5s }
${
  PYTHON
    ? `
  clock: { command: [python3, server.py], handler: ${EXAMPLES}/python/clock, mode: http, ready: /ready }
  pydict:
    lang: python3
    handler: ${EXAMPLES}/python/pydict
    pool: 1
    # Nothing is to be left behind there.
    environment: { PYTHONDONTWRITEBYTECODE: 1 }
`
    : ''
}
`
const NAMES = ['echo', 'chat', 'fragile', 'evil', 'storm', 'trouble', 'clock', 'pydict']

beforeAll(async () => {
  const certificates = NAMES.map(name => ({ name, hosts: [`${name}.local`] }))
  const directory = await makeDirectory('', certificates)
  platform = await Platform.start({
    directory,
    config: config(directory),
    files: { 'fragile.mjs': FRAGILE, 'evil.mjs': EVIL, 'storm.sh': STORM, 'trouble.sh': TROUBLE },
  })
  if (PYTHON) await platform.until('clock-1', ({ ready }) => ready)
  tls = { ca: platform.ca, serverName: 'echo.local' }
})
afterAll(async () => {
  await platform?.stop()
})

const client = (): Promise<Client> => Client.open({ port: platform.https, tls })
/** One that costs no handshake. */
const plain = (): Promise<Client> => Client.open({ port: platform.http })
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

describe('a program that serves HTTP', () => {
  it.skipIf(!PYTHON)(`has connections that move as all others do${WITHOUT}`, async () => {
    const one = await client()
    expect(textOf(await one.request('/echo', { body: bytes('a') }))).toBe('a')
    const first = await one.request('/clock', { body: bytes('abc') })
    expect([textOf(first), first.container, first.hops]).toEqual(['cba', 'clock-1', 1])
    const second = await one.request('/clock', { body: bytes('def') })
    // One process, and one connection to it.
    expect(field(second, 'x-program')).toBe(field(first, 'x-program'))
    expect((await one.request('/echo', { body: bytes('b') })).hops).toBe(2)
    expect(one.handshakes).toBe(1)
    await one.close()
  })

  it.skipIf(!PYTHON)(`streams what it says, piece by piece${WITHOUT}`, async () => {
    const one = await Client.open({ port: platform.http })
    const whole = one.request('/clock/?ticks=2&pause=1')
    const heard = (): string => Buffer.concat(one.raw).toString()
    while (!heard().includes('tick 1\n')) await once(one.socket, 'data')
    expect(heard()).not.toContain('tick 2')
    expect(textOf(await whole)).toBe('tick 1\ntick 2\n')
    await one.close()
  })

  it.skipIf(!PYTHON)(`goes on streaming while its connection is asked for others${WITHOUT}`, async () => {
    const one = await Http2Client.open({ port: platform.https, tls })
    const whole = one.request('/clock/?ticks=3&pause=0.4', { authority: 'echo.local' })
    const between: string[] = []
    for (let i = 0; i < 3; i++) {
      const answer = await one.request('/echo', { authority: 'echo.local', method: 'POST', body: bytes('b') })
      between.push(`${answer.container} ${textOf(answer)}`)
    }
    expect(between).toEqual(['echo-1 b', 'echo-1 b', 'echo-1 b'])
    expect(textOf(await whole)).toBe('tick 1\ntick 2\ntick 3\n')
    await one.close()
  })

  it('is started again when it dies: its calls get 502, and their connections live on', async () => {
    const [one, two] = [await client(), await client()]
    const before = field(await one.request('/fragile/', { body: bytes('x') }), 'x-program')!
    const hanging = two.request('/fragile/hang')
    await eventually(() => platform.log.includes('asked for /hang') || undefined, 'it was not asked')
    const died = await one.request('/fragile/die')
    expect([died.status, field(died, 'x-hotpotato-error')]).toEqual([502, 'program-failed'])
    expect((await hanging).status).toBe(502)
    const after = await one.request('/fragile/', { body: bytes('again') })
    expect([after.status, textOf(after)]).toEqual([200, 'again'])
    expect(field(after, 'x-program')).not.toBe(before)
    // What it had started is gone, too.
    await gone(before.split(' ').map(Number))
    const { counters } = await platform.member('fragile-1')
    expect([counters.programRestarts, counters.programReady]).toEqual([1, 1])
    const described = descriptionText(await platform.order('describe fragile'))
    expect(described).toMatch(/^program +node fragile\.mjs \(socket\)$/m)
    expect(described).toMatch(/MEMORY +PROGRAM +ENDED\n.*fragile-1 .* \d+ +1$/m)
    expect(platform.log).toContain('"how":"exit code 7"')
    expect(platform.log).toMatch(/"function":"fragile".*"stream":"stdout".*asked for \//)
    await one.close()
    await two.close()
  })

  it('does not outlive its container, nor does what it has started', async () => {
    const one = await client()
    const processes = field(await one.request('/fragile'), 'x-program')!
      .split(' ')
      .map(Number)
    await one.close()
    await platform.kill('fragile-1')
    await gone(processes)
    await platform.until('fragile-1', ({ ready }) => ready)
  })
})

describe('a program that does not keep to HTTP', () => {
  const OK = 'HTTP/1.1 200 OK\r\n'
  const HI = `${OK}Content-Length: 2\r\n\r\nhi`
  const CHUNKS = '2\r\nhi\r\n0\r\n\r\n'
  const CUT = `${OK}Content-Length: 9\r\n\r\nhalf`
  const say = (text: string, then = '') => ({
    headers: [['x-say', `${Buffer.from(text).toString('base64') || '-'} ${then}`.trim()]] as const,
  })

  it('costs its client one answer, and not the connection', async () => {
    const one = await client()
    const wrong: readonly (readonly [says: string, then?: string])[] = [
      ['rubbish\r\n\r\n'],
      ['', 'close'],
      ['HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(100)],
      [`${OK}Content-Length: 2\r\nContent-Length: 3\r\n\r\nhi`],
      [`${OK}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n${CHUNKS}`],
      [`${OK}Transfer-Encoding: gzip, chunked\r\n\r\n${CHUNKS}`],
      [`HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${CHUNKS}`],
      [`HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nhi`],
      [`${OK}X-A: a\r\n b\r\nContent-Length: 2\r\n\r\nhi`],
      ['HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n'],
      ['', 'die'],
    ]
    for (const [says, then] of wrong) {
      const answer = await one.request('/evil', say(says, then))
      expect([answer.status, field(answer, 'x-hotpotato-error')], says).toEqual([502, 'program-failed'])
      expect(textOf(await one.request('/evil', say(HI))), says).toBe('hi')
    }
    // What it says too much is not the next answer.
    for (const method of ['GET', 'HEAD']) {
      await one.request('/evil', { method, ...say(HI + HI.replace('hi', 'no')) })
      expect(textOf(await one.request('/evil', say(HI)))).toBe('hi')
    }
    expect(one.handshakes).toBe(1)
    await one.close()
  })

  it('and breaks off: over HTTP/2 that is one stream, over HTTP/1.1 the connection', async () => {
    const [one, two] = [await client(), await Http2Client.open({ port: platform.https, tls })]
    const cut = { authority: 'echo.local', ...say(CUT, 'close') }
    await expect(two.request('/evil', cut)).rejects.toThrow()
    expect(textOf(await two.request('/evil', { authority: 'echo.local', ...say(HI) }))).toBe('hi')
    await expect(one.request('/evil', say(CUT, 'close'))).rejects.toThrow()
    await two.close()
    one.socket.destroy()
  })

  it('and listens anew: who asks meanwhile waits for that', async () => {
    const one = await client()
    await one.request('/evil', say(HI, 'relisten'))
    expect(textOf(await one.request('/evil', say(HI)))).toBe('hi')
    await one.close()
  })
})

describe('a WebSocket to a program', () => {
  const open = (path: string, protocols: string[] = []): WebSocket =>
    new WebSocket(`wss://127.0.0.1:${platform.https}${path}`, protocols, {
      ca: platform.ca,
      servername: 'echo.local',
      headers: { host: 'echo.local' },
    } as ClientOptions)
  const next = async (socket: WebSocket): Promise<Buffer> => (await once(socket, 'message'))[0] as Buffer

  it('is passed on in both directions, text and bytes, with what was agreed on', async () => {
    const socket = open('/chat?name=me', ['chat', 'other'])
    await once(socket, 'open')
    expect(socket.protocol).toBe('chat')
    const text = next(socket)
    socket.send('hello')
    expect(String(await text)).toBe('me: hello')
    const sent = Buffer.alloc(700_000, 'abcdefg')
    const bytes = next(socket)
    socket.send(sent)
    expect(Buffer.compare(await bytes, sent)).toBe(0)
    socket.close(4001, 'enough')
    expect((await once(socket, 'close'))[0]).toBe(4001)
    await eventually(() => platform.log.includes('me left with 4001') || undefined, 'it was not told')
  })

  it('is granted by the program, or not: over HTTP/1.1', async () => {
    const socket = open('/chat/private')
    const [, response] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage]
    expect(response.statusCode).toBe(401)
    socket.on('error', () => {})
    socket.terminate()
    const other = open('/chat')
    await once(other, 'open')
    expect(other.protocol).toBe('')
    other.terminate()
  })

  it('is granted by the program, or not: over HTTP/2', async () => {
    const one = await Http2Client.open({ port: platform.https, tls })
    const private_ = one.tunnel('/chat/private')
    expect(await private_.status).toBe(401)
    const back = one.tunnel('/chat?name=two')
    const frames = framesOf(back)
    expect(await back.status).toBe(200)
    back.write(writeFrame(Opcode.TEXT, bytes('hi'), { mask: new Uint8Array(4) }))
    expect(new TextDecoder().decode((await frames()).payload)).toBe('two: hi')
    await one.close()
  })

  it('is closed with 1001, on both sides, when its container drains', async () => {
    const socket = open('/chat?name=last')
    await once(socket, 'open')
    const closed = once(socket, 'close')
    await platform.order('deploy chat')
    expect((await closed)[0]).toBe(1001)
    await eventually(() => platform.log.includes('last left with 1001') || undefined, 'it was not told')
  })
})

describe('one process a request', () => {
  it('is told of its request by its environment, and of nothing else', async () => {
    const one = await client()
    const headers = [
      ['X-Odd_Name', 'no'],
      ['Proxy', 'http://evil'],
      ['X-Two', 'a b'],
    ] as const
    const answer = await one.request('/trouble/a%20b?c=d', { headers })
    const variables = textOf(answer).trim().split('\n')
    // Those two the platform adds to every request.
    const own = variables.filter(one => !/^Http_X_(Call_Id|Start_Time)=/.test(one))
    expect(variables.length - own.length).toBe(2)
    expect(own).toEqual([
      'GREETING=hello',
      'HOTPOTATO_FUNCTION=trouble',
      'Http_ContentLength=0',
      'Http_Content_Length=0',
      'Http_Host=echo.local',
      'Http_Method=GET',
      'Http_Path=/a b',
      'Http_Query=c=d',
      'Http_X_Two=a b',
    ])
    await one.close()
  })

  it('has failed with an exit code: 500, and what it said is in the log alone', async () => {
    const one = await client()
    const failed = await one.request('/trouble/fails')
    expect([failed.status, field(failed, 'x-hotpotato-error')]).toEqual([500, 'function-failed'])
    expect(textOf(failed)).toContain('exit code 3')
    expect(textOf(failed)).not.toMatch(/secret|half/)
    await eventually(() => platform.log.includes('a secret') || undefined, 'standard error is not logged')
    await one.close()
  })

  it('is ended with all that it has started when its time is over: 504', async () => {
    const one = await client()
    const late = await one.request('/trouble/forever')
    expect([late.status, field(late, 'x-hotpotato-error')]).toEqual([504, 'handler-timeout'])
    await gone(pids())
    await one.close()
  })

  it('has answered when it has ended, although others hold its output', async () => {
    const one = await client()
    expect(textOf(await one.request('/trouble/holds'))).toBe('answered\n')
    await gone(pids())
    await one.close()
  })

  it('is one of at most so many: a storm of 200 requests gets 200 or 429', async () => {
    const clients = await Promise.all(Array.from({ length: 20 }, plain))
    const answers = await Promise.all(
      clients.map(async one => {
        const statuses: number[] = []
        for (let i = 0; i < 10; i++) {
          const answer = await one.request('/storm', { body: bytes('x') })
          statuses.push(answer.status)
          if (answer.status === 429) expect(field(answer, 'retry-after')).toBe('1')
        }
        return statuses
      }),
    )
    const statuses = answers.flat()
    expect(statuses.filter(status => status !== 200 && status !== 429)).toEqual([])
    let now = 0
    let most = 0
    const lines = readFileSync(join(platform.directory, 'counts'), 'utf8').trim().split('\n')
    for (const line of lines) {
      now += line === '+' ? 1 : -1
      most = Math.max(most, now)
    }
    const counted = statuses.filter(status => status === 200).length
    expect([lines.length, now]).toEqual([2 * counted, 0])
    expect(most).toBeGreaterThan(1)
    expect(most).toBeLessThanOrEqual(4)
    expect((await platform.member('storm-1')).counters.programsStarted).toBe(counted)
    await Promise.all(clients.map(one => one.close()))
  })

  it('leaves no process behind when its container is killed in the middle of many starts', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const { pid } = await platform.until('storm-1', ({ ready }) => ready)
      let over = false
      const asking = Array.from({ length: 6 }, async () => {
        const one = await plain()
        for (let i = 0; i < 90 && !over; i++) await one.request('/storm').catch(() => {})
        one.socket.destroy()
      })
      await eventually(() => marked(`storm-1:${pid}:`).length > 1 || undefined, 'none has been started')
      await new Promise(resolve => setTimeout(resolve, 7 * round))
      over = true
      process.kill(pid!, 'SIGKILL')
      await eventually(
        () => marked(`storm-1:${pid}:`).length === 0 || undefined,
        'processes of a container that is dead',
      )
      await Promise.all(asking)
      await platform.until('storm-1', member => member.ready && member.pid !== pid)
    }
  })

  it.skipIf(!PYTHON)(
    `runs a handler of OpenFaaS's template for Python as it is: pydict${WITHOUT}`,
    async () => {
      const one = await client()
      for (let i = 0; i < 3; i++) {
        const answer = await one.request('/pydict', { body: bytes('Potato Kartoffel') })
        expect(textOf(answer)).toBe(
          'Potato: a live connection that is about to move\nKartoffel: not in the dictionary\n',
        )
      }
      expect((await one.request('/echo', { body: bytes('b') })).hops).toBe(2)
      await one.close()
    },
  )
})

/** Processes that have such a mark of their container. */
function marked(prefix: string): number[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .map(Number)
    .filter(pid => {
      try {
        const environment = readFileSync(`/proc/${pid}/environ`, 'latin1')
        return environment.includes(`HOTPOTATO_CONTAINER_ID=${prefix}`) && isRunning(pid)
      } catch {
        return false
      }
    })
}

/** Of processes that have said who they are. */
function pids(): number[] {
  const said = readFileSync(join(platform.directory, 'pids'), 'utf8').trim().split('\n').map(Number)
  expect(said.length).toBeGreaterThan(0)
  return said
}

async function gone(processes: readonly number[]): Promise<void> {
  await eventually(() => (processes.some(isRunning) ? undefined : true), `${processes} still run`)
}
