import type { Clock } from '../time/clock.ts'
import { attempt } from './attempt.ts'
import {
  ConnectError,
  type Connected,
  type ConnectOptions,
  type Connector,
  type Target,
} from './connector.ts'
import type { Attempt, Kind } from './kinds/kind.ts'

/** What a kind still has to be given: nothing, where all that it needs is optional. */
type Given<Needs extends object> = object extends Needs ? [given?: Needs] : [given: Needs]

/**
 * Which kind of transport leads where: a registry from schemes and origins to kinds, each with what it needs.
 * The same client runs over all of them.
 */
export class Context implements Connector {
  readonly #routes = new Map<string, Route>()
  readonly #clock: Clock

  /** @param clock what timers go by */
  constructor(clock: Clock) {
    this.#clock = clock
  }

  /**
   * Adds a way. @param where a scheme (`https`, `http+unix`), or an origin (`http://docker.local`), which
   * goes first; a port of its own counts only where it is named
   * @param given what that kind needs; the compiler says what is missing
   */
  over<Needs extends object>(where: string, kind: Kind<Needs>, ...[given]: Given<Needs>): this {
    const needs = (given ?? {}) as Needs
    this.#routes.set(where.replace(/\/$/, '').toLowerCase(), {
      name: kind.name,
      connect: (target, attempt) => kind.connect(target, attempt, needs),
    })
    return this
  }

  /** @throws ConnectError `unsupported` if nothing leads there; what the kind throws */
  async connect(target: Target, options: ConnectOptions = {}): Promise<Connected> {
    const route = this.#routeTo(target)
    const { alpn, early } = options
    const more = { ...(alpn === undefined ? {} : { alpn }), ...(early === undefined ? {} : { early }) }
    const clock = this.#clock
    return attempt(target, options, clock, bounds => route.connect(target, { ...bounds, clock, ...more }))
  }

  /** What leads there; undefined: nothing does. */
  routeOf(target: Target): unknown {
    return this.#find(target)
  }

  /** The name of the kind that leads there. @throws ConnectError `unsupported` if none does */
  kindFor(target: Target): string {
    return this.#routeTo(target).name
  }

  #routeTo(target: Target): Route {
    const route = this.#find(target)
    if (route !== undefined) return route
    const where = `${target.scheme}://${bracketed(target)}`
    throw new ConnectError('unsupported', `no transport leads to ${where}: context.over adds one`)
  }

  #find(target: Target): Route | undefined {
    const { scheme, port } = target
    const shown = bracketed(target)
    for (const where of [`${scheme}://${shown}:${port}`, `${scheme}://${shown}`, scheme]) {
      const route = this.#routes.get(where.toLowerCase())
      if (route !== undefined) return route
    }
    return undefined
  }
}

function bracketed({ host }: Target): string {
  return host.includes(':') ? `[${host}]` : host
}

interface Route {
  readonly name: string
  connect(target: Target, attempt: Attempt): Promise<Connected>
}

/** The ports that schemes have of their own. */
const PORTS: Readonly<Record<string, number>> = { http: 80, ws: 80, https: 443, wss: 443 }

/** Where a URL leads. @throws TypeError for one that has neither a host nor a way without one */
export function targetOf(url: URL | string): Target {
  const { protocol, hostname, port } = new URL(url)
  const scheme = protocol.slice(0, -1)
  const host = hostname.replace(/^\[|\]$/g, '')
  return { scheme, host, port: port === '' ? (PORTS[scheme.split('+')[0]!] ?? 0) : Number(port) }
}
