import { connect as connectHttp2 } from 'node:http2'
import { setTimeout as sleep } from 'node:timers/promises'
import { beginning, get, reset, upgrade, webSocketFrame } from './frames.mjs'
import { lanes, linger, plain, pour, pourOften, secure } from './lines.mjs'

/* The floods, by name. Each takes a world (see `lines.mjs`) and returns when that is over. */

/** Bytes of an upload that is as large as it may be, or nearly. */
const LARGE = 10_000_000

/** Content beyond the limit, over HTTP/2, to a function that has begun to answer. */
async function lateRefusal(world) {
  await lanes(world, 2, async () => {
    const { ca, ports } = world
    const options = { ca, servername: 'echo.local' }
    const session = connectHttp2(`https://127.0.0.1:${ports.https}`, options)
    session.on('error', () => {})
    const closed = new Promise(resolve => session.once('close', resolve))
    const request = session.request({ ':method': 'POST', ':authority': 'echo.local', ':path': '/' })
    request.on('error', () => {})
    request.resume()
    session.once('connect', () => world.count('connections'))
    for (let sent = 0; sent < 12_000_000 && Date.now() < world.until; sent += 65_536)
      if (!(await pour(world, request, Buffer.alloc(65_536)))) break
    session.destroy()
    await closed
  })
}

/** Content in chunks of one byte. */
async function tinyChunks(world) {
  const chunks = Buffer.from('1\r\na\r\n'.repeat(10_000))
  await lanes(world, 1, async () => {
    const socket = await plain(world)
    socket.resume()
    socket.write('POST /echo HTTP/1.1\r\nHost: echo.local\r\nTransfer-Encoding: chunked\r\n\r\n')
    await pourOften(world, socket, chunks, 160)
    socket.write('0\r\n\r\n')
    await linger(world, socket, 5000)
  })
}

/** Content in TLS records of one byte. */
async function tinyRecords(world) {
  await lanes(world, 1, async () => {
    const socket = await secure(world, 'echo.local')
    socket.resume()
    socket.write('POST /echo HTTP/1.1\r\nHost: echo.local\r\nContent-Length: 200000\r\n\r\n')
    await pourOften(world, socket, Buffer.from('a'), 200_000)
    await linger(world, socket, 5000)
  })
}

/** WebSockets with frames that have nothing in them, whose answers are not read. */
async function webSockets(world, first, frame) {
  const frames = Buffer.concat(Array.from({ length: 10_000 }, () => frame))
  await lanes(world, 1, async () => {
    const socket = await plain(world)
    socket.write(upgrade('hello.local'))
    // Behind the answer: what comes before has no container yet.
    await new Promise(resolve => {
      socket.once('data', resolve).once('close', resolve)
      socket.resume()
    })
    socket.pause()
    socket.write(first)
    await pourOften(world, socket, frames, 270)
    await linger(world, socket, 2000)
  })
}

/** Large answers that no window lets through. */
async function zeroWindows(world) {
  await lanes(world, 4, async () => {
    const socket = await secure(world, 'resize.local', 'h2')
    socket.resume()
    const requests = Array.from({ length: 90 }, (_, i) => get(2 * i + 1, 'resize.local', '/?bytes=10000000'))
    await pour(world, socket, Buffer.concat([beginning(0), ...requests]))
    await linger(world, socket, 5000)
  })
}

/** Uploads that are nearly whole, and go on by a byte now and then. */
async function slowUploads(world) {
  const bytes = Buffer.alloc(LARGE - 1000)
  await lanes(world, 40, async () => {
    const socket = await plain(world)
    socket.resume()
    socket.write(`POST /echo-raw HTTP/1.1\r\nHost: echo.local\r\nContent-Length: ${LARGE}\r\n\r\n`)
    let there = await pour(world, socket, bytes)
    for (let left = 1000; there && left > 1 && Date.now() < world.until; left--) {
      await Promise.race([sleep(Math.min(12_000, world.until - Date.now())), gone(socket)])
      there = await pour(world, socket, Buffer.from('a'))
    }
    socket.destroy()
  })
}

function gone(socket) {
  return new Promise(resolve => (socket.destroyed ? resolve() : socket.once('close', resolve)))
}

/** Answers that are not read, on connections that are asked to move again and again. */
async function unreadMoves(world) {
  const paths = ['/resize?bytes=60000', '/hello']
  await lanes(world, 6, async lane => {
    const http2 = lane % 2 === 0
    const socket = await secure(world, 'resize.local', http2 ? 'h2' : 'http/1.1')
    const turns = Array.from({ length: 60 }, (_, i) => paths[i % 2])
    const requests = http2
      ? [beginning(0), ...turns.map((path, i) => get(2 * i + 1, 'resize.local', path))]
      : turns.map(path => Buffer.from(`GET ${path} HTTP/1.1\r\nHost: resize.local\r\n\r\n`))
    for (const request of requests) {
      if (!(await pour(world, socket, request))) break
      await sleep(10)
    }
    await linger(world, socket, 2000)
  })
}

/** Requests that are taken back at once. */
async function rapidReset(world) {
  await lanes(world, 2, async () => {
    const socket = await secure(world, 'echo.local', 'h2')
    socket.resume()
    socket.write(beginning(65_535))
    for (let id = 1; id < 200_000 && Date.now() < world.until; ) {
      const pairs = []
      for (let left = 100; left > 0; left--, id += 2) pairs.push(get(id, 'echo.local', '/'), reset(id))
      if (!(await pour(world, socket, Buffer.concat(pairs)))) break
    }
    socket.destroy()
  })
}

/** Connections on which nothing is said. */
async function silence(world) {
  await lanes(world, 300, async lane => {
    const socket = await plain(world, lane % 2 === 0 ? world.ports.http : world.ports.https)
    socket.resume()
    await linger(world, socket, 60_000)
  })
}

export const KINDS = {
  'late refusal': lateRefusal,
  'tiny chunks': tinyChunks,
  'tiny records': tinyRecords,
  'empty pings': world => webSockets(world, Buffer.alloc(0), webSocketFrame(9, true)),
  'empty continuations': world => webSockets(world, webSocketFrame(2, false), webSocketFrame(0, false)),
  'zero windows': zeroWindows,
  'slow uploads': slowUploads,
  'unread moves': unreadMoves,
  'rapid reset': rapidReset,
  silence,
}
