import { once } from 'node:events'
import { connect } from 'node:net'
import { node } from '../../src/tls13/crypto/node.ts'
import { Session } from '../../src/tls13/index.ts'
import { verifier } from '../../src/tls13/io/verify.ts'
import { concat } from '../../src/wire/index.ts'
import { obey, report, roleOf } from '../rig/child.ts'
import type { Destination } from '../rig/keep-alive.ts'
import { countOf, type Kind, loadOf } from './kinds.ts'

export interface Order {
  readonly do: 'send'
  readonly kind: Kind
  /** On the wire, without what TLS adds to large records. */
  readonly bytes: number
}
export interface Report {
  readonly say: 'sent'
  /** Bytes that came back. */
  readonly answered: number
}

/** Bytes that share a record where pieces are no records themselves. */
const RECORD = 16_384

/** Sends something in tiny pieces, and waits until the server has closed. */
async function send({ port, serverName, authority }: Destination, { kind, bytes }: Order): Promise<Report> {
  const pieces = countOf(kind, bytes)
  const load = loadOf(kind, pieces)
  const session = Session.client({
    provider: node,
    serverName,
    alpn: [load.alpn],
    verify: verifier({ ca: authority }),
  })
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  await once(socket, 'connect')
  let answered = 0
  const connected = new Promise<void>((resolve, reject) => {
    socket.on('error', reject)
    socket.on('data', data => {
      for (const event of session.receive(new Uint8Array(data))) {
        if (event.type === 'application_data') answered += event.data.length
        if (event.type === 'handshake_complete') resolve()
      }
    })
  })
  const closed = new Promise(resolve => socket.once('close', resolve))
  socket.write(concat(...session.takeOutput()))
  await connected
  const content = Buffer.concat(Array.from({ length: Math.min(pieces, 100_000) }, () => load.piece))
  session.send(load.head)
  for (let left = pieces; left > 0; ) {
    const some = Math.min(left, 100_000)
    const part = content.subarray(0, some * load.piece.length)
    const size = load.alone ? 1 : RECORD
    for (let at = 0; at < part.length; at += size) session.send(part.subarray(at, at + size))
    left -= some
  }
  session.send(load.tail(pieces))
  // The server may close before it has read everything.
  socket.on('error', () => {})
  socket.write(Buffer.concat(session.takeOutput()))
  await closed
  return { say: 'sent', answered }
}

const destination = roleOf<Destination>()
obey<Order, Report>(order => send(destination, order))
report({ say: 'listening', port: 0 })
