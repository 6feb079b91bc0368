import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CHROMIUM, CHROMIUM_NOTE, dump } from '../support/chromium.ts'
import { textOf } from '../support/client.ts'
import { Http2Client } from '../support/http2-client.ts'
import { Platform } from '../support/platform.ts'

/*
 * Clients of HTTP/2 use one connection for all names that its certificate is good for (RFC 9113 §9.1.1). The
 * requests for the second name arrive where the first one was served, and have to be answered by the second's
 * function. The names are of one site, because Chromium keeps what belongs to another site on connections
 * without cookies.
 */

/** Says which function it is, and on what connection the request came. */
const WHO = `
const who = ({ functionName, connection }) => ({ functionName, ...connection })
export default {
  fetch(request, env, context) {
    const { pathname, port } = new URL(request.url)
    if (pathname === '/page') {
      const script = 'https://two.shared.local:' + port + '/script'
      const body = '<!doctype html><p id="one">' + JSON.stringify(who(context)) + '</p>' +
        '<script src="' + script + '"></script>' +
        '<script src="https://one.shared.local:' + port + '/script"></script>'
      return new Response(body, { headers: { 'content-type': 'text/html' } })
    }
    if (pathname === '/script') {
      const text = JSON.stringify(JSON.stringify(who(context)))
      const headers = { 'content-type': 'text/javascript' }
      return new Response('document.body.append(' + text + ', "\\\\n")', { headers })
    }
    return Response.json(who(context))
  },
}
`
const CONFIG = `
version: 1
liveness: { failureSeconds: 60, startSeconds: 300 }
connection: { timers: { keepAlive: 300, headers: 300, container: 60 } }
functions:
  one:
    handler: ./who.mjs
    hosts: [one.shared.local]
    certificate: shared
  two:
    handler: ./who.mjs
    hosts: [two.shared.local]
    certificate: shared
`

interface Who {
  readonly functionName: string
  readonly container: string
  readonly serverName: string
  readonly hops: number
  readonly requestIndex: number
}

let platform: Platform

beforeAll(async () => {
  platform = await Platform.start({
    config: CONFIG,
    files: { 'who.mjs': WHO },
    certificates: [{ name: 'shared', hosts: ['one.shared.local', 'two.shared.local'] }],
  })
})
afterAll(() => platform?.stop())

describe('two names, one certificate, one connection', () => {
  it('each name is answered by its function: our own client', async () => {
    const tls = { ca: platform.ca, serverName: 'one.shared.local' }
    const client = await Http2Client.open({ port: platform.https, tls })
    const answers: Who[] = []
    for (const name of ['one', 'two', 'two', 'one'])
      answers.push(
        JSON.parse(
          textOf(await client.request('/', { authority: `${name}.shared.local:${platform.https}` })),
        ),
      )
    expect(answers.map(({ container, hops }) => [container, hops])).toEqual([
      ['one-1', 0],
      ['two-1', 1],
      ['two-1', 1],
      ['one-1', 2],
    ])
    expect(answers.map(({ requestIndex }) => requestIndex)).toEqual([0, 1, 2, 3])
    expect(new Set(answers.map(({ serverName }) => serverName))).toEqual(new Set(['one.shared.local']))
    // Side by side, too.
    const names = Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? 'one' : 'two'))
    const all = await Promise.all(
      names.map(name => client.request('/', { authority: `${name}.shared.local` })),
    )
    expect(all.map(({ container }) => container)).toEqual(names.map(name => `${name}-1`))
    expect(client.handshakes).toBe(1)
    await client.close()
  })

  it.skipIf(CHROMIUM === undefined)(`each name is answered by its function: ${CHROMIUM_NOTE}`, async () => {
    const pem = (name: string): string =>
      readFileSync(join(platform.directory, 'certs', `${name}.crt`), 'utf8')
    const dom = await dump(`https://one.shared.local:${platform.https}/page`, [pem('ca'), pem('shared')])
    const said = [...dom.matchAll(/\{"functionName".*?\}/g)].map(([json]) => JSON.parse(json) as Who)
    expect(said.map(({ container }) => container)).toEqual(['one-1', 'two-1', 'one-1'])
    // It was one connection: each request knows its place on it. (Another one may be opened in advance, and
    // stay without requests.)
    expect(said.map(({ requestIndex }) => requestIndex).toSorted()).toEqual([0, 1, 2])
    // The browser has used the connection that it had: otherwise the second would be two.shared.local.
    expect(said.map(({ serverName }) => serverName)).toEqual(Array(3).fill('one.shared.local'))
  })
})
