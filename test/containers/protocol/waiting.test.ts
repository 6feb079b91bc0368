import { beforeEach, describe, expect, it } from 'vitest'
import type { RequestView, ResponseView } from '../../../src/http/message.ts'
import { FakeHost, turn } from '../../support/connection-scene.ts'
import { HandClock } from '../../support/hand-clock.ts'
import { Talker } from '../../support/http2-scene.ts'

let clock = new HandClock()

/*
 * Requests that wait on a connection are begun once each, and by one container: also when one of them is
 * answered at once, which brings the connection back to those that wait.
 */

/** Longer than a request waits before it is lent, in milliseconds. */
const LATER = 60

/** A function that answers the request for `/slow` when the test says so, and all others at once. */
function slowFunction() {
  const begun: string[] = []
  const answers: ((view: ResponseView) => void)[] = []
  const handle = ({ path }: RequestView): ResponseView | Promise<ResponseView> => {
    begun.push(path)
    if (path === '/slow') return new Promise(answer => void answers.push(answer))
    return { status: 200, body: path }
  }
  return { begun, handle, answer: () => answers[0]!({ status: 200, body: 'slow' }) }
}

beforeEach(() => {
  clock = new HandClock()
})

describe.each([true, false])('behind a request that is answered at once (over TLS: %s)', tls => {
  /** A busy connection, and a request for another function that cannot be lent. */
  function busy() {
    const host = new FakeHost(slowFunction().handle, { clock })
    const client = new Talker(tls).arrive(host)
    client.request('/slow')
    const refused = client.request('/hello', { open: true, headers: [['content-length', '2000000']] })
    return { host, client, refused }
  }

  it('each is lent once', () => {
    const { host, client, refused } = busy()
    client.request('/hello?two')
    client.request('/hello?three')
    client.flush()
    clock.pass(LATER)
    client.hear()
    expect(client.answer(refused).status).toBe(421)
    expect(host.loans.map(({ request }) => request.query)).toEqual(['two', 'three'])
  })

  it('each is refused once, and the connection goes on', () => {
    const { host, client, refused } = busy()
    const socket = client.request('/hello', { method: 'CONNECT', protocol: 'websocket', open: true })
    client.flush()
    clock.pass(LATER)
    client.hear()
    expect([refused, socket].map(id => client.answer(id).status)).toEqual([421, 421])
    expect([host.ends, client.connection.open]).toEqual([[], true])
  })

  it('each that was held back is served once, when no container takes the connection', async () => {
    const { begun, handle, answer } = slowFunction()
    const host = new FakeHost(handle, { clock })
    const client = new Talker(tls).arrive(host)
    client.request('/slow')
    client.flush()
    client.connection.drain(true)
    const held = ['/2', '/3', '/4'].map(path => client.request(path))
    client.flush()
    answer()
    await turn()
    client.hear()
    expect(begun).toEqual(['/slow', '/2', '/3', '/4'])
    expect(held.map(id => client.answer(id).body)).toEqual(['/2', '/3', '/4'])
  })
})
