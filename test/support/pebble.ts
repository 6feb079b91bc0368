import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeCertificates } from '../../src/certificates/authority.ts'
import { eventually } from './platform.ts'
import { isInstalled, missing } from './programs.ts'

/** Whether Debian's ACME server is there, with the DNS server that comes with it. */
export const PEBBLE = isInstalled('pebble', ['-help']) && isInstalled('pebble-challtestsrv', ['-help'])
export const PEBBLE_NOTE = `pebble${missing(PEBBLE, 'pebble', 'pebble')}`

export interface PebbleOptions {
  /** Ports of this machine at which it looks for proofs. */
  readonly http?: number
  readonly tls?: number
  /** Key ids and keys (base64url): then an account needs one of them. */
  readonly external?: Readonly<Record<string, string>>
  /** Parts of a hundred of good nonces that are refused; pebble's own choice is 5. */
  readonly badNonces?: number
  /** A directory of an earlier one, with its certificate, and its port. */
  readonly again?: { readonly directory: string; readonly port: number }
}

/** Let's Encrypt's small ACME server on the loopback, in which every name is this machine. */
export class Pebble {
  readonly directory: string
  readonly port: number
  /** Where it looks for proofs of HTTP-01, and of TLS-ALPN-01. */
  readonly http: number
  readonly tls: number
  readonly #children: readonly ChildProcess[]
  readonly #said: () => string

  private constructor(
    directory: string,
    ports: { readonly port: number; readonly http: number; readonly tls: number },
    children: readonly ChildProcess[],
    said: () => string,
  ) {
    this.directory = directory
    this.port = ports.port
    this.http = ports.http
    this.tls = ports.tls
    this.#children = children
    this.#said = said
  }

  static async start({ http, tls, external, badNonces, again }: PebbleOptions = {}): Promise<Pebble> {
    const directory = again?.directory ?? mkdtempSync(join(tmpdir(), 'hotpotato-pebble-'))
    await makeCertificates({ directory, certificates: [{ name: 'pebble' }], now: Date.now() })
    const [acme, management, freeHttp, freeTls, ...free] = await freePorts(6)
    const ports = { port: again?.port ?? acme!, http: http ?? freeHttp!, tls: tls ?? freeTls! }
    const settings = {
      listenAddress: `127.0.0.1:${ports.port}`,
      managementListenAddress: `127.0.0.1:${management}`,
      certificate: join(directory, 'pebble.crt'),
      privateKey: join(directory, 'pebble.key'),
      httpPort: ports.http,
      tlsPort: ports.tls,
      ocspResponderURL: '',
      externalAccountBindingRequired: external !== undefined,
      ...(external === undefined ? {} : { externalAccountMACKeys: external }),
    }
    writeFileSync(join(directory, 'pebble.json'), JSON.stringify({ pebble: settings }))
    const [resolver, manager] = free.map(port => `127.0.0.1:${port}`)
    const none = ['-http01', '', '-https01', '', '-tlsalpn01', '', '-defaultIPv6', '']
    const names = ['-dns01', resolver!, '-management', manager!, '-defaultIPv4', '127.0.0.1', ...none]
    let said = ''
    const children = [
      spawn('pebble-challtestsrv', names, { stdio: ['ignore', 'pipe', 'pipe'] }),
      spawn('pebble', ['-config', join(directory, 'pebble.json'), '-dnsserver', resolver!, '-strict'], {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: {
          ...process.env,
          PEBBLE_VA_NOSLEEP: '1',
          ...(badNonces === undefined ? {} : { PEBBLE_WFE_NONCEREJECT: String(badNonces) }),
        },
      }),
    ]
    for (const child of children)
      for (const stream of [child.stdout, child.stderr])
        stream.setEncoding('utf8').on('data', (text: string) => {
          said += text
        })
    await eventually(async () => ((await answers(ports.port)) ? true : undefined), 'pebble does not come up')
    return new Pebble(directory, ports, children, () => said)
  }

  get url(): string {
    return `https://localhost:${this.port}/dir`
  }

  /** Whom to trust for its server. */
  get caFile(): string {
    return join(this.directory, 'ca.crt')
  }

  /** What it has written. */
  get log(): string {
    return this.#said()
  }

  async stop(keep = false): Promise<void> {
    for (const child of this.#children) {
      if (child.exitCode !== null || child.signalCode !== null) continue
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
    }
    if (!keep) rmSync(this.directory, { recursive: true, force: true })
  }
}

/** Ports of the loopback that no program listens on now, each another one. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'))
  await Promise.all(servers.map(server => once(server, 'listening')))
  const ports = servers.map(server => (server.address() as { port: number }).port)
  await Promise.all(servers.map(server => once(server.close(), 'close')))
  return ports
}

async function answers(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
