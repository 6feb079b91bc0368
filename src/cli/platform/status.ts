import { restsOf } from '../../platform/counters/rests.ts'
import { hostsOf } from '../../platform/hosts/counters.ts'
import type { ScaleBounds } from '../../stack/spec.ts'
import type { Change } from '../../supervisor/diary.ts'
import type { ReplicaState } from '../../supervisor/life-cycle.ts'
import type { ConnectionStatus } from '../../supervisor/sessions.ts'
import type { MemberStatus } from '../../supervisor/status.ts'
import type { Ports } from '../../supervisor/supervisor.ts'
import type { Peer } from '../../transfer/control.ts'
import { type CertificateStatus, statusTable } from '../cert/status.ts'
import { duration, mebibytes, table } from '../terminal/table.ts'

/** One function, as `status` shows it. */
export interface FunctionStatus {
  readonly name: string
  /** What `scale` may ask for. */
  readonly min: number
  readonly max: number
  /** Replicas that are to stay, and those of them that can take connections. */
  readonly replicas: number
  readonly ready: number
  /** It has no process, because there is no work for one. */
  readonly asleep: boolean
  /** Why it cannot start, if none of its replicas can work because of that. */
  readonly broken?: string
  /** Of all its containers, those that drain among them. */
  readonly connections: number
  /** Of these, those that no other container could go on with: the function does not sleep meanwhile. */
  readonly rooted: number
  /** Connections of it that the gateway keeps while it sleeps. */
  readonly hibernating: number
  /** Its containers on other hosts, as HOST/CONTAINER; undefined: there is none. */
  readonly elsewhere?: readonly string[]
}

/** What `hotpotato status --json` prints. */
export interface PlatformStatus {
  /** Of the supervisor. */
  readonly pid: number
  /** Undefined until everything has started; `admin` if there is such a port. */
  readonly ports: (Ports & { readonly admin?: number }) | undefined
  readonly functions: readonly FunctionStatus[]
  readonly members: readonly MemberStatus[]
  /** It tells secrets of its connections to its user: for learning alone. */
  readonly teaches?: true
  /** What has become of the replicas lately, the oldest first. */
  readonly changes: readonly Change[]
  /** Those of an authority of the web, if the stack file wants some. */
  readonly certificates?: readonly CertificateStatus[]
  /** Only if they were asked for. */
  readonly connections?: readonly ConnectionStatus[]
  /** Containers that did not say in time which connections they have; only if those were asked for. */
  readonly silent?: readonly string[]
}

/** What is said wherever a platform that teaches shows itself. */
export const TEACHES = 'TEACH MODE: hotpotato tells the secrets of connections here; it is for learning alone'

/** States in which a replica stays. */
const STAYING: ReadonlySet<ReplicaState> = new Set([
  'asleep',
  'starting',
  'ready',
  'backing-off',
  'crash-looping',
])

/** The functions, summed up from their containers. */
export function functionStatus(
  bounds: ReadonlyMap<string, ScaleBounds>,
  members: readonly MemberStatus[],
  far: readonly Pick<Peer, 'name' | 'functionName'>[] = [],
): FunctionStatus[] {
  return [...bounds].map(([name, { min, max }]) => {
    const containers = members.filter(one => one.functionName === name)
    const staying = containers.filter(({ state }) => STAYING.has(state))
    const ready = staying.filter(one => one.ready).length
    const elsewhere = far.filter(one => one.functionName === name).map(one => one.name)
    const broken = ready > 0 ? undefined : staying.find(one => one.broken !== undefined)?.broken
    return {
      name,
      min,
      max,
      replicas: staying.length,
      ready,
      asleep: staying.length > 0 && staying.every(({ state }) => state === 'asleep'),
      ...(broken === undefined ? {} : { broken }),
      connections: sumOf(containers, 'connections'),
      rooted: sumOf(containers, 'rooted'),
      hibernating: members.reduce((sum, { counters }) => sum + restsOf(counters, name), 0),
      ...(elsewhere.length === 0 ? {} : { elsewhere }),
    }
  })
}

function sumOf(members: readonly MemberStatus[], counter: string): number {
  return members.reduce((sum, { counters }) => sum + (counters[counter] ?? 0), 0)
}

/** How many of a function's replicas can work, or why none can. */
export function readyCell({ asleep, broken, ready }: FunctionStatus): string | number {
  return broken === undefined ? (asleep ? 'asleep' : ready) : 'broken'
}

/** What the link knows of other hosts, and of etcd. */
function hostsText({ ready, counters }: MemberStatus): string {
  if (!ready) return 'hosts: the link does not run: every connection stays on this host'
  if (counters.etcdAway === undefined) return 'hosts: the link does not answer'
  const hosts = [...hostsOf(counters)].map(([name, processes]) => `${name} (${processes} processes)`)
  const guests = counters.guests === 0 ? '' : `; clients of theirs here: ${counters.guests}`
  const etcd = counters.etcdAway === 0 ? [] : ['etcd is away: no connection of another host is taken here']
  const name = counters.nameTaken === 0 ? [] : ['the name of this host is taken in etcd']
  const netd =
    counters.netdAway === 1 ? ['netd does not answer: connections go by relay; start it: hotpotato netd'] : []
  return [`hosts: ${hosts.join(', ') || 'none is reached'}${guests}`, ...etcd, ...name, ...netd].join('\n')
}

/** The status as tables for a person. */
export function statusText(status: PlatformStatus): string {
  const { functions, members, connections, silent, certificates, teaches } = status
  const tables = [
    ...(teaches === true ? [TEACHES] : []),
    table(
      ['FUNCTION', 'REPLICAS', 'READY', 'MIN', 'MAX', 'CONNECTIONS'],
      functions.map(one => [one.name, one.replicas, readyCell(one), one.min, one.max, one.connections]),
    ),
    table(
      [
        'PROCESS',
        'STATE',
        'PID',
        'AGE',
        'RESTARTS',
        'CONNECTIONS',
        'TAKEN',
        'MOVED',
        'UNCLEAN',
        'MEMORY',
        'HELD',
        'SHED',
      ],
      members.map(({ name, state, pid, age, restarts, counters }) => [
        name,
        state,
        pid,
        age === undefined ? undefined : duration(age),
        restarts,
        counters.connections,
        counters.accepted ?? counters.delivered,
        counters.moved,
        counters.unclean,
        mebibytes(counters.rssKiB, 1024),
        mebibytes(counters.heldBytes, 2 ** 20),
        counters.shed,
      ]),
    ),
  ]
  tables.push(...members.filter(({ role }) => role === 'link').map(hostsText))
  const away = functions.filter(one => one.ready === 0 && !one.asleep && one.elsewhere !== undefined)
  const at = ({ name, elsewhere = [] }: FunctionStatus): string => `${name} (${elsewhere.join(', ')})`
  if (away.length > 0) tables.push(`served by other hosts: ${away.map(at).join(', ')}`)
  const broken = functions.filter(one => one.broken !== undefined)
  if (broken.length > 0) tables.push(broken.map(one => `broken: ${one.name}: ${one.broken}`).join('\n'))
  const each = (title: string, count: 'rooted' | 'hibernating'): void => {
    const some = functions.filter(one => one[count] > 0)
    if (some.length > 0) tables.push(`${title}: ${some.map(one => `${one.name} (${one[count]})`).join(', ')}`)
  }
  each('kept awake by connections that cannot leave', 'rooted')
  const held = members.filter(({ counters }) => (counters.heldUpBy ?? 0) > 0)
  const drain = ({ name, counters: { heldUpBy, heldUpFor = 0 } }: MemberStatus): string =>
    `${name} (${heldUpBy}, for ${duration(heldUpFor)})`
  if (held.length > 0) tables.push(`held up by what cannot move: ${held.map(drain).join(', ')}`)
  each('hibernating with the gateway', 'hibernating')
  if (certificates !== undefined && certificates.length > 0)
    tables.push(statusTable(certificates, Date.now()))
  if (connections !== undefined) tables.push(connectionTable(connections))
  if (silent !== undefined && silent.length > 0)
    tables.push(`without the connections of what did not answer: ${silent.join(', ')}`)
  return tables.join('\n\n')
}

/** Columns of a line for people. */
const COLUMNS = 110
/** Digits of an id that are shown: for `move` the beginning is enough. */
const DIGITS = 8
/** Columns that a server name has at least. */
const NAME = 8

/** One line for each; server names are cut where it would be too wide. */
export function connectionTable(connections: readonly ConnectionStatus[]): string {
  if (connections.length === 0) return 'no connections'
  const longest = Math.max(...connections.map(({ serverName = '' }) => serverName.length))
  const whole = rendered(connections, longest)
  const excess = Math.max(...whole.split('\n').map(line => line.length)) - COLUMNS
  return excess <= 0 ? whole : rendered(connections, Math.max(NAME, longest - excess))
}

/** @param most columns of a server name */
function rendered(connections: readonly ConnectionStatus[], most: number): string {
  return table(
    [
      'CONNECTION',
      'CONTAINER',
      'STATE',
      'HERE',
      'REQUESTS',
      'MOVES',
      'GENERATION',
      'PROTOCOL',
      'SERVER NAME',
      'TLS',
    ],
    connections.map(({ serverName = '', cipherSuite, ...one }) => [
      one.id.slice(0, DIGITS),
      one.container,
      one.state,
      duration(one.age),
      one.requests,
      one.hops,
      one.generation,
      one.protocol,
      (serverName.length > most ? `${serverName.slice(0, most - 1)}…` : serverName) || undefined,
      one.tls ? (cipherSuite?.replace(/^TLS_|_SHA\d+$/g, '') ?? 'not yet') : 'no',
    ]),
  )
}
