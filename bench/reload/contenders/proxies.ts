import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { BenchError } from '../../harness/run.ts'
import type { Identity } from '../../rig/identity.ts'
import { descendants } from '../../rig/processes.ts'

/** Milliseconds that a proxy has to start, or to read its file anew. */
const PATIENCE = 20_000
const LOOK = 10

export type ProxyName = 'nginx' | 'haproxy'

interface Kind {
  readonly command: string
  readonly version: string
  /** @returns its arguments */
  start(directory: string): readonly string[]
  readonly reload: NodeJS.Signals
  /** Its file. @param port where it listens @param application where that is */
  file(directory: string, port: number, application: number): string
}

const FILE = 'proxy.conf'
const KINDS: Readonly<Record<ProxyName, Kind>> = {
  nginx: {
    command: 'nginx',
    version: '-v',
    start: directory => ['-p', directory, '-e', join(directory, 'error.log'), '-c', join(directory, FILE)],
    reload: 'SIGHUP',
    file: (directory, port, application) => `
daemon off;
pid ${directory}/nginx.pid;
worker_processes 2;
events { worker_connections 4096; }
http {
  access_log off;
  client_body_temp_path ${directory}/body;
  proxy_temp_path ${directory}/proxy;
  fastcgi_temp_path ${directory}/fastcgi;
  uwsgi_temp_path ${directory}/uwsgi;
  scgi_temp_path ${directory}/scgi;
  map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
  server {
    listen 127.0.0.1:${port} ssl;
    ssl_certificate ${directory}/tls.pem;
    ssl_certificate_key ${directory}/tls.pem;
    ssl_protocols TLSv1.3;
    location / {
      proxy_pass http://127.0.0.1:${application};
      proxy_http_version 1.1;
      proxy_set_header Host $host;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      proxy_buffering off;
      proxy_read_timeout 1h;
      proxy_send_timeout 1h;
    }
  }
}
`,
  },
  haproxy: {
    command: 'haproxy',
    version: '-v',
    start: directory => ['-W', '-f', join(directory, FILE)],
    reload: 'SIGUSR2',
    file: (directory, port, application) => `
global
  maxconn 4096
  nbthread 2
  stats socket ${directory}/admin.sock mode 600 level admin expose-fd listeners
defaults
  mode http
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  timeout tunnel 1h
frontend tls
  bind 127.0.0.1:${port} ssl crt ${directory}/tls.pem ssl-min-ver TLSv1.3
  default_backend application
backend application
  server one 127.0.0.1:${application}
`,
  },
}

/** A proxy that ends TLS and is told again and again where its application is. */
export class ReverseProxy {
  readonly port: number
  readonly #kind: Kind
  readonly #directory: string
  readonly #process: ChildProcess
  #said = ''

  private constructor(kind: Kind, directory: string, port: number, application: number) {
    this.#kind = kind
    this.#directory = directory
    this.port = port
    this.#write(application)
    this.#process = spawn(kind.command, kind.start(directory), { stdio: ['ignore', 'ignore', 'pipe'] })
    this.#process.on('error', error => {
      this.#said += error.message
    })
    this.#process.stderr!.on('data', (text: Buffer) => {
      this.#said = (this.#said + text.toString()).slice(-2000)
    })
  }

  /** @returns why there is none, undefined if there is one */
  static refuses(name: ProxyName): string | undefined {
    const { command, version } = KINDS[name]
    const { error } = spawnSync(command, [version], { stdio: 'ignore' })
    return error === undefined ? undefined : `${command} is not installed (Debian package ${command})`
  }

  /** @throws BenchError it does not start */
  static async start(
    name: ProxyName,
    directory: string,
    identity: Identity,
    application: number,
  ): Promise<ReverseProxy> {
    writeFileSync(join(directory, 'tls.pem'), `${identity.certificate}\n${identity.key}`, { mode: 0o600 })
    const proxy = new ReverseProxy(KINDS[name], directory, await freePort(), application)
    await proxy.#until(() => proxy.workers().length > 0)
    return proxy
  }

  /** Its master, and what it has started. */
  pids(): readonly number[] {
    const { pid } = this.#process
    return pid === undefined ? [] : descendants([pid])
  }

  workers(): readonly number[] {
    return this.pids().slice(1)
  }

  /** Settled when new workers are there. @throws BenchError none comes */
  async reload(application: number): Promise<void> {
    const before = new Set(this.workers())
    this.#write(application)
    this.#process.kill(this.#kind.reload)
    await this.#until(() => this.workers().some(pid => !before.has(pid)))
  }

  /** Ends it with all of its workers. */
  async stop(): Promise<void> {
    const pids = this.pids()
    const ended = new Promise(resolve => this.#process.once('exit', resolve))
    for (const pid of [...pids].reverse()) kill(pid)
    if (this.#process.exitCode === null && this.#process.signalCode === null) await ended
  }

  #write(application: number): void {
    writeFileSync(join(this.#directory, FILE), this.#kind.file(this.#directory, this.port, application))
  }

  async #until(holds: () => boolean): Promise<void> {
    for (let left = PATIENCE / LOOK; !holds(); left--) {
      if (left <= 0 || this.#process.exitCode !== null)
        throw new BenchError(`${this.#kind.command} does not work: ${this.#said.trim()}`)
      await new Promise(resolve => setTimeout(resolve, LOOK))
    }
  }
}

/** Of a process of ours, which may have ended. */
function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended.
  }
}

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise(resolve => server.close(resolve))
  return port
}
