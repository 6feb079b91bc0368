import { type TimersLeft, timersLeft } from '../http/timers.ts'
import { decode, encode, struct, type TypeOf, text } from '../wire/index.ts'
import type { Envelope } from './envelope.ts'

type Extension = Envelope['extensions'][number]

/** The number of the extension that says which timers run, and the time they have left; `idleLeft` says it of `keep-alive`. */
export const TIMERS_EXTENSION = 3

/** What an envelope says of timers that run; undefined if nothing. @throws DecodeError */
export function timersOf(envelope: Envelope): TimersLeft | undefined {
  const found = envelope.extensions.find(({ type }) => type === TIMERS_EXTENSION)
  return found && decode(timersLeft, found.data)
}

/** The same, for an envelope: nothing if no timer runs. */
export function timersExtension(left: TimersLeft): readonly Extension[] {
  return left.running.length === 0 ? [] : [{ type: TIMERS_EXTENSION, data: encode(timersLeft, left) }]
}

/** What an envelope says of the client, where the socket that travels with it does not know: the gateway has relayed it. */
export const ClientExtension = struct('ClientExtension', {
  /** An IP address. */
  remoteAddress: text(1, 255),
})
export type ClientExtension = TypeOf<typeof ClientExtension>
/** The number of that extension. */
export const CLIENT_EXTENSION = 4

/** The client's address, if an envelope tells it. @throws DecodeError */
export function remoteAddressOf(envelope: Envelope): string | undefined {
  const found = envelope.extensions.find(({ type }) => type === CLIENT_EXTENSION)
  return found && decode(ClientExtension, found.data).remoteAddress
}

/** The same, for an envelope: nothing if nobody knows it. */
export function clientExtension(remoteAddress: string | undefined): readonly Extension[] {
  if (remoteAddress === undefined) return []
  return [{ type: CLIENT_EXTENSION, data: encode(ClientExtension, { remoteAddress }) }]
}
