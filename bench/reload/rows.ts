import type { Identity } from '../rig/identity.ts'
import type { Contender } from './contenders/contender.ts'
import { Hotpotato } from './contenders/hotpotato.ts'
import { Proxied } from './contenders/proxied.ts'
import { type ProxyName, ReverseProxy } from './contenders/proxies.ts'

/** Who serves the streams, and what is deployed. */
export const ROWS = {
  hotpotato: { title: 'hotpotato, its function deployed', proxy: undefined, server: true },
  nginx: { title: 'nginx reloaded, the server stays', proxy: 'nginx', server: false },
  haproxy: { title: 'haproxy reloaded, the server stays', proxy: 'haproxy', server: false },
  'nginx-node': { title: 'a server of Node deployed behind nginx', proxy: 'nginx', server: true },
  'haproxy-node': { title: 'a server of Node deployed behind haproxy', proxy: 'haproxy', server: true },
} as const satisfies Record<string, { title: string; proxy: ProxyName | undefined; server: boolean }>

export type RowName = keyof typeof ROWS
export const ROW_NAMES = Object.keys(ROWS) as RowName[]

/** @returns why it cannot be measured here; undefined: it can */
export function refusalOf(name: RowName): string | undefined {
  const { proxy } = ROWS[name]
  return proxy === undefined ? undefined : ReverseProxy.refuses(proxy)
}

export function start(name: RowName, identity: Identity): Promise<Contender> {
  const { proxy, server } = ROWS[name]
  return proxy === undefined ? Hotpotato.start(identity) : Proxied.start(proxy, server, identity)
}
