import { type ResumableStream, resumable } from './resumable.ts'

/** One event of a stream of server-sent events (HTML Standard §9.2). */
export interface ServerSentEvent {
  /** What the stream goes on from: the client says the last one in `Last-Event-ID` when it comes back. */
  readonly id: string
  readonly data: string
  /** Its type; undefined: `message`. */
  readonly event?: string
  /** Milliseconds that the client waits before it comes back. */
  readonly retry?: number
}

/**
 * What clients do not see (HTML Standard §9.2.6): it keeps proxies from taking a quiet stream for a dead one.
 */
export interface ServerSentComment {
  readonly comment: string
}

/**
 * Gives the event behind the one of that id, or a comment, behind which it is asked for the same event again;
 * undefined: there is none any more. The signal is aborted when the client is gone or the stream goes on
 * elsewhere: there it is asked again.
 */
export type EventSourceFunction = (
  last: string,
  signal: AbortSignal,
) => Promise<ServerSentEvent | ServerSentComment | undefined>

/**
 * A stream of server-sent events whose ids are its state: it goes on in another container with the event
 * behind the last one that it gave.
 *
 *     const next = async id => ({ id: `${Number(id) + 1}`, data: await tick() })
 *     const ticks = (last, ctx) => ctx.events(last, next)
 *     export default {
 *       fetch: (request, env, ctx) =>
 *         new Response(ticks(request.headers.get('last-event-id') ?? '0', ctx), {
 *           headers: { 'content-type': 'text/event-stream' },
 *         }),
 *     }
 *     export const resume = ticks
 *
 * @param last id of the event before the first one
 */
export function events(last: string, next: EventSourceFunction): ResumableStream {
  const ending = new AbortController()
  let cursor = last
  return resumable({
    async pull(controller) {
      const event = await next(cursor, ending.signal)
      if (ending.signal.aborted) return
      if (event === undefined) {
        controller.close()
        return
      }
      if ('comment' in event) {
        controller.enqueue(commentOf(event))
        return
      }
      const text = textOf(event)
      cursor = String(event.id)
      controller.enqueue(text)
    },
    cancel: reason => ending.abort(reason),
    freeze: () => cursor,
  })
}

/** @throws TypeError for what is no text */
function commentOf({ comment }: ServerSentComment): string {
  if (typeof comment !== 'string') throw new TypeError(`a comment is no text: ${typeof comment}`)
  return `${linesOf(comment)
    .map(line => `: ${line}\n`)
    .join('')}\n`
}

/** Of the lines that each kind of line end makes (HTML Standard §9.2.6). */
const linesOf = (text: string): string[] => text.split(/\r\n|\r|\n/)

/** @throws TypeError for an id or a type that cannot stand in a line, and for what is no text */
function textOf({ id, data, event, retry }: ServerSentEvent): string {
  // Functions give what they like, and numbers as ids; without an id nothing could go on from there.
  if (!/^(string|number)$/.test(typeof id)) throw new TypeError(`the id of an event is no text: ${typeof id}`)
  if (typeof data !== 'string') throw new TypeError(`the data of an event is no text: ${typeof data}`)
  if (/[\0\r\n]/.test(id)) throw new TypeError('the id of an event cannot stand in a line')
  if (event !== undefined && /[\r\n]/.test(event))
    throw new TypeError('the type of an event cannot stand in a line')
  const type = event === undefined ? '' : `event: ${event}\n`
  const wait = retry === undefined ? '' : `retry: ${retry}\n`
  const lines = linesOf(data).map(line => `data: ${line}\n`)
  return `id: ${id}\n${type}${wait}${lines.join('')}\n`
}
