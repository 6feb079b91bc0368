import { beforeEach, describe, expect, it, vi } from 'vitest'
import { Opcode, writeFrame } from '../../../src/http/websocket/frame.ts'
import { EMPTY } from '../../../src/wire/index.ts'
import { FakeHost } from '../../support/connection-scene.ts'
import { HandClock } from '../../support/hand-clock.ts'
import { Talker } from '../../support/http2-scene.ts'

let clock = new HandClock()

/*
 * A client of a WebSocket on a stream of HTTP/2 that says nothing (RFC 8441): what is asked of it is no sign
 * of its life.
 */

const MASK = new Uint8Array(4)

beforeEach(() => {
  clock = new HandClock()
})

describe.each([true, false])('a silent WebSocket on a stream (over TLS: %s)', tls => {
  /** @param over whether the client ends its side of the stream with the request */
  function open(over: boolean) {
    const webSocket = vi.fn(() => ({}))
    const host = new FakeHost(undefined, { clock })
    Object.assign(host.module, { webSocket })
    const client = new Talker(tls).arrive(host)
    const head = {
      method: 'CONNECT',
      protocol: 'websocket',
      scheme: client.scheme,
      authority: 'a',
      path: '/echo',
    }
    const id = client.http.request({ ...head, headers: [['sec-websocket-version', '13']] }, over)
    client.flush()
    expect(client.answer(id).status).toBe(200)
    return { client, id, webSocket }
  }

  it('ends with its connection when no question is answered', () => {
    const { client, id } = open(false)
    for (let i = 0; i < 5; i++) {
      clock.pass(16_000)
      client.http.write(id, writeFrame(Opcode.PONG, EMPTY, { mask: MASK }))
      client.flush()
    }
    expect(client.connection.open).toBe(true)
    clock.pass(50_000)
    expect(client.connection.open).toBe(false)
  })

  it('ends at once, before its function is asked, when its client can never say anything', () => {
    const { client, id, webSocket } = open(true)
    expect([client.answer(id).ended, client.connection.open]).toEqual([true, true])
    expect(webSocket).not.toHaveBeenCalled()
  })
})
