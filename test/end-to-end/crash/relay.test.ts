import { spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { PlatformStatus } from '../../../src/cli/platform/status.ts'
import { utf8 } from '../../../src/wire/index.ts'
import { Client, field, textOf } from '../../support/client.ts'
import { LONG } from '../../support/long.ts'
import { eventually, type Platform } from '../../support/platform.ts'
import { ActingPlatform, goesOn } from './acting.ts'

const CONFIG = `
version: 1
carrier: relay
gateway: { defaultFunction: echo, limits: { helloSeconds: 60 } }
connection: { requests: 1000000, timers: { keepAlive: 300, headers: 300, requestBody: 300 } }
# Nothing but what hangs is to count as that, however little a busy machine lets others run.
liveness: { startSeconds: 300, periodSeconds: 0.3, failureSeconds: 20 }
functions:
  echo: { handler: ./act.mjs, replicas: 3 }
  resize: { handler: ./act.mjs, retries: any, replicas: 2 }
  hello: { carrier: fd, replicas: 2 }
  echo-raw: { handler: ./act.mjs }
`
const REPLICAS = ['echo-1', 'echo-2', 'echo-3', 'resize-1', 'resize-2']

let acting: ActingPlatform
let platform: Platform

beforeAll(async () => {
  acting = await ActingPlatform.start(CONFIG, REPLICAS)
  platform = acting.platform
})
afterAll(() => platform?.stop())
beforeEach(() => acting.whole())

describe('a container is killed', () => {
  it('while its connections are idle: they go on in another one', async () => {
    const all = await Promise.all(Array.from({ length: 12 }, () => acting.settled()))
    await platform.kill('echo-1')
    for (const { client, first } of all) {
      const next = await client.request('/echo')
      expect(next.status).toBe(200)
      if (first.container === 'echo-1') expect(next.container).not.toBe('echo-1')
      else expect(next.container).toBe(first.container)
      expect(client.handshakes).toBe(1)
      await client.close()
    }
    expect((await platform.member('gateway')).counters.unclean).toBe(0)
  })

  it('after the client has changed its keys, and asked for ours to change', async () => {
    const { client, first } = await acting.settled()
    for (let round = 0; round < 3; round++) {
      client.updateKeys()
      await client.request('/echo')
    }
    client.updateKeys()
    await platform.kill(first.container!)
    await goesOn(client, first)
  })

  it('with a GET unanswered: it is begun again, once', async () => {
    const { client, first } = await acting.settled()
    const answer = client.request('/echo?id=get&sleep=1500')
    await acting.whenBegun('get')
    await platform.kill(first.container!)
    const { status, container } = await answer
    expect(status).toBe(200)
    expect(container).not.toBe(first.container)
    expect(acting.begun('get')).toBe(2)
    await goesOn(client, first)
  })

  it('with a POST unanswered: 503 in the same session, and the function is not begun again', async () => {
    const { client, first } = await acting.settled()
    const answer = client.request('/echo?id=post&wait', { body: utf8('effects') })
    await acting.whenBegun('post')
    await platform.kill(first.container!)
    const refusal = await answer
    expect(refusal.status).toBe(503)
    expect(field(refusal, 'content-type')).toBe('application/problem+json')
    expect(textOf(refusal)).toContain('functions.echo.retries')
    expect(acting.begun('post')).toBe(1)
    await goesOn(client, first)
  })

  it('with a POST unanswered of a function that allows it: it is begun again', async () => {
    const { client, first } = await acting.settled('/resize')
    const answer = client.request('/resize?id=any&sleep=1500', { body: utf8('again') })
    await acting.whenBegun('any')
    await platform.kill(first.container!)
    expect(textOf(await answer)).toMatch(/ 5$/)
    expect(acting.begun('any')).toBe(2)
    await goesOn(client, first, '/resize')
  })

  it('by its function, each time: the third one answers 503', async () => {
    const { client } = await acting.settled()
    const answer = await client.request('/echo?id=deadly&crash')
    expect(answer.status).toBe(503)
    expect(textOf(answer)).toContain('both times')
    expect(acting.begun('deadly')).toBe(2)
    expect((await client.request('/echo')).status).toBe(200)
    expect(client.handshakes).toBe(1)
    await client.close()
  })

  it('with a response underway: a fatal alert that the client can trust', async () => {
    const { client, first } = await acting.settled()
    const { bytesRead } = client.socket
    const answer = client.request('/echo?id=half&half')
    await eventually(() => client.socket.bytesRead > bytesRead || undefined, 'no response has begun')
    await platform.kill(first.container!)
    await expect(answer).rejects.toThrow('internal_error')
    expect(await client.ended).toEqual({ closeNotify: false, alert: 'internal_error', error: undefined })
    client.socket.destroy()
  })

  it('with several requests in the pipe: those that were not begun are answered, all of them', async () => {
    const { client, first } = await acting.settled()
    const answers = ['a', 'b', 'c'].map((id, i) =>
      client.request(`/echo?id=pipe-${id}${i === 0 ? '&sleep=1500' : ''}`, i === 0 ? {} : { body: utf8(id) }),
    )
    await acting.whenBegun('pipe-a')
    await platform.kill(first.container!)
    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([200, 200, 200])
    expect(['a', 'b', 'c'].map(id => acting.begun(`pipe-${id}`))).toEqual([2, 1, 1])
    await goesOn(client, first)
  })

  it('in the middle of an upload: what had come is not lost', async () => {
    const { client, first } = await acting.settled('/resize')
    const bytes = client.requestBytes('/resize?id=upload', { body: new Uint8Array(300_000) })
    const answer = client.answer()
    client.write(bytes.subarray(0, 200_000))
    await sleep(200)
    await platform.kill(first.container!)
    client.write(bytes.subarray(200_000))
    expect(textOf(await answer)).toMatch(/ 300000$/)
    await goesOn(client, first, '/resize')
  })

  it('with more upload underway than is kept: it ends, and is counted', async () => {
    const { client, first } = await acting.settled('/resize')
    const bytes = client.requestBytes('/resize?id=large', { body: new Uint8Array(3_000_000) })
    const before = (await platform.member('gateway')).counters.unclean!
    client.answer()
    client.write(bytes.subarray(0, 2_000_000))
    await platform.until('gateway', ({ counters }) => counters.notSurvivable === 1)
    await platform.kill(first.container!)
    expect(await client.ended).toMatchObject({ closeNotify: false, alert: undefined })
    client.socket.destroy()
    expect((await platform.member('gateway')).counters.unclean).toBe(before + 1)
  })

  it('after the connection had moved to it from another function', async () => {
    const { client } = await acting.settled()
    const moved = await client.request('/resize')
    const answer = client.request('/resize?id=moved&sleep=1500')
    await acting.whenBegun('moved')
    await platform.kill(moved.container!)
    expect((await answer).status).toBe(200)
    await goesOn(client, moved, '/resize')
  })

  it.runIf(LONG)('again and again', async () => {
    const { client, first } = await acting.settled()
    let { container } = first
    for (let round = 0; round < 3; round++) {
      await platform.kill(container!)
      const next = await client.request('/echo')
      expect(next).toMatchObject({ status: 200 })
      expect(next.container).not.toBe(container)
      container = next.container
      await acting.whole()
    }
    expect(client.handshakes).toBe(1)
    await client.close()
  })
})

describe('a container hangs', () => {
  it('is found, killed, and its connections go on in another one', async () => {
    const { client, first } = await acting.settled()
    const { pid } = await platform.member(first.container!)
    process.kill(pid!, 'SIGSTOP')
    await goesOn(client, first)
  })

  it('in an endless loop of its function: it is found as well, and told apart from a busy one', async () => {
    const { client, first } = await acting.settled()
    const answer = await client.request('/echo?loop', { body: utf8('not begun again') })
    expect(answer.status).toBe(503)
    await goesOn(client, first)
  })
})

describe('openssl s_client', () => {
  /** A session as a user types it. */
  function session() {
    const child = spawn('openssl', [
      ...['s_client', '-connect', `127.0.0.1:${platform.https}`, '-servername', 'echo.local'],
      ...['-CAfile', platform.caFile, '-verify_return_error', '-quiet', '-no_ign_eof'],
    ])
    let said = ''
    child.stdout.setEncoding('utf8').on('data', text => {
      said += text
    })
    let complained = ''
    child.stderr.setEncoding('utf8').on('data', text => {
      complained += text
    })
    return {
      type: (target: string, method = 'GET', more = '\r\n') =>
        child.stdin.write(`${method} ${target} HTTP/1.1\r\nHost: echo.local\r\n${more}`),
      until: (text: RegExp) =>
        eventually(() => said.match(text) ?? undefined, `it does not say ${text}: ${said}\n${complained}`),
      complains: (text: RegExp) =>
        eventually(() => complained.match(text) ?? undefined, `no complaint: ${complained}`),
      end: () => child.kill(),
    }
  }

  it('notices no crash while it is idle, nor one with its request unanswered', async () => {
    const { type, until, end } = session()
    type('/echo?id=s1')
    const [, first] = await until(/x-hotpotato-container: (\S+)[\s\S]*\d+ 0/)
    await platform.kill(first!)
    type('/echo?id=s2&sleep=1000')
    const [, second] = await until(/(?:container: \S+[\s\S]*){1}container: (\S+)[\s\S]*\d+ 0/)
    expect(second).not.toBe(first)
    const { pid } = await platform.member(second!)
    type('/echo?id=s3&sleep=3000')
    await acting.whenBegun('s3')
    // At once: on a busy machine the answer would come before the supervisor has said which process it is.
    process.kill(pid!, 'SIGKILL')
    const [, third] = await until(/(?:container: \S+[\s\S]*){2}container: (\S+)[\s\S]*\d+ 0/)
    expect(third).not.toBe(second)
    end()
  })

  // Our own client is told so above.
  it.runIf(LONG)('is told in the same session of a POST that may have had effects, and goes on', async () => {
    const { type, until, end } = session()
    type('/echo?id=s5&wait', 'POST', 'Content-Length: 4\r\n\r\nbody')
    await acting.whenBegun('s5')
    const { connections } = await platform.order<PlatformStatus>('status connections')
    const [mine] = connections!
    await platform.kill(mine!.container)
    await until(/HTTP\/1\.1 503 [\s\S]*it is unknown whether/)
    type('/echo?id=s6')
    const [, next] = await until(/503 [\s\S]*HTTP\/1\.1 200 [\s\S]*container: (\S+)[\s\S]*\d+ 0/)
    expect(next).not.toBe(mine!.container)
    expect([acting.begun('s5'), acting.begun('s6')]).toEqual([1, 1])
    end()
  })

  it('is told of a response that was cut, by an alert that it takes for genuine', async () => {
    const { type, until, complains, end } = session()
    type('/echo?id=s4&half')
    const [, container] = await until(/x-hotpotato-container: (\S+)[\s\S]*half of it/)
    await platform.kill(container!)
    await complains(/alert internal error/)
    end()
  })
})

describe('the only container of a function', () => {
  it('is followed by another one, and its connections go on there', async () => {
    const client = await Client.open({
      port: platform.https,
      tls: { ca: platform.ca, serverName: 'echo-raw.local' },
    })
    const { status, container } = await client.request('/echo-raw')
    expect([status, container]).toEqual([200, 'echo-raw-1'])
    const before = (await platform.member('gateway')).counters.unclean!
    await platform.kill('echo-raw-1')
    expect(await client.request('/echo-raw')).toMatchObject({ status: 200, container: 'echo-raw-1' })
    expect((await platform.member('gateway')).counters.unclean! - before).toBe(0)
    client.close()
  })
})

describe('what is not covered', () => {
  it('a connection without TLS ends', async () => {
    const client = await Client.open({ port: platform.http })
    const { container } = await client.request('/echo')
    await platform.kill(container!)
    expect(await client.ended).toMatchObject({ closeNotify: false })
    client.socket.destroy()
  })

  it('a connection of a function that is served by fd ends', async () => {
    const client = await Client.open({
      ...acting.options(),
      tls: { ca: platform.ca, serverName: 'hello.local' },
    })
    const { container } = await client.request('/hello')
    await platform.kill(container!)
    expect(await client.ended).toMatchObject({ closeNotify: false, alert: undefined })
    client.socket.destroy()
  })
})
