import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { PlatformStatus } from '../../src/cli/platform/status.ts'
import { hostsOf } from '../../src/platform/hosts/counters.ts'
import type { ConnectionStatus } from '../../src/supervisor/sessions.ts'
import { environmentOf, eventually, hotpotato, makeDirectory, Platform } from './platform.ts'

/*
 * Hosts on one network, each a network namespace with a platform and a `hotpotato netd`, and a client that
 * knows the address of the service alone. What it sends comes to host a.
 */

/** From here, or from where it is built. */
const ROOT = import.meta.url.includes('/dist/test/') ? '../../../' : '../../'
const HOTPOTATO = fileURLToPath(new URL(`${ROOT}bin/hotpotato.js`, import.meta.url))
/** The service, which each host has as an address of its own. */
export const SERVICE = '10.77.9.1'
const ETCD = '10.77.0.254'
export const PORTS = { http: 8080, https: 8443 } as const
const ADDRESSES = { a: '10.77.0.1', b: '10.77.0.2', c: '10.77.0.3', client: '10.77.0.10' } as const
type Place = keyof typeof ADDRESSES
export type HostName = Exclude<Place, 'client'>

/** Whether such a network can be made here, and what is missing. */
export const front = look()

function look(): { readonly available: boolean; readonly note: string } {
  if (process.geteuid?.() !== 0) return { available: false, note: 'needs root' }
  for (const [program, word, packet] of [
    ['ip', '-V', 'iproute2'],
    ['nft', '-v', 'nftables'],
    ['etcd', '--version', 'etcd-server'],
    ['curl', '-V', 'curl'],
  ] as const)
    if (spawnSync(program, [word]).error !== undefined)
      return { available: false, note: `no ${program}: apt-get install ${packet}` }
  const name = `hp${process.pid}x`
  const tried = spawnSync('ip', ['netns', 'add', name], { encoding: 'utf8' })
  spawnSync('ip', ['netns', 'del', name])
  if (tried.status !== 0) return { available: false, note: `no network namespaces: ${tried.stderr.trim()}` }
  return { available: true, note: 'root, nftables, etcd, curl' }
}

function run(program: string, ...words: readonly string[]): string {
  const { status, stderr, stdout } = spawnSync(program, words, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${program} ${words.join(' ')}: ${stderr}`)
  return stdout
}

/** What is said of the functions of each host, and of the rest. */
export interface FrontOptions {
  readonly functions: Readonly<Partial<Record<HostName, string>>>
  readonly files?: Readonly<Record<string, string>>
  readonly leaseSeconds?: number
  /** Default: repair. Without it no netd is started. */
  readonly carrier?: 'relay' | 'repair'
}

export class FrontScene {
  readonly platforms = new Map<HostName, Platform>()
  readonly #options: FrontOptions
  readonly #prefix: string
  readonly #directory = mkdtempSync(join(tmpdir(), 'hotpotato-front-'))
  readonly #netds = new Map<HostName, ChildProcess>()
  readonly #children: ChildProcess[] = []
  #etcd: ChildProcess | undefined

  static async start(options: FrontOptions): Promise<FrontScene> {
    const scene = new FrontScene(options)
    try {
      await scene.#start()
    } catch (error) {
      await scene.stop()
      throw error
    }
    return scene
  }

  private constructor(options: FrontOptions) {
    this.#options = options
    this.#prefix = `hp${process.pid}${Math.floor(Math.random() * 1e6)}`
  }

  get #repairs(): boolean {
    return this.#options.carrier !== 'relay'
  }

  get #hosts(): readonly HostName[] {
    return Object.keys(this.#options.functions) as HostName[]
  }

  #namespace(place: Place | 'hub'): string {
    return `${this.#prefix}${place}`
  }

  /** The words before a program that is to run there. */
  at(place: Place | 'hub'): readonly string[] {
    return ['ip', 'netns', 'exec', this.#namespace(place)]
  }

  platform(host: HostName): Platform {
    return this.platforms.get(host)!
  }

  async #start(): Promise<void> {
    this.#network()
    await this.startEtcd()
    const directories: string[] = []
    for (const host of this.#hosts) directories.push(await makeDirectory(this.#config(host)))
    for (const directory of directories.slice(1))
      cpSync(join(directories[0]!, 'certs'), join(directory, 'certs'), { recursive: true })
    const { files = {} } = this.#options
    await Promise.all(
      this.#hosts.map(async (host, i) => {
        const platform = await Platform.start({
          directory: directories[i]!,
          files,
          front: this.at(host),
          environment: { ...environment(), HOTPOTATO_CARRIER: '' },
        })
        this.platforms.set(host, platform)
        if (this.#repairs) await this.startNetd(host)
      }),
    )
    await this.met()
  }

  #network(): void {
    const hub = this.#namespace('hub')
    run('ip', 'netns', 'add', hub)
    run('ip', '-n', hub, 'link', 'set', 'lo', 'up')
    run('ip', '-n', hub, 'link', 'add', 'bridge', 'type', 'bridge')
    run('ip', '-n', hub, 'link', 'set', 'bridge', 'up')
    run('ip', '-n', hub, 'addr', 'add', `${ETCD}/24`, 'dev', 'bridge')
    for (const place of [...this.#hosts, 'client'] as const) {
      const name = this.#namespace(place)
      run('ip', 'netns', 'add', name)
      run('ip', '-n', name, 'link', 'set', 'lo', 'up')
      run(
        'ip',
        '-n',
        name,
        'link',
        'add',
        'eth0',
        'type',
        'veth',
        'peer',
        'name',
        `to-${place}`,
        'netns',
        hub,
      )
      run('ip', '-n', name, 'addr', 'add', `${ADDRESSES[place]}/24`, 'dev', 'eth0')
      run('ip', '-n', name, 'link', 'set', 'eth0', 'up')
      run('ip', '-n', hub, 'link', 'set', 'dev', `to-${place}`, 'master', 'bridge', 'up')
      if (place !== 'client') run('ip', '-n', name, 'addr', 'add', `${SERVICE}/32`, 'dev', 'lo')
      else run('ip', '-n', name, 'route', 'add', `${SERVICE}/32`, 'via', ADDRESSES.a)
    }
  }

  #config(host: HostName): string {
    const { leaseSeconds = 60, carrier = 'repair', functions } = this.#options
    return `
version: 1
hosts:
  name: ${host}
  etcd: ["http://${ETCD}:2379"]
  address: ${ADDRESSES[host]}
  port: 7443
  leaseSeconds: ${leaseSeconds}
  carrier: ${carrier}
gateway:
  host: ${SERVICE}
  defaultFunction: echo
  limits: { helloSeconds: 60, holdSeconds: 60 }
connection: { requests: 1000000, timers: { keepAlive: 300, headers: 300, requestBody: 300, container: 60 } }
liveness: { failureSeconds: 60, startSeconds: 300 }
functions:
${functions[host]}
`
  }

  async startEtcd(): Promise<void> {
    const url = `http://${ETCD}:2379`
    const peers = `http://127.0.0.1:2380`
    this.#etcd = this.spawn('hub', [
      ...['etcd', '--name', 'one', '--data-dir', join(this.#directory, 'etcd'), '--log-level', 'error'],
      ...['--listen-client-urls', url, '--advertise-client-urls', url],
      ...['--listen-peer-urls', peers, '--initial-advertise-peer-urls', peers],
      ...['--initial-cluster', `one=${peers}`],
    ])
    const [program, ...words] = [...this.at('hub'), 'curl', '-sf', `${url}/health`]
    await eventually(() => spawnSync(program!, words).status === 0 || undefined, 'etcd does not answer')
  }

  async killEtcd(): Promise<void> {
    const etcd = this.#etcd!
    etcd.kill('SIGKILL')
    await once(etcd, 'exit')
  }

  /** Starts it, and waits until its platform has noticed. */
  async startNetd(host: HostName): Promise<void> {
    const platform = this.platform(host)
    const words = [process.execPath, HOTPOTATO, 'netd', '--config', join(platform.directory, 'hotpotato.yml')]
    this.#netds.set(host, this.spawn(host, words, environmentOf(platform.directory, environment())))
    await platform.until('link', ({ counters }) => counters.netdAway === 0)
  }

  netd(host: HostName): ChildProcess {
    return this.#netds.get(host)!
  }

  async killNetd(host: HostName): Promise<void> {
    const netd = this.netd(host)
    netd.kill('SIGKILL')
    await once(netd, 'exit')
  }

  /** A program there, which ends with the scene. */
  spawn(
    place: Place | 'hub',
    words: readonly string[],
    env = process.env as Record<string, string>,
  ): ChildProcess {
    const [program, ...rest] = [...this.at(place), ...words]
    const child = spawn(program!, rest, { stdio: ['pipe', 'pipe', 'ignore'], env })
    this.#children.push(child)
    return child
  }

  /** Waits until each host knows the containers of the others, and connections can go there themselves. */
  async met(): Promise<void> {
    for (const host of this.#hosts)
      await this.platform(host).until('link', ({ counters }) => {
        const known = hostsOf(counters)
        return (
          this.#hosts.every(other => other === host || (known.get(other) ?? 0) >= 2) &&
          (!this.#repairs || counters.netdAway === 0)
        )
      })
  }

  /**
   * Requests of one curl, on one connection if it is not lost.
   * @returns of each the status, the container that gave it, and how many connections were made for it
   */
  async curl(...paths: readonly string[]): Promise<readonly string[]> {
    const base = `https://echo.local:${PORTS.https}`
    const words = ['-s', '--http1.1', '--cacert', this.platform('a').caFile]
    const resolve = ['--resolve', `echo.local:${PORTS.https}:${SERVICE}`]
    const each = ['-o', '/dev/null', '-w', '%{http_code} %header{x-hotpotato-container} %{num_connects}\\n']
    const all = paths.flatMap(path => [...each, `${base}${path}`])
    const child = this.spawn('client', ['curl', ...words, ...resolve, ...all])
    let said = ''
    child.stdout!.setEncoding('utf8').on('data', text => (said += text))
    await once(child, 'close')
    return said.trim().split('\n')
  }

  /** A client that is `openssl s_client`. */
  openssl(): OpensslClient {
    return new OpensslClient(
      this.spawn('client', [
        ...['openssl', 's_client', '-connect', `${SERVICE}:${PORTS.https}`, '-servername', 'echo.local'],
        ...['-CAfile', this.platform('a').caFile, '-quiet', '-no_ign_eof'],
      ]),
    )
  }

  async connections(host: HostName): Promise<readonly ConnectionStatus[]> {
    return (await this.platform(host).order<PlatformStatus>('status connections')).connections ?? []
  }

  /** Moves the only connection of that host. @returns what the command said against it; '' if nothing */
  async move(from: HostName, to: string): Promise<string> {
    const [connection] = await eventually(async () => {
      const found = await this.connections(from)
      return found.length === 1 ? found : undefined
    }, `host ${from} has not one connection`)
    const { code, stderr } = await hotpotato(this.platform(from).directory, ['move', connection!.id, to])
    return code === 0 ? '' : stderr || `exit ${code}`
  }

  async pid(host: HostName, name: string): Promise<number> {
    return (await this.platform(host).member(name)).pid!
  }

  /** Waits until host a steers so many flows. */
  async steers(count: number): Promise<void> {
    const so = (): true | undefined => this.steered() === count || undefined
    await eventually(so, `not ${count} connections are steered`)
  }

  /** The flows that host a steers. */
  steered(host: HostName = 'a'): number {
    const text = this.#told(host, 'nft', 'list', 'map', 'ip', 'hotpotato', 'flows')
    return (text.match(/ : \d/g) ?? []).length
  }

  /** A number that the kernel of a namespace counts. */
  counted(place: Place, name: string): number {
    const text = this.#told(place, 'nstat', '-az', name)
    return Number(new RegExp(`^${name}\\s+(\\d+)`, 'm').exec(text)?.[1])
  }

  #told(place: Place, ...words: readonly string[]): string {
    return run('ip', 'netns', 'exec', this.#namespace(place), ...words)
  }

  async stop(): Promise<void> {
    for (const platform of this.platforms.values()) await platform.stop().catch(() => undefined)
    for (const child of this.#children) child.kill('SIGKILL')
    for (const platform of this.platforms.values())
      rmSync(platform.directory, { recursive: true, force: true })
    for (const place of [...this.#hosts, 'client', 'hub'] as const)
      spawnSync('ip', ['netns', 'del', this.#namespace(place)])
    rmSync(this.#directory, { recursive: true, force: true })
  }
}

function environment(): Record<string, string> {
  return { HOTPOTATO_HTTP_PORT: String(PORTS.http), HOTPOTATO_HTTPS_PORT: String(PORTS.https) }
}

/** One connection of `openssl s_client`. */
export class OpensslClient {
  readonly #child: ChildProcess
  #said = ''
  #ended = false
  #asked = 0

  constructor(child: ChildProcess) {
    this.#child = child
    child.stdout!.setEncoding('utf8').on('data', text => (this.#said += text))
    child.once('exit', () => {
      this.#ended = true
    })
    child.stdin!.on('error', () => {})
  }

  /** @returns the container that answers; undefined: the connection has ended */
  async asks(path = '/echo'): Promise<string | undefined> {
    const mark = `${path}?${++this.#asked}`
    this.#said = ''
    this.#child.stdin!.write(`GET ${mark} HTTP/1.1\r\nHost: echo.local\r\n\r\n`)
    const answered = (): boolean => this.#said.includes('\r\n\r\n')
    await eventually(() => answered() || this.#ended || undefined, 'openssl gets no answer')
    return /^x-hotpotato-container: (\S+)/im.exec(this.#said)?.[1]
  }

  get ended(): boolean {
    return this.#ended
  }

  async end(): Promise<void> {
    const exit = this.#ended ? undefined : once(this.#child, 'exit')
    this.#child.stdin!.end()
    await exit
  }
}
