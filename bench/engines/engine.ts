import type { AddressInfo, Server } from 'node:net'

/**
 * The engine's side of what docs/bench-engines.md describes, for engines that are written in TypeScript. An
 * engine in another language needs nothing of this.
 */

/** One of the two owners of a connection. */
export interface Owner {
  /** The target of requests for it, as `/a`. */
  readonly path: string
  /** What its answers say in `x-hotpotato-container`. */
  readonly name: string
}

/** What an engine says when it accepts connections: one line of JSON on its standard output. */
export interface Ready {
  /** Letters, digits and hyphens. */
  readonly engine: string
  /** As it stands in tables; as `engine` by default. */
  readonly title?: string
  /** Of 127.0.0.1. */
  readonly port: number
  /** The first one gets each new connection. */
  readonly owners: readonly Owner[]
  /** Bytes of an idle connection's state before it is sealed, if it knows. */
  readonly state?: number
}

/** The name that clients ask for, and that the certificate is for. */
export const SERVER_NAME = 'engine.local'

/** Exit code of an engine that cannot do here what it is asked for: it is skipped, and that is no failure. */
export const REFUSED = 3

/** Why an engine cannot do what it is asked for. */
export class EngineRefusal extends Error {
  override readonly name = 'EngineRefusal'
}

/** What the bench tells an engine: the three last words of its command. */
export interface EngineArguments {
  /** Files in PEM. */
  readonly certificate: string
  readonly key: string
  /** As `TLS_AES_128_GCM_SHA256`. */
  readonly suite: string
}

/** @param words all of the command @throws EngineRefusal there are too few */
export function argumentsOf(words: readonly string[]): EngineArguments {
  const [certificate, key, suite] = words.slice(2).slice(-3)
  if (certificate === undefined || key === undefined || suite === undefined)
    throw new EngineRefusal('an engine needs CERTIFICATE KEY SUITE; docs/bench-engines.md says more')
  return { certificate, key, suite }
}

/** Says that connections are accepted, and ends this process when the bench closes standard input. */
export function announce(server: Pick<Server, 'address'>, ready: Omit<Ready, 'port'>): void {
  announcePort((server.address() as AddressInfo).port, ready)
}

/** As {@link announce}. @param stop what there is to end first */
export function announcePort(
  port: number,
  ready: Omit<Ready, 'port'>,
  stop: () => Promise<void> = async () => {},
): void {
  process.stdout.write(`${JSON.stringify({ ...ready, port })}\n`)
  process.stdin.on('end', () => void stop().finally(() => process.exit())).resume()
}

/** Says why there can be no such engine here, and ends. */
export function refuse(error: Error): never {
  process.stderr.write(`${error.message}\n`)
  process.exit(error instanceof EngineRefusal ? REFUSED : 1)
}
