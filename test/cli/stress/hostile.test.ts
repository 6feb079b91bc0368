import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { afterAll, describe, expect, it } from 'vitest'
import { readCommandLine } from '../../../src/cli/line/command-line.ts'
import { stressed } from '../../../src/cli/stress/stress.ts'
import { Tally } from '../../../src/cli/stress/tally.ts'
import { TABLE } from '../../../src/cli/table.ts'

/** What a server may say to a load: it ends in counts and sentences, whatever it is. */
const closers: (() => unknown)[] = []
afterAll(() => {
  for (const close of closers) close()
})

/** The text and the JSON of ten requests over two connections. */
async function load(answer: (socket: Socket, number: number) => void) {
  let requests = 0
  const server = createServer(socket => {
    socket.on('error', () => {}).on('data', () => answer(socket, ++requests))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closers.push(() => server.close())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  const ran = async (...more: string[]): Promise<string> => {
    const words = ['stress', url, '-c', '2', '-n', '10', '--timeout', '1', ...more]
    const line = await readCommandLine(words, {}, TABLE)
    if (line.kind !== 'command') throw new Error('no command')
    return (await stressed(line.words, line.options as never, new AbortController().signal)).report
  }
  return { text: await ran(), json: JSON.parse(await ran('--json')) }
}

const head = (...fields: string[]): string =>
  `HTTP/1.1 200 OK\r\nContent-Length: 0\r\n${fields.map(field => `${field}\r\n`).join('')}\r\n`

const ANSWERS: Readonly<Record<string, readonly [(socket: Socket) => unknown, errors: object]>> = {
  'no HTTP': [socket => socket.write('garbage\r\n\r\n'), { protocol: 10 }],
  'its end': [socket => socket.end(), { protocol: 10 }],
  'a reset': [socket => socket.resetAndDestroy(), { 'protocol ECONNRESET': 10 }],
  'interim responses without an end': [
    socket => socket.write('HTTP/1.1 100 Continue\r\n\r\n'.repeat(1000)),
    { protocol: 10 },
  ],
  'control characters': [socket => socket.write('HTTP/1.1 500 \x1b[31m\r\n\r\n'), { protocol: 10 }],
}

describe('a server that answers with', () => {
  it.each(Object.entries(ANSWERS))('%s', async (_, [answer, errors]) => {
    const { text, json } = await load(answer)
    expect(json).toMatchObject({ answers: 0, failures: 10, errors })
    expect(text).not.toMatch(/[^\n\x20-\x7e]/)
  })

  it('moves that cannot be: they are none', async () => {
    const said = ['1e999', '-5', '0.5', 'many', '99999999999', '0x10', ' ', '+3', 'NaN', '1,2']
    const { json } = await load((socket, i) => socket.write(head(`x-hotpotato-hops: ${said[i % 10]}`)))
    expect(json).toMatchObject({ answers: 10, moves: 0 })
  })

  it('another container each time: not all are told apart, and none speaks to the terminal', async () => {
    const { text } = await load((socket, i) => socket.write(head(`x-hotpotato-container: \x9b31m${i}`)))
    expect(text).not.toMatch(/[^\n\x20-\x7e]/)
    const tally = new Tally()
    for (let i = 0; i < 1000; i++) {
      const fields = [['x-hotpotato-container', `c${i}`]] as [string, string][]
      const answer = { status: 200, bytes: 0, fields, problem: '', moves: 0 }
      tally.answered(answer, { due: i, began: i, ended: i })
    }
    expect([tally.containers.size, tally.containers.get('others')]).toEqual([101, 900])
  })
})
