import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'

/*
 * What all floods need: lines to the platform under test, on 127.0.0.1 and nowhere else. A world has the
 * `ports`, the authority `ca`, the moment `until` when the flood ends (milliseconds since 1970), and counters
 * of what happened.
 */

/** Milliseconds between two connections of one lane, so that a refusal is not answered by a storm. */
const PAUSE = 20

/** Repeats `once` on so many lanes until the flood is over. @param once gets the number of its lane */
export async function lanes(world, count, once) {
  const lane = async number => {
    while (Date.now() < world.until) {
      try {
        await once(number)
      } catch {
        // The platform has had enough of this connection: that is what a flood is to come to.
        world.count('broken')
      }
      await sleep(PAUSE)
    }
  }
  await Promise.all(Array.from({ length: count }, (_, number) => lane(number)))
}

/** A connection without TLS. It reads nothing by default. */
export function plain(world, port = world.ports.http) {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true })
  return opened(world, socket, 'connect')
}

/** A connection with TLS to that host. */
export function secure(world, host, alpn = 'http/1.1') {
  const { ca, ports } = world
  const options = { host: '127.0.0.1', port: ports.https, ca, servername: host, ALPNProtocols: [alpn] }
  return opened(world, connectTls(options), 'secureConnect')
}

function opened(world, socket, event) {
  socket.pause()
  socket.on('error', () => {})
  setTimeout(() => socket.destroy(), Math.max(0, world.until - Date.now())).unref()
  return new Promise((resolve, reject) => {
    socket.once('close', () => reject(new Error('closed')))
    socket.once(event, () => {
      socket.setNoDelay?.(true)
      world.count('connections')
      resolve(socket)
    })
  })
}

/** Writes, and waits while the other side does not take it. @returns whether the connection is still there */
export async function pour(world, socket, bytes) {
  if (socket.destroyed || !socket.writable) return false
  world.count('bytes', bytes.length)
  if (socket.write(bytes)) return true
  await new Promise(resolve => {
    const done = () => {
      for (const name of ['drain', 'close', 'end']) socket.off(name, done)
      resolve()
    }
    for (const name of ['drain', 'close', 'end']) socket.on(name, done)
  })
  return !socket.destroyed && socket.writable
}

/** Pours the same bytes so many times, if the connection and the flood last. */
export async function pourOften(world, socket, bytes, times) {
  for (let left = times; left > 0 && Date.now() < world.until; left--)
    if (!(await pour(world, socket, bytes))) return
}

/** Waits until the other side closes, or so many milliseconds have passed, and closes. */
export async function linger(world, socket, milliseconds) {
  const left = Math.max(0, Math.min(milliseconds, world.until - Date.now()))
  const closed = new Promise(resolve => socket.once('close', resolve))
  if (!socket.destroyed) await Promise.race([closed, sleep(left)])
  socket.destroy()
}
