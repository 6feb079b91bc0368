import type { H2Server } from '../../http/h2/index.ts'
import type { Problem } from '../../http/problem.ts'
import type { Calls } from './calls.ts'

/** Bytes that a stream may hold and be spared when others of its connection are given up. */
const SPARED = 16_384
/** Bytes that the connection may go on holding then; with more it ends. */
const RESIDUE = 65_536

/**
 * The streams of a connection: those that are served, and those whose requests no function has been given.
 */
export interface Streams {
  readonly http: H2Server
  readonly calls: Calls
  /** By stream. */
  readonly waiting: ReadonlyMap<number, unknown>
}

/** Bytes that an HTTP/2 connection holds because of its client. */
export function heldBy({ http, calls, waiting }: Streams): number {
  let bytes = http.held + calls.held
  for (const streamId of waiting.keys()) bytes += http.withheld(streamId)
  return bytes
}

/**
 * Gives up the streams that hold much. @param refuse answers a request that waits
 * @returns whether the rest is little enough for the connection to go on
 */
export function shed(streams: Streams, what: Problem, refuse: (streamId: number) => void): boolean {
  const { http, calls, waiting } = streams
  calls.shed(SPARED, what)
  for (const streamId of [...waiting.keys()]) if (http.withheld(streamId) > SPARED) refuse(streamId)
  http.shed(SPARED)
  return heldBy(streams) <= RESIDUE
}
