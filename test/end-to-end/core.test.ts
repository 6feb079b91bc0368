import { connect as connectTls } from 'node:tls'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { utf8 } from '../../src/wire/index.ts'
import { Client, field, textOf } from '../support/client.ts'
import { Platform, WITH_RESIZE } from '../support/platform.ts'
import { isInstalled, missing, run } from '../support/programs.ts'
import { hotpotato } from '../support/tls-programs.ts'

const NC = isInstalled('nc', ['-h'])
/** `HOTPOTATO_LONG=1` tries all of them; otherwise each channel, stream and carrier is met. */
const LONG = process.env.HOTPOTATO_LONG === '1'
/** One case file: whatever carries a connection, its client sees the same. */
const ROADS = [
  { channel: 'native', stream: 'raw', carrier: 'fd' },
  { channel: 'native', stream: 'raw', carrier: 'relay' },
  { channel: 'ipc', stream: 'socket', carrier: 'fd' },
  ...(LONG
    ? [
        { channel: 'native', stream: 'socket', carrier: 'fd' },
        { channel: 'ipc', stream: 'raw', carrier: 'fd' },
        { channel: 'ipc', stream: 'socket', carrier: 'relay' },
      ]
    : []),
]

describe.each(ROADS)(
  'by $carrier over the $channel channel with $stream streams',
  ({ channel, stream, carrier }) => {
    let platform: Platform
    let tls: { ca: string; serverName: string }

    beforeAll(async () => {
      const environment = {
        HOTPOTATO_STREAM: stream,
        HOTPOTATO_CARRIER: carrier,
        ...(channel === 'ipc' ? { HOTPOTATO_CHANNEL: 'ipc' } : {}),
      }
      platform = await Platform.start({ config: WITH_RESIZE, environment })
      tls = { ca: platform.ca, serverName: 'echo.local' }
    })
    afterAll(() => platform?.stop())

    it('runs what it was asked to run', () => {
      const starting = platform.log.split('\n').find(line => line.includes('"starting"'))
      expect(JSON.parse(starting!)).toMatchObject({ channel, stream })
    })

    it.runIf(stream === 'raw' && channel === 'native')('counts moves with stress', async () => {
      const urls = ['echo', 'hello'].map(name => `https://echo.local:${platform.https}/${name}`)
      const there = ['--resolve', `echo.local:${platform.https}:127.0.0.1`]
      for (const how of [[], ['--http2', '-m', '1']]) {
        const words = ['-c', '1', '-n', '20', ...how, ...there, '--ca', platform.caFile, '--json']
        const { status, stdout, stderr } = await hotpotato(['stress', ...urls, ...words])
        expect([status, stderr], stdout.toString()).toEqual([0, ''])
        const { answers, moves, lent, containers, opened } = JSON.parse(stdout)
        // Each request is for the other one, and the first for where the connection is.
        expect([how, answers, moves + lent, opened.connections]).toEqual([how, 20, 19, 1])
        expect(containers).toEqual({ 'echo-1': 10, 'hello-1': 10 })
        if (how.length === 0) expect(moves).toBe(19)
      }
    })

    it('serves one connection from three processes: curl', async () => {
      const url = `https://echo.local:${platform.https}`
      const format = '%{http_code} %{num_connects} %{header_json}\\n'
      const { stdout, stderr, code } = await run('curl', [
        ...['-sS', '--cacert', platform.caFile, '--resolve', `echo.local:${platform.https}:127.0.0.1`],
        ...['-o', '/dev/null', '-o', '/dev/null', '-o', '/dev/null', '-w', format],
        ...[`${url}/echo`, `${url}/resize`, `${url}/hello`],
      ])
      expect(code, stderr).toBe(0)
      const text = stdout.toString()
      expect(text.match(/^200 \d/gm)).toEqual(['200 1', '200 0', '200 0'])
      expect(text.match(/"x-hotpotato-container":\["([^"]+)/g)?.map(one => one.split('"').at(-1))).toEqual([
        'echo-1',
        'resize-1',
        'hello-1',
      ])
      expect(text.match(/"x-hotpotato-hops":\["(\d+)/g)?.map(one => one.split('"').at(-1))).toEqual([
        '0',
        '1',
        '2',
      ])
    })

    it('serves one connection from three processes: openssl s_client', async () => {
      const requests = ['/echo', '/resize', '/hello'].map(
        (path, i) =>
          `GET ${path} HTTP/1.1\r\nHost: echo.local\r\n${i === 2 ? 'Connection: close\r\n' : ''}\r\n`,
      )
      const { stdout, code } = await run(
        'openssl',
        [
          ...['s_client', '-connect', `127.0.0.1:${platform.https}`, '-servername', 'echo.local'],
          ...['-CAfile', platform.caFile, '-verify_return_error', '-quiet'],
        ],
        requests.join(''),
      )
      expect(code).toBe(0)
      const text = stdout.toString()
      expect(text.match(/x-hotpotato-container: .*/g)).toEqual([
        'x-hotpotato-container: echo-1',
        'x-hotpotato-container: resize-1',
        'x-hotpotato-container: hello-1',
      ])
      expect(text).toMatch(/Hello, world!\n$/)
    })

    it.skipIf(!NC)(
      `serves one connection from three processes, without TLS: nc${missing(NC, 'nc', 'netcat-openbsd')}`,
      async () => {
        const requests = ['/hello', '/echo', '/resize'].map(
          (path, i) =>
            `GET ${path} HTTP/1.1\r\nHost: hello.local\r\n${i === 2 ? 'Connection: close\r\n' : ''}\r\n`,
        )
        const { stdout } = await run('nc', ['127.0.0.1', String(platform.http)], requests.join(''))
        expect(stdout.toString().match(/x-hotpotato-(container|hops): .*/g)).toEqual([
          'x-hotpotato-container: hello-1',
          'x-hotpotato-hops: 0',
          'x-hotpotato-container: echo-1',
          'x-hotpotato-hops: 1',
          'x-hotpotato-container: resize-1',
          'x-hotpotato-hops: 2',
        ])
      },
    )

    it('speaks with node:tls, one TLS session over several moves', async () => {
      const socket = connectTls({
        port: platform.https,
        host: '127.0.0.1',
        servername: 'echo.local',
        ca: platform.ca,
      })
      await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject))
      expect(socket.getProtocol()).toBe('TLSv1.3')
      socket.write(
        'GET /hello HTTP/1.1\r\nHost: a\r\n\r\nGET /resize HTTP/1.1\r\nHost: a\r\n\r\n' +
          'GET /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
      )
      let text = ''
      for await (const chunk of socket.setEncoding('utf8')) text += chunk
      expect(text.match(/x-hotpotato-container: .*/g)?.map(one => one.split(' ')[1])).toEqual([
        'hello-1',
        'resize-1',
        'echo-1',
      ])
    })

    it('gives bodies back verbatim, with their type', async () => {
      const client = await Client.open({ port: platform.https, tls })
      const body = Uint8Array.from({ length: 70_000 }, (_, i) => (i * 7 + (i >> 8)) & 0xff)
      for (const [target, method] of [
        ['/echo', 'POST'],
        ['/echo-raw', 'PUT'],
        ['/echo/deeper?and=query', 'PUT'],
      ] as const) {
        const answer = await client.request(target, {
          method,
          body,
          headers: [['content-type', 'image/x-test']],
        })
        expect(answer.status).toBe(200)
        expect(field(answer, 'content-type')).toBe('image/x-test')
        expect(Buffer.compare(answer.body, body)).toBe(0)
      }
      expect(await client.close()).toEqual({ closeNotify: true, alert: undefined, error: undefined })
      expect(client.handshakes).toBe(1)
    })

    it('resizes an image on a connection that came from another container', async () => {
      const client = await Client.open({ port: platform.https, tls })
      await client.request('/echo')
      const png = await sharp({ create: { width: 64, height: 32, channels: 3, background: '#c40' } })
        .png()
        .toBuffer()
      const answer = await client.request('/resize?width=20&format=webp', {
        body: new Uint8Array(png),
        headers: [['content-type', 'image/png']],
      })
      expect(answer).toMatchObject({ status: 200, container: 'resize-1', hops: 1 })
      expect(await sharp(answer.body).metadata()).toMatchObject({ format: 'webp', width: 20, height: 10 })

      const refused = await client.request('/resize?width=20', { body: utf8('no image at all') })
      expect(refused.status).toBe(400)
      expect(field(refused, 'content-type')).toBe('application/problem+json')
      expect(JSON.parse(textOf(refused)).detail).toMatch(/cannot be read/)
      expect((await client.request('/hello')).status).toBe(200)
      await client.close()
    })

    it('takes requests pipelined in one piece to their containers and answers them in order', async () => {
      for (const port of [platform.https, platform.http]) {
        const client = await Client.open({ port, ...(port === platform.https ? { tls } : {}) })
        const targets = [
          '/echo',
          '/hello',
          '/hello',
          '/resize',
          '/echo-raw',
          '/echo',
          '/nowhere',
          '/function/hello',
        ]
        const bytes = targets.map(target =>
          client.requestBytes(target, { headers: [['host', 'echo.local']] }),
        )
        const answers = targets.map(() => client.answer())
        client.write(Buffer.concat(bytes))
        const containers = (await Promise.all(answers)).map(({ container, hops }) => `${container} ${hops}`)
        expect(containers).toEqual([
          ...[
            'echo-1 0',
            'hello-1 1',
            'hello-1 1',
            'resize-1 2',
            'echo-raw-1 3',
            'echo-1 4',
            'echo-1 4',
            'hello-1 5',
          ],
        ])
        await client.close()
      }
    })

    it('restarts a container that was killed; a request for it waits meanwhile', async () => {
      const client = await Client.open({ port: platform.https, tls })
      await client.request('/echo')
      const { pid, restarts } = await platform.member('hello-1')
      await platform.kill('hello-1')
      // The supervisor waits before it starts another one, which takes its time, too: until then there is
      // none.
      expect(await client.request('/hello')).toMatchObject({ status: 200, container: 'hello-1' })
      expect(client.handshakes).toBe(1)
      const after = await platform.until('hello-1', ({ ready }) => ready)
      expect(after.restarts).toBe(restarts + 1)
      expect(after.pid).not.toBe(pid)
      await client.close()
    })

    it('keeps its log free of surprises', async () => {
      await platform.idle()
      const lines = platform.log
        .trim()
        .split('\n')
        .map(line => JSON.parse(line) as { level: number; msg: string })
      expect(lines.filter(({ level }) => level >= 50).map(({ msg }) => msg)).toEqual([])
    })
  },
)
