/**
 * A live TLS session of a server, thrown to another process by hand: its state as bytes, and its socket. The
 * client is Node's, and sees one connection. Nothing of the platform is needed for that.
 * @module
 */
import { fork } from 'node:child_process'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { connect } from 'node:tls'
import { fileURLToPath } from 'node:url'
import { node } from '../../src/tls13/crypto/node.ts'
import { type ServerConfig, Session, SessionState } from '../../src/tls13/index.ts'
import { certificateFromPem } from '../../src/tls13/io/pem.ts'
import { decode, encode } from '../../src/wire/index.ts'
import { type Credentials, makeCredentials } from './lib/credentials.ts'
import { say } from './lib/say.ts'

if (process.send === undefined) await thrower()
else process.once('message', catcher)

function configOf({ certificate, key }: Credentials): ServerConfig {
  return { provider: node, certificates: [certificateFromPem(node, certificate, key)] }
}

/** Answers each question of a client with its own number. @param asked called when it has answered one */
function serve(session: Session, socket: Socket, asked: () => void): void {
  const flush = (): void => {
    for (const bytes of session.takeOutput()) socket.write(bytes)
  }
  socket.on('data', chunk => {
    for (const event of session.receive(Uint8Array.from(chunk))) {
      if (event.type !== 'application_data') continue
      session.send(new TextEncoder().encode(`${process.send === undefined ? 'thrower' : 'catcher'}\n`))
      flush()
      asked()
    }
    flush()
  })
}

async function thrower(): Promise<void> {
  const credentials = await makeCredentials()
  const heir = fork(fileURLToPath(import.meta.url))
  let connections = 0
  const server = createServer(socket => {
    connections++
    const session = Session.server(configOf(credentials))
    serve(session, socket, () => {
      // The client waits for us now: nothing of it is on its way. What we have written goes first.
      socket.removeAllListeners('data').pause()
      socket.write('', () => {
        const state = Buffer.from(encode(SessionState, session.release())).toString('base64')
        heir.send({ state, credentials }, socket)
      })
    })
  })
  await new Promise<void>(resolve => server.listen(0, 'localhost', resolve))

  const { port } = server.address() as AddressInfo
  const client = connect({ port, ca: credentials.authority, servername: 'localhost' })
  await new Promise(resolve => client.once('secureConnect', resolve))
  for (const question of ['one', 'two', 'three']) {
    client.write(question)
    const answer = await new Promise<Buffer>(resolve => client.once('data', resolve))
    say(question, 'is answered by the', answer.toString().trim())
    // It is the heir's turn when it has said so; by then the connection is its own.
    if (question === 'one') await new Promise(resolve => heir.once('message', resolve))
  }
  say('connections that the server has seen:', connections)
  client.destroy()
  server.close()
  heir.disconnect()
}

function catcher(message: unknown, socket: unknown): void {
  const { state, credentials } = message as { readonly state: string; readonly credentials: Credentials }
  const bytes = new Uint8Array(Buffer.from(state, 'base64'))
  const session = Session.restore(decode(SessionState, bytes), configOf(credentials))
  serve(session, socket as Socket, () => {})
  process.send!('mine')
}
