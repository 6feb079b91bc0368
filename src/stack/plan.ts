import type { TimerSettings } from '../http/timers.ts'
import type { GatewaySettings } from '../platform/gateway-settings.ts'
import type { ProviderName } from '../platform/membership.ts'
import type { RouteEntry } from '../platform/routes.ts'
import type { WorkerSettings } from '../platform/worker-settings.ts'
import type { Channel } from '../transfer/channel.ts'
import { type Config, carrierOf } from './config.ts'
import type { MemberSpec, OfOneProcess, RehearsalPlan, RestartPolicy, ScaleBounds } from './spec.ts'
import { warmWith } from './trust.ts'

/** What is not in the configuration file. */
export interface PlanOptions {
  readonly channel: Channel['kind']
  readonly provider: ProviderName
  readonly logLevel: string
}

/** What a configuration asks for. */
export interface Plan {
  readonly gateway: MemberSpec
  /** For each function as many as it starts with. */
  readonly containers: readonly MemberSpec[]
  /** How many containers a function may have. */
  readonly bounds: ReadonlyMap<string, ScaleBounds>
  /** By function: milliseconds without work after which it sleeps. */
  readonly idle: ReadonlyMap<string, number>
  readonly restart: RestartPolicy
  /** Moves that a container rehearses, and milliseconds for which a roll-out waits for that. */
  readonly rehearsals: RehearsalPlan
}

/** The processes that a configuration asks for, and how they are kept. */
export function plan(config: Config, options: PlanOptions): Plan {
  const functionNames = [...config.functions.keys()]
  const retries = Object.fromEntries([...config.functions.values()].map(one => [one.name, one.retries]))
  const routes = [...config.functions.values()].flatMap(one =>
    one.hosts.map(host => ({ host, function: one.name })),
  )
  return {
    gateway: {
      name: 'gateway',
      entry: GATEWAY,
      settings: gatewaySettings(config, functionNames, routes, options),
    },
    containers: [...config.functions.values()].flatMap(one =>
      Array.from({ length: one.replicas.start }, (_, index): MemberSpec => {
        const name = `${one.name}-${index + 1}`
        const settings: Omit<WorkerSettings, OfOneProcess> = {
          ...options,
          name,
          functionName: one.name,
          handler: one.handler,
          lang: one.lang,
          environment: one.environment,
          functionNames,
          retries,
          routes,
          certificate: { directory: config.certificates, name: one.certificate },
          tls: config.tls,
          clientAuthorities: one.clientAuthorities,
          timers: timers(config),
          quietMilliseconds: config.connection.quietSeconds * 1000,
          rehearsals: config.rehearsals,
          http: httpLimits(config),
          memoryBytes: config.connection.memoryBytes,
          http2: config.connection.http2,
          streams: config.connection.streams,
          warm: warmWith(config.trust, one.name),
        }
        return { name, entry: WORKER, settings }
      }),
    ),
    bounds: new Map([...config.functions.values()].map(({ name, replicas }) => [name, replicas])),
    idle: new Map(
      [...config.functions.values()].filter(one => one.idle > 0).map(one => [one.name, one.idle * 1000]),
    ),
    restart: restartPolicy(config),
    rehearsals: { moves: config.rehearsals, limit: config.rehearsalSeconds * 1000 },
  }
}

const GATEWAY = new URL('../gateway/main.js', import.meta.url)
const WORKER = new URL('../containers/process/worker.js', import.meta.url)

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
  functionNames: readonly string[],
  routes: readonly RouteEntry[],
  options: PlanOptions,
): Omit<GatewaySettings, OfOneProcess> {
  const { gateway, functions } = config
  return {
    ...options,
    name: 'gateway',
    gateway: {
      host: gateway.host,
      http: gateway.http,
      https: gateway.https,
      routes,
      defaultFunction: gateway.defaultFunction,
      functionNames,
      openingLimit: gateway.limits.connections,
      helloBytes: gateway.limits.helloBytes,
      helloMilliseconds: gateway.limits.helloSeconds * 1000,
      holdMilliseconds: gateway.limits.holdSeconds * 1000,
      wakeMilliseconds: gateway.limits.wakeSeconds * 1000,
      hibernateMilliseconds: config.connection.hibernateSeconds * 1000,
      memoryBytes: gateway.limits.memoryBytes,
      idleMilliseconds: timers(config)['keep-alive'],
      http1: httpLimits(config),
      carriers: Object.fromEntries([...functions.values()].map(one => [one.name, carrierOf(one, config)])),
    },
  }
}
