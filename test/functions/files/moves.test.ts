import { appendFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { files } from '../../../src/functions/files/files.ts'
import { resumeFile } from '../../../src/functions/files/flow.ts'
import {
  type FakeStream,
  freshConnection,
  movedConnection,
  responses,
} from '../../support/connection-scene.ts'
import { offered, ResponseHost } from '../../support/response-scene.ts'
import { Tree } from './tree.ts'

const SIZE = 3 * 1024 * 1024
const LARGE = new Uint8Array(SIZE).map((_, at) => (at * at) % 251)
let tree: Tree
beforeAll(() => {
  tree = new Tree({ 'large.bin': LARGE, 'other.bin': LARGE, 'small.txt': '0123456789'.repeat(100) })
})
afterAll(() => tree.remove())

function hostOf(container: string): ResponseHost {
  const host = new ResponseHost(files.fetch, resumeFile, container)
  return Object.assign(host, { environment: { FILES_DIRECTORY: tree.root } })
}

/** Lets the machine read. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await setImmediate()
}

/** Asks for a file, and takes so much of it before the connection is told to move. */
async function begun(path: string, taken: number, headers = '') {
  const host = hostOf('files-1')
  const request = `GET /echo/${path} HTTP/1.1\r\nHost: a\r\n${headers}\r\n`
  const { connection, stream } = freshConnection(host, request)
  let got = new Uint8Array(0)
  const take = (from: FakeStream): void => {
    const more = from.take()
    const all = new Uint8Array(got.length + more.length)
    all.set(got)
    all.set(more, got.length)
    got = all
  }
  await until(() => {
    take(stream)
    return got.length > taken
  })
  return { host, connection, stream, take, got: () => got }
}

/** What a client has got of one response, byte by byte. */
function bodyOf(bytes: Uint8Array): Buffer {
  const text = Buffer.from(bytes)
  return text.subarray(text.indexOf('\r\n\r\n') + 4)
}

describe('the response that sends a file goes on in another container', () => {
  it.each<[string, string, Buffer]>([
    ['all of it', '', Buffer.from(LARGE)],
    ['one range', 'Range: bytes=1000-2500000\r\n', Buffer.from(LARGE.subarray(1000, 2_500_001))],
  ])('%s', async (_, headers, wanted) => {
    const { host, connection, stream, take, got } = await begun('large.bin', 300_000, headers)
    const { offer, frozen } = await offered(host, connection)
    const next = movedConnection(hostOf('files-2'), frozen)
    offer.settle({ state: 'gone' })
    take(stream)
    const before = bodyOf(got()).length
    expect(before).toBeLessThan(wanted.length)
    await until(() => {
      take(next.stream)
      return bodyOf(got()).length >= wanted.length
    })
    expect(bodyOf(got()).equals(wanted)).toBe(true)
  })

  it('several ranges, with what stands between them', async () => {
    const headers = 'Range: bytes=0-1000000, 1500000-2900000\r\n'
    const { host, connection, stream, take, got } = await begun('large.bin', 200_000, headers)
    const { offer, frozen } = await offered(host, connection)
    const next = movedConnection(hostOf('files-2'), frozen)
    offer.settle({ state: 'gone' })
    take(stream)
    const length = Number(/content-length: (\d+)/i.exec(Buffer.from(got()).toString('latin1'))![1])
    await until(() => {
      take(next.stream)
      return bodyOf(got()).length >= length
    })
    const boundary = /boundary=(\w+)/.exec(Buffer.from(got()).toString('latin1'))![1]!
    const parts = bodyOf(got()).toString('latin1').split(`--${boundary}`)
    const contents = parts.slice(1, -1).map(part => part.slice(part.indexOf('\r\n\r\n') + 4, -2))
    const wanted = [LARGE.subarray(0, 1_000_001), LARGE.subarray(1_500_000, 2_900_001)]
    expect(contents.map((one, at) => Buffer.from(one, 'latin1').equals(wanted[at]!))).toEqual([true, true])
  })

  it('a range of what lies in memory is there as a whole', async () => {
    const { got } = await begun('small.txt?raw', 100, 'Range: bytes=5-14\r\n')
    expect(responses(got(), 1)[0]).toMatchObject({ status: 206, body: '5678901234' })
  })
})

describe('the response breaks off, and no byte of another file is sent', () => {
  it.each<[string, (path: string, other: string) => void]>([
    ['when the file has been written to', path => appendFileSync(path, 'x')],
    ['when another one has its name', (path, other) => renameSync(other, path)],
    ['when it is gone', path => rmSync(path)],
  ])('%s', async (_, change) => {
    tree.write('changing.bin', LARGE)
    tree.write('other.bin', LARGE)
    const { host, connection, stream, take, got } = await begun('changing.bin', 300_000)
    const { offer, frozen } = await offered(host, connection)
    change(join(tree.root, 'changing.bin'), join(tree.root, 'other.bin'))
    const to = hostOf('files-2')
    const next = movedConnection(to, frozen)
    offer.settle({ state: 'gone' })
    await until(() => next.stream.state === 'closed')
    take(stream)
    take(next.stream)
    const body = bodyOf(got())
    expect(body.length).toBeLessThan(SIZE)
    expect(body.equals(Buffer.from(LARGE.subarray(0, body.length)))).toBe(true)
    const [[{ err }]] = to.logged as [[{ err: Error }]]
    expect(err.message).toMatch(/^the file (has changed since its response began|is not there any more)$/)
  })
})
