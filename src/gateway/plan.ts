import type { ProviderName } from '../containers/membership.ts'
import type { RouteEntry } from '../containers/routes.ts'
import type { WorkerSettings } from '../containers/worker-settings.ts'
import type { Channel } from '../transfer/channel.ts'
import type { Config } from './config.ts'
import type { GatewaySettings } from './gateway-settings.ts'
import type { MemberSpec } from './member.ts'

/** What is not in the configuration file. */
export interface PlanOptions {
  readonly channel: Channel['kind']
  readonly provider: ProviderName
  readonly logLevel: string
}

/** The processes that a configuration asks for: one gateway, and for each function its containers. */
export function plan(
  config: Config,
  options: PlanOptions,
): { gateway: MemberSpec; containers: MemberSpec[] } {
  const functionNames = [...config.functions.keys()]
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
      Array.from({ length: one.replicas }, (_, index): MemberSpec => {
        const name = `${one.name}-${index + 1}`
        const settings: Omit<WorkerSettings, 'id' | 'token'> = {
          ...options,
          name,
          functionName: one.name,
          handler: one.handler,
          environment: one.environment,
          functionNames,
          routes,
          certificate: { directory: config.certificates, name: one.certificate },
          tls: config.tls,
          idleMilliseconds: config.connection.idleSeconds * 1000,
          quietMilliseconds: config.connection.quietSeconds * 1000,
          http: httpLimits(config),
          http2: config.connection.http2,
        }
        return { name, entry: WORKER, settings }
      }),
    ),
  }
}

const GATEWAY = new URL('./main.js', import.meta.url)
const WORKER = new URL('../containers/worker.js', import.meta.url)

function httpLimits({ connection }: Config) {
  const { headBytes, headerFields, bodyBytes, requests } = connection
  return { headBytes, headerFields, bodyBytes, requests }
}

function gatewaySettings(
  config: Config,
  functionNames: readonly string[],
  routes: readonly RouteEntry[],
  options: PlanOptions,
): Omit<GatewaySettings, 'id' | 'token'> {
  const { gateway, connection } = config
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
      idleMilliseconds: connection.idleSeconds * 1000,
      http1: httpLimits(config),
    },
  }
}
