import { DEFAULT_LIMITS, type H1Event, type H1Limits, H1Server } from '../../src/http/h1/index.ts'
import { concat } from '../../src/wire/index.ts'

/** Each character as one byte. */
export function bytes(text: string): Uint8Array {
  return Uint8Array.from(text, character => character.charCodeAt(0))
}

export function text(data: Uint8Array): string {
  return String.fromCharCode(...data)
}

export function limits(changed: Partial<H1Limits> = {}): H1Limits {
  return { ...DEFAULT_LIMITS, ...changed }
}

/** The 15th of November 1994, 08:12:31 GMT. */
export const NOW = 784_887_151_000
export const DATE = 'Date: Tue, 15 Nov 1994 08:12:31 GMT\r\n'

/** Feeds one piece, and takes and answers whatever comes: each request with 200 and its method. */
export function serve(server: H1Server, piece: Uint8Array, events: H1Event[], sent: Uint8Array[]): void {
  server.receive(piece)
  for (let event = server.next(); event !== undefined; event = server.next()) {
    events.push(event)
    if (event.type === 'request') {
      server.accept()
      const go = server.continue()
      if (go.length > 0) sent.push(go)
    } else if (event.type === 'end') {
      sent.push(server.reply({ status: 200, body: 'ok' }, NOW))
    } else if (event.type === 'error' && event.answerable) {
      sent.push(server.reply({ status: event.status, body: event.reason }, NOW))
    }
  }
}

/** A whole conversation in one piece. */
export function conversation(input: Uint8Array, changed?: Partial<H1Limits>) {
  const server = new H1Server(limits(changed))
  const events: H1Event[] = []
  const sent: Uint8Array[] = []
  serve(server, input, events, sent)
  return { server, events: joined(events), sent: text(concat(...sent)) }
}

/**
 * The events with adjacent pieces of content put together: how content is cut is the one thing that chunking
 * may show.
 */
export function joined(events: readonly H1Event[]): H1Event[] {
  const out: H1Event[] = []
  for (const event of events) {
    const last = out.at(-1)
    if (event.type === 'body' && last?.type === 'body') {
      out[out.length - 1] = { type: 'body', data: concat(last.data, event.data) }
    } else out.push(event)
  }
  return out
}

/**
 * What became of the first request: its status if it was refused, otherwise 'accepted' or, if more is needed,
 * 'waits'.
 */
export function verdict(input: string, changed?: Partial<H1Limits>): number | 'accepted' | 'waits' {
  const { events } = conversation(bytes(input), changed)
  const error = events.find(event => event.type === 'error')
  if (error !== undefined) return error.status
  return events.some(event => event.type === 'end') ? 'accepted' : 'waits'
}
