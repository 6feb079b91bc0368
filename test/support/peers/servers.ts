import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createSecureServer, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo, Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { noteOf, Program, versionOf } from '../interop/program.ts'
import { startNginx } from './nginx.ts'
import { freePort } from './ports.ts'

/** A server that clients are tried against. */
export interface Peer {
  readonly url: string
  close(): Promise<void>
}

/** What a peer is made of. */
export interface Identity {
  readonly cert: string
  readonly key: string
}

/** Larger than all windows and buffers. */
export const LARGE = 3_000_000

/** Content that shows where a piece is missing or twice. */
export function pattern(length: number): Uint8Array {
  const words = new Uint32Array(Math.ceil(length / 4))
  for (let i = 0; i < words.length; i++) words[i] = i * 2654435761
  return new Uint8Array(words.buffer).subarray(0, length)
}

export function sha(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** What every server of Node's answers: files, or what it was sent. */
function app(
  request: IncomingMessage | Http2ServerRequest,
  response: ServerResponse | Http2ServerResponse,
): void {
  const answer = response as ServerResponse
  const path = request.url ?? ''
  if (path === '/small') answer.end('hello')
  else if (path === '/large') answer.end(pattern(LARGE))
  else if (path === '/slow') {
    answer.writeEarlyHints({ link: '</small>' })
    setTimeout(() => answer.end('slowly'), 1500)
  } else {
    const hash = createHash('sha256')
    request.on('data', (bytes: Uint8Array) => hash.update(bytes))
    request.on('end', () => {
      answer.setHeader('x-method', request.method ?? '')
      answer.end(hash.digest('hex'))
    })
  }
}

async function listening(server: Server, scheme: string): Promise<Peer> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `${scheme}://localhost:${port}`,
    async close() {
      ;(server as { closeAllConnections?: () => void }).closeAllConnections?.()
      server.close()
    },
  }
}

const NGINX = versionOf('nginx', ['-v'])
const OPENSSL = versionOf('openssl', ['version'])

/** Kinds of servers: what they speak, and how one is started; `note` names it, or says why it is skipped. */
export interface PeerKind {
  readonly note: string
  readonly missing: boolean
  readonly protocol: 'http/1.1' | 'h2'
  /** It takes content, and answers with what came. */
  readonly echoes: boolean
  start(identity: Identity): Promise<Peer>
}

export const PEERS: Readonly<Record<string, PeerKind>> = {
  'node:http': {
    note: process.version,
    missing: false,
    protocol: 'http/1.1',
    echoes: true,
    start: () => listening(createServer(app), 'http'),
  },
  'node:https': {
    note: process.version,
    missing: false,
    protocol: 'http/1.1',
    echoes: true,
    start: ({ cert, key }) => listening(createHttpsServer({ cert, key }, app), 'https'),
  },
  'node:http2': {
    note: process.version,
    missing: false,
    protocol: 'h2',
    echoes: true,
    start: async ({ cert, key }) => {
      const server = createSecureServer({ cert, key }, app)
      const sessions = new Set<{ destroy(): void }>()
      server.on('session', session => sessions.add(session))
      const peer = await listening(server as unknown as Server, 'https')
      return {
        url: peer.url,
        async close() {
          for (const session of sessions) session.destroy()
          server.close()
        },
      }
    },
  },
  'nginx, HTTP/1.1': nginx(''),
  'nginx, HTTP/2': nginx('http2'),
  'openssl s_server -WWW': {
    note: noteOf(OPENSSL, 'openssl', 'openssl'),
    missing: OPENSSL === undefined,
    protocol: 'http/1.1',
    echoes: false,
    async start(identity) {
      const folder = filesIn(identity)
      const port = await freePort()
      const args = [
        's_server',
        '-accept',
        `127.0.0.1:${port}`,
        '-cert',
        'cert.pem',
        '-key',
        'key.pem',
        '-tls1_3',
      ]
      const program = new Program('sh', ['-c', `cd ${folder} && exec openssl ${args.join(' ')} -WWW`])
      await program.says('ACCEPT')
      return {
        url: `https://localhost:${port}`,
        async close() {
          await program.kill()
          rmSync(folder, { recursive: true })
        },
      }
    },
  },
}

/** A folder with what is served, and with the certificate. */
function filesIn({ cert, key }: Identity): string {
  const folder = mkdtempSync(join(tmpdir(), 'hotpotato-client-'))
  writeFileSync(join(folder, 'cert.pem'), cert)
  writeFileSync(join(folder, 'key.pem'), key, { mode: 0o600 })
  writeFileSync(join(folder, 'small'), 'hello')
  writeFileSync(join(folder, 'large'), pattern(LARGE))
  return folder
}

function nginx(http2: string): PeerKind {
  return {
    note: noteOf(NGINX, 'nginx', 'nginx'),
    missing: NGINX === undefined,
    protocol: http2 === '' ? 'http/1.1' : 'h2',
    echoes: false,
    async start(identity) {
      const folder = filesIn(identity)
      const port = await freePort()
      const program = await startNginx(
        folder,
        port,
        `server {
          listen 127.0.0.1:${port} ssl ${http2};
          ssl_certificate cert.pem; ssl_certificate_key key.pem; ssl_protocols TLSv1.3;
          root ${folder}; gzip on; gzip_min_length 1; gzip_types *;
          location /status { stub_status; }
        }`,
      )
      return {
        url: `https://localhost:${port}`,
        async close() {
          await program.kill()
          rmSync(folder, { recursive: true })
        },
      }
    },
  }
}
