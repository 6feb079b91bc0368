import type { Clock } from '../../time/clock.ts'
import { concat, EMPTY } from '../../wire/index.ts'
import type { Accepted } from '../listener.ts'
import { Prefixed } from '../prefixed.ts'
import { type ProxyHeader, ProxyProtocolError } from './header.ts'
import { readProxyHeader } from './reader.ts'
import { trusting } from './trusted.ts'

/** From whom a server takes PROXY protocol headers. */
export interface ProxyProtocolOptions {
  /**
   * Addresses and networks of the proxies; `local`: peers without an address, as by Unix sockets. Each of
   * their connections must have a header; those of other peers may not have one, because it would be the
   * client's own word.
   */
  readonly trusted: readonly string[]
  /** Bytes that a header may have; default: 4096. */
  readonly headerBytes?: number
  /** Milliseconds until it has come; default: 3000. */
  readonly patienceMs?: number
}

/** A connection for which a proxy has spoken, or not. */
export interface Introduced extends Accepted {
  /** What the proxy said; undefined: the peer is none. */
  readonly proxied?: ProxyHeader
}

/**
 * Reads the headers of trusted peers. @throws TypeError for an entry of `trusted` that makes no sense. What
 * it returns throws (as rejection) ProxyProtocolError, and leaves the closing to its caller
 */
export function introductions(
  { trusted, headerBytes, patienceMs = 3000 }: ProxyProtocolOptions,
  clock: Clock,
): (accepted: Accepted) => Promise<Introduced> {
  const trusts = trusting(trusted)
  return async accepted => {
    if (!trusts(accepted.peer ?? {})) return accepted
    const { header, rest } = await firstBytes(accepted, headerBytes, patienceMs, clock)
    const transport = new Prefixed(accepted.transport, rest)
    const { source, destination } = header
    const { peer = {}, local = {} } = accepted
    return { transport, peer: source ?? peer, local: destination ?? local, proxied: header }
  }
}

function firstBytes(
  { transport }: Accepted,
  most: number | undefined,
  patienceMs: number,
  clock: Clock,
): Promise<{ readonly header: ProxyHeader; readonly rest: Uint8Array }> {
  return new Promise((resolve, reject) => {
    let first = EMPTY
    let over = false
    const late = clock.after(patienceMs, () => fail(new ProxyProtocolError('no header in time')))
    const fail = (error: Error): void => {
      late.stop()
      over = true
      reject(error)
    }
    transport.read({
      bytes(view) {
        if (over) return
        first = concat(first, view)
        try {
          const found = readProxyHeader(first, most)
          if (found === undefined) return
          transport.pause()
          late.stop()
          over = true
          resolve({ header: found.header, rest: first.slice(found.length) })
        } catch (error) {
          fail(error as Error)
        }
      },
      end: () => fail(new ProxyProtocolError('the connection ended in its header')),
      error: fail,
    })
  })
}
