import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { closeSync, readFileSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { loadProvider } from '../../src/platform/membership.ts'
import {
  createTicketKey,
  createTicketSealer,
  type ServerConfig,
  Session,
  type SessionState,
} from '../../src/tls13/index.ts'
import { certificateFromPem } from '../../src/tls13/io/pem.ts'
import { announce, argumentsOf, EngineRefusal, refuse } from '../engines/engine.ts'
import type { Connection } from './connection.ts'
import { head, readHead } from './head.ts'
import { Host } from './host.ts'
import { mailboxes } from './post.ts'
import { STATE } from './state.ts'
import { descriptorOf } from './together.ts'

const NAMES = ['a', 'b'] as const
const SUITE = 'TLS_AES_128_GCM_SHA256'

/**
 * The floor as an engine that the bench can start: this process is the first owner and listens, a child is
 * the second. Handshakes and each connection's first request are done by the project's own stack, because
 * nothing is to be learned of them here; then the connection is the floor's.
 */
async function main(): Promise<void> {
  const { certificate, key, suite } = argumentsOf(process.argv)
  if (suite !== SUITE) throw new EngineRefusal(`the floor speaks ${SUITE} alone`)
  const provider = await loadProvider('evp')
  const config: ServerConfig = {
    provider: { ...provider, cipherSuites: provider.cipherSuites.filter(({ name }) => name === SUITE) },
    alpn: ['http/1.1'],
    certificates: [
      certificateFromPem(provider, readFileSync(certificate, 'utf8'), readFileSync(key, 'utf8')),
    ],
    tickets: { sealer: createTicketSealer(provider, [createTicketKey(provider)]), count: 2 },
  }
  const host = openHosts()
  const server = createServer({ noDelay: true, allowHalfOpen: true }, socket => greet(socket, config, host))
  server.listen(0, '127.0.0.1', () =>
    announce(server, {
      engine: 'floor',
      title: 'floor of this runtime, without rules',
      owners: NAMES.map(name => ({ path: `/${name}`, name })),
      state: STATE,
    }),
  )
}

/** The first host here, the second one in a process of its own. */
function openHosts(): Host {
  const [out, back] = [randomBytes(32), randomBytes(32)]
  const [own, other] = mailboxes()
  const child = spawn(process.execPath, [fileURLToPath(new URL('./second.js', import.meta.url)), NAMES[1]], {
    stdio: ['pipe', 'inherit', 'inherit', other],
  })
  child.once('exit', () => process.exit(1))
  child.stdin!.end(Buffer.concat([back, out]))
  closeSync(other)
  return new Host(1, NAMES[0], own, Buffer.concat([out, back]))
}

/** A new connection up to its first answer. */
function greet(socket: Socket, config: ServerConfig, host: Host): void {
  const session = Session.server(config)
  socket.on('error', () => socket.destroy())
  socket.on('data', (bytes: Buffer) => {
    for (const event of session.receive(bytes)) {
      if (event.type !== 'application_data') continue
      if (!readHead(event.data, 0, event.data.length) || head.owner !== host.letter) {
        socket.destroy()
        return
      }
      const answer = new Uint8Array(2 * event.data.length + 512)
      const end = host.answer.write(answer, 0, 0, event.data, head.end, head.length)
      session.send(answer.subarray(0, end))
    }
    for (const record of session.takeOutput()) socket.write(record)
    if (session.closed) socket.end()
    // A client that has had its first answer sends nothing until then, so nothing is lost on the way.
    else if (answered(session)) adopt(host.connection(), session.release(), descriptorOf(socket))
  })
}

/** Whether the first request has been answered: tickets are records, too, but come before any request. */
function answered(session: Session): boolean {
  return session.connected && session.inspect().read!.sequenceNumber > 0
}

/** The floor's form of a session. */
function adopt(connection: Connection, { read, write, handshake }: SessionState, descriptor: number): void {
  connection.read.begin(read!.trafficSecret, 0, read!.sequenceNumber)
  connection.write.begin(write!.trafficSecret, 0, write!.sequenceNumber)
  const { state } = connection
  state.id.set(randomBytes(state.id.length))
  state.generation = 0
  state.hops = 0
  state.requests = 1
  if (handshake.state === 'CONNECTED') {
    state.rest.set(handshake.exporterMasterSecret)
    state.rest.set(handshake.resumptionMasterSecret, handshake.exporterMasterSecret.length)
  }
  connection.adopt(descriptor)
}

main().catch(refuse)
