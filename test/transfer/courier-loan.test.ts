import { afterEach, describe, expect, it, vi } from 'vitest'
import type { LoanAnswer, LoanRequest } from '../../src/transfer/loans/loan.ts'
import { utf8 } from '../../src/wire/index.ts'
import { connection, scene } from './post.ts'

/* What a courier does with requests that are lent. */

afterEach(() => void vi.useRealTimers())

describe('a request that is lent', () => {
  const request: LoanRequest = {
    method: 'GET',
    target: '/hello',
    headers: [{ name: 'host', value: 'a' }],
    host: 'a',
    path: '/hello',
    query: '',
    body: utf8('content'),
    tls: false,
    alpn: undefined,
    serverName: undefined,
    remoteAddress: undefined,
    hops: 0,
    requestIndex: 0,
  }
  const answer: LoanAnswer = {
    outcome: 'answered',
    status: 200,
    headers: [{ name: 'x', value: 'y' }],
    length: undefined,
    trailers: [],
    body: utf8('lent'),
  }

  it('arrives, and its answer comes back, later and once', () => {
    const { source, target, post } = scene()
    const answers: unknown[] = []
    source.courier.lend(2, request, one => answers.push(one))
    post.deliver()
    expect(target.loans).toMatchObject([{ request, from: 1 }])
    expect(answers).toEqual([])
    target.loans[0]!.settle(answer)
    const [message] = post.underway
    post.deliver()
    expect(answers).toEqual([answer])
    source.channel.onMessage(2, message!.payload, [])
    expect([answers.length, source.told.length]).toEqual([1, 1])
  })

  it('is lost with whom it was lent to, and answers of no other count', () => {
    const { source, target, other, post } = scene()
    const answers: unknown[] = []
    source.courier.lend(2, request, one => answers.push(one))
    post.deliver()
    target.loans[0]!.settle(answer)
    const message = post.underway.shift()!
    source.channel.onMessage(other.id, message.payload, [])
    expect([answers, source.told]).toEqual([
      [],
      ['nonsense from 3: the answer to a request that was not lent to it'],
    ])
    source.courier.forget(2)
    expect(answers).toEqual([undefined])
    source.courier.lend(2, request, one => answers.push(one))
    expect(answers).toEqual([undefined, undefined])
  })

  it('that was changed on the way, or sealed for another process, is nonsense', () => {
    const { source, target, other, post } = scene()
    source.courier.lend(2, request, () => {})
    const message = post.underway.shift()!
    other.channel.onMessage(1, message.payload, [])
    message.payload[message.payload.length - 1]! ^= 1
    target.channel.onMessage(1, message.payload, [])
    expect([target.loans, other.loans]).toEqual([[], []])
    expect([target.told.length, other.told.length]).toEqual([1, 1])
  })

  it('to a process that is lost while a connection is being sent does not get into that', () => {
    const { source, target, other, post, send, done } = scene()
    const sessionOf = (byte: number) => new Uint8Array(16).fill(byte)
    target.onParcel = ({ envelope, descriptor }) => {
      // What a channel does when the process at its other end is found to have ended.
      target.channel.peers.delete(1)
      const { send: sends } = target.channel
      target.channel.send = (to, ...what) => {
        const result = sends.call(target.channel, to, ...what)
        if (result === 'gone') target.channel.onLost?.(to, 'it has ended')
        return result
      }
      const settle = (): void => {}
      target.courier.send(3, { ...envelope, generation: 1 }, descriptor, settle)
    }
    const answered = vi.fn(() => {
      const another = { ...connection(), sessionId: sessionOf(8) }
      target.courier.send(3, another, target.parcels[0]!.descriptor, () => {})
    })
    target.courier.lend(1, request, answered)
    send({ ...connection(), sessionId: sessionOf(7) })
    post.deliver({ from: source.id, to: target.id })
    expect(answered).toHaveBeenCalledTimes(1)
    post.deliver({ from: target.id, to: other.id })
    expect(other.told).toEqual([])
    expect(other.parcels.map(({ envelope }) => envelope.sessionId[0]).sort()).toEqual([7, 8])
    done()
  })
})
