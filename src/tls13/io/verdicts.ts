import { hash } from 'node:crypto'
import { concat, EMPTY, utf8 } from '../../wire/index.ts'
import type { Trusted } from '../authentication.ts'
import { Recent } from '../recent.ts'

/** A chain that was trusted, and for how long each certificate of its path is valid. */
export interface Verdict {
  readonly trusted: Trusted
  /** Milliseconds since 1970: the latest notBefore and the earliest notAfter of the path. */
  readonly notBefore: number
  readonly notAfter: number
}

/** Bytes that an entry takes beside its public key: its key in the map, and the objects. */
const ENTRY_BYTES = 400

/**
 * Chains that were trusted, so that a server (or client) seen again is judged by its dates alone. What they
 * were judged for is in the key: see {@link verdictKey}. Refusals are not kept.
 */
export class Verdicts {
  readonly #kept: Recent<Verdict>

  /** @param most chains @param mostBytes of memory, about */
  constructor(most: number, mostBytes: number) {
    this.#kept = new Recent(most, mostBytes, ({ trusted }) => ENTRY_BYTES + trusted.publicKey.length)
  }

  /** What was found, in memory of its own; undefined if nothing is known that holds at this time. */
  get(key: string, now: number): Trusted | undefined {
    const verdict = this.#kept.get(key)
    // So that a time that is no number fits none.
    if (verdict === undefined || !(now >= verdict.notBefore && now <= verdict.notAfter)) return undefined
    return copy(verdict.trusted)
  }

  set(key: string, verdict: Verdict): void {
    this.#kept.set(key, { ...verdict, trusted: copy(verdict.trusted) })
  }
}

/** The holder of a key may overwrite it. */
function copy({ publicKey, ...others }: Trusted): Trusted {
  return { ...others, publicKey: publicKey.slice() }
}

/**
 * A SHA-256 of all that a verdict hangs on but the time. Each part has its length before it, so that no part
 * can pass for another.
 * @param trusted the id of the trust store
 * @param name that the certificate has to be for; undefined if it may be for any
 */
export function verdictKey(
  trusted: Uint8Array,
  purpose: string,
  name: string | undefined,
  chain: readonly Uint8Array[],
): string {
  const parts = [trusted, utf8(purpose), name === undefined ? EMPTY : utf8(`=${name}`), ...chain]
  const lengths = Uint32Array.from(parts, part => part.length)
  return hash(
    'sha256',
    concat(Uint8Array.of(parts.length), new Uint8Array(lengths.buffer), ...parts),
    'binary',
  )
}
