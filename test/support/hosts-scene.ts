import { cpSync } from 'node:fs'
import { join } from 'node:path'
import type { PlatformStatus } from '../../src/cli/platform/status.ts'
import { hostsOf } from '../../src/platform/hosts/counters.ts'
import type { ConnectionStatus } from '../../src/supervisor/sessions.ts'
import { Client } from './client.ts'
import { EtcdServer } from './peers/etcd.ts'
import { eventually, makeDirectory, Platform } from './platform.ts'

/** What a host's stack file says besides: its functions. */
export interface HostFunctions {
  readonly a: string
  readonly b: string
  /** If there is a third one. */
  readonly c?: string
}

type HostName = keyof HostFunctions

/** Two hosts or three, each with a gateway and containers of its own, and the etcd that joins them. */
export class HostsScene {
  readonly etcd: EtcdServer
  readonly a: Platform
  readonly b: Platform
  /** All, by their names. */
  readonly all: ReadonlyMap<string, Platform>
  readonly #processes: number

  /**
   * @param files beside all stack files
   * @param more seconds of silence until a host is lost, and how many processes of each the others know
   */
  static async start(
    functions: HostFunctions,
    files: Readonly<Record<string, string>> = {},
    { leaseSeconds = 60, processes = 3 } = {},
  ): Promise<HostsScene> {
    const etcd = await EtcdServer.start()
    const names = (['a', 'b', 'c'] as const).filter(name => functions[name] !== undefined)
    const config = (name: HostName): string => `
version: 1
carrier: relay
hosts: { name: ${name}, etcd: ["${etcd.endpoint}"], port: 0, leaseSeconds: ${leaseSeconds} }
gateway: { defaultFunction: echo, limits: { helloSeconds: 60, holdSeconds: 60 } }
connection: { requests: 1000000, timers: { keepAlive: 300, headers: 300, requestBody: 300, container: 60 } }
liveness: { failureSeconds: 60, startSeconds: 300 }
functions:
${functions[name]}
`
    const directories: string[] = []
    for (const name of names) directories.push(await makeDirectory(config(name)))
    // The same names, and the same certificates for them.
    const certificates = (index: number): string => join(directories[index]!, 'certs')
    for (let i = 1; i < names.length; i++) cpSync(certificates(0), certificates(i), { recursive: true })
    const started = await Promise.allSettled(
      directories.map(directory =>
        Platform.start({ directory, files, environment: { HOTPOTATO_CARRIER: '' } }),
      ),
    )
    const platforms = started.flatMap(one => (one.status === 'fulfilled' ? [one.value] : []))
    const failed = started.find(one => one.status === 'rejected')
    if (failed !== undefined) {
      // Nothing of it stays behind.
      for (const platform of platforms) await platform.stop()
      await etcd.close()
      throw failed.reason
    }
    const scene = new HostsScene(etcd, new Map(names.map((name, i) => [name, platforms[i]!])), processes)
    await scene.met()
    return scene
  }

  private constructor(etcd: EtcdServer, all: ReadonlyMap<string, Platform>, processes: number) {
    this.#processes = processes
    this.etcd = etcd
    this.all = all
    this.a = all.get('a')!
    this.b = all.get('b')!
  }

  /** Waits until each host knows the processes of the others. */
  async met(): Promise<void> {
    for (const [name, platform] of this.all)
      for (const other of this.all.keys()) if (other !== name) await this.knows(platform, other)
  }

  /** Waits until the processes of a host are known to those of another one. @param processes at least */
  async knows(platform: Platform, host: string, processes = this.#processes): Promise<void> {
    await platform.until('link', ({ counters }) => (hostsOf(counters).get(host) ?? 0) >= processes)
  }

  /** A client of host a, which has had an answer. */
  async client(path = '/echo', serverName = 'echo.local'): Promise<{ client: Client; status: number }> {
    const client = await Client.open({
      port: this.a.https,
      tls: { ca: this.a.ca, serverName },
    })
    const { status } = await client.request(path)
    return { client, status }
  }

  /** The connections of a host. */
  async connections(platform: Platform): Promise<readonly ConnectionStatus[]> {
    const { connections } = await platform.order<PlatformStatus>('status connections')
    return connections ?? []
  }

  /** Waits until no process has a connection. */
  async idle(): Promise<void> {
    for (const platform of this.all.values())
      await eventually(
        async () => ((await platform.total('connections')) === 0 ? true : undefined),
        'some process still has a connection',
      )
  }

  async stop(): Promise<void> {
    await Promise.all([...this.all.values()].map(platform => platform.stop()))
    await this.etcd.close()
  }
}

export { eventually }
