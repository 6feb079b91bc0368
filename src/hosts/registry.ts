import { isHostName } from '../platform/hosts/name.ts'
import type { Log } from '../platform/log.ts'
import type { Clock, Timer } from '../time/clock.ts'
import type { SessionDirectory } from '../transfer/directory.ts'
import { type Etcd, EtcdAway } from './etcd.ts'
import { EtcdDirectory } from './etcd-directory.ts'
import { Lease } from './lease.ts'

/** Milliseconds between two looks at which hosts there are. */
const LOOK = 1000

/** What a host says of itself in the directory. */
export interface HostEntry {
  /** Of its platform. */
  readonly run: string
  readonly address: string
  readonly port: number
  /** SHA-256 of the certificate that its link shows, in hexadecimal. */
  readonly digest: string
}

export interface RegistryOptions {
  readonly etcd: Etcd
  readonly clock: Clock
  readonly log: Log
  readonly name: string
  readonly prefix: string
  readonly leaseSeconds: number
  readonly entry: HostEntry
  /** The other hosts, as etcd knew them when it last answered. */
  readonly onHosts: (hosts: ReadonlyMap<string, HostEntry>) => void
}

/** What this host holds in etcd. */
interface Held {
  readonly lease: Lease
  readonly memory: Lease
  readonly directory: SessionDirectory
}

/** The hosts in etcd, and our own entry among them, for as long as this link lives. */
export class Registry {
  readonly #options: RegistryOptions
  #hosts: ReadonlyMap<string, HostEntry> = new Map()
  #held: Held | undefined
  #away = true
  #taken = false
  #timer: Timer | undefined
  #over = false

  constructor(options: RegistryOptions) {
    this.#options = options
  }

  /** Whether etcd did not answer when it was last asked. */
  get away(): boolean {
    return this.#away
  }

  /** The other hosts, as etcd knew them when it last answered. */
  get hosts(): ReadonlyMap<string, HostEntry> {
    return this.#hosts
  }

  /** Whether another process has our name. */
  get taken(): boolean {
    return this.#taken
  }

  /** Who owns sessions; undefined: nothing can be claimed now. */
  get directory(): SessionDirectory | undefined {
    return this.#held?.lease.held === true && this.#held.memory.held ? this.#held.directory : undefined
  }

  /** The host that shows a certificate with that digest. */
  hostOf(digest: string): string | undefined {
    for (const [name, entry] of this.#hosts) if (entry.digest === digest) return name
    return undefined
  }

  /** Looks from now on. */
  begin(): void {
    void this.#look().finally(() => {
      if (!this.#over) this.#timer = this.#options.clock.after(LOOK, () => this.begin()).unref()
    })
  }

  /** Takes our entry away, at once or when the lease ends. */
  async end(): Promise<void> {
    this.#over = true
    this.#timer?.stop()
    await Promise.all([this.#held?.lease.end(), this.#held?.memory.end()])
  }

  async #look(): Promise<void> {
    const { etcd, prefix, name, log, onHosts } = this.#options
    try {
      if (this.directory === undefined) await this.#enter()
      const found = await etcd.list(`${prefix}/host/`)
      const hosts = found.map(
        ({ key, value }) => [key.slice(`${prefix}/host/`.length), entryOf(value)] as const,
      )
      this.#hosts = new Map(hosts.filter((one): one is [string, HostEntry] => isOther(one, name)))
      this.#tell(false)
      // One whose name another platform has is no host, and is vouched for by none.
      onHosts(this.#taken ? new Map() : this.#hosts)
    } catch (error) {
      if (!(error instanceof EtcdAway)) log.warn({ err: error }, 'etcd refuses what the link asks of it')
      this.#tell(true, error as Error)
    }
  }

  /** New leases, and our entry under one of them. */
  async #enter(): Promise<void> {
    const { etcd, clock, leaseSeconds: seconds, prefix, name, entry, log } = this.#options
    await Promise.all([this.#held?.lease.end(), this.#held?.memory.end()])
    this.#held = undefined
    const onLost = (reason: string): void => log.warn({ reason }, 'the lease in etcd has ended')
    const lease = await Lease.grant(etcd, { seconds, clock, onLost })
    const memory = await Lease.grant(etcd, { seconds: seconds * MEMORY, clock, onLost })
    const key = `${prefix}/host/${name}`
    const change = { put: key, value: JSON.stringify(entry), lease: lease.id }
    const first = await etcd.transact([{ key, revision: 0n }], [change])
    // Our platform has had another link, which is dead.
    const before = first.found.get(key)
    const again = before !== undefined && entryOf(before.value)?.run === entry.run
    const { succeeded } = again ? await etcd.transact([before], [change]) : first
    if (this.#taken !== !succeeded)
      log[succeeded ? 'info' : 'warn']({ name }, succeeded ? 'entered in etcd' : 'this name is taken in etcd')
    this.#taken = !succeeded
    if (!succeeded || this.#over) {
      await Promise.all([lease.end(), memory.end()])
      return
    }
    this.#held = { lease, memory, directory: new EtcdDirectory({ etcd, lease, memory, clock, prefix }) }
  }

  #tell(away: boolean, error?: Error): void {
    if (away && !this.#away) this.#options.log.warn({ err: error }, 'etcd does not answer')
    if (!away && this.#away) this.#options.log.info('etcd answers')
    this.#away = away
  }
}

/** Times as long as a host's lease generations are remembered. */
const MEMORY = 6

/** Whether that is another host, and none with a name that no host can have. */
function isOther([host, entry]: readonly [string, HostEntry | undefined], name: string): boolean {
  return host !== name && isHostName(host) && entry !== undefined
}

function entryOf(value: string): HostEntry | undefined {
  try {
    const { run, address, port, digest } = JSON.parse(value) as Partial<HostEntry>
    if (typeof run !== 'string' || typeof address !== 'string') return undefined
    if (!Number.isInteger(port) || port! < 1 || port! > 65_535 || !/^[0-9a-f]{64}$/.test(String(digest)))
      return undefined
    return { run, address, port: port!, digest: digest! }
  } catch {
    return undefined
  }
}
