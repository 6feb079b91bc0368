import { type TimersLeft, timersLeft } from '../http/timers.ts'
import { decode, encode, struct, type TypeOf, text, uint32, vector } from '../wire/index.ts'
import type { Envelope } from './envelope.ts'

type Extension = Envelope['extensions'][number]

/**
 * The number of the extension that says which timers run, and the time they have left; `idleLeft` says it of
 * `keep-alive`.
 */
export const TIMERS_EXTENSION = 3

/**
 * How slowly the content of requests has come so far that no function has begun with: moving forgives
 * nothing.
 */
export const ContentRates = struct('ContentRates', {
  requests: vector(
    struct('ContentRate', {
      /** 0 over HTTP/1.1. */
      streamId: uint32,
      /** Milliseconds that the client may still be waited for. */
      left: uint32,
      /** Bytes of content that have been counted, and travel along. */
      counted: uint32,
    }),
    0,
    2 ** 16 - 1,
  ),
})
export type ContentRate = TypeOf<typeof ContentRates>['requests'][number]
/** The number of that extension. */
export const RATES_EXTENSION = 6

/** What a connection waits for. */
export interface Waits {
  readonly timers: TimersLeft
  readonly rates: readonly ContentRate[]
}

/** What an envelope says of timers that run, and of the rates of content. @throws DecodeError */
export function waitsOf({ extensions }: Envelope): Waits {
  const timers = extensions.find(({ type }) => type === TIMERS_EXTENSION)
  const rates = extensions.find(({ type }) => type === RATES_EXTENSION)
  return {
    timers: timers === undefined ? { running: [] } : decode(timersLeft, timers.data),
    rates: rates === undefined ? [] : decode(ContentRates, rates.data).requests,
  }
}

/** The same, for an envelope: nothing of what there is not. */
export function waitsExtensions({ timers, rates }: Waits): readonly Extension[] {
  const found: Extension[] = []
  if (timers.running.length > 0) found.push({ type: TIMERS_EXTENSION, data: encode(timersLeft, timers) })
  if (rates.length > 0)
    found.push({ type: RATES_EXTENSION, data: encode(ContentRates, { requests: [...rates] }) })
  return found
}

/**
 * What an envelope says of the client, where the socket that travels with it does not know: the gateway has
 * relayed it.
 */
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
