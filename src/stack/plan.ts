import type { TimerSettings } from '../http/timers.ts'
import type { GatewaySettings } from '../platform/gateway-settings.ts'
import type { ProviderName } from '../platform/membership.ts'
import { QUEUE_FUNCTION } from '../platform/queue-settings.ts'
import type { RouteTable } from '../platform/routing/route-table.ts'
import type { SignerSettings } from '../platform/signer-settings.ts'
import type { WorkerSettings } from '../platform/worker-settings.ts'
import type { Channel } from '../transfer/channel.ts'
import { type Config, carrierOf, type FunctionConfig } from './config.ts'
import { confinement } from './confinement.ts'
import { filesEnvironment } from './files.ts'
import { readFunction } from './function.ts'
import { linkSpec } from './hosts.ts'
import { programSettings } from './program/program.ts'
import { queueSettings } from './queue.ts'
import type { Replicas } from './replicas.ts'
import { sealedSettings } from './sealed.ts'
import { type MemberSpec, named, type OfOneProcess, type RehearsalPlan, type RestartPolicy } from './spec.ts'
import { warmWith } from './trust.ts'

/** What is not in the configuration file. */
export interface PlanOptions {
  readonly channel: Channel['kind']
  readonly provider: ProviderName
  readonly logLevel: string
  /** What the files say that containers of a function read at their start, in a few characters. */
  readonly digest?: (one: FunctionConfig) => string
  /** The paths of the stack file and of what it takes in. */
  readonly files?: readonly string[]
}

/** What a configuration asks for. */
export interface Plan {
  readonly gateway: MemberSpec
  /** What keeps keys apart from the containers; undefined where nothing needs that. */
  readonly signer: MemberSpec | undefined
  /** What reaches other hosts; undefined where there are none. */
  readonly link: MemberSpec | undefined
  /** For each function as many as it starts with. */
  readonly containers: readonly MemberSpec[]
  /** Of each function, a container that has no name of its own yet. */
  readonly specs: ReadonlyMap<string, MemberSpec>
  readonly table: RouteTable
  /** How many containers a function may have. */
  readonly bounds: ReadonlyMap<string, Replicas>
  /** By function: milliseconds without work after which it sleeps. */
  readonly idle: ReadonlyMap<string, number>
  /** Processes that wait for a function, and what they are. */
  readonly warmPool: {
    readonly count: number
    readonly entry: URL
    readonly words: readonly string[]
    readonly settings: MemberSpec['settings']
  }
  readonly restart: RestartPolicy
  /** Moves that a container rehearses, and milliseconds for which a roll-out waits for that. */
  readonly rehearsals: RehearsalPlan
}

/** The processes that a configuration asks for, and how they are kept. */
export function plan(config: Config, options: PlanOptions): Plan {
  const functions = [...config.functions.values()]
  const table = routeTable(config)
  const specs = new Map(functions.map(one => [one.name, containerSpec(one, config, table, options)] as const))
  const bounds = new Map(functions.map(({ name, replicas }) => [name, replicas]))
  if (config.queue.enabled) {
    specs.set(QUEUE_FUNCTION, queueSpec(config, table, options))
    bounds.set(QUEUE_FUNCTION, { start: 1, min: 1, max: 1 })
  }
  return {
    gateway: {
      name: 'gateway',
      role: 'gateway',
      entry: GATEWAY,
      settings: gatewaySettings(config, table, options),
    },
    signer: signerSpec(config, options),
    link: linkSpec(config, options),
    containers: [...bounds].flatMap(([name, { start }]) =>
      Array.from({ length: start }, (_, index) => named(specs.get(name)!, `${name}-${index + 1}`)),
    ),
    specs,
    table,
    idle: new Map(functions.filter(one => one.idle > 0).map(one => [one.name, one.idle * 1000])),
    warmPool: {
      count: options.channel === 'native' ? config.warmPool : 0,
      entry: WARM,
      words: [options.provider, config.certificates],
      settings: {
        name: 'warm',
        channel: options.channel,
        provider: options.provider,
        logLevel: options.logLevel,
        verdictMilliseconds: config.connection.verdictSeconds * 1000,
      },
    },
    bounds,
    restart: restartPolicy(config),
    rehearsals: { moves: config.rehearsals, limit: config.rehearsalSeconds * 1000 },
  }
}

/**
 * Whether a process of its own keeps keys of a function: a connection may outlive all of its containers, and
 * be gone on with by one that starts later.
 */
function wantsSigner(one: FunctionConfig, config: Config): boolean {
  return one.keys === 'signer' || carrierOf(one, config) !== 'fd' || one.idle > 0
}

function signerSpec(
  config: Config,
  { digest: _, files: __, ...options }: PlanOptions,
): MemberSpec | undefined {
  if (![...config.functions.values()].some(one => wantsSigner(one, config))) return undefined
  const { rotationSeconds, lifetimeSeconds } = config.tls.tickets
  const spans = { rotationSeconds, lifetimeSeconds }
  const certificates = [...config.functions.values()]
    .filter(({ keys }) => keys === 'signer')
    .map(one => ({ functionName: one.name, ...certificateFiles(one, config) }))
  const settings: Omit<SignerSettings, OfOneProcess> = { ...options, name: 'signer', spans, certificates }
  return { name: 'signer', role: 'signer', entry: SIGNER, settings }
}

function certificateFiles({ certificate }: FunctionConfig, { certificates }: Config) {
  return { directory: certificates, name: certificate }
}

const SIGNER = new URL('../keys/main.js', import.meta.url)

/** What all processes know of the functions. */
function routeTable(config: Config): RouteTable {
  const functions = [...config.functions.values()]
  return {
    functionNames: [...config.functions.keys(), ...(config.queue.enabled ? [QUEUE_FUNCTION] : [])],
    retries: Object.fromEntries(functions.map(one => [one.name, one.retries])),
    carriers: Object.fromEntries(functions.map(one => [one.name, carrierOf(one, config)])),
    routes: functions.flatMap(one => one.hosts.map(host => ({ host, function: one.name }))),
    defaultFunction: config.gateway.defaultFunction,
  }
}

/** A container of a function, which is called as the function is until it has a name of its own. */
function containerSpec(
  one: FunctionConfig,
  config: Config,
  { functionNames, retries, routes }: RouteTable,
  { digest, files, ...options }: PlanOptions,
): MemberSpec {
  const { connection } = config
  const settings: Omit<WorkerSettings, OfOneProcess> = {
    ...options,
    name: one.name,
    functionName: one.name,
    handler: one.handler,
    program: programSettings(one, config),
    sealed: sealedSettings(one, config),
    lang: one.lang,
    environment: { ...one.environment, ...filesEnvironment(one.files) },
    functionNames,
    retries,
    routes,
    certificate: one.keys === 'signer' ? undefined : certificateFiles(one, config),
    tls: containersTls(config),
    clientAuthorities: one.clientAuthorities,
    ...functionTime(one, timers(config)),
    quietMilliseconds: connection.quietSeconds * 1000,
    verdictMilliseconds: connection.verdictSeconds * 1000,
    rehearsals: config.rehearsals,
    http: httpLimits(config),
    memoryBytes: connection.memoryBytes,
    maxInflight: maxInflight(one),
    accessLog: one.accessLog,
    http2: connection.http2,
    streams: connection.streams,
    warm: warmWith(config.trust, one.name),
    signer: wantsSigner(one, config),
    ...(config.teach ? { teach: true } : {}),
  }
  const { secretsDirectory: store } = config
  return {
    name: one.name,
    role: 'container',
    entry: WORKER,
    settings,
    secrets: one.secrets.length === 0 ? undefined : { store, names: one.secrets },
    digest: digest?.(one),
    confinement: confinement(one, config, files),
  }
}

/** What of TLS is a container's affair. */
function containersTls({ tls: { acme: _, ...tls } }: Config): WorkerSettings['tls'] {
  return tls
}

/** The container that keeps asynchronous calls: that of a function of which nothing else is written down. */
function queueSpec(
  config: Config,
  table: RouteTable,
  { digest: _, files: __, ...options }: PlanOptions,
): MemberSpec {
  const readText = (): string => ''
  const place = { path: '', directory: '', warnings: [], foreign: [], readText, variables: new Map() }
  const spec = containerSpec(readFunction(QUEUE_FUNCTION, undefined, place), config, table, options)
  const queue = queueSettings(config)
  return { ...spec, settings: { ...spec.settings, queue, ...WITHOUT_TLS } as MemberSpec['settings'] }
}

/** No handshake ends there, so it needs no certificate; and what it does is not in a hurry. */
const WITHOUT_TLS = { certificate: undefined, rehearsals: 0, signer: false }

/** A function may have less time than all have, and not more. */
function functionTime(
  { time }: Pick<FunctionConfig, 'time'>,
  timers: TimerSettings,
): Pick<WorkerSettings, 'timers' | 'handlerKey'> {
  const { handler } = timers
  const own = (time?.seconds ?? 0) * 1000
  if (time === undefined || own === 0 || (handler > 0 && own >= handler)) return { timers }
  return { timers: { ...timers, handler: own }, handlerKey: time.key }
}

/** OpenFaaS's watchdog is told in the environment. */
function maxInflight({ maxInflight, environment }: FunctionConfig): number {
  const told = Number(environment.max_inflight)
  return maxInflight ?? (Number.isSafeInteger(told) && told > 0 ? told : 0)
}

const GATEWAY = new URL('../gateway/main.js', import.meta.url)
const WORKER = new URL('../containers/process/worker.js', import.meta.url)
const WARM = new URL('../containers/process/warm.js', import.meta.url)

function restartPolicy({ restart }: Config): RestartPolicy {
  const { firstSeconds, mostSeconds, healthySeconds, crashLoop } = restart
  return {
    first: firstSeconds * 1000,
    most: mostSeconds * 1000,
    healthyAfter: healthySeconds * 1000,
    crashLoop,
  }
}

function httpLimits({ connection }: Config) {
  const { headBytes, headerFields, bodyBytes, requests } = connection
  return { headBytes, headerFields, bodyBytes, requests }
}

/** Milliseconds by timer. */
function timers({ connection }: Config): TimerSettings {
  const { headers, requestBody, keepAlive, handler, container } = connection.timers
  const { bytesPerSecond, graceSeconds } = connection.minimumRate
  return {
    ...(bytesPerSecond === 0 ? {} : { rate: { bytesPerSecond, grace: graceSeconds * 1000 } }),
    headers: headers * 1000,
    'request-body': requestBody * 1000,
    'keep-alive': keepAlive * 1000,
    handler: handler * 1000,
    container: container * 1000,
  }
}

function gatewaySettings(
  config: Config,
  table: RouteTable,
  { digest: _, files: __, ...options }: PlanOptions,
): Omit<GatewaySettings, OfOneProcess> {
  const { gateway } = config
  const { functionNames, carriers, routes, defaultFunction } = table
  return {
    ...options,
    name: 'gateway',
    verdictMilliseconds: config.connection.verdictSeconds * 1000,
    gateway: {
      host: gateway.host,
      http: gateway.http,
      https: gateway.https,
      routes,
      defaultFunction,
      functionNames,
      openingLimit: gateway.limits.connections,
      helloBytes: gateway.limits.helloBytes,
      helloMilliseconds: gateway.limits.helloSeconds * 1000,
      holdMilliseconds: gateway.limits.holdSeconds * 1000,
      orphanMilliseconds: gateway.limits.orphanSeconds * 1000,
      wakeMilliseconds: gateway.limits.wakeSeconds * 1000,
      hibernateMilliseconds: config.connection.hibernateSeconds * 1000,
      memoryBytes: gateway.limits.memoryBytes,
      idleMilliseconds: timers(config)['keep-alive'],
      http1: httpLimits(config),
      carriers,
    },
  }
}
