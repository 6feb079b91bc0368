import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import { createServer as createTls } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { makeCertificates } from '../../src/certificates/authority.ts'
import { CallbackRule } from '../../src/queue/callbacks.ts'
import { HttpCaller } from '../../src/queue/caller.ts'
import { SYSTEM_CLOCK } from '../../src/time/system-clock.ts'
import { utf8 } from '../../src/wire/index.ts'
import { answered, call } from '../support/calls.ts'

interface Heard {
  readonly url: string | undefined
  readonly method: string | undefined
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

const heard: Heard[] = []
/** The one that asked for all that there is has gone. */
let endlessIsOver = (): void => {}
const endless = new Promise<void>(resolve => {
  endlessIsOver = resolve
})
let server: Server
let port: number

beforeAll(async () => {
  server = createServer((asked, answer) => {
    let body = ''
    asked.on('data', data => {
      body += data
    })
    asked.on('end', () => {
      const { url, method, headers } = asked
      if (url === '/never') return
      if (url === '/endless') {
        const more = (): void => {
          while (!answer.destroyed && answer.write('x'.repeat(65_536)));
        }
        answer.on('drain', more).on('close', () => endlessIsOver())
        more()
        return
      }
      heard.push({ url, method, headers, body })
      if (url === '/elsewhere') answer.writeHead(302, { location: '/hook' })
      else
        answer.writeHead(200, {
          'x-mine': ['a', 'b'],
          'retry-after': '7',
          connection: 'close, x-hop',
          'x-hop': '1',
        })
      answer.end(url?.includes('large') ? 'x'.repeat(2000) : 'answer')
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  port = (server.address() as AddressInfo).port
})
afterAll(() => {
  server?.close()
  server?.closeAllConnections()
})
beforeEach(() => void heard.splice(0))

const callerOf = (...hosts: string[]): HttpCaller =>
  new HttpCaller({
    frontDoor: { host: '127.0.0.1', port, mark: 'mark' },
    callbacks: new CallbackRule(hosts),
    clock: SYSTEM_CLOCK,
    answerBytes: 1000,
  })

describe('a call', () => {
  it('goes to the front door as it came, and its answer comes back whole', async () => {
    const outcome = await callerOf().call(call({ id: 'x-1', callback: 'http://a/' }), 60_000)
    expect(heard).toMatchObject([
      {
        ...{ url: '/function/f/x?y', method: 'POST', body: 'body' },
        headers: { 'x-call-id': 'x-1', 'content-type': 'text/plain', 'content-length': '4' },
      },
    ])
    expect(outcome).toMatchObject({ kind: 'answered', retryAfter: 7000, answer: { status: 200 } })
    const { answer } = outcome as Extract<typeof outcome, { kind: 'answered' }>
    expect(answer.body).toEqual(utf8('answer'))
    expect(answer.headers.filter(({ name }) => name === 'x-mine').map(({ value }) => value)).toEqual([
      'a',
      'b',
    ])
    expect(answer.headers.map(({ name }) => name.toLowerCase())).not.toContain('connection')
    // It is for the connection that the answer came on.
    expect(answer.headers.map(({ name }) => name.toLowerCase())).not.toContain('x-hop')
  })

  it('keeps nothing of an answer that no callback waits for, and not too much of another', async () => {
    const large = call({ target: '/large' })
    expect(await callerOf().call(large, 60_000)).toMatchObject({ answer: { body: new Uint8Array(0) } })
    expect(await callerOf().call({ ...large, callback: 'http://a/' }, 60_000)).toEqual({
      kind: 'impossible',
      reason: 'the answer (200) has more than 1000 bytes',
    })
  })

  it('that no request can be made of is not tried again', async () => {
    for (const odd of [{ target: '/a b' }, { headers: [{ name: 'x-odd', value: 'a\u0000b' }] }])
      expect(await callerOf().call(call(odd), 60_000)).toMatchObject({ kind: 'impossible' })
    expect(heard).toEqual([])
  })

  it('fails when it takes too long, or is not taken', async () => {
    const frontDoor = { host: '127.0.0.1', port: 1, mark: 'mark' }
    const nowhere = new HttpCaller({
      ...{ frontDoor, callbacks: new CallbackRule([]), clock: SYSTEM_CLOCK, answerBytes: 1 },
    })
    expect(await nowhere.call(call(), 60_000)).toMatchObject({
      kind: 'failed',
      reason: expect.stringMatching(/ECONNREFUSED/),
    })
    const slow = call({ callback: `http://127.0.0.1:${port}/never`, phase: 'telling' })
    const late = callerOf('127.0.0.1').tell({ ...slow, answer: answered(200).answer }, 20)
    expect(await late).toMatchObject({ kind: 'failed', reason: expect.stringMatching(/within 0.02 s/) })
  })
})

describe('a callback', () => {
  const telling = (url: string) =>
    call({
      id: 'x-2',
      phase: 'telling',
      callback: url,
      answer: { ...answered(418).answer, body: utf8('tea') },
    })

  it('is told what the function has answered', async () => {
    const url = `http://127.0.0.1:${port}/hook?a`
    expect(await callerOf('127.0.0.1').tell(telling(url))).toMatchObject({ answer: { status: 200 } })
    expect(heard).toMatchObject([
      {
        ...{ url: '/hook?a', method: 'POST', body: 'tea' },
        headers: { 'x-call-id': 'x-2', 'x-function-name': 'f', 'x-function-status': '418' },
      },
    ])
    expect(heard[0]!.headers['x-duration-seconds']).toBe('0.003000')
  })

  it('has taken it when it says so, whatever it says besides, and for however long', async () => {
    const url = `http://127.0.0.1:${port}/endless`
    expect(await callerOf('127.0.0.1').tell(telling(url), 60_000)).toMatchObject({ answer: { status: 200 } })
    await endless
  })

  it('over https goes to no server whose authority is unknown here', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'hotpotato-callback-'))
    await makeCertificates({
      directory,
      certificates: [{ name: 'hook', hosts: ['localhost'] }],
      now: Date.now(),
    })
    const tls = createTls(
      { key: readFileSync(join(directory, 'hook.key')), cert: readFileSync(join(directory, 'hook.crt')) },
      (asked, answer) => {
        asked.resume()
        asked.on('end', () => answer.writeHead(204).end())
      },
    ).listen(0, '127.0.0.1')
    await once(tls, 'listening')
    const url = `https://localhost:${(tls.address() as AddressInfo).port}/`
    // The authority is one of ours: this process does not know it.
    const strange = await callerOf('localhost').tell(telling(url))
    expect(strange).toMatchObject({ kind: 'failed', reason: expect.stringMatching(/certificate/) })
    tls.close()
    rmSync(directory, { recursive: true })
  })

  it('is not followed elsewhere', async () => {
    const url = `http://127.0.0.1:${port}/elsewhere`
    expect(await callerOf('127.0.0.1').tell(telling(url))).toMatchObject({ answer: { status: 302 } })
    expect(heard.map(one => one.url)).toEqual(['/elsewhere'])
  })

  it('does not reach this machine by any name where all hosts are allowed', async () => {
    for (const host of ['localhost', '127.0.0.1', '[::ffff:127.0.0.1]', '0.0.0.0']) {
      const outcome = await callerOf('*').tell(telling(`http://${host}:${port}/hook`))
      expect(outcome, host).toMatchObject({
        reason: expect.stringMatching(/no address of the public internet/),
      })
    }
    expect(heard).toEqual([])
    const named = await callerOf('localhost').tell(telling(`http://localhost:${port}/hook`))
    expect(named).toMatchObject({ kind: 'answered' })
  })

  it('is asked of the rule once more: what the stack file names may be otherwise by now', async () => {
    const outcome = await callerOf().tell(telling(`http://127.0.0.1:${port}/hook`))
    expect(outcome).toMatchObject({ kind: 'impossible', reason: expect.stringMatching(/does not name/) })
    expect(heard).toEqual([])
  })
})
