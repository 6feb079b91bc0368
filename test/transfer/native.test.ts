import { execFileSync } from 'node:child_process'
import { closeSync, fstatSync, openSync, readFileSync, readlinkSync, readSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import { DESCRIPTORS, ErrnoError, type Libc, MESSAGE, probe } from '../../src/transfer/native/libc.ts'

const probed = probe()
const EMPTY = new Uint8Array(0)
const opened: number[] = []

afterEach(() => {
  for (const fd of opened.splice(0)) closeSync(fd)
})

it('says whether foreign calls work, and if not, why', () => {
  if (process.platform === 'linux' && ['x64', 'arm64'].includes(process.arch)) {
    expect(probed).toMatchObject({ available: true })
  } else expect(probed).toMatchObject({ available: false, reason: expect.any(String) })
})

describe.runIf(probed.available)('foreign calls', () => {
  const libc = (probed as { libc: Libc }).libc
  const pair = (type: 'stream' | 'seqpacket' = 'seqpacket'): readonly [number, number] => {
    const fds = libc.socketPair(type)
    opened.push(...fds)
    return fds
  }

  it('carries a message with its bounds', () => {
    const [one, other] = pair()
    expect(libc.sendMessage(one, new Uint8Array([1, 2]), new Uint8Array([3]), [])).toBeUndefined()
    expect(libc.sendMessage(one, new Uint8Array([4]), EMPTY, [])).toBeUndefined()
    expect(libc.receiveMessage(other)).toEqual({
      bytes: new Uint8Array([1, 2, 3]),
      descriptors: [],
      refused: undefined,
    })
    expect(libc.receiveMessage(other)).toMatchObject({ bytes: new Uint8Array([4]) })
    expect(libc.receiveMessage(other)).toBe('EAGAIN')
  })

  it('carries the largest message, and checks every length before the call', () => {
    const [one, other] = pair()
    const body = new Uint8Array(MESSAGE - 2).fill(7)
    expect(libc.sendMessage(one, new Uint8Array([1, 2]), body, [])).toBeUndefined()
    const received = libc.receiveMessage(other)
    expect(typeof received === 'object' && received.bytes.length).toBe(MESSAGE)
    expect(typeof received === 'object' && received.bytes.at(-1)).toBe(7)
    expect(() => libc.sendMessage(one, new Uint8Array(3), body, [])).toThrow(RangeError)
    expect(() => libc.sendMessage(one, EMPTY, EMPTY, [])).toThrow(RangeError)
    const tooMany = Array.from({ length: DESCRIPTORS + 1 }, () => one)
    expect(() => libc.sendMessage(one, body, EMPTY, tooMany)).toThrow(RangeError)
    for (const fd of [-1, 0.5, 2 ** 31, Number.NaN]) {
      expect(() => libc.receiveMessage(fd)).toThrow(RangeError)
      expect(() => libc.sendMessage(fd, body, EMPTY, [])).toThrow(RangeError)
      expect(() => libc.sendBytes(fd, body)).toThrow(RangeError)
      expect(() => libc.shutdown(fd)).toThrow(RangeError)
      expect(() => libc.duplicate(fd)).toThrow(RangeError)
      expect(() => libc.domainOf(fd)).toThrow(RangeError)
      expect(() => libc.setBuffers(fd, 1)).toThrow(RangeError)
    }
    expect(() => libc.setBuffers(one, 2 ** 31)).toThrow(RangeError)
  })

  it('carries descriptors that outlive the sender’s', () => {
    const [one, other] = pair()
    const files = Array.from({ length: DESCRIPTORS }, (_, at) => (at % 2 === 0 ? '/dev/zero' : '/dev/null'))
    const fds = files.map(file => openSync(file, 'r'))
    expect(libc.sendMessage(one, new Uint8Array([1]), EMPTY, fds)).toBeUndefined()
    for (const fd of fds) closeSync(fd)
    const received = libc.receiveMessage(other)
    if (typeof received === 'string') throw new Error(received)
    opened.push(...received.descriptors)
    const links = received.descriptors.map(fd => readlinkSync(`/proc/self/fd/${fd}`))
    expect(links).toEqual(files)
    // And a message without descriptors after it has none left over.
    libc.sendMessage(one, new Uint8Array([2]), EMPTY, [])
    expect(libc.receiveMessage(other)).toMatchObject({ descriptors: [] })
  })

  it('refuses a message whose descriptors did not all arrive, and closes those that did', () => {
    const child = fileURLToPath(new URL('./children/truncated.mjs', import.meta.url))
    const words = ['-c', 'ulimit -n 64; exec "$0" "$1"', process.execPath, child]
    const told = execFileSync('sh', words, { encoding: 'utf8' })
    expect(JSON.parse(told)).toEqual({ descriptors: [], refused: 'descriptors were lost', left: 0 })
  })

  it('names errors', () => {
    const [one, other] = pair()
    const file = openSync('/dev/null', 'r')
    opened.push(file)
    const byte = new Uint8Array([1])
    expect(libc.sendMessage(file, byte, EMPTY, [])).toBe('ENOTSOCK')
    expect(libc.receiveMessage(file)).toBe('ENOTSOCK')
    expect(libc.sendMessage(one, byte, EMPTY, [0x7fffffff])).toBe('EBADF')
    expect(() => libc.domainOf(file)).toThrow(new ErrnoError('getsockopt', 'ENOTSOCK'))
    expect(() => libc.duplicate(0x7fffffff)).toThrow(ErrnoError)
    closeSync(opened.splice(opened.indexOf(other), 1)[0]!)
    expect(libc.sendMessage(one, byte, EMPTY, [])).toBe('EPIPE')
    expect(libc.receiveMessage(one)).toBe('EOF')
  })

  it('says EAGAIN rather than wait, for messages and for bytes', () => {
    const [one, other] = pair()
    const body = new Uint8Array(60_000)
    expect(untilFailure(() => libc.sendMessage(one, body, EMPTY, []))).toBe('EAGAIN')
    libc.receiveMessage(other)
    expect(libc.sendMessage(one, body, EMPTY, [])).toBeUndefined()
    const [writer, reader] = pair('stream')
    const written = (): string | undefined => {
      const sent = libc.sendBytes(writer, body)
      return typeof sent === 'string' ? sent : undefined
    }
    expect(untilFailure(written)).toBe('EAGAIN')
    expect(readSync(reader, new Uint8Array(1))).toBe(1)
  })

  it('tells TCP from Unix sockets, and makes duplicates', () => {
    const [one] = pair('stream')
    expect(libc.domainOf(one)).toBe('unix')
    const copy = libc.duplicate(one)
    opened.push(copy)
    expect(copy).not.toBe(one)
    expect(libc.domainOf(copy)).toBe('unix')
  })

  it('makes files in memory, whose size does not change', () => {
    const file = libc.memoryFile(10_000)
    opened.push(file)
    expect(fstatSync(file).size).toBe(10_000)
    expect(readlinkSync(`/proc/self/fd/${file}`)).toContain('memfd:hotpotato')
    expect(readFileSync(`/proc/self/fdinfo/${file}`, 'utf8')).toMatch(/^flags:\s+0?2\d*2$/m)
    for (const bytes of [0, -1, 0.5, 2 ** 41, Number.NaN])
      expect(() => libc.memoryFile(bytes)).toThrow(RangeError)
  })

  it('asks nothing of what is no TCP socket', () => {
    const [one] = pair('stream')
    expect(() => libc.tcpCounts(one)).toThrow(ErrnoError)
    expect(() => libc.tcpCounts(-1)).toThrow(RangeError)
  })

  it('ends a connection for every holder', () => {
    const [one, other] = pair('stream')
    const copy = libc.duplicate(one)
    opened.push(copy)
    expect(libc.shutdown(one)).toBeUndefined()
    expect(readSync(other, new Uint8Array(1))).toBe(0)
    expect(libc.sendBytes(copy, new Uint8Array(1))).toBe('EPIPE')
  })
})

function untilFailure(call: () => string | undefined): string | undefined {
  for (let i = 0; i < 100_000; i++) {
    const failed = call()
    if (failed !== undefined) return failed
  }
  return undefined
}
