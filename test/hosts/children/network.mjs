import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect, createServer, Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { takeHandle } from '../../../dist/src/transfer/lift.js'
import { sockets } from '../../../dist/src/transfer/native/sockets.js'
import { Descriptor } from '../../../dist/src/transfer/stream.js'

/* What the scenarios of a network namespace have in common. */

export const calls = sockets()
const SOL_SOCKET = 1
const SO_DETACH_FILTER = 27
const SO_RCVBUF = 8
const TCP = 6
const TCP_QUICKACK = 12
const TCP_REPAIR = 19
const SIOCOUTQ = 0x5411

export const digest = bytes => createHash('sha256').update(bytes).digest('hex')

export const fdOf = socket => socket._handle.fd
export const descriptorOf = socket => Descriptor.fromHandle(takeHandle(socket).handle)
/** A descriptor as a socket of Node's. */
export const socketOf = fd => new Socket({ fd, readable: true, writable: true, allowHalfOpen: true })

/** @returns a client, and the server's end, of which nothing is read yet */
export async function pair(host, { port = 0, buffer } = {}) {
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true }).listen(port, host)
  await once(server, 'listening')
  // The window is agreed on before there is a connection.
  if (buffer !== undefined) calls.setOption(server._handle.fd, SOL_SOCKET, SO_RCVBUF, buffer)
  const client = connect({
    port: server.address().port,
    host: hostOf(host),
    noDelay: true,
    allowHalfOpen: true,
  })
  client.on('error', error => fail(`the client's connection: ${error.message}`))
  const [accepted] = await once(server, 'connection')
  accepted.on('error', () => {})
  server.close()
  return { client, accepted, port: accepted.localPort }
}

const hostOf = host => (host === '::' ? '127.0.0.1' : host)

export function fail(reason) {
  process.stdout.write(`${JSON.stringify({ failed: reason })}\n`)
  process.exit(1)
}

/** Until the peer's kernel has everything: what comes while there is no socket is answered by a reset. */
export async function settled(fd) {
  for (let i = 0; i < 2000 && calls.ask(fd, SIOCOUTQ) > 0; i++) await sleep(1)
}

/** Acknowledges at once what comes next. */
export const quick = socket => calls.setOption(fdOf(socket), TCP, TCP_QUICKACK, 1)

/** As another program does with a connection that it saves. */
export const repairs = (fd, on) => calls.setOption(fd, TCP, TCP_REPAIR, on ? 1 : 0)

export const hears = fd => calls.setOption(fd, SOL_SOCKET, SO_DETACH_FILTER, 0)

/** So many bytes of it. */
export async function read(socket, length) {
  const pieces = []
  let have = 0
  while (have < length) {
    const piece = socket.read()
    if (piece === null) await once(socket, 'readable')
    else {
      pieces.push(piece)
      have += piece.length
    }
  }
  return Buffer.concat(pieces)
}

/** What this namespace has counted. */
export function counters() {
  const lines = readFileSync('/proc/net/snmp', 'utf8')
    .split('\n')
    .filter(line => line.startsWith('Tcp:'))
  const [names, values] = lines.map(line => line.split(' '))
  return Object.fromEntries(names.map((name, i) => [name, Number(values[i])]))
}

/** Runs one scenario by its name, and says what came of it. */
export async function run(scenarios) {
  const [name, ...words] = process.argv.slice(2)
  const result = await scenarios[name](...words)
  process.stdout.write(`${JSON.stringify({ result, resets: counters().OutRsts })}\n`)
  process.exit(0)
}
process.on('unhandledRejection', error => fail(String(error?.stack ?? error)))
