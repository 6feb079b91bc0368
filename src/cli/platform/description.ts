import { join } from 'node:path'
import { readChain } from '../../certificates/load.ts'
import { mayDelegate } from '../../certificates/short-lived.ts'
import type { Config, FunctionConfig } from '../../stack/config.ts'
import { carrierOf } from '../../stack/config.ts'
import type { Controller } from '../../supervisor/cgroups/hierarchy.ts'
import { PROCESSES } from '../../supervisor/isolation/bounds.ts'
import { type Holder, holders } from '../../supervisor/isolation/holders.ts'
import type { MemberStatus } from '../../supervisor/status.ts'
import type { Ports } from '../../supervisor/supervisor.ts'
import { CommandError } from '../line/usage-error.ts'
import { duration, fieldLines, mebibytes, table } from '../terminal/table.ts'
import { functionStatus } from './status.ts'

/** What `hotpotato describe --json` prints: of a function, as it runs. Values of variables stay unsaid. */
export interface FunctionDescription {
  readonly name: string
  readonly handler: string
  readonly lang: string | undefined
  /** Of a program: how it is asked, and the command if the stack file has one. */
  readonly mode: string | undefined
  readonly command: readonly string[] | undefined
  readonly replicas: {
    readonly min: number
    readonly max: number
    readonly now: number
    readonly ready: number
  }
  /** Why none of them can start; undefined: one can. */
  readonly broken: string | undefined
  readonly connections: number
  /** Of these, those that no other container could go on with. */
  readonly rooted: number
  /** Where it answers; the first is that of `hotpotato invoke`. */
  readonly urls: readonly string[]
  readonly certificate: string
  /** Where its key is. */
  readonly keys: 'container' | 'signer'
  /** Whether it allows delegated credentials (RFC 9345); with the signer, containers have some. */
  readonly delegation: boolean
  readonly carrier: string
  readonly isolation: string
  /** What one container may use, and who sees to that; bytes, cores, processes. */
  readonly limits: Readonly<Partial<Record<'memory' | 'cpu' | 'processes', HeldLimit>>>
  /** Names. */
  readonly environment: readonly string[]
  readonly secrets: readonly string[]
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  readonly containers: readonly MemberStatus[]
}

/** A limit; with `nothing` it is not kept here. */
export interface HeldLimit {
  readonly most: number
  readonly heldBy: Holder
}

/** @param held by cgroups of the supervisor's @throws CommandError there is no such function */
export function describe(
  name: string,
  config: Config,
  { http, https }: Ports,
  members: readonly MemberStatus[],
  held: ReadonlySet<Controller>,
): FunctionDescription {
  const one = config.functions.get(name)
  if (one === undefined) {
    const names = [...config.functions.keys()].join(', ')
    throw new CommandError(`there is no function ${name}; there are ${names}`)
  }
  const containers = members.filter(({ functionName }) => functionName === name)
  const [{ min, max, replicas, ready, connections, rooted, broken } = undefined!] = functionStatus(
    new Map([[name, one.replicas]]),
    containers,
  )
  const hosts = one.hosts.filter(host => !host.startsWith('*'))
  return {
    name,
    handler: one.handler,
    lang: one.lang,
    mode: one.program?.mode,
    command: one.command,
    replicas: { min, max, now: replicas, ready },
    broken,
    connections,
    rooted,
    urls: [
      ...hosts.map(host => `https://${host}:${https}/`),
      `http://${config.gateway.host}:${http}/${name}`,
    ],
    certificate: one.certificate,
    keys: one.keys,
    delegation: isDelegating(join(config.certificates, `${one.certificate}.crt`)),
    carrier: carrierOf(one, config),
    isolation: one.isolation,
    limits: limitsOf(one, held),
    environment: Object.keys(one.environment).sort(),
    secrets: one.secrets ?? [],
    labels: one.labels ?? {},
    annotations: one.annotations ?? {},
    containers,
  }
}

function isDelegating(file: string): boolean {
  try {
    return mayDelegate(readChain(file)[0]!.raw)
  } catch {
    // It is what the container has loaded that counts; the file may be gone since.
    return false
  }
}

/** The certificate, and which keys speak for it. */
function certificateText({ certificate, keys, delegation }: FunctionDescription): string {
  if (keys === 'container') return `${certificate}, its key in each container`
  return delegation
    ? `${certificate}, its key with the signer; containers have delegated credentials`
    : `${certificate}, its key with the signer alone; it allows no delegated credentials`
}

function limitsOf(
  { isolation, limits: { memory, cpu } }: FunctionConfig,
  held: ReadonlySet<Controller>,
): FunctionDescription['limits'] {
  const by = holders(isolation, held)
  return {
    ...(memory === undefined ? {} : { memory: { most: memory, heldBy: by.memory } }),
    ...(cpu === undefined ? {} : { cpu: { most: cpu, heldBy: by.cpu } }),
    processes: { most: PROCESSES, heldBy: by.processes },
  }
}

/** What `heldBy` means to people. */
const HELD: Readonly<Record<Holder, string>> = {
  kernel: 'held by the kernel',
  supervisor: 'looked at once a second',
  nothing: 'not held here',
}

function limitsText({ memory, cpu, processes }: FunctionDescription['limits']): string {
  const line = (text: string, one: HeldLimit | undefined): string[] =>
    one === undefined ? [] : [`${text}, ${HELD[one.heldBy]}`]
  return [
    ...line(`memory ${mebibytes(memory?.most ?? 0, 2 ** 20)}`, memory),
    ...line(`cpu ${cpu?.most}`, cpu),
    ...line(`processes ${processes?.most}`, processes),
  ].join('\n')
}

/** The same for people. */
export function descriptionText(one: FunctionDescription): string {
  const { replicas } = one
  const pairs = (map: Readonly<Record<string, string>>): string =>
    Object.entries(map)
      .map(([key, value]) => `${key}=${value}`)
      .join(', ')
  const fields = fieldLines([
    ['name', one.name],
    ['handler', one.lang === undefined ? one.handler : `${one.handler} (${one.lang})`],
    ['program', one.mode === undefined ? '' : `${one.command?.join(' ') ?? ''} (${one.mode})`.trim()],
    [
      'replicas',
      `${replicas.ready} ready of ${replicas.now}; scale allows ${replicas.min} to ${replicas.max}`,
    ],
    ['broken', one.broken ?? ''],
    ['connections', String(one.connections)],
    ['kept awake', one.rooted === 0 ? '' : `by ${one.rooted} that cannot leave its process`],
    ['certificate', certificateText(one)],
    ['carrier', one.carrier],
    ['isolation', one.isolation],
    ['limits', limitsText(one.limits)],
    ['environment', one.environment.join(', ')],
    ['secrets', one.secrets.join(', ')],
    ['labels', pairs(one.labels)],
    ['annotations', pairs(one.annotations)],
    ['urls', one.urls.join('\n')],
  ])
  const containers = table(
    [
      ...['CONTAINER', 'STATE', 'PID', 'AGE', 'RESTARTS', 'CONNECTIONS', 'MEMORY'],
      ...programColumns(one.mode),
    ],
    one.containers.map(({ name, state, pid, age, restarts, counters }) => [
      name,
      state,
      pid,
      age === undefined ? undefined : duration(age),
      restarts,
      counters.connections,
      mebibytes(counters.rssKiB, 1024),
      ...programCells(one.mode, counters),
    ]),
  )
  return `${fields}\n\n${containers}`
}

/** What a container's program is at: its process and how often it has ended, or processes for requests. */
function programColumns(mode: string | undefined): string[] {
  if (mode === undefined) return []
  return mode === 'fork' ? ['WORKING', 'WARM', 'STARTED', 'FAILED'] : ['PROGRAM', 'ENDED']
}

function programCells(mode: string | undefined, counters: MemberStatus['counters']): (number | undefined)[] {
  if (mode === undefined) return []
  const { programs, programsWarm, programsStarted, programsFailed, programPid, programRestarts } = counters
  return mode === 'fork'
    ? [programs, programsWarm, programsStarted, programsFailed]
    : [programPid || undefined, programRestarts]
}
