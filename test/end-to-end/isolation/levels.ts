import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { IsolationName } from '../../../src/stack/isolation.ts'
import { Client, textOf } from '../../support/client.ts'
import { makeDirectory, Platform } from '../../support/platform.ts'

/** Who starts a platform: root can give its functions user ids, and the others have none to give. */
export const USERS: readonly (readonly [who: string, user: number | undefined])[] =
  process.getuid?.() === 0
    ? [
        ['root', undefined],
        ['a user without rights', 65_534],
      ]
    : [['a user without rights', undefined]]

const built = (name: string): string => new URL(`../../../dist/src/${name}.js`, import.meta.url).href

/** Of this run alone: a function can reach others of its user, and other platforms may run beside. */
const FIRST = 20_000 + 10 * (process.pid % 3000)
const UIDS = `${FIRST}-${FIRST + 9}`

/** For the name of a test: why a level cannot be had here by a user; empty if it can. */
export function lacking(level: IsolationName, user: number | undefined): string {
  const code = `
    const { LEVELS } = await import('${built('supervisor/isolation/levels')}')
    const found = LEVELS['${level}'].check({ uids: { first: 58000, last: 58999 }, native: true })
    if (found !== undefined) console.log(found.what + '; ' + found.remedy)`
  const { status, stdout } = spawnSync(process.execPath, ['--input-type=module', '--eval', code], {
    encoding: 'utf8',
    cwd: '/',
    ...(user === undefined ? {} : { uid: user, gid: user }),
  })
  const said = status === 0 ? stdout.trim() : 'the compiled files are closed to that user'
  return said === '' ? '' : ` (SKIPPED: ${said})`
}

export const module = (name: string): string => fileURLToPath(new URL(`./${name}.mjs`, import.meta.url))

/** Of the table of docs/isolation.md: what a function can do, and whether it can at a level. */
export function worthOf(level: IsolationName): Record<string, boolean> {
  return Object.fromEntries(
    [...columnOf('a function can', level)].map(([what, said]) => [what, said === 'yes']),
  )
}

/** A column of a table of docs/isolation.md, by what its first one says. @param head of the first column */
export function columnOf(head: string, level: IsolationName): Map<string, string> {
  const text = readFileSync(new URL('../../../docs/isolation.md', import.meta.url), 'utf8')
  const [, names, rows] = new RegExp(`^\\| ${head} (\\|.*)\n\\| --- .*\n((?:\\|.*\n)+)`, 'm').exec(text)!
  const cells = (line: string): string[] =>
    line
      .split('|')
      .slice(1, -1)
      .map(cell => cell.trim())
  const column = cells(names!).indexOf(`\`${level}\``)
  const lines = rows!.trim().split('\n').map(cells)
  return new Map(lines.map(([what, ...said]) => [what!, said[column]!]))
}

/** Runs a command where no cgroup can be made: in a mount namespace that does not have them. */
const WITHOUT_CGROUPS = ['unshare', '--mount', 'sh', '-c', 'umount -lR /sys/fs/cgroup && exec "$0" "$@"']

/** For the name of a test: why that cannot be done; empty if it can. */
export function lackingFront(): string {
  const [program, ...args] = WITHOUT_CGROUPS
  const { status } = spawnSync(program!, [...args, 'true'])
  return status === 0 ? '' : ' (SKIPPED: mount namespaces need root, and unshare of util-linux)'
}

/** What an attack brought, by what was tried. */
export type Outcome = Readonly<Record<string, string>>

/** A platform with a neighbour, and a function that turns against it at each of some levels. */
export class Battlefield {
  readonly platform: Platform
  readonly client: Client
  /** The name of an abstract socket that a server of this machine listens on. */
  readonly abstract: string
  readonly #server: Server

  static async start(
    levels: readonly IsolationName[],
    user: number | undefined,
    limits = '',
    hidesCgroups = false,
  ): Promise<Battlefield> {
    const attacker = (level: IsolationName): string =>
      `  ${level}: { handler: ${module('attacker')}, isolation: ${level}, secrets: [of-${level}]${limits} }`
    const config = `
version: 1
gateway: { defaultFunction: echo }
isolationUids: ${UIDS}
connection: { requests: 1000000, timers: { keepAlive: 300, container: 60 } }
liveness: { startSeconds: 300, periodSeconds: 0.5, failureSeconds: 15, busySeconds: 15 }
restart: { firstSeconds: 0.02, mostSeconds: 0.1, healthySeconds: 600, crashLoop: 1000 }
functions:
  echo: { keys: signer }
${levels.map(attacker).join('\n')}
  served:
    handler: ${module('served')}
    command: [node, served.mjs]
    mode: socket
    isolation: ${levels.at(-1)}
`
    const certificates = ['echo', 'served', ...levels].map(name => ({ name, hosts: [`${name}.local`] }))
    const directory = await makeDirectory(config, certificates)
    mkdirSync(join(directory, 'secrets'), { mode: 0o700 })
    for (const level of levels)
      writeFileSync(join(directory, 'secrets', `of-${level}`), level, { mode: 0o600 })
    writeFileSync(join(directory, 'secrets', 'another'), 'a secret of another function', { mode: 0o600 })
    // A session that no runner shares: the runner's may belong to another pid namespace.
    const options = { directory, session: true, ...(hidesCgroups ? { front: WITHOUT_CGROUPS } : {}) }
    const platform = await Platform.start({ ...options, ...(user === undefined ? {} : { user }) })
    const client = await Client.open({
      port: platform.https,
      tls: { ca: platform.ca, serverName: 'echo.local' },
    })
    const abstract = `hotpotato-test-${process.pid}`
    const server = createServer(socket => socket.destroy())
    await new Promise<void>(resolve => server.listen(`\0${abstract}`, resolve))
    return new Battlefield(platform, client, abstract, server)
  }

  private constructor(platform: Platform, client: Client, abstract: string, server: Server) {
    this.platform = platform
    this.client = client
    this.abstract = abstract
    this.#server = server
  }

  /** Has a function attack, on the connection that the neighbour has in between. */
  async attack<T = Outcome>(level: IsolationName, attack: string, options: object = {}): Promise<T> {
    const body = new TextEncoder().encode(JSON.stringify({ attack, ...options }))
    const headers = [['content-type', 'application/json']] as const
    const answer = await this.client.request(`/${level}`, { body, headers })
    if (answer.status !== 200) throw new Error(`${level} says ${answer.status}: ${textOf(answer)}`)
    return JSON.parse(textOf(answer)) as T
  }

  /** The same on a connection of its own, which ends with the function. */
  async ruin(level: IsolationName, attack: string): Promise<void> {
    const client = await Client.open({
      port: this.platform.https,
      tls: { ca: this.platform.ca, serverName: `${level}.local` },
    })
    const body = new TextEncoder().encode(JSON.stringify({ attack }))
    await client.request(`/${level}`, { body }).catch(() => {})
    client.socket.on('error', () => {}).destroy()
  }

  /** Processes of others, as the machine counts them: neighbour, signer, gateway and supervisor. */
  async others(): Promise<number[]> {
    const members = await this.platform.status()
    const all = ['gateway', 'signer', 'echo-1']
    const pids = members.filter(({ name }) => all.includes(name)).map(({ pid }) => pid!)
    return [...pids, this.platform.child.pid!]
  }

  file(...names: string[]): string {
    return join(this.platform.directory, ...names)
  }

  async stop(): Promise<void> {
    this.#server.close()
    this.client.socket.destroy()
    await this.platform.stop()
  }
}
