import { once } from 'node:events'
import { closeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { ErrnoError, type Libc, probe, type TcpCounts } from '../../src/transfer/native/libc.ts'
import { checkCounts, countsOf } from '../../src/transfer/socket-counts.ts'
import { type TcpPair, tcpPair } from '../support/tcp-pair.ts'

const native = probe()
const pairs: TcpPair[] = []
const open = async (): Promise<TcpPair> => {
  const pair = await tcpPair()
  pairs.push(pair)
  return pair
}
afterEach(() => {
  for (const pair of pairs.splice(0)) pair.close()
})

describe.runIf(native.available)('what has gone through a socket', () => {
  const libc = native.available ? native.libc : (undefined as never)
  /** The kernel may not have everything yet. */
  const until = async (fd: number, ...expected: readonly [read: number, written: number]): Promise<void> => {
    for (let i = 0; i < 200; i++) {
      const counts = countsOf(libc, fd)
      if (counts?.read === expected[0] && counts.written === expected[1]) return
      await sleep(10)
    }
    expect(countsOf(libc, fd)).toEqual({ read: expected[0], written: expected[1] })
  }

  it('is counted as it must be on this kernel', async () => {
    expect(await checkCounts(libc)).toBeUndefined()
  })

  it('is what was read, not what has come; and what was written, wherever it is', async () => {
    const { client, accepted, fd } = await open()
    expect(countsOf(libc, fd)).toEqual({ read: 0, written: 0 })
    client.write(new Uint8Array(1000))
    for (let i = 0; i < 200 && libc.tcpCounts(fd).unread < 1000; i++) await sleep(10)
    expect(libc.tcpCounts(fd)).toMatchObject({ received: 1000, unread: 1000 })
    expect(countsOf(libc, fd)).toEqual({ read: 0, written: 0 })
    // The peer takes none of this.
    accepted.write(new Uint8Array(70_000))
    await until(fd, 0, 70_000)
    accepted.resume()
    await once(accepted, 'data')
    await until(fd, 1000, 70_000)
  })

  it('does not count the FIN of the peer, whether it was read or not', async () => {
    const { client, accepted, fd } = await open()
    client.end(new Uint8Array(10))
    await once(client, 'finish')
    for (let i = 0; i < 200 && libc.tcpCounts(fd).received < 11; i++) await sleep(10)
    expect(countsOf(libc, fd)).toEqual({ read: 0, written: 0 })
    accepted.resume()
    await once(accepted, 'end')
    expect(countsOf(libc, fd)).toEqual({ read: 10, written: 0 })
  })

  it('is not asked of a connection that is over, or that a process has ended', async () => {
    const ended = await open()
    ended.accepted.end()
    await once(ended.client.resume(), 'end')
    expect(countsOf(libc, ended.fd)).toBeUndefined()
    const reset = await open()
    reset.client.resetAndDestroy()
    for (let i = 0; i < 200 && countsOf(libc, reset.fd) !== undefined; i++) await sleep(10)
    expect(countsOf(libc, reset.fd)).toBeUndefined()
  })

  it('is not asked of what is no TCP socket', () => {
    const [one, other] = libc.socketPair('stream')
    try {
      expect(() => countsOf(libc, one)).toThrow(ErrnoError)
    } finally {
      for (const fd of [one, other]) closeSync(fd)
    }
  })
})

describe('numbers that are taken one after the other', () => {
  const counts = (received: number, more: Partial<TcpCounts> = {}): TcpCounts => ({
    ...{ state: 1, received, unread: 4, acknowledged: 20, unacknowledged: 5 },
    ...more,
  })
  const kernel = (...rounds: readonly TcpCounts[]): Libc => {
    let asked = 0
    return { tcpCounts: () => rounds[Math.min(asked++, rounds.length - 1)] } as unknown as Libc
  }

  it('count once nothing has come between two rounds', () => {
    expect(countsOf(kernel(counts(5), counts(6), counts(7), counts(7)), 3)).toEqual({ read: 3, written: 25 })
    expect(countsOf(kernel(counts(7, { acknowledged: 10 }), counts(7), counts(7)), 3)).toEqual({
      read: 3,
      written: 25,
    })
  })

  it('never count if that does not happen', () => {
    let received = 0
    const libc = { tcpCounts: () => counts(received++) } as unknown as Libc
    expect(() => countsOf(libc, 3)).toThrow('EAGAIN')
  })

  it('are the reason why it does not work, if the kernel has none', async () => {
    const libc = {
      tcpCounts: () => {
        throw new ErrnoError('getsockopt', 'ENODATA')
      },
    } as unknown as Libc
    expect(await checkCounts(libc)).toBe('getsockopt: ENODATA')
    expect(await checkCounts(kernel(counts(7)))).toContain('has counted bytes on a fresh connection')
  })
})
